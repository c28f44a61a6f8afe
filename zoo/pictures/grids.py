"""Grids of images as PNG files, and series of grids as GIF animations."""

import math
import os
from collections.abc import Sequence

import numpy as np
from PIL import Image

from zoo.cli import files

_READABLE = 64  # The longer side of a small image is enlarged to about so many pixels.
_TINY = 16  # Of an image with shorter sides than this, blocks of pixels cannot be read.
_GAP = 2  # Pixels between two images.


def save_grid(images: np.ndarray, path: str | os.PathLike, bins: int = 256,
              scale: int | None = None, columns: int | None = None) -> None:
    """Writes images as one PNG, row after row; the file is there whole or not at all.

    Args:
        images: uint8 [N, H, W, C], 1 or 3 channels, values 0..bins-1, which become 0..255.
        path: The file; one that is there is replaced.
        bins: The number of grey levels, 2..256.
        scale: Each pixel becomes scale x scale pixels. Default: what brings the longer side to
            about 64. Images with sides below 16 are then enlarged by bicubic interpolation, without
            which 8x8 digits can hardly be read.
        columns: The number of images in a row. Default: about as many as there are rows.

    Raises:
        ValueError: If an argument is out of its range.
    """
    picture = Image.fromarray(grid(images, bins, scale, columns))
    files.write_whole(path, lambda file: picture.save(file, format='PNG'))


def save_animation(frames: np.ndarray, path: str | os.PathLike, bins: int = 256,
                   scale: int | None = None, columns: int | None = None,
                   milliseconds: int = 120) -> None:
    """Writes frames as one GIF that runs for ever; the file is there whole or not at all.

    A frame that is equal to the one before it is kept as a longer display of that one.

    Args:
        frames: uint8 [T, N, H, W, C]; each frame is the grid of its N images.
        path: As for `save_grid`.
        bins: As for `save_grid`.
        scale: As for `save_grid`.
        columns: As for `save_grid`.
        milliseconds: The time for which each frame is shown, the last one five times as long. It
            is at least 20, below which viewers slow down.

    Raises:
        ValueError: If an argument is out of its range.
    """
    if np.ndim(frames) != 5 or not len(frames):
        raise ValueError('frames must be uint8 [T, N, H, W, C] with at least one; '
                         f'got shape={np.shape(frames)}.')
    if milliseconds < 20:
        raise ValueError(f'milliseconds must be at least 20; got {milliseconds=}.')
    first, *rest = [Image.fromarray(grid(frame, bins, scale, columns)) for frame in frames]
    durations = [milliseconds] * len(rest) + [5 * milliseconds]
    files.write_whole(path, lambda file: first.save(
        file, format='GIF', save_all=True, append_images=rest, duration=durations, loop=0))


def grid(images: np.ndarray, bins: int = 256, scale: int | None = None,
         columns: int | None = None) -> np.ndarray:
    """Returns the grid of `save_grid` as a uint8 array, [height, width] or [height, width, 3].

    Args:
        images: As for `save_grid`.
        bins: As for `save_grid`.
        scale: As for `save_grid`.
        columns: As for `save_grid`.

    Raises:
        ValueError: If an argument is out of its range.
    """
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
    if columns is not None and columns < 1:
        raise ValueError(f'columns must be at least 1; got {columns=}.')
    bright = np.round(images * (255. / (bins - 1))).astype(np.uint8)
    large = (np.stack([_interpolated(image, scale) for image in bright]) if smooth
             else bright.repeat(scale, axis=1).repeat(scale, axis=2))
    count, height, width, channels = large.shape
    columns = columns or math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    height, width = height + _GAP, width + _GAP
    canvas = np.full([rows * height - _GAP, columns * width - _GAP, channels], 255, np.uint8)
    for i, image in enumerate(large):
        top, left = i // columns * height, i % columns * width
        canvas[top:top + image.shape[0], left:left + image.shape[1]] = image
    return canvas[..., 0] if channels == 1 else canvas


def _interpolated(image: np.ndarray, scale: int) -> np.ndarray:
    height, width, channels = image.shape
    size = (width * scale, height * scale)
    bicubic = Image.Resampling.BICUBIC
    return np.stack([np.asarray(Image.fromarray(image[..., c]).resize(size, bicubic))
                     for c in range(channels)], axis=-1)


def read_png(path: str | os.PathLike, shape: Sequence[int], bins: int = 256) -> np.ndarray:
    """Returns the image in a file; it undoes the stretch of grey levels by `grid`.

    Args:
        path: The file.
        shape: The shape (H, W, C) of the result, which is uint8.
        bins: The number of grey levels of the result, 0..bins-1.

    Raises:
        ValueError: If the file cannot be read, or is no picture of this size and this many channels
            of 8 bits. The message starts with what it must be and ends with what it is.
    """
    height, width, channels = shape
    mode = {1: 'L', 3: 'RGB'}[channels]
    rule = (f'must be a picture of {height}x{width} pixels (height x width), 8-bit '
            f'{"grey" if channels == 1 else "RGB"}')
    try:
        with Image.open(path) as picture:
            pixels = np.asarray(picture)
            size_and_mode = f'{picture.height}x{picture.width} of mode {picture.mode}'
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(f'{rule}; {str(path)!r} cannot be read '
                         f'({type(error).__name__}: {error}).') from error
    if size_and_mode != f'{height}x{width} of mode {mode}':
        raise ValueError(f'{rule}; {str(path)!r} is {size_and_mode}.')
    return np.round(pixels * ((bins - 1) / 255.)).astype(np.uint8).reshape(shape)


def greys(pictures: np.ndarray, bins: int) -> np.ndarray:
    """Returns real numbers of 0 .. bins-1 as 256 levels of grey, uint8."""
    return np.round(np.clip(np.asarray(pictures) / (bins - 1), 0, 1) * 255).astype(np.uint8)
