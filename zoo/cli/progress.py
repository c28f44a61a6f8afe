"""`Progress`: how far a long run is, on the standard error stream."""

import sys
import time


class Progress:
    """Prints a line now and then.

    Args:
        what: what is done, such as 'encoding'.
        seconds: least time between two lines.
        clock: function that gives the time in seconds.
    """

    def __init__(self, what, seconds=2., clock=time.monotonic):
        self._what, self._seconds, self._clock = what, seconds, clock
        self._start = self._last = clock()

    def __call__(self, text):
        """Prints that so much is done, unless a line was printed just before."""
        now = self._clock()
        if now - self._last >= self._seconds:
            self._last = now
            print(f'{self._what}: {text}, {now - self._start:.0f} s', file=sys.stderr, flush=True)
