r"""Speed and memory of Glow in this library, tfb.Glow and normflows, on this machine in one run.

    python -m zoo.benchmark --steps_per_level=16 --width=128 --out=benchmark.json
    python -m zoo.benchmark --depth --depth_steps=8,16,32,64 --plot=depth.png
    python -m zoo.benchmark --serial

The same networks in all: 3x3, 1x1 and 3x3 convolutions, affine couplings, LU 1x1 convolutions,
no learned priors. normflows and the plot need the extra `bench`. With --serial, sampling of one
masked autoregressive flow, by this library and by tfb.MaskedAutoregressiveFlow.
"""

import importlib.util
import json
import os
import platform
import sys

from absl import flags

from zoo import errors, program
from zoo.benchmarks import comparison, depth
from zoo.benchmarks import job as jobs

_PEERS = flags.DEFINE_list(
    'peers', None, f'Peers, of: {", ".join(jobs.PEERS)}. By default all, but unrolled with --depth '
    'only. backprop is tfp_glow with reversible=False, unrolled the same without a loop.')
_SIZE = flags.DEFINE_integer('size', None, 'Height and width of the images [32, --depth: 64, '
                            '--serial: 28].')
_LEVELS = flags.DEFINE_integer('levels', 3, 'Levels L.')
_STEPS = flags.DEFINE_integer('steps_per_level', 16, 'Steps per level K, without --depth.')
_WIDTH = flags.DEFINE_integer('width', None, 'Channels of hidden layers [128, --depth: 64, '
                             '--serial: units, 512].')
_BATCH = flags.DEFINE_integer('batch', None, 'Images per call [32, --depth: 16].')
_ROUNDS = flags.DEFINE_integer('rounds', 5, 'Rounds of timing; the peers take turns in each.')
_SECONDS = flags.DEFINE_float('seconds', 2., 'Least length of one timing.')
_TIMEOUT = flags.DEFINE_float('timeout', 600., 'Seconds after which a peer is given up.')
_DEPTH = flags.DEFINE_bool('depth', False, 'Training against the number of steps per level.')
_DEPTH_STEPS = flags.DEFINE_list('depth_steps', ['8', '16', '32', '64'], 'The K of --depth.')
_SERIAL = flags.DEFINE_bool('serial', False, 'Sampling of a MAF of size * size dimensions.')
_PLOT = flags.DEFINE_string('plot', 'depth.png', 'PNG file for --depth; empty for none.')
_OUT = flags.DEFINE_string('out', None, 'JSON file for all figures.')


def main(_):
    _check_flags()
    if _SERIAL.value:
        _compare_serial()
        return
    template, peers, steps = _options()
    for peer, missing in [(peer, jobs.missing_packages(peer)) for peer in peers]:
        if missing:
            print(f'{peer} left out: {", ".join(missing)} not installed; {jobs.INSTALL}')
            peers = [other for other in peers if other != peer]
    if not peers:
        raise errors.Failure('no peer to measure is installed.')
    print(f'Glow {template.size}x{template.size}x{jobs.CHANNELS}, L={template.levels}, K='
          f'{",".join(map(str, steps))}, width {template.width}, batch {template.batch}; '
          f'{jobs.cores()} cores', flush=True)
    settings = {'rounds': _ROUNDS.value, 'timeout': _TIMEOUT.value, 'progress': _progress}
    if _DEPTH.value:
        report = depth.run(template, peers, steps, **settings)
        print(depth.text(report))
        _draw(report)
    else:
        report = comparison.run(template, peers, **settings)
        print(comparison.text(report))
    _write({'size': template.size, 'levels': template.levels, 'steps_per_level': steps,
            'width': template.width, 'batch': template.batch}, report)
    if all(row['failure'] for row in report['rows']):
        raise errors.Failure('no peer could be measured; the table says why.')


def _compare_serial():
    # Here alone the peers run in this process, which else has no need of TensorFlow.
    from zoo.benchmarks import serial
    size, batch = _SIZE.value or 28, _BATCH.value or 32
    hidden = (_WIDTH.value or 512,) * 2
    print(f'MAF of {size * size} dimensions, affine, MADE with hidden units {hidden}, batch '
          f'{batch}; {jobs.cores()} cores', flush=True)
    report = serial.run(size * size, hidden, batch, _ROUNDS.value, _SECONDS.value, _progress)
    print(serial.text(report))
    _write({'dimensions': size * size, 'hidden': hidden, 'batch': batch}, report)


def _check_flags():
    for flag in (_DEPTH, _PEERS):
        if _SERIAL.value and flag.value:
            raise errors.UsageError(f'--{flag.name} must not be given with --serial; '
                                    f'got {flag.value}.')
    for peer in _PEERS.value or []:
        if peer not in jobs.PEERS:
            raise errors.UsageError(f'--peers must be of {", ".join(jobs.PEERS)}; got {peer!r}.')
    for flag in (_LEVELS, _STEPS, _SIZE, _WIDTH, _BATCH, _ROUNDS):
        if flag.value is not None and flag.value < 1:
            raise errors.UsageError(f'--{flag.name} must be at least 1; got {flag.value}.')
    for flag in (_SECONDS, _TIMEOUT):
        if not flag.value > 0:
            raise errors.UsageError(f'--{flag.name} must be positive; got {flag.value}.')
    for flag in (_PLOT, _OUT):
        if flag.value and not os.path.isdir(os.path.dirname(flag.value) or '.'):
            raise errors.UsageError(
                f'--{flag.name} must be in a folder that exists; got {flag.value!r}.')


def _options():
    """What the flags say, without --serial: a job to copy, the peers and the values of K."""
    chosen = _PEERS.value or [peer for peer in jobs.PEERS if _DEPTH.value or peer != 'unrolled']
    steps = [_STEPS.value]
    if _DEPTH.value:
        if not _DEPTH_STEPS.value or not all(k.isdecimal() and int(k) for k in _DEPTH_STEPS.value):
            raise errors.UsageError('--depth_steps must be positive integers with commas between; '
                             f'got {",".join(_DEPTH_STEPS.value)!r}.')
        steps = sorted({int(k) for k in _DEPTH_STEPS.value})
    size, width, batch = (64, 64, 16) if _DEPTH.value else (32, 128, 32)
    size = _SIZE.value or size
    if size % 2**_LEVELS.value:
        raise errors.UsageError(
            f'--size must be divisible by 2**levels = {2**_LEVELS.value}; got {size}.')
    template = jobs.Job(
        peer='', what='', size=size, levels=_LEVELS.value, steps_per_level=_STEPS.value,
        width=_WIDTH.value or width, batch=_BATCH.value or batch, seconds=_SECONDS.value)
    return template, list(dict.fromkeys(chosen)), steps


def _draw(report):
    if not _PLOT.value:
        return
    if importlib.util.find_spec('matplotlib') is None:
        print(f'no plot: matplotlib not installed; {jobs.INSTALL}')
    else:
        depth.plot(report, _PLOT.value)
        print(f'plot: {_PLOT.value}')


def _write(about, report):
    """The report as JSON, with what else it depends on, if --out says where."""
    if not _OUT.value:
        return
    about = {**about, 'rounds': _ROUNDS.value, 'cores': jobs.cores(),
             'machine': platform.platform(), 'python': platform.python_version()}
    with open(_OUT.value, 'w', encoding='utf-8') as file:
        json.dump({**about, **report}, file, indent=2)


def _progress(text):
    print(text, file=sys.stderr, flush=True)


if __name__ == '__main__':
    program.run(main)
