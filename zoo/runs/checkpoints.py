"""`Checkpoints`: the folder of the checkpoints of a run, of which the newest whole one counts."""

import pathlib
import re
from collections.abc import Callable, Iterator, Mapping

import numpy as np

from zoo.cli import errors, files
from zoo.runs import checkpoint_file
from zoo.runs.checkpoint_file import Damaged
from zoo.runs.state import State

Arrays = dict[str, np.ndarray]

_NAME = re.compile(r'step-(\d+)\.checkpoint')


class Checkpoints:
    """The checkpoints of a run, one file for each step at which one was written.

    Nothing but these files says which is the newest. The newest ones are kept, and those of the
    best epochs that they name.

    Args:
        folder: The folder, which need not exist.
        keep: How many of the newest ones are kept.
        is_ours: A function that says whether the run directory still belongs to this process.
    """

    def __init__(self, folder: pathlib.Path, keep: int = 2,
                 is_ours: Callable[[], bool] = lambda: True) -> None:
        self.folder, self._keep, self._is_ours = folder, keep, is_ours
        self._best_of: dict[int, int | None] = {}  # The step of the best epoch by step.

    def save(self, state: State, arrays: Mapping[str, np.ndarray]) -> None:
        """Writes a checkpoint, and removes those that are no longer wanted.

        Raises:
            Failure: If a number is not finite, or if the folder has vanished or cannot be written.
        """
        try:
            if not self.folder.parent.is_dir():
                raise errors.Failure(f'the run directory {str(self.folder.parent)!r} has vanished.')
            if not self._is_ours():
                raise errors.Failure(f'the run directory {str(self.folder.parent)!r} has been '
                                     'removed, and another one is in its place.')
            self.folder.mkdir(exist_ok=True)
            checkpoint_file.write(self._path(state.step), state.to_json(), arrays)
        except OSError as error:
            raise errors.Failure(
                f'the checkpoint of step {state.step:,} cannot be written to {str(self.folder)!r} '
                f'({error.strerror}); make room or access, and go on with --resume.') from None
        self._best_of[state.step] = state.best.step if state.best else None
        self._remove_old()

    def steps(self) -> list[int]:
        """Returns the steps of all checkpoints, the newest first, whole or not."""
        names = [] if not self.folder.is_dir() else [p.name for p in self.folder.iterdir()]
        return sorted((int(m[1]) for m in map(_NAME.fullmatch, names) if m), reverse=True)

    def newest(self, say: Callable[[str], None] = print) -> tuple[State, Arrays] | None:
        """Returns the newest whole checkpoint; None if there is none.

        Damaged ones that are newer are set aside, by a name that ends in `.damaged`.

        Args:
            say: A function that is told, in a line, of each that is damaged, and of what is lost.
        """
        lost = 0
        for step in self.steps():
            lost = lost or step
            try:
                state, arrays = self._read(step)
            except Damaged as damage:
                path = self._path(step)
                path.replace(path.with_name(f'{path.name}.damaged'))
                say(f'warning: the checkpoint {str(path)!r} is set aside: {damage}.')
                continue
            if step < lost:
                say(f'the run goes on from step {step:,}, in epoch {state.epoch + 1}; '
                    f'{lost - step:,} steps are lost.')
            return state, arrays
        return None

    def remove_after(self, step: int) -> None:
        """Removes the checkpoints of later steps."""
        for later in self.steps():
            if later > step:
                self._path(later).unlink(missing_ok=True)

    def remove_unfinished(self) -> None:
        """Removes what a killed process could not finish."""
        if self.folder.is_dir():
            files.remove_unfinished(self.folder)

    def _path(self, step: int) -> pathlib.Path:
        return self.folder / f'step-{step}.checkpoint'

    def _read(self, step: int) -> tuple[State, Arrays]:
        values, arrays = checkpoint_file.read(self._path(step))
        try:
            state = State.from_json(values)
        except ValueError as error:
            raise Damaged(str(error)) from None
        self._best_of[step] = state.best.step if state.best else None
        return state, arrays

    def _remove_old(self) -> None:
        steps = self.steps()
        wanted = set(steps[:self._keep])
        wanted.update(best for best in map(self._best, steps[:self._keep]) if best is not None)
        for step in steps:
            if step not in wanted:
                self._path(step).unlink(missing_ok=True)

    def _best(self, step: int) -> int | None:
        """Returns the step of the best epoch that the checkpoint of a step names."""
        if step not in self._best_of:
            try:
                self._read(step)
            except Damaged:
                return None
        return self._best_of[step]

    def whole(self) -> Iterator[tuple[State, Arrays]]:
        """Yields all whole checkpoints, the newest first, and changes nothing."""
        for step in self.steps():
            try:
                yield self._read(step)
            except Damaged:
                continue
