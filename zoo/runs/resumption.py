"""What may change when a run is resumed, how that is kept, and what becomes of its results."""

import dataclasses
from typing import Any

from zoo.cli import errors, files
from zoo.runs.directory import Directory
from zoo.runs.run import Run
from zoo.runs.state import State

# The settings that bear on what is evaluated, drawn and exported.
_OF_RESULTS = {'select', 'sample_images', 'sample_temperature', 'importance_samples'}


def keep_changes(directory: Directory, made: Run, changes: dict[str, list[Any]],
                 state: State) -> None:
    """Records what was changed, and sets aside the results of the run before the change."""
    if not changes:
        return
    entry: dict[str, Any] = {'epoch': state.epoch, 'step': state.step, **changes}
    results = results_of(directory)
    if results is not None and (state.epoch < made.training.epochs
                                or _OF_RESULTS & set(changes)):
        entry['test'] = results
    directory.write(dataclasses.replace(made, changes=(*made.changes, entry)))
    if 'test' in entry:
        (directory.path / 'test.json').unlink()


def results_of(directory: Directory) -> dict[str, Any] | None:
    """Returns what test.json holds; None without one. A damaged one is set aside."""
    path = directory.path / 'test.json'
    try:
        return files.read_object(path)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        path.replace(path.with_name('test.json.damaged'))
        print(f'warning: {str(path)!r} cannot be read ({error}) and is set aside; the results are '
              'written anew.')
        return None


def check(made: Run, changes: dict[str, list[Any]], state: State, data: dict[str, int],
          stop_after: int | None) -> None:
    """Checks that a run can go on as the flags say, before anything of it is changed.

    Raises:
        UsageError: If it cannot.
    """
    done, training = state.epoch, made.training
    if state.data and state.data != data:
        raise errors.UsageError(f'--dataset must hold the data that the run was trained on; '
                                f'{made.dataset!r} has changed, from {state.data} to {data}.')
    if training.epochs < done:
        raise errors.UsageError(f'--epochs must be at least the {done} epochs that are done; '
                                f'got {training.epochs}.')
    if stop_after is not None and stop_after < done:
        raise errors.UsageError(f'--stop_after must be at least the {done} epochs that are done; '
                                f'got {stop_after}.')
    if 'epochs' in changes and 0 < training.early_stopping <= state.epochs_without_improvement:
        raise errors.UsageError(
            f'--epochs must come with --early_stopping=0, or a larger one: the run stopped early, '
            f'after {state.epochs_without_improvement} epochs without a better figure; '
            f'got {training.epochs}.')
