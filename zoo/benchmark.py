r"""Speed and memory of Glow in this library, tfb.Glow and normflows, on this machine in one run.

    python -m zoo.benchmark --steps_per_level=16 --width=128 --out=benchmark.json
    python -m zoo.benchmark --depth --depth_steps=8,16,32,64 --plot=depth.png
    python -m zoo.benchmark --gradients --steps_per_level=64
    python -m zoo.benchmark --serial
    python -m zoo.benchmark --tasks --task_sizes=4,8,16,28 --plot=tasks.png
    python -m zoo.benchmark --codec --preset=idf_photo_patches --images=500

The same networks in all: 3x3, 1x1 and 3x3 convolutions, affine couplings, LU 1x1 convolutions,
no learned priors. normflows needs the extra `bench`. With --gradients, those of each bijector at
constant memory against ordinary backprop's. With --serial, sampling of one masked autoregressive
flow, by this library and by tfb.MaskedAutoregressiveFlow. With --tasks, inference, sampling and
density of NICE, RealNVP, Glow, MAF and IAF against the dimension. With --codec, sizes of the test
images of a preset's data under its lossless code and those of PNG, WebP and JPEG-XL.
"""

import json
import os
import platform
import sys

from absl import flags

from zoo.benchmarks import comparison, depth
from zoo.benchmarks import job as jobs
from zoo.cli import errors, program

_PEERS = flags.DEFINE_list(
    'peers', None, f'Peers, of: {", ".join(jobs.PEERS)}. By default all, but unrolled with --depth '
    'only. backprop is tfp_glow with reversible=False, unrolled the same without a loop.')
_SIZE = flags.DEFINE_integer('size', None, 'Height and width of the images [32, --depth: 64, '
                            '--serial: 28].')
_LEVELS = flags.DEFINE_integer('levels', None, 'Levels L [3, --tasks: 2].')
_STEPS = flags.DEFINE_integer('steps_per_level', None, 'Steps per level K, without --depth [16]; '
                             '--gradients: steps [64]; --tasks: layers, couplings and residual '
                             'blocks too [4].')
_WIDTH = flags.DEFINE_integer('width', None, 'Channels of hidden layers [128, --depth: 64, '
                             '--serial: units, 512; --tasks: units, 256, and an eighth of it in '
                             'channels].')
_BATCH = flags.DEFINE_integer('batch', None, 'Images per call [32, --depth: 16].')
_ROUNDS = flags.DEFINE_integer('rounds', 5, 'Rounds of timing; the peers take turns in each.')
_SECONDS = flags.DEFINE_float('seconds', None, 'Least length of one timing [2, --tasks: .2].')
_TIMEOUT = flags.DEFINE_float('timeout', 600., 'Seconds after which a peer is given up.')
_DEPTH = flags.DEFINE_bool('depth', False, 'Training against the number of steps per level.')
_DEPTH_STEPS = flags.DEFINE_list('depth_steps', ['8', '16', '32', '64'], 'The K of --depth.')
_GRADIENTS = flags.DEFINE_bool('gradients', False, 'Gradients of each bijector at constant '
                              'memory against those of ordinary backprop.')
_SERIAL = flags.DEFINE_bool('serial', False, 'Sampling of a MAF of size * size dimensions.')
_TASKS = flags.DEFINE_bool('tasks', False, 'Inference, sampling and density of five flows against '
                          'the dimension.')
_TASK_SIZES = flags.DEFINE_list('task_sizes', ['4', '8', '16', '28'], 'Heights and widths of the '
                                'one-channel images of --tasks; the dimension is the square.')
_CODEC = flags.DEFINE_bool('codec', False, 'Lossless codecs on the test images of --preset.')
_PRESET = flags.DEFINE_string('preset', None, 'Preset of the model idf, for --codec.')
_IMAGES = flags.DEFINE_integer('images', 200, 'Images of --codec, the first ones of the split.')
_DATA_DIR = flags.DEFINE_string('data_dir', None, 'Where TFDS finds the data of --codec.')
_PLOT = flags.DEFINE_string('plot', None, 'PNG file for --depth [depth.png] and --tasks '
                            '[tasks.png]; empty for none.')
_OUT = flags.DEFINE_string('out', None, 'JSON file for all figures.')


def main(_):
    _check_flags()
    if _GRADIENTS.value:
        _compare_gradients()
        return
    if _SERIAL.value:
        _compare_serial()
        return
    if _TASKS.value:
        _measure_tasks()
        return
    if _CODEC.value:
        _compare_codecs()
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
        _draw(report, depth.plot, 'depth.png')
    else:
        report = comparison.run(template, peers, **settings)
        print(comparison.text(report))
    _write({'size': template.size, 'levels': template.levels, 'steps_per_level': steps,
            'width': template.width, 'batch': template.batch}, report)
    if all(row['failure'] for row in report['rows']):
        raise errors.Failure('no peer could be measured; the table says why.')


def _compare_gradients():
    # Here and below the flows run in this process, which else has no need of TensorFlow.
    from zoo.benchmarks import gradients
    steps = _STEPS.value or 64
    print(f'K={steps} steps of each bijector', flush=True)
    report = gradients.run(steps, _progress)
    print(gradients.text(report))
    _write({'steps_per_level': steps}, report)
    if gradients.beyond(report):
        raise errors.Failure('a gradient is beyond its limit; the table says which.')


