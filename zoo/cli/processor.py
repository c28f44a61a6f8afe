"""What this machine's processor can do. This needs no TensorFlow."""

import os
import pathlib

_CPUINFO = pathlib.Path('/proc/cpuinfo')
_BFLOAT16 = ('amx_bf16', 'avx512_bf16')


def cores() -> int:
    """Returns the number of cores that this process may use."""
    if hasattr(os, 'sched_getaffinity'):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def bfloat16_unit() -> str | None:
    """Returns what computes with bfloat16 in hardware, such as 'amx_bf16'; None without it."""
    flags = set(_line('flags').split())
    return next((name for name in _BFLOAT16 if name in flags), None)


def name() -> str:
    """Returns the name of the processor, or 'unknown processor'."""
    return _line('model name') or 'unknown processor'


def _line(key: str) -> str:
    """Returns what the first line of a key says, where the system tells; otherwise ''."""
    try:
        text = _CPUINFO.read_text(encoding='utf-8', errors='replace')
    except OSError:
        return ''
    for line in text.splitlines():
        found, _, value = line.partition(':')
        if found.strip() == key:
            return value.strip()
    return ''
