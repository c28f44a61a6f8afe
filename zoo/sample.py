r"""Draws from a SavedModel bundle, where only TensorFlow and Pillow are installed, or a preset.

    python -m zoo.sample --saved_model=RUN/saved_model --num=64 --temperature=.7 --out=samples.png
    python -m zoo.sample --preset=glow_digits --num=64 --temperature=.7 --out=samples.png

A preset needs all of the package, and gives what a bundle of it gives. A plot of vectors needs
matplotlib.
"""

from typing import Any

import numpy as np
from absl import flags

from zoo.bundles import reading
from zoo.cli import errors, files, number_flags, program, ranges
from zoo.pictures import grids
from zoo.runs import preset_folder

_BATCH = {'images': 64, 'vectors': 4096}  # Drawn at once.
_SUFFIXES = {'images': ('.png', '.npy'), 'vectors': ('.png', '.npy', '.csv')}

_SAVED_MODEL = flags.DEFINE_string(
    'saved_model', None, 'A bundle of zoo.export, or the folder of its versions: then the newest.')
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
    """Opens, draws, writes."""
    del argv
    if bool(_SAVED_MODEL.value) == bool(_PRESET.value):
        raise errors.UsageError('give --saved_model=DIR, a bundle that zoo.export wrote, or '
                                '--preset=NAME; got '
                                f'{"both" if _PRESET.value else "neither"}.')
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
    if _SAVED_MODEL.value:
        return reading.open_bundle(_SAVED_MODEL.value)
    preset_folder.find(_PRESET.value, '--preset')
    program.start_tensorflow()
    from zoo.bundles import in_memory  # Late: it needs all of the package.
    return in_memory.of_preset(_PRESET.value)


def draw(bundle: reading.Bundle, model: Any, num: int, temperature: float, seed: int,
         label: int | None = None) -> np.ndarray:
    """Returns uint8 [num, H, W, C] or float32 [num, D], the first batch by (seed, 0), etc.

    Args:
        bundle: Says what its samples are; 64 images or 4096 vectors are a batch.
        model: What it loads.
        num: The number of samples.
        temperature: That of the latents.
        seed: An integer.
        label: The class of all if the model is conditional; None for one after the other.

    Raises:
        Failure: If the model gave no finite samples.
    """
    import tensorflow as tf  # Late, so that a wrong flag is reported at once.
    batches, size = [], _BATCH[bundle.kind]
    try:
        for start in range(0, num, size):
            numbers = range(start, min(start + size, num))
            labels = [] if not bundle.classes else [tf.constant(
                [i % bundle.classes if label is None else label for i in numbers])]
            batches.append(model.sample(
                tf.constant(len(numbers)), tf.constant(temperature, tf.float32),
                tf.constant([seed, start // size]), *labels).numpy())
    except tf.errors.InvalidArgumentError as error:
        raise errors.Failure(
            f'--temperature={temperature:g}: {reading.one_line(error)}') from error
    return np.concatenate(batches)


def save(bundle: reading.Bundle, model: Any, samples: np.ndarray, path: str) -> None:
    """Writes what `draw` returned to `path`, whose suffix says how; it is there whole or not."""
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
