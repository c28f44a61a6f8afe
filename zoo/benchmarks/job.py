"""Describes what one worker process is asked to measure."""

import argparse
import dataclasses
import importlib.util
import os
from collections.abc import Sequence
from typing import Any

CHANNELS = 3
REFERENCE = 'tfp_glow'
# Peer -> the packages that its worker imports, beyond those that this library itself needs.
PEERS = {
    'tfp_glow': (),
    # This is tfp_glow with reversible=False: the loop keeps every activation.
    'backprop': (),
    # These are K separate steps without a loop: ordinary backprop as it is without `Repeat`.
    'unrolled': (),
    'normflows': ('torch', 'normflows'),
    'tfb': (),
}
TRAINING_MODES = ('backprop', 'unrolled')  # These have the same model and differ in training.
EXTRA = 'bench'
INSTALL = f"pip install 'tfp-glow[{EXTRA}]'"


@dataclasses.dataclass(frozen=True)
class Job:
    """One measurement: `what` ('train', 'log_prob', 'sample' or 'matmul') of `peer`.

    The model is Glow for `size` x `size` x 3 images. It has `levels` levels. Each level is a
    squeeze and `steps_per_level` steps of actnorm, invertible 1x1 convolution and affine coupling.
    All levels but the last factor out half of the channels. A coupling's network is 3x3 -> relu ->
    1x1 -> relu -> 3x3 convolutions of `width` channels, with biases. A round of timing lasts
    `seconds` or more.
    """
    peer: str
    what: str
    size: int = 32
    levels: int = 3
    steps_per_level: int = 16
    width: int = 128
    batch: int = 32
    seconds: float = 2.

    def arguments(self) -> list[str]:
        """Returns the command line that `Job.parse` turns back into this job."""
        return [f'--{name}={value}' for name, value in dataclasses.asdict(self).items()]

    @classmethod
    def parse(cls, arguments: Sequence[str]) -> 'Job':
        """Returns the job that a command line describes."""
        parser = argparse.ArgumentParser(prog='zoo.benchmarks.worker')
        for field in dataclasses.fields(cls):
            kind: Any = field.type  # It is a class here and not a string.
            if field.default is dataclasses.MISSING:
                parser.add_argument(f'--{field.name}', required=True)
            else:
                parser.add_argument(f'--{field.name}', type=kind, default=field.default)
        return cls(**vars(parser.parse_args(arguments)))


def missing_packages(peer: str) -> list[str]:
    """Returns the packages of extra `bench` that `peer` needs and this Python lacks."""
    return [name for name in PEERS[peer] if importlib.util.find_spec(name) is None]


def cores() -> int:
    """Returns the number of processors that this process may use."""
    if hasattr(os, 'sched_getaffinity'):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
