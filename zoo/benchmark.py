r"""Speed and memory of Glow in this library, tfb.Glow and normflows, on this machine in one run.

    python -m zoo.benchmark --steps_per_level=16 --width=128 --out=benchmark.json
    python -m zoo.benchmark --depth --depth_steps=8,16,32,64 --plot=depth.png
    python -m zoo.benchmark --gradients --steps_per_level=64
    python -m zoo.benchmark --serial
    python -m zoo.benchmark --tasks --task_sizes=4,8,16,28 --plot=tasks.png
    python -m zoo.benchmark --codec --preset=idf_photo_patches --images=500
    python -m zoo.benchmark --input --model=glow --dataset=fashion_mnist
    python -m zoo.benchmark --quality --models=glow,idf --marks=3.2,3.1 --workdir=runs/quality

All libraries have the same networks: 3x3, 1x1 and 3x3 convolutions, affine couplings, LU 1x1
convolutions, no learned priors. normflows needs the extra `bench`. --gradients compares the
gradients of each bijector at constant memory with those of ordinary backprop. --serial measures
sampling of one masked autoregressive flow by this library and by tfb.MaskedAutoregressiveFlow.
--tasks measures inference, sampling and density of NICE, RealNVP, Glow, MAF and IAF against the
dimension. --codec compares the sizes of the test images of a preset's data under its lossless code
with those of PNG, WebP and JPEG-XL. --input trains a model by its default recipe and measures which
share of a step waits for data. --quality trains models by their default recipes and measures how
long it takes until their test bits/dim are down to --marks.
"""

import json
import platform
import sys
from collections.abc import Callable

from absl import flags

from zoo.benchmarks import comparison, depth, quality
from zoo.benchmarks import job as jobs
from zoo.cli import errors, files, number_flags, processor, program, ranges, source_flags, subruns
from zoo.data import dataset_names
from zoo.models import registry
from zoo.runs import preset_folder

# The flags that each mode uses, besides --out.
_MODES = {
    'depth': ('peers', 'size', 'levels', 'depth_steps', 'width', 'batch', 'rounds', 'seconds',
              'timeout', 'plot'),
    'gradients': ('steps_per_level',),
    'serial': ('size', 'width', 'batch', 'rounds', 'seconds'),
    'tasks': ('levels', 'steps_per_level', 'width', 'batch', 'task_sizes', 'rounds', 'seconds',
              'plot'),
    'codec': ('preset', 'images', 'data_dir'),
    'input': ('model', 'dataset', 'data_dir', 'rounds', 'seconds'),
    'quality': ('models', 'marks', 'dataset', 'data_dir', 'workdir', 'resume'),
    '': ('peers', 'size', 'levels', 'steps_per_level', 'width', 'batch', 'rounds', 'seconds',
         'timeout')}

_DEPTH = flags.DEFINE_bool('depth', False, 'Training against the number of steps per level.')
_GRADIENTS = flags.DEFINE_bool('gradients', False, 'Gradients of each bijector at constant memory '
                              'against those of ordinary backprop.')
_SERIAL = flags.DEFINE_bool('serial', False, 'Sampling of a MAF of size * size dimensions.')
_TASKS = flags.DEFINE_bool('tasks', False, 'Inference, sampling and density of five flows against '
                          'the dimension.')
_CODEC = flags.DEFINE_bool('codec', False, 'Lossless codecs on the test images of --preset.')
_INPUT = flags.DEFINE_bool('input', False, 'The share of a training step that waits for data.')
_QUALITY = flags.DEFINE_bool('quality', False, 'Seconds of training to given bits/dim.')
_PEERS = flags.DEFINE_list(
    'peers', None, f'Peers, of: {", ".join(jobs.PEERS)}. By default all, but unrolled with --depth '
    'only, and those in bfloat16 only if the processor has it in hardware. backprop is tfp_glow '
    'with reversible=False, unrolled the same without a loop; towers compute a share of the batch '
    'on each core.')
_SIZE = number_flags.integer('size', None, 'Height and width of the images. Default: 32; of '
                             '--depth 64, of --serial 28.')
_LEVELS = number_flags.integer('levels', None, 'Levels L. Default: 3; of --tasks 2.',
                               ranges.Range(1, 16))
_STEPS = number_flags.integer(
    'steps_per_level', None, 'Steps per level K. Default: 16; of --gradients 64; of --tasks, where '
    'they are layers, couplings and residual blocks too, 4.')
_WIDTH = number_flags.integer(
    'width', None, 'Channels of hidden layers. Default: 128; of --depth 64; of --serial, where '
    'they are units, 512; of --tasks 256 units, and an eighth of it in channels.')
_BATCH = number_flags.integer('batch', None, 'Images per call. Default: 32; of --depth 16.')
_ROUNDS = number_flags.integer('rounds', 5, 'Rounds of timing; the peers take turns in each.')
_SECONDS = number_flags.number('seconds', None, 'Least length of one timing. Default: 2; of '
                               '--tasks .2; of --input 4.', ranges.POSITIVE)
