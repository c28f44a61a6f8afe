"""What one worker process is asked to measure."""

import argparse
import dataclasses
import importlib.util
import os

CHANNELS = 3
REFERENCE = 'tfp_glow'
# Peer -> the packages its worker imports, beyond what this library itself needs.
PEERS = {
    'tfp_glow': (),
    'backprop': (),  # tfp_glow with reversible=False: the loop's every activation is kept.
    'unrolled': (),  # K separate steps, no loop: what ordinary backprop means without `Repeat`.
    'normflows': ('torch', 'normflows'),
    'tfb': (),
}
TRAINING_MODES = ('backprop', 'unrolled')  # Of one model: they differ in training alone.
EXTRA = 'bench'
INSTALL = f"pip install 'tfp-glow[{EXTRA}]'"


@dataclasses.dataclass(frozen=True)
class Job:
    """One measurement: `what` ('train', 'log_prob', 'sample' or 'matmul') of `peer`.

    The model is Glow for `size` x `size` x 3 images: `levels` levels, each a squeeze,
    `steps_per_level` steps of actnorm, invertible 1x1 convolution and affine coupling, and (but for
    the last) half of the channels factored out. A coupling's network is 3x3 -> relu -> 1x1 -> relu
    -> 3x3 convolutions of `width` channels, with biases. A round of timing lasts `seconds` or more.
    """
    peer: str
    what: str
    size: int = 32
    levels: int = 3
    steps_per_level: int = 16
    width: int = 128
    batch: int = 32
    seconds: float = 2.

    def arguments(self):
        """The command line that `Job.parse` turns back into this job."""
        return [f'--{name}={value}' for name, value in dataclasses.asdict(self).items()]

    @classmethod
    def parse(cls, arguments):
        parser = argparse.ArgumentParser(prog='zoo.benchmarks.worker')
        for field in dataclasses.fields(cls):
            if field.default is dataclasses.MISSING:
                parser.add_argument(f'--{field.name}', required=True)
            else:
                parser.add_argument(f'--{field.name}', type=field.type, default=field.default)
        return cls(**vars(parser.parse_args(arguments)))


def missing_packages(peer):
    """The packages of extra `bench` that `peer` needs and this Python lacks."""
    return [name for name in PEERS[peer] if importlib.util.find_spec(name) is None]


def cores():
    """Processors this process may use."""
    if hasattr(os, 'sched_getaffinity'):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
