"""Cuts images of any size into tiles of the size that a model was made for, and pastes them back.
"""

from collections.abc import Sequence

import numpy as np

from tfp_glow.types import Shape


class Grid:
    """The tiles of an array of images: image after image, plane after plane, row after row.

    The grid has as many tiles as cover the image, and it lies centred over the image. Outside of
    the image, the tiles repeat its edges. A model of one channel takes the three channels of a
    colour image as three planes. A model of three channels takes a grey image as equal red, green
    and blue.

    Args:
        shape: The shape of the array: `[H, W]`, `[H, W, C]`, `[N, H, W]` or `[N, H, W, C]` with C =
            1 or 3. Three numbers are `[H, W, C]` if they can be.
        tile: The model's event shape, `(h, w, c)` with c = 1 or 3.

    Raises:
        ValueError: If the array has no such shape, or if it has no pixel.
    """

    def __init__(self, shape: Shape, tile: Shape) -> None:
        self.shape, self.tile = tuple(map(int, shape)), tuple(map(int, tile))
        self.images = (self.count, self.height, self.width, self.channels) = _images(self.shape)
        height, width, channels = self.tile
        self.rows, self.columns = -(-self.height // height), -(-self.width // width)
        self.planes = self.channels if channels == 1 else 1

    def __len__(self) -> int:
        return self.count * self.planes * self.rows * self.columns

    def cut(self, array: np.ndarray, numbers: Sequence[int] | np.ndarray) -> np.ndarray:
        """Returns the tiles of these numbers: uint8 `[len(numbers), h, w, c]`.

        Args:
            array: The array of images.
            numbers: The numbers of the tiles.
        """
        array = array.reshape(self.images)
        tiles = np.empty([len(numbers), *self.tile], np.uint8)
        for number, tile in zip(numbers, tiles):
            inside, (rows, columns) = self._place(number)
            image = array[inside]
            around = [(rows.start, self.tile[0] - rows.stop),
                      (columns.start, self.tile[1] - columns.stop), (0, 0)]
            tile[...] = np.pad(image, around, 'edge') if np.any(around) else image
        return tiles

    def paste(self, array: np.ndarray, numbers: Sequence[int] | np.ndarray,
              tiles: Sequence[np.ndarray] | np.ndarray) -> None:
        """Writes the tiles of these numbers to the places that `cut` takes them from."""
        array = array.reshape(self.images)
        for number, tile in zip(numbers, tiles, strict=True):
            inside, (rows, columns) = self._place(number)
            target = array[inside]
            target[...] = tile[rows, columns, :target.shape[-1]]

    def _place(self, number: int) -> tuple[tuple[int, slice, slice, slice], tuple[slice, slice]]:
        """Returns where a tile is.

        Returns:
            The tile's index into the images, and the part of the tile that is inside its image.
        """
        number, column = divmod(number, self.columns)
        number, row = divmod(number, self.rows)
        image, plane = divmod(number, self.planes)
        channels = slice(None) if self.planes == 1 else slice(plane, plane + 1)
        ranges = [_overlap(*axis) for axis in ((row, self.rows, self.tile[0], self.height),
                                               (column, self.columns, self.tile[1], self.width))]
        (rows, in_rows), (columns, in_columns) = ranges
        return (image, rows, columns, channels), (in_rows, in_columns)


def _images(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Returns `(N, H, W, C)` of an array of images."""
    rule = ('images must be of shape [H, W], [H, W, C], [N, H, W] or [N, H, W, C], with 1 or 3 '
            'channels (grey or RGB, no alpha)')
    if len(shape) == 2:
        images: tuple[int, ...] = (1, *shape, 1)
    elif len(shape) == 3:
        images = (1, *shape) if shape[-1] in (1, 3) else (*shape, 1)
    elif len(shape) == 4 and shape[-1] in (1, 3):
        images = shape
    else:
        raise ValueError(f'{rule}; got shape {list(shape)}.')
    if min(images) < 1:
        raise ValueError(f'images must not be empty; got shape {list(shape)}.')
    return images


def _overlap(index: int, count: int, size: int, length: int) -> tuple[slice, slice]:
    """Returns the part of an axis under a tile, and the part of the tile that is over the axis."""
    start = index * size - (count * size - length) // 2
    first, after = max(start, 0), min(start + size, length)
    return slice(first, after), slice(first - start, after - start)
