"""Writes pictures, for tests of folders of pictures."""

import pathlib

import numpy as np
from PIL import Image

from zoo.data import picture_folder
from zoo.data.picture_options import PictureOptions

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, [24, 36, 3]).astype(np.uint8)


def write(path, pixels=PIXELS, **options):
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(np.squeeze(pixels))
    image.save(path, **options)
    return path


def numbered(folder, count=12, shape=(16, 16, 3), suffix='.png', first=0):
    """Writes pictures of one colour each, of which the red part is the number."""
    for i in range(first, first + count):
        pixels = np.full(shape, i, np.uint8)
        write(folder / f'{i:03}{suffix}', pixels)


def load(folder, **options):
    said = []
    loaded = picture_folder.load(
        str(folder), PictureOptions(**options), lambda height, width: ((0, 0), (0, 0)),
        flips=False, tell=said.append)
    return loaded, said
