"""Defines `Directory`: a run on disk, with its config, its checkpoints and its metrics."""

import contextlib
import csv
import io
import os
import pathlib
import shutil
from collections.abc import Callable
from typing import Any

from zoo.cli import errors, files
from zoo.runs import config_file, lock
from zoo.runs.checkpoints import Checkpoints
from zoo.runs.run import Run
from zoo.runs.state import State

RESULTS_NOTE = '.unfinished-results'  # Is there while results are written.
# What a run leaves in its directory, config.json last.
_OWN = ('metrics.csv', 'metrics.csv.damaged', 'test.json', 'test.json.damaged', 'samples.png',
        'reconstructions.png', 'evaluation.json', 'diagnosis.json', RESULTS_NOTE,
        'checkpoints/step-*.checkpoint', 'checkpoints/step-*.checkpoint.damaged',
        'checkpoints/ckpt-*', 'checkpoints/checkpoint', 'tensorboard/*.tfevents.*',
        'tensorboard/train/*.tfevents.*', 'tensorboard/validation/*.tfevents.*', 'config.json')
_FOLDERS = ('checkpoints', 'tensorboard/train', 'tensorboard/validation', 'tensorboard',
            'saved_model')
_OF_A_RUN = {'model', 'dataset', 'config', 'training'}  # Every config.json has them.
# What is there only after a checkpoint was written.
_LATER = ('metrics.csv', 'test.json', 'tensorboard', 'saved_model', 'samples.png')


class Directory:
    """The directory of a run.

    Args:
        path: The path of the directory, which need not exist.
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = pathlib.Path(path)
        self._is_ours: Callable[[], bool] = lambda: True

    def read(self) -> Run:
        """Returns the `Run` that the directory holds.

        Raises:
            UsageError: If the directory holds no run, or one that cannot be read.
        """
        values = config_file.read(self.path)
        try:
            return Run.from_json(values)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise config_file.unreadable(self.path, error) from None

    def check_new(self, overwrite: bool = False) -> None:
        """Checks that a new run may be kept here.

        Args:
            overwrite: Whether a run that is here may be removed.

        Raises:
            UsageError: If the directory holds a run and `overwrite` is False, or something else.
        """
        if (self.path / config_file.NAME).exists():
            if not overwrite:
                raise errors.UsageError(
                    '--workdir must be new; give --resume to go on with its run, or --overwrite to '
                    f'remove it; {str(self.path)!r} holds a run.')
            if not set(config_file.read(self.path)) >= _OF_A_RUN:
                raise errors.UsageError('--overwrite removes runs alone; the config.json in '
                                        f'--workdir={str(self.path)!r} is not that of a run.')
        elif self.path.exists() and (not self.path.is_dir() or any(
                p for p in self.path.iterdir()
                if p.name != lock.NAME and not files.is_unfinished(p))):
            raise errors.UsageError(f'--workdir must be new or empty; got {str(self.path)!r}.')

    def create(self, run: Run, overwrite: bool = False) -> contextlib.ExitStack:
        """Makes the directory and keeps `run` in it; returns its lock, to be closed at the end.

        Args:
            run: The run to keep.
            overwrite: Whether a run that is here is removed.

        Raises:
            UsageError: As `check_new`; or if the directory belongs to another process, or cannot
                be written.
        """
        self.check_new(overwrite)
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._cannot_be_written(error) from None
        owned = self.own()
        if overwrite:
            self._remove_run()
        self.write(run)
        return owned

    def own(self) -> contextlib.ExitStack:
        """Returns the lock of the directory, to be closed at the end; removes what was unfinished.

        Raises:
            UsageError: If the directory belongs to another process, or cannot be written.
        """
        stack = contextlib.ExitStack()
        try:
            self._is_ours = stack.enter_context(lock.locked(self.path))
            files.remove_unfinished(self.path)
            self.checkpoints().remove_unfinished()
            for folder in (self.path / 'saved_model').glob('.unfinished-*'):
                shutil.rmtree(folder)
        except OSError as error:
            raise self._cannot_be_written(error) from None
        return stack

    def write(self, run: Run) -> None:
        """Writes config.json.

        Raises:
            UsageError: If the directory cannot be written.
        """
        try:
            files.write_json(self.path / config_file.NAME, run.to_json())
        except OSError as error:
            raise self._cannot_be_written(error) from None

    def checkpoints(self, keep: int = 2) -> Checkpoints:
        """Returns the folder of the checkpoints, of which the newest `keep` ones are kept."""
        return Checkpoints(self.path / 'checkpoints', keep, self._is_ours)

    def has_progress(self) -> bool:
        """Returns whether files are there that a run leaves after its first checkpoint only."""
        return any((self.path / name).exists() for name in _LATER)

    def write_metrics(self, state: State) -> None:
        """Writes metrics.csv anew, from the figures of all epochs that the state holds.

        The columns are those of all rows, in their order; a figure that is not there, or is not
        finite, is left empty.
        """
        path = self.path / 'metrics.csv'
        if not state.rows:
            path.unlink(missing_ok=True)
            return
        names = list(dict.fromkeys(name for row in state.rows for name in row))
        text = io.StringIO(newline='')
        writer = csv.DictWriter(text, names, restval='', lineterminator='\n')
        writer.writeheader()
        writer.writerows(state.rows)
        files.write_whole(path, text.getvalue())

    def _remove_run(self) -> None:
        """Removes what a run leaves, and nothing else; config.json last, so that it can be redone.

        Raises:
            UsageError: If something of it cannot be removed.
        """
        try:
            for bundle in (self.path / 'saved_model').glob('*/bundle.json'):
                if bundle.parent.name.isdecimal():
                    shutil.rmtree(bundle.parent)
            for pattern in _OWN:
                for path in self.path.glob(pattern):
                    path.unlink()
            for name in _FOLDERS:
                folder = self.path / name
                if folder.is_dir() and not folder.is_symlink() and not any(folder.iterdir()):
                    folder.rmdir()
        except OSError as error:
            raise self._cannot_be_written(error) from None

    def _cannot_be_written(self, error: OSError) -> errors.UsageError:
        path = error.filename2 or error.filename or self.path
        inside = '' if str(path) == str(self.path) else f', at {str(path)!r}'
        return errors.UsageError(f'--workdir must be a folder that can be written '
                                 f'({error.strerror}{inside}); got {str(self.path)!r}.')


def differences(old: dict[str, Any], new: dict[str, Any]) -> dict[str, list[Any]]:
    """Returns `{name: [old value, new value]}` of the values in which two runs differ.

    Args:
        old: The `to_json` of a run.
        new: That of another.
    """
    changed: dict[str, list[Any]] = {}
    for name, value in new.items():
        if isinstance(value, dict) and isinstance(old.get(name), dict):
            changed |= differences(old[name], value)
        elif old.get(name) != value and name not in ('format', 'tfp_glow_version', 'changes'):
            changed[name] = [old.get(name), value]
    return changed
