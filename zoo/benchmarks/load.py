"""A call's time, and how busy other processes keep the machine meanwhile."""

import os
import pathlib
import time

_STAT = pathlib.Path('/proc/stat')


class OtherLoad:
    """Marks a moment; `cores()` is the mean number of cores that others have used since.

    None where the system does not tell (no /proc). Frameworks suffer unequally from a busy machine:
    PyTorch's threads spin at barriers and lose far more than their share of the processor.
    """

    def __init__(self):
        self._wall, self._others = time.perf_counter(), _other_seconds()

    def cores(self):
        if self._others is None:
            return None
        wall = time.perf_counter() - self._wall
        return max(0., _other_seconds() - self._others) / wall


def timed(call, seconds):
    """`(seconds per call, OtherLoad.cores())` of calls for `seconds`, and at least of one."""
    others = OtherLoad()
    calls, start = 0, time.perf_counter()
    while calls == 0 or time.perf_counter() - start < seconds:
        call()
        calls += 1
    return (time.perf_counter() - start) / calls, others.cores()


def _other_seconds():
    """Processor time of all processes but this one since boot."""
    if not _STAT.exists():
        return None
    # See proc(5): user, nice, system, idle, iowait, irq, softirq, steal in ticks.
    ticks = [int(n) for n in _STAT.read_text().split('\n', 1)[0].split()[1:9]]
    busy = sum(ticks) - ticks[3] - ticks[4]
    return busy / os.sysconf('SC_CLK_TCK') - time.process_time()
