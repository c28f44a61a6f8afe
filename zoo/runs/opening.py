"""Opens a run directory or a preset as a `Trained`."""

from collections.abc import Callable
from typing import Any

from zoo.cli import errors
from zoo.models.assembly import Model
from zoo.runs import older_checkpoints, optimizer, preset, preset_folder, snapshot
from zoo.runs.checkpoints import Arrays
from zoo.runs.directory import Directory
from zoo.runs.run import Run, Trained
from zoo.runs.state import State


def load(workdir: str, data_dir: str | None = None) -> Trained:
    """Returns the model of a run directory with the weights of the epoch that its run selects.

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
        UsageError: If the directory has no checkpoint that is whole.
    """
    model = run.build(data, for_training=False)
    checkpoint = _selected(run.settings.select, directory)
    if checkpoint is None:
        state = older_checkpoints.restore(directory.path, model, print)
        if state is None:
            raise errors.UsageError('--workdir must hold a checkpoint that is whole; '
                                    f'{str(directory.path)!r} has none.')
    else:
        state, arrays = checkpoint
        _put_back(model, arrays, directory)
    return Trained(run, data, model, state.epoch)


def resumed(model: Model, directory: Directory, say: Callable[[str], None],
            is_owner: bool = True) -> State | None:
    """Puts the newest whole checkpoint into a model; returns its state, or None without one.

    Args:
        model: The compiled model.
        directory: The directory of its run, which this process owns.
        say: A function that is told, in a line, of each checkpoint that is damaged.
        is_owner: Whether this process owns the directory; another one only reads.

    Raises:
        UsageError: If no checkpoint is whole, although the run had written one.
    """
    checkpoints = directory.checkpoints()
    checkpoint = checkpoints.newest(say) if is_owner else next(checkpoints.whole(), None)
    if checkpoint is not None:
        state, arrays = checkpoint
        _put_back(model, arrays, directory)
        optimizer.halve(model.optimizer, state.halvings)
        return state
    older = older_checkpoints.restore(directory.path, model, say)
    if older is None and directory.has_progress():
        raise errors.UsageError(
            f'--resume needs a checkpoint that is whole; {str(directory.path)!r} has none. '
            '--overwrite removes the run and starts anew.')
    return older


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


def _selected(select: str, directory: Directory) -> tuple[State, Arrays] | None:
    """Returns the checkpoint of the best epoch or of the last one; None if none is whole."""
    whole = directory.checkpoints().whole()
    newest = next(whole, None)
    if newest is None or select == 'last' or newest[0].best is None:
        return newest
    best = newest[0].best
    for checkpoint in (newest, *whole):
        if checkpoint[0].step == best.step and checkpoint[0].epoch == best.epoch:
            return checkpoint
    print(f'warning: the checkpoint of the best epoch, {best.epoch}, is not there or damaged; that '
          f'of epoch {newest[0].epoch} is taken.')
    return newest


def _put_back(model: Model, arrays: Arrays, directory: Directory) -> None:
    try:
        snapshot.put_back(model, arrays)
    except ValueError as error:
        raise errors.Failure(f'the checkpoint in {str(directory.path)!r} is not that of its '
                             f'config.json: {error}.') from None
