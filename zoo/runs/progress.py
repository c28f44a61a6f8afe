"""`Progress`: says how far a training is, how good, how fast, and how long it still takes."""

import collections
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

from zoo.cli import processor
from zoo.runs.state import State

_WARM_STEPS, _TIMED_STEPS = 10, 21  # The first steps trace graphs; the next ones are timed.
_SECONDS = .5  # The least time between two lines that replace each other.
_WORDS = {'bits_per_dim': 'bits/dim', 'nats': 'nats'}


class Progress:
    """Prints one line that tells how far a training is, and what became of each epoch.

    Args:
        verbose: 0 for nothing; 1 for a line that replaces itself on a terminal, and one for each
            epoch; 2 for one for each epoch alone.
        epochs: The number of the last epoch.
        steps: The number of steps of an epoch.
        batch_size: The number of examples in a step.
        examples: What the examples are called: 'images'.
        announce: A function that is called once with the expected time of all epochs in words; None
            for no announcement.
    """

    def __init__(self, verbose: int, epochs: int, steps: int, batch_size: int, examples: str,
                 announce: Callable[[str], None] | None = None) -> None:
        self._is_terminal = verbose == 1 and sys.stdout.isatty()
        self._verbose, self._epochs, self._steps = verbose, epochs, steps
        self._batch_size, self._examples = batch_size, examples
        self._announce = announce
        # Those of the last steps of this process.
        self._seconds: collections.deque[float] = collections.deque(maxlen=50)
        self._begin = self._shown = time.monotonic()
        self._epoch_seconds: list[float] = []
        self._epoch_begin = 0.

    def begin_step(self) -> None:
        """Notes when a step begins."""
        self._begin = time.monotonic()
        self._epoch_begin = self._epoch_begin or self._begin

    def end_step(self, state: State, figures: Callable[[], Mapping[str, float]]) -> None:
        """Notes that a step is over, and says so on a terminal.

        Args:
            state: How far the training is.
            figures: A function that returns the figures of the epoch so far by name.
        """
        now = time.monotonic()
        self._seconds.append(now - self._begin)
        self._tell_expected_time(state)
        if self._is_terminal and now - self._shown >= _SECONDS:
            self._shown = now
            share = state.batch / self._steps
            self._replace_line(f'epoch {state.epoch + 1}/{self._epochs} {share:4.0%}  '
                               f'{_score(figures())}  {self._speed()}  {self._left(state)}')

    def end_epoch(self, state: State) -> None:
        """Notes that an epoch is over, and prints its figures: the last row of the state."""
        now = time.monotonic()
        self._epoch_seconds.append(now - (self._epoch_begin or now))
        self._epoch_begin = 0.
        if not self._verbose:
            return
        row = state.rows[-1]
        validation = {name.removeprefix('val_'): value for name, value in row.items()
                      if name.startswith('val_')}
        is_best = ' (best)' if state.best and state.best.epoch == state.epoch else ''
        self._replace_line('')
        print(f'epoch {state.epoch}/{self._epochs}  {_score(row)}, '
              f'validation {_score(validation)}{is_best}  {self._speed()}  {self._left(state)}',
              flush=True)

    def _replace_line(self, text: str) -> None:
        if self._is_terminal:
            print(f'\r\x1b[K{text}', end='', flush=True)

    def _speed(self) -> str:
        seconds = statistics.median(self._seconds) if self._seconds else 0.
        return f'{self._batch_size / seconds:,.0f} {self._examples}/s' if seconds else ''

    def _left(self, state: State) -> str:
        """Returns in words how long the rest takes, with the validation of epochs so far."""
        step = statistics.median(self._seconds) if self._seconds else 0.
        seconds = (self._epochs - state.epoch) * self._epoch_length(step) - state.batch * step
        return f'{duration(seconds)} left' if state.epoch < self._epochs else ''

    def _tell_expected_time(self, state: State) -> None:
        if self._announce is None:
            return
        if state.step == _WARM_STEPS + _TIMED_STEPS:
            epoch = self._epoch_length(statistics.median(list(self._seconds)[-_TIMED_STEPS:]))
            self._announce(f'about {duration(epoch * self._epochs)} on {processor.cores()} cores')

    def _epoch_length(self, step: float) -> float:
        """Returns the seconds of an epoch, given those of a step, in case no epoch was timed."""
        whole = self._epoch_seconds[1:][-5:]  # The first one traces graphs.
        return statistics.median(whole) if whole else step * self._steps


def duration(seconds: float) -> str:
    """Returns a time in words: '40 seconds', '5 minutes', '2.3 hours', '4 days'."""
    if seconds < 90:
        return f'{max(1, round(seconds))} seconds'
    if seconds < 5400:
        return f'{seconds / 60:.0f} minutes'
    return f'{seconds / 3600:.1f} hours' if seconds < 172800 else f'{seconds / 86400:.0f} days'


def _score(figures: Mapping[str, Any]) -> str:
    """Returns the first figure that has a unit in words: '2.412 bits/dim'."""
    for name, unit in _WORDS.items():
        if name in figures:
            value = figures[name]
            return f'{"not finite" if value is None else f"{value:.3f}"} {unit}'
    return ''
