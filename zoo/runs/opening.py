"""From a run directory, or a preset's name, to a `Trained`."""

from typing import Any

from zoo.cli import errors
from zoo.runs import preset, preset_folder
from zoo.runs.directory import Directory
from zoo.runs.run import Run, Trained


def load(workdir: str, data_dir: str | None = None) -> Trained:
    """Returns the model of a run directory with the weights of its newest checkpoint.

    The model computes in float32; its averaged weights are in its optimizer, as after training.

    Args:
        workdir: The run directory.
        data_dir: Where TFDS keeps the data set; by default where the run found it.

    Raises:
        UsageError: If it is no run directory, holds no checkpoint, or its data are not there.
    """
    directory = Directory(workdir)
    run = directory.read()
    return restored(run, run.load_data(data_dir), directory)


def restored(run: Run, data: Any, directory: Directory) -> Trained:
    """Returns a run as `load` does, with data that are at hand."""
    model = run.build(data, for_training=False)
    if not directory.restore(directory.checkpoints(model)):
        raise errors.UsageError(f'--workdir must hold a checkpoint; {str(directory.path)!r} has '
                                'none.')
    return Trained(run, data, model)


def open_run_or_preset(workdir: str | None, preset_name: str | None,
                       data_dir: str | None = None) -> Trained:
    """Returns exactly one of a run directory and a preset, as `load` does.

    Raises:
        UsageError: If both are given, or neither, or what is given cannot be read.
    """
    preset_folder.check_source(workdir, preset_name)
    if not preset_name:
        return load(workdir or '', data_dir)
    opened = preset.read(preset_name)
    return Trained(opened.run, opened.run.load_data(data_dir), opened.model)
