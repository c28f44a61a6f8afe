r"""Draws from a SavedModel bundle, where only TensorFlow and Pillow are installed.

    python -m zoo.sample --saved_model=RUN/saved_model --num=64 --temperature=.7 --out=samples.png

A plot of vectors needs matplotlib.
"""

import numpy as np
from absl import flags

from zoo.bundles import reading as bundles
from zoo.cli import errors, program
from zoo.pictures import grids

_BATCH = {'images': 64, 'vectors': 4096}  # Drawn at once.
_SUFFIXES = {'images': ('.png', '.npy'), 'vectors': ('.png', '.npy', '.csv')}

_SAVED_MODEL = flags.DEFINE_string(
    'saved_model', None, 'A bundle of zoo.export, or the folder of its versions: then the newest.')
_NUM = flags.DEFINE_integer('num', 16, 'Number of images or vectors.')
_TEMPERATURE = flags.DEFINE_float(
    'temperature', 1., 'Factor of the latents\' standard deviation, at least 0.')
_SEED = flags.DEFINE_integer('seed', 0, 'The same seed gives the same samples.')
_LABEL = flags.DEFINE_integer(
    'label', None, 'Class of all samples of a conditional model. Default: one after the other.')
_OUT = flags.DEFINE_string(
    'out', 'samples.png', 'A picture as .png: a grid of images, a plot of vectors. Or the values, '
    'as .npy: uint8 [num, H, W, C] or float32 [num, D]; vectors also as .csv.')
_OVERWRITE = flags.DEFINE_bool('overwrite', False, 'Replace --out if it is there.')


def main(argv):
    del argv
    _check_numbers()
    found = bundles.open_bundle(_SAVED_MODEL.value)
    _check_label(found)
    grids.check_output(_OUT.value, _SUFFIXES[found.kind], _OVERWRITE.value)
    model = found.load()
    drawn = draw(found, model, _NUM.value, _TEMPERATURE.value, _SEED.value, _LABEL.value)
    save(found, model, drawn, _OUT.value)
    print(f'{_OUT.value}: {len(drawn)} {found.kind}, temperature {_TEMPERATURE.value:g}, '
          f'seed {_SEED.value}, {found.about["name"]} in {found.path}')


def draw(found, model, num, temperature, seed, label=None):
    """Returns uint8 [num, H, W, C] or float32 [num, D], the first batch by (seed, 0), etc.

    Args:
        found: a `Bundle`; 64 images or 4096 vectors are a batch.
        model: what it loads.
        num: the number of samples.
        temperature: of the latents.
        seed: an int.
        label: the class of all if the model is conditional; None for one after the other.

    Raises:
        Failure: the model gave no finite samples.
    """
    import tensorflow as tf  # Late, so that a wrong flag is reported at once.
    batches, size = [], _BATCH[found.kind]
    try:
        for start in range(0, num, size):
            numbers = range(start, min(start + size, num))
            labels = [] if not found.classes else [tf.constant(
                [i % found.classes if label is None else label for i in numbers])]
            batches.append(model.sample(
                tf.constant(len(numbers)), tf.constant(temperature, tf.float32),
                tf.constant([seed, start // size]), *labels).numpy())
    except tf.errors.InvalidArgumentError as error:
        raise errors.Failure(f'--temperature={temperature:g}: {bundles.one_line(error)}') from error
    return np.concatenate(batches)


def save(found, model, drawn, path):
    """Writes what `draw` returned to `path`, whose suffix says how; it is there whole or not."""
    if path.endswith('.npy'):
        grids.write_atomically(path, lambda file: np.save(file, drawn))
    elif path.endswith('.csv'):
        header = ','.join(found.columns)
        grids.write_atomically(path, lambda file: np.savetxt(
            file, drawn, fmt='%.9g', delimiter=',', header=header, comments='', encoding='utf-8'))
    elif found.kind == 'images':
        grids.save_grid(drawn, path, found.bins)
    else:
        from zoo.pictures import densities as density_plots
        density_plots.density(path, drawn, None if found.classes else model.log_prob,
                      columns=found.columns)


def _check_numbers():
    if not _SAVED_MODEL.value:
        raise errors.UsageError('--saved_model must be given: a bundle that zoo.export wrote.')
    if _NUM.value < 1:
        raise errors.UsageError(f'--num must be at least 1; got {_NUM.value}.')
    if not 0 <= _TEMPERATURE.value < float('inf'):
        raise errors.UsageError(f'--temperature must be finite and at least 0; '
                                f'got {_TEMPERATURE.value:g}.')
    if not 0 <= _SEED.value < 2**31:
        raise errors.UsageError(f'--seed must be in 0 .. 2**31 - 1; got {_SEED.value}.')


def _check_label(found):
    if _LABEL.value is None:
        return
    if not found.classes:
        raise errors.UsageError(f'--label must be left out: {str(found.path)!r} holds a model '
                                f'without classes; got {_LABEL.value}.')
    if not 0 <= _LABEL.value < found.classes:
        raise errors.UsageError(f'--label must be in 0 .. {found.classes - 1}; '
                                f'got {_LABEL.value}.')


if __name__ == '__main__':
    program.run(main)