def _compare_serial():
    from zoo.benchmarks import serial
    size, batch = _SIZE.value or 28, _BATCH.value or 32
    hidden = (_WIDTH.value or 512,) * 2
    print(f'MAF of {size * size} dimensions, affine, MADE with hidden units {hidden}, batch '
          f'{batch}; {jobs.cores()} cores', flush=True)
    report = serial.run(size * size, hidden, batch, _ROUNDS.value, _SECONDS.value or 2., _progress)
    print(serial.text(report))
    _write({'dimensions': size * size, 'hidden': hidden, 'batch': batch}, report)


def _measure_tasks():
    levels, steps = _LEVELS.value or 2, _STEPS.value or 4
    width, batch = _WIDTH.value or 256, _BATCH.value or 32
    sides = _integers(_TASK_SIZES, least=2, multiple=2**levels)
    from zoo.benchmarks import tasks
    print(f'images of one channel, D = {", ".join(str(side * side) for side in sides)}; '
          f'L={levels}, K={steps}, width {width}, batch {batch}; {jobs.cores()} cores', flush=True)
    report = tasks.run(sides, levels, steps, width, batch, _ROUNDS.value, _SECONDS.value or .2,
                       _progress)
    print(tasks.text(report))
    _draw(report, tasks.plot, 'tasks.png')
    _write({'levels': levels, 'steps_per_level': steps, 'width': width, 'batch': batch}, report)


def _compare_codecs():
    from zoo.archives import files as archives
    from zoo.benchmarks import codecs
    found = archives.read_preset(_PRESET.value)
    data = found.run.load_data(_DATA_DIR.value)
    count = min(_IMAGES.value, data.sizes['test'])
    images = data.crop(data.take('test', count))
    print(f'{count} test images of {data.describe()} {jobs.cores()} cores', flush=True)
    report = codecs.run(found.flow, images, _progress)
    print(codecs.text(report))
    _write({'preset': _PRESET.value, 'images': count}, report)


def _check_flags():
    if _CODEC.value:
        program.require('preset')
    for mode, others in ((_GRADIENTS, (_DEPTH, _PEERS, _SIZE)),
                         (_SERIAL, (_GRADIENTS, _DEPTH, _PEERS)),
                         (_TASKS, (_GRADIENTS, _SERIAL, _DEPTH, _PEERS, _SIZE)),
                         (_CODEC, (_GRADIENTS, _TASKS, _SERIAL, _DEPTH, _PEERS, _SIZE))):
        for flag in others:
            if mode.value and flag.value:
                raise errors.UsageError(f'--{flag.name} must not be given with --{mode.name}; '
                                        f'got {flag.value}.')
    for peer in _PEERS.value or []:
        if peer not in jobs.PEERS:
            raise errors.UsageError(f'--peers must be of {", ".join(jobs.PEERS)}; got {peer!r}.')
    for flag in (_LEVELS, _STEPS, _SIZE, _WIDTH, _BATCH, _ROUNDS, _IMAGES):
        if flag.value is not None and flag.value < 1:
            raise errors.UsageError(f'--{flag.name} must be at least 1; got {flag.value}.')
    for flag in (_SECONDS, _TIMEOUT):
        if flag.value is not None and not flag.value > 0:
            raise errors.UsageError(f'--{flag.name} must be positive; got {flag.value}.')
    for flag in (_PLOT, _OUT):
        if flag.value and not os.path.isdir(os.path.dirname(flag.value) or '.'):
            raise errors.UsageError(
                f'--{flag.name} must be in a folder that exists; got {flag.value!r}.')


def _options():
    """What the flags say of training and the like: a job to copy, the peers, the values of K."""
    chosen = _PEERS.value or [peer for peer in jobs.PEERS if _DEPTH.value or peer != 'unrolled']
    steps = _integers(_DEPTH_STEPS) if _DEPTH.value else [_STEPS.value or 16]
    levels = _LEVELS.value or 3
    size, width, batch = (64, 64, 16) if _DEPTH.value else (32, 128, 32)
    size = _SIZE.value or size
    if size % 2**levels:
        raise errors.UsageError(
            f'--size must be divisible by 2**levels = {2**levels}; got {size}.')
    template = jobs.Job(
        peer='', what='', size=size, levels=levels, steps_per_level=steps[0],
        width=_WIDTH.value or width, batch=_BATCH.value or batch, seconds=_SECONDS.value or 2.)
    return template, list(dict.fromkeys(chosen)), steps


def _integers(flag, least=1, multiple=1):
    """The different numbers of a flag's list, ascending."""
    numbers = sorted({int(text) for text in flag.value if text.isdecimal()})
    if (len(numbers) < least or not all(map(str.isdecimal, flag.value))
            or any(number < 1 or number % multiple for number in numbers)):
        count = 'positive integers' if least == 1 else f'{least} or more different integers'
        divisible = f', each a positive multiple of 2**levels = {multiple}' if multiple > 1 else ''
        raise errors.UsageError(f'--{flag.name} must be {count} with commas between{divisible}; '
                                f'got {",".join(flag.value)!r}.')
    return numbers


def _draw(report, plot, default):
    path = default if _PLOT.value is None else _PLOT.value
    if path:
        plot(report, path)
        print(f'plot: {path}')


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
