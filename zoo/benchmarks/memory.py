"""Measures peak resident memory of this process, and how much of it came after a given moment."""

import gc
import pathlib
import resource
import sys

_STATUS = pathlib.Path('/proc/self/status')
_CLEAR_REFS = pathlib.Path('/proc/self/clear_refs')
_RESET_PEAK = '5'  # See proc(5): this resets VmHWM to the current VmRSS.


class PeakMemory:
    """Marks a moment; `peak_mb()` is the process's peak, `beyond_mb()` its excess over the mark.

    On Linux, the kernel's high-water mark is reset at this moment, so that a higher peak before it
    (imports, building) does not hide what follows. Elsewhere, or where the reset is forbidden, the
    excess is over the highest peak so far. This is a lower bound, and `exact` is False.

    Attributes:
        exact: Whether the excess is exact, and not a lower bound.
    """

    def __init__(self) -> None:
        gc.collect()
        self._before = _peak_mb()
        try:
            _CLEAR_REFS.write_text(_RESET_PEAK)
            self._mark = _status_mb('VmRSS')
            self.exact = True
        except OSError:
            self._mark = self._before
            self.exact = False

    def peak_mb(self) -> float:
        """Returns the process's peak of memory in MB."""
        return max(self._before, _peak_mb())

    def beyond_mb(self) -> float:
        """Returns the excess of the peak over the memory at the mark, in MB."""
        return _peak_mb() - self._mark


def _peak_mb() -> float:
    if _STATUS.exists():
        return _status_mb('VmHWM')
    unit = 1 if sys.platform == 'darwin' else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def _status_mb(key: str) -> float:
    lines = _STATUS.read_text().splitlines()
    kibibytes, = (line.split()[1] for line in lines if line.startswith(key + ':'))
    return int(kibibytes) * 1024 / 1e6
