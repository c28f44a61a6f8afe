r"""Draws from a SavedModel bundle, for which TensorFlow and Pillow are enough, or from a preset.

    python -m zoo.sample --saved_model=RUN/saved_model --num=64 --temperature=.7 --out=samples.png
    python -m zoo.sample --workdir=RUN --num=64 --temperature=.7 --out=samples.png
    python -m zoo.sample --preset=glow_digits --num=64 --temperature=.7 --out=samples.png

--workdir=RUN stands for the bundle in RUN/saved_model. A preset needs all of the package; its
samples are those of its bundle. A plot of vectors needs matplotlib.
"""

import concurrent.futures
import pathlib
from typing import Any

import numpy as np
from absl import flags

from zoo.bundles import reading
from zoo.cli import errors, files, number_flags, processor, program, ranges
from zoo.pictures import grids
from zoo.runs import preset_folder

_BATCH = {'images': 64, 'vectors': 4096}  # The number of samples that are drawn at once.
_SUFFIXES = {'images': ('.png', '.npy'), 'vectors': ('.png', '.npy', '.csv')}

_SAVED_MODEL = flags.DEFINE_string(
    'saved_model', None, 'A bundle of zoo.export, or the folder of its versions: then the newest.')
_WORKDIR = flags.DEFINE_string('workdir', None, 'Or a run directory, whose newest bundle is used.')
_PRESET = flags.DEFINE_string('preset', None, 'Or the name or folder of a preset.')
_NUM = number_flags.integer('num', 16, 'Number of images or vectors.')
_TEMPERATURE = number_flags.number('temperature', 1.,
                                   'Factor of the latents\' standard deviation.')
_SEED = number_flags.seed('seed', 0, 'The same seed gives the same samples.')
_LABEL = number_flags.integer(
    'label', None, 'Class of all samples of a conditional model. Default: one after the other.',
    ranges.WHOLE)
_OUT = flags.DEFINE_string(
    'out', 'samples.png', 'A picture as .png: a grid of images, a plot of vectors. Or the values, '
    'as .npy: uint8 [num, H, W, C] or float32 [num, D]; vectors also as .csv.')
_OVERWRITE = flags.DEFINE_bool('overwrite', False, 'Replace --out if it is there.')


def main(argv: list[str]) -> None:
    """Opens the model, draws the samples and writes them."""
    del argv
    bundle = _open()
    _check_label(bundle)
    files.check_output(_OUT.value, _SUFFIXES[bundle.kind], _OVERWRITE.value)
    program.start_tensorflow()
    model = bundle.load()
    samples = draw(bundle, model, _NUM.value, _TEMPERATURE.value, _SEED.value, _LABEL.value)
    save(bundle, model, samples, _OUT.value)
    print(f'{_OUT.value}: {len(samples)} {bundle.kind}, temperature {_TEMPERATURE.value:g}, '
          f'seed {_SEED.value}, {bundle.about["name"]} in {bundle.path}')


def _open() -> reading.Bundle:
    """Returns the bundle or the preset that the flags name.

    Raises:
        UsageError: If they name none or several, or it cannot be read.
    """
    folder, workdir, preset = _SAVED_MODEL.value, _WORKDIR.value, _PRESET.value
    given = [name for name, value in (('--saved_model', folder), ('--workdir', workdir),
                                      ('--preset', preset)) if value]
    if len(given) != 1:
        raise errors.UsageError('give --saved_model=DIR, a bundle that zoo.export wrote, '
                                '--workdir=RUN or --preset=NAME; got '
                                f'{" and ".join(given) or "neither"}.')
    if folder:
        return reading.open_bundle(folder)
    if workdir:
        return reading.open_bundle(pathlib.Path(workdir) / 'saved_model', '--workdir')
    preset = preset or ''
    preset_folder.find(preset, '--preset')
    program.start_tensorflow()
    from zoo.bundles import in_memory  # Late: they need all of the package.
    from zoo.runs import machine
    return in_memory.of_preset(preset, machine.for_evaluation('auto'))


def draw(bundle: reading.Bundle, model: Any, num: int, temperature: float, seed: int,
         label: int | None = None) -> np.ndarray:
    """Returns samples, uint8 [num, H, W, C] or float32 [num, D].

    They are drawn in batches of 64 images or 4096 vectors, as many beside each other as there are
    cores. The first batch has the seed (seed, 0), the next (seed, 1), and so on.

    Args:
        bundle: The bundle, which says what its samples are.
        model: What the bundle loads.
        num: The number of samples.
        temperature: The temperature of the latents.
        seed: The same seed gives the same samples.
        label: The class of all samples if the model is conditional; None for one class after the
            other.

    Raises:
        Failure: If the model gave no finite samples.
    """
    import tensorflow as tf  # Late: a wrong flag is reported at once.
    size = _BATCH[bundle.kind]

    def batch(start: int) -> np.ndarray:
        numbers = range(start, min(start + size, num))
        labels = [] if not bundle.classes else [tf.constant(
            [i % bundle.classes if label is None else label for i in numbers])]
        return model.sample(
            tf.constant(len(numbers)), tf.constant(temperature, tf.float32),
            tf.constant([seed, start // size]), *labels).numpy()
    try:
        with concurrent.futures.ThreadPoolExecutor(processor.cores()) as pool:
            batches = list(pool.map(batch, range(0, num, size)))
    except tf.errors.InvalidArgumentError as error:
        raise errors.Failure(
            f'--temperature={temperature:g}: {reading.one_line(error)}') from error
    return np.concatenate(batches)


def save(bundle: reading.Bundle, model: Any, samples: np.ndarray, path: str) -> None:
    """Writes samples as a file that is there whole or not at all.

    Args:
        bundle: The bundle that they are from.
        model: What the bundle loads.
        samples: What `draw` returned.
        path: The file; its suffix says how it is written.
    """
    if path.endswith('.npy'):
        files.write_whole(path, lambda file: np.save(file, samples))
    elif path.endswith('.csv'):
        header = ','.join(bundle.columns)
        files.write_whole(path, lambda file: np.savetxt(
            file, samples, fmt='%.9g', delimiter=',', header=header, comments='',
            encoding='utf-8'))
    elif bundle.kind == 'images':
        grids.save_grid(samples, path, bundle.bins)
    else:
        from zoo.pictures import densities  # Late: it needs matplotlib.
        densities.density(path, samples, None if bundle.classes else model.log_prob,
                          columns=bundle.columns)


def _check_label(bundle: reading.Bundle) -> None:
    """Checks that --label is a class of the bundle, if it is given."""
    if _LABEL.value is None:
        return
    if not bundle.classes:
        raise errors.UsageError(f'--label must be left out: {str(bundle.path)!r} holds a model '
                                f'without classes; got {_LABEL.value}.')
    if not 0 <= _LABEL.value < bundle.classes:
        raise errors.UsageError(f'--label must be in 0 .. {bundle.classes - 1}; '
                                f'got {_LABEL.value}.')


if __name__ == '__main__':
    program.run(main)
