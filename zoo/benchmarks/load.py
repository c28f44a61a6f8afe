"""Measures a call's time, and how busy other processes keep the machine meanwhile."""

import os
import pathlib
import time
from collections.abc import Callable

_STAT = pathlib.Path('/proc/stat')


class OtherLoad:
    """Marks a moment; `cores()` is the mean number of cores that others have used since.

    Frameworks suffer unequally from a busy machine: PyTorch's threads spin at barriers and lose far
    more than their share of the processor.
    """

    def __init__(self) -> None:
        self._wall, self._others = time.perf_counter(), _other_seconds()

    def cores(self) -> float | None:
        """Returns the mean number of cores that other processes have used since the mark.

        It is None where the system does not tell (no /proc).
        """
        others = _other_seconds()
        if self._others is None or others is None:
            return None
        wall = time.perf_counter() - self._wall
        return max(0., others - self._others) / wall


def timed(call: Callable[[], object], seconds: float) -> tuple[float, float | None]:
    """Calls for `seconds`, and at least once, and returns `(seconds per call, OtherLoad.cores())`.
    """
    others = OtherLoad()
    calls, start = 0, time.perf_counter()
    while calls == 0 or time.perf_counter() - start < seconds:
        call()
        calls += 1
    return (time.perf_counter() - start) / calls, others.cores()


def _other_seconds() -> float | None:
    """Returns the processor time of all processes but this one since boot."""
    if not _STAT.exists():
        return None
    # See proc(5): user, nice, system, idle, iowait, irq, softirq, steal in ticks.
    ticks = [int(n) for n in _STAT.read_text().split('\n', 1)[0].split()[1:9]]
    busy = sum(ticks) - ticks[3] - ticks[4]
    return busy / os.sysconf('SC_CLK_TCK') - time.process_time()
