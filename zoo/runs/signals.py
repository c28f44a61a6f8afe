"""`Stop`: what a run does when it is told to end, by SIGTERM or by Ctrl-C."""

import contextlib
import os
import signal
import types
from collections.abc import Iterator
from typing import NoReturn


class Stopped(BaseException):
    """Says that a run was told to end. It is no `Exception`: nothing on its way may handle it.

    Args:
        number: The number of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(f'stopped by {signal.Signals(number).name}')
        self.name = signal.Signals(number).name
        self.status = 128 + number


class Stop:
    """Waits for SIGTERM and SIGINT (Ctrl-C).

    Outside of `deferred` a signal raises `Stopped` at once. Within it, it is kept until `now` is
    called, so that a step is finished first; a second signal ends the process at once.
    """

    def __init__(self) -> None:
        self._number: int | None = None
        self._is_deferred = False

    @contextlib.contextmanager
    def installed(self) -> Iterator['Stop']:
        """Returns a context within which the signals come here."""
        numbers = (signal.SIGTERM, signal.SIGINT)
        before = {number: signal.signal(number, self._receive) for number in numbers}
        try:
            yield self
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextlib.contextmanager
    def deferred(self) -> Iterator[None]:
        """Returns a context within which a signal waits for `now`."""
        self._is_deferred = True
        try:
            yield
        finally:
            self._is_deferred = False

    @property
    def is_asked_for(self) -> bool:
        """Whether a signal has come."""
        return self._number is not None

    def now(self) -> NoReturn:
        """Raises `Stopped` for the signal that has come, here or to another worker."""
        raise Stopped(self._number or signal.SIGTERM)

    def _receive(self, number: int, frame: types.FrameType | None) -> None:
        del frame
        if self._number is not None and self._is_deferred:
            signal.signal(number, signal.SIG_DFL)  # The checkpoints on the disk are whole.
            os.kill(os.getpid(), number)
        self._number = number
        if not self._is_deferred:
            raise Stopped(number)
