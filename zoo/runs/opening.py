"""Opens a run directory or a preset as a `Trained`."""

from typing import Any

from zoo.cli import errors
from zoo.runs import preset, preset_folder
from zoo.runs.directory import Directory
from zoo.runs.run import Run, Trained


def load(workdir: str, data_dir: str | None = None) -> Trained:
    """Returns the model of a run directory with the weights of its newest checkpoint.

    The model computes in float32. Its averaged weights are in its optimizer, as after training.

    Args:
        workdir: The path of the run directory.
        data_dir: The folder where TFDS keeps the data set; the default is where the run had it.

    Raises:
        UsageError: If `workdir` is no run directory, or has no checkpoint, or if its data are not
            there.
    """
    directory = Directory(workdir)
    run = directory.read()
    return restored(run, run.load_data(data_dir), directory)


def restored(run: Run, data: Any, directory: Directory) -> Trained:
    """Returns a run as `load` does, with data that were loaded before.

    Raises:
        UsageError: If the directory has no checkpoint.
    """
    model = run.build(data, for_training=False)
    if not directory.restore(directory.checkpoints(model)):
        raise errors.UsageError(f'--workdir must hold a checkpoint; {str(directory.path)!r} has '
                                'none.')
    return Trained(run, data, model)


def open_run_or_preset(workdir: str | None, preset_name: str | None,
                       data_dir: str | None = None) -> Trained:
    """Returns a run directory or a preset, whichever is given, as `load` does.

    Raises:
        UsageError: If both are given, or neither, or if what is given cannot be read.
    """
    preset_folder.check_source(workdir, preset_name)
    if not preset_name:
        return load(workdir or '', data_dir)
    opened = preset.read(preset_name)
    return Trained(opened.run, opened.run.load_data(data_dir), opened.model)
