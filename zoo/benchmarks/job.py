"""Describes what one worker process is asked to measure."""

import argparse
import dataclasses
import importlib.util
from collections.abc import Sequence
from typing import Any

CHANNELS = 3
REFERENCE = 'tfp_glow'
_TORCH = ('torch', 'normflows')


@dataclasses.dataclass(frozen=True)
class Peer:
    """How one peer is built and what it is measured at.

    Attributes:
        module: The module `zoo.benchmarks.peer_<module>` has its function `build(job, **options)`.
        options: The options.
        packages: The packages that its worker imports beyond those that this library itself needs.
        tasks: What it is measured at, beside training.
        bfloat16: Whether its networks compute in bfloat16.
    """

    module: str
    options: dict[str, Any] = dataclasses.field(default_factory=dict)
    packages: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ('log_prob', 'sample')
    bfloat16: bool = False


def _own(tasks: tuple[str, ...] = (), dtype: str = 'float32', **options: Any) -> Peer:
    return Peer('tfp_glow', {'dtype': dtype, **options}, tasks=tasks, bfloat16=dtype != 'float32')


_HALF = 'mixed_bfloat16'
PEERS = {
    'tfp_glow': _own(('log_prob', 'sample')),
    # The loop keeps every activation.
    'backprop': _own(reversible=False),
    # One share of the batch for each core.
    'towers': _own(('log_prob', 'sample'), towers=True),
    'towers_backprop': _own(reversible=False, towers=True),
    'bfloat16': _own(('log_prob', 'sample'), dtype=_HALF),
    'backprop_bfloat16': _own(dtype=_HALF, reversible=False),
    'towers_bfloat16': _own(('log_prob', 'sample'), dtype=_HALF, towers=True),
    'towers_backprop_bfloat16': _own(dtype=_HALF, reversible=False, towers=True),
    # These are K separate steps without a loop: ordinary backprop as it is without `Repeat`.
    'unrolled': Peer('unrolled', tasks=()),
    'normflows': Peer('normflows', packages=_TORCH),
    'normflows_one_thread': Peer('normflows', {'threads': 1}, _TORCH),
    'normflows_bfloat16': Peer('normflows', {'bfloat16': True}, _TORCH, bfloat16=True),
    'tfb': Peer('tfb'),
}
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
    return [name for name in PEERS[peer].packages if importlib.util.find_spec(name) is None]


def default_peers(depth: bool, has_bfloat16: bool) -> list[str]:
    """Returns the peers that are measured by default.

    Args:
        depth: Whether training is measured against the depth.
        has_bfloat16: Whether the processor computes with bfloat16 in hardware.
    """
    if depth:
        return ['tfp_glow', 'backprop', 'unrolled', 'normflows', 'tfb']
    return [name for name, peer in PEERS.items() if name != 'unrolled'
            and (has_bfloat16 or not peer.bfloat16)]
