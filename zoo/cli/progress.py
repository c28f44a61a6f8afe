"""`Progress`: says on the standard error stream how far a long run is."""

import sys
import time
from collections.abc import Callable


class Progress:
    """Prints a line now and then.

    Args:
        what: What is done, such as 'encoding'.
        seconds: The least time between two lines.
        clock: A function that returns the time in seconds.
    """

    def __init__(self, what: str, seconds: float = 2.,
                 clock: Callable[[], float] = time.monotonic) -> None:
        self._what, self._seconds, self._clock = what, seconds, clock
        self._start = self._last = clock()

    def __call__(self, text: str) -> None:
        """Prints how much is done, unless a line was printed just before.

        Args:
            text: How much is done, such as '3 of 8 files'.
        """
        now = self._clock()
        if now - self._last >= self._seconds:
            self._last = now
            print(f'{self._what}: {text}, {now - self._start:.0f} s', file=sys.stderr, flush=True)