_TIMEOUT = number_flags.number('timeout', 600., 'Seconds after which a peer is given up.',
                               ranges.POSITIVE)
_DEPTH_STEPS = number_flags.integers('depth_steps', [8, 16, 32, 64], 'The K of --depth.')
_TASK_SIZES = number_flags.integers('task_sizes', [4, 8, 16, 28], 'Heights and widths of the '
                                    'one-channel images of --tasks; the dimension is the square.')
_PRESET = flags.DEFINE_string('preset', None, 'Preset of the model idf, for --codec.')
_IMAGES = number_flags.integer('images', 200, 'Images of --codec, the first ones of the split.')
_MODEL = flags.DEFINE_string('model', 'glow', 'Model of --input.')
_DATASET = flags.DEFINE_string('dataset', None, 'Name or path of the data set of --input and '
                               '--quality. Default: fashion_mnist if it is prepared, else digits.')
_MODELS = flags.DEFINE_list('models', ['glow', 'real_nvp', 'flow_pp', 'idf'],
                            'Models of --quality, flows of images.')
_MARKS = number_flags.numbers('marks', [3.2, 3.1], 'Test bits/dim of --quality.', ranges.POSITIVE)
_WORKDIR = flags.DEFINE_string('workdir', None, 'Folder for the runs of --quality; new, or with '
                               '--resume.')
_RESUME = flags.DEFINE_bool('resume', False, 'Go on with the runs that --workdir holds.')
_DATA_DIR = source_flags.data_dir()
_PLOT = flags.DEFINE_string('plot', None, 'PNG file for --depth [depth.png] and --tasks '
                            '[tasks.png]; empty for none.')
_OUT = flags.DEFINE_string('out', None, 'JSON file for all figures.')
_OVERWRITE = flags.DEFINE_bool('overwrite', False, 'Replace --out and --plot if they are there.')


def main(argv: list[str]) -> None:
    """Measures what the mode asks for and prints a table."""
    del argv
    mode = _check_flags()
    {'': _compare_peers, 'depth': _compare_peers, 'gradients': _compare_gradients,
     'serial': _compare_serial, 'tasks': _measure_tasks, 'codec': _compare_codecs,
     'input': _measure_input, 'quality': _measure_quality}[mode]()


def _compare_peers() -> None:
    template, peers, steps = _options()
    for peer, missing in [(peer, jobs.missing_packages(peer)) for peer in peers]:
        if missing:
            print(f'{peer} left out: {", ".join(missing)} not installed; {jobs.INSTALL}')
            peers = [other for other in peers if other != peer]
    if not peers:
        raise errors.Failure('no peer to measure is installed.')
    print(f'Glow {template.size}x{template.size}x{jobs.CHANNELS}, L={template.levels}, K='
          f'{",".join(map(str, steps))}, width {template.width}, batch {template.batch}; '
          f'{_machine()}', flush=True)
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


def _compare_gradients() -> None:
    # Here and below, the flows run in this process; otherwise it does not need TensorFlow.
    program.start_tensorflow()
    from zoo.benchmarks import gradients
    steps = _STEPS.value or 64
    print(f'K={steps} steps of each bijector', flush=True)
    report = gradients.run(steps, _progress)
    print(gradients.text(report))
    _write({'steps_per_level': steps}, report)
    if gradients.beyond(report):
        raise errors.Failure('a gradient is beyond its limit; the table says which.')


def _compare_serial() -> None:
    program.start_tensorflow()
    from zoo.benchmarks import serial
    size, batch = _SIZE.value or 28, _BATCH.value or 32
    hidden = (_WIDTH.value or 512,) * 2
    print(f'MAF of {size * size} dimensions, affine, MADE with hidden units {hidden}, batch '
          f'{batch}; {_machine()}', flush=True)
    report = serial.run(size * size, hidden, batch, _ROUNDS.value, _SECONDS.value or 2., _progress)
    print(serial.text(report))
    _write({'dimensions': size * size, 'hidden': hidden, 'batch': batch}, report)


def _measure_tasks() -> None:
    levels, steps = _LEVELS.value or 2, _STEPS.value or 4
    width, batch = _WIDTH.value or 256, _BATCH.value or 32
    sides = sorted(set(_TASK_SIZES.value))
    if len(sides) < 2 or any(side % 2**levels for side in sides):
        raise errors.UsageError(
            '--task_sizes must be 2 or more different integers with commas between, each a '
            f'positive multiple of 2**levels = {2**levels}; got '
            f'{",".join(map(str, _TASK_SIZES.value))!r}.')
    program.start_tensorflow()
    from zoo.benchmarks import tasks
    print(f'images of one channel, D = {", ".join(str(side * side) for side in sides)}; '
          f'L={levels}, K={steps}, width {width}, batch {batch}; {_machine()}', flush=True)
    report = tasks.run(sides, levels, steps, width, batch, _ROUNDS.value, _SECONDS.value or .2,
                       _progress)
    print(tasks.text(report))
    _draw(report, tasks.plot, 'tasks.png')
    _write({'levels': levels, 'steps_per_level': steps, 'width': width, 'batch': batch}, report)


