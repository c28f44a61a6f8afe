"""Grids of images as PNG files."""

import math
import os
import pathlib

import numpy as np
from PIL import Image

_READABLE = 64  # Pixels that a small image's longer side is enlarged to, about.
_TINY = 16  # Below this side, blocks of pixels hide from the eye what they show.
_GAP = 2


def save_grid(images, path, bins=256, scale=None):
    """Writes `images` as one PNG, row after row; the file is there whole or not at all.

    Args:
        images: uint8 [N, H, W, C], 1 or 3 channels, values 0..bins-1, which become 0..255.
        path: the file; one that is there is replaced.
        bins: number of grey levels, 2..256.
        scale: each pixel becomes scale x scale pixels. Default: what brings the longer side to
            about 64; images with sides below 16 are then enlarged by bicubic interpolation, without
            which 8x8 digits can hardly be read.

    Raises:
        ValueError: an argument out of its range.
    """
    picture = Image.fromarray(grid(images, bins, scale))
    write_atomically(path, lambda file: picture.save(file, format='PNG'))


def grid(images, bins=256, scale=None):
    """Returns the grid of `save_grid` as a uint8 array, [height, width] or [height, width, 3]."""
    images = np.asarray(images)
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] not in (1, 3):
        raise ValueError(f'images must be uint8 [N, H, W, 1 or 3]; got {images.dtype} '
                         f'{list(images.shape)}.')
    if not images.size:
        raise ValueError(f'images must hold at least one; got {list(images.shape)}.')
    if not 2 <= bins <= 256 or images.max() >= bins:
        raise ValueError(f'bins must be in 2..256 and above all values; got {bins=} with '
                         f'{images.max()}.')
    smooth = scale is None and max(images.shape[1:3]) < _TINY
    if scale is None:
        scale = math.ceil(_READABLE / max(images.shape[1:3]))
    if scale < 1:
        raise ValueError(f'scale must be at least 1; got {scale=}.')
    bright = np.round(images * (255. / (bins - 1))).astype(np.uint8)
    large = (np.stack([_interpolated(image, scale) for image in bright]) if smooth
             else bright.repeat(scale, axis=1).repeat(scale, axis=2))
    count, height, width, channels = large.shape
    columns = math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    height, width = height + _GAP, width + _GAP
    canvas = np.full([rows * height - _GAP, columns * width - _GAP, channels], 255, np.uint8)
    for i, image in enumerate(large):
        top, left = i // columns * height, i % columns * width
        canvas[top:top + image.shape[0], left:left + image.shape[1]] = image
    return canvas[..., 0] if channels == 1 else canvas


def _interpolated(image, scale):
    height, width, channels = image.shape
    size = (width * scale, height * scale)
    return np.stack([np.asarray(Image.fromarray(image[..., c]).resize(size, Image.BICUBIC))
                     for c in range(channels)], axis=-1)


def write_atomically(path, write):
    """Calls `write(file)` on a binary file that becomes `path` when it is whole."""
    path = pathlib.Path(path)
    unfinished = path.with_name(f'.{path.name}.{os.getpid()}')
    try:
        with unfinished.open('wb') as file:
            write(file)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
