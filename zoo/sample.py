r"""Draws images from a SavedModel bundle, where only TensorFlow and Pillow are installed.

    python -m zoo.sample --saved_model=RUN/saved_model --num=64 --temperature=.7 --out=samples.png
"""

import os
import pathlib

import numpy as np
from absl import flags

from zoo import bundle, errors, program
from zoo import images as zoo_images

_BATCH = 64  # Images drawn at once.

_SAVED_MODEL = flags.DEFINE_string(
    'saved_model', None, 'A bundle of zoo.export, or the folder of its versions: then the newest.')
_NUM = flags.DEFINE_integer('num', 16, 'Number of images.')
_TEMPERATURE = flags.DEFINE_float(
    'temperature', 1., 'Factor of the latents\' standard deviation, at least 0.')
_SEED = flags.DEFINE_integer('seed', 0, 'The same seed gives the same images.')
_OUT = flags.DEFINE_string(
    'out', 'samples.png', 'A grid as .png, or the values as .npy: uint8 [num, H, W, C].')
_OVERWRITE = flags.DEFINE_bool('overwrite', False, 'Replace --out if it is there.')


def main(argv):
    del argv
    _check_flags()
    found = bundle.open_bundle(_SAVED_MODEL.value)
    drawn = draw(found, _NUM.value, _TEMPERATURE.value, _SEED.value)
    if _OUT.value.endswith('.npy'):
        zoo_images.write_atomically(_OUT.value, lambda file: np.save(file, drawn))
    else:
        zoo_images.save_grid(drawn, _OUT.value, found.bins)
    print(f'{_OUT.value}: {len(drawn)} images, temperature {_TEMPERATURE.value:g}, '
          f'seed {_SEED.value}, {found.about["name"]} in {found.path}')


def draw(found, num, temperature, seed):
    """Returns uint8 [num, H, W, C] from the `Bundle` `found`, the first 64 by (seed, 0), etc.

    Raises:
        Failure: the model gave no finite images.
    """
    import tensorflow as tf  # Late, so that a wrong flag is reported at once.
    model = found.load()
    batches = []
    try:
        for start in range(0, num, _BATCH):
            batches.append(model.sample(
                tf.constant(min(_BATCH, num - start)), tf.constant(temperature, tf.float32),
                tf.constant([seed, start // _BATCH])).numpy())
    except tf.errors.InvalidArgumentError as error:
        raise errors.Failure(f'--temperature={temperature:g}: {bundle.one_line(error)}') from error
    return np.concatenate(batches)


def _check_flags():
    if not _SAVED_MODEL.value:
        raise errors.UsageError('--saved_model must be given: a bundle that zoo.export wrote.')
    if _NUM.value < 1:
        raise errors.UsageError(f'--num must be at least 1; got {_NUM.value}.')
    if not 0 <= _TEMPERATURE.value < float('inf'):
        raise errors.UsageError(f'--temperature must be finite and at least 0; '
                                f'got {_TEMPERATURE.value:g}.')
    if not 0 <= _SEED.value < 2**31:
        raise errors.UsageError(f'--seed must be in 0 .. 2**31 - 1; got {_SEED.value}.')
    out = pathlib.Path(_OUT.value)
    if out.suffix not in ('.png', '.npy'):
        raise errors.UsageError(f'--out must end in .png or .npy; got {_OUT.value!r}.')
    if not out.parent.is_dir() or not os.access(out.parent, os.W_OK):
        raise errors.UsageError(f'--out must be in a folder that is there and can be written; '
                                f'got {_OUT.value!r}.')
    if out.is_dir():
        raise errors.UsageError(f'--out must be a file; got the folder {_OUT.value!r}.')
    if out.exists() and not _OVERWRITE.value:
        raise errors.UsageError(f'--out must be a new file, or give --overwrite; '
                                f'{_OUT.value!r} is there.')


if __name__ == '__main__':
    program.run(main)