def _compare_codecs() -> None:
    name = program.required(_PRESET)
    preset_folder.find(name)
    program.start_tensorflow()
    from zoo.archives.codecs import read_preset
    from zoo.benchmarks import codecs
    preset = read_preset(name)
    data = preset.run.load_data(_DATA_DIR.value)
    count = min(_IMAGES.value, data.sizes['test'])
    images = data.crop(data.take('test', count))
    print(f'{count} test images of {data.describe()} {_machine()}', flush=True)
    report = codecs.run(preset.flow, images, _progress)
    print(codecs.text(report))
    _write({'preset': name, 'images': count}, report)


def _measure_input() -> None:
    model, dataset = registry.spec(_MODEL.value), _DATASET.value
    if dataset and dataset_names.is_vectors(dataset) and not model.vectors:
        raise errors.UsageError(f'--dataset must be one of images for --model={model.name}; '
                                f'got {dataset!r}.')
    if dataset:
        dataset_names.check(dataset, _DATA_DIR.value)
    program.start_tensorflow()
    from zoo.benchmarks import input_pipeline
    dataset = dataset or dataset_names.default(_DATA_DIR.value)
    report = input_pipeline.run(model.name, dataset, _DATA_DIR.value, _ROUNDS.value,
                                _SECONDS.value or 4., _progress)
    print(f'{model.name}, recipe {report["recipe"]}, batches of {report["batch"]}; {_machine()}\n'
          f'{report["about"]}\n')
    print(input_pipeline.text(report))
    _write({}, report)


def _measure_quality() -> None:
    dataset = _DATASET.value or dataset_names.default(_DATA_DIR.value)
    quality.check(_MODELS.value, dataset, _DATA_DIR.value)
    out = program.required(_WORKDIR)
    given = [f'--data_dir={_DATA_DIR.value}'] if _DATA_DIR.value else []
    folder = subruns.folder(out, _RESUME.value, {'dataset': dataset})
    print(f'{dataset}, default recipes, seed 0; {_machine()}', flush=True)
    report = quality.run(_MODELS.value, _MARKS.value, dataset, folder, given, _progress)
    print(quality.text(report))
    _write({'dataset': dataset}, report)


def _check_flags() -> str:
    """Checks that each flag has a use in the mode that is asked for; returns that mode."""
    modes = [flag.name for flag in (_DEPTH, _GRADIENTS, _SERIAL, _TASKS, _CODEC, _INPUT,
                                    _QUALITY) if flag.value]
    if len(modes) > 1:
        raise errors.UsageError(f'--{modes[0]} must be given alone; got --{modes[1]} as well.')
    mode = modes[0] if modes else ''
    used = _MODES[mode]
    others = sorted({name for names in _MODES.values() for name in names} - set(used))
    program.refuse(f'with --{mode}' if mode else 'without the mode that uses it', *others)
    if _CODEC.value:
        program.require('preset')
    program.check_not_empty('peers', 'depth_steps', 'task_sizes', 'models', 'marks')
    for peer in _PEERS.value or []:
        if peer not in jobs.PEERS:
            raise errors.UsageError(f'--peers must be of {", ".join(jobs.PEERS)}; got {peer!r}.')
    for flag, suffix in ((_PLOT, '.png'), (_OUT, '.json')):
        if flag.value:
            files.check_output(flag.value, (suffix,), _OVERWRITE.value, f'--{flag.name}')
    return mode


def _options() -> tuple[jobs.Job, list[str], list[int]]:
    """Returns what the flags say: a job to copy, the peers, the values of K."""
    chosen = _PEERS.value or jobs.default_peers(
        _DEPTH.value, processor.bfloat16_unit() is not None)
    steps = sorted(set(_DEPTH_STEPS.value)) if _DEPTH.value else [_STEPS.value or 16]
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


def _machine() -> str:
    """Returns how many cores of which processor there are, and what it has for bfloat16."""
    unit = processor.bfloat16_unit() or 'no bfloat16'
    return f'{processor.cores()} cores of {processor.name()}, {unit}'


def _draw(report: dict, plot: Callable[[dict, str], None], default: str) -> None:
    """Draws a report where --plot says, by default as the file `default`; --plot= for none."""
    path = default if _PLOT.value is None else _PLOT.value
    if path:
        plot(report, path)
        print(f'plot: {path}')


def _write(about: dict, report: dict) -> None:
    """Writes the report as JSON, with the settings that it depends on, if --out says where."""
    if not _OUT.value:
        return
    about = {**about, 'rounds': _ROUNDS.value, 'cores': processor.cores(),
             'processor': processor.name(),
             'machine': platform.platform(), 'python': platform.python_version()}
    files.write_whole(_OUT.value, json.dumps({**about, **report}, indent=2) + '\n')


def _progress(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == '__main__':
    program.run(main)
