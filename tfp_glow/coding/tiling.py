"""Images of any size as tiles of the size that a model was made for, and back."""

import numpy as np


class Grid:
    """The tiles of an array of images: image after image, plane after plane, row after row.

    The grid lies centred over the image, as many tiles as cover it; outside it repeats the image's
    edges. A model of one channel takes the three of a colour image as three planes; a model of
    three channels takes a grey image as red, green and blue that are equal.

    Args:
        shape: of the array: `[H, W]`, `[H, W, C]`, `[N, H, W]` or `[N, H, W, C]`, C being 1 or 3;
            three numbers are `[H, W, C]` if they can be.
        tile: `(h, w, c)`, the model's event shape, c being 1 or 3.

    Raises:
        ValueError: it is no such shape, or there is no pixel in it.
    """

    def __init__(self, shape, tile):
        self.shape, self.tile = tuple(map(int, shape)), tuple(map(int, tile))
        self.images = (self.count, self.height, self.width, self.channels) = _images(self.shape)
        height, width, channels = self.tile
        self.rows, self.columns = -(-self.height // height), -(-self.width // width)
        self.planes = self.channels if channels == 1 else 1

    def __len__(self):
        return self.count * self.planes * self.rows * self.columns

    def cut(self, array, numbers):
        """The tiles of these numbers of the array of images: uint8 `[len(numbers), h, w, c]`."""
        array = array.reshape(self.images)
        tiles = np.empty([len(numbers), *self.tile], np.uint8)
        for number, tile in zip(numbers, tiles):
            inside, (rows, columns) = self._place(number)
            image = array[inside]
            around = [(rows.start, self.tile[0] - rows.stop),
                      (columns.start, self.tile[1] - columns.stop), (0, 0)]
            tile[...] = np.pad(image, around, 'edge') if np.any(around) else image
        return tiles

    def paste(self, array, numbers, tiles):
        """Writes the tiles of these numbers where `cut` took them from."""
        array = array.reshape(self.images)
        for number, tile in zip(numbers, tiles, strict=True):
            inside, (rows, columns) = self._place(number)
            target = array[inside]
            target[...] = tile[rows, columns, :target.shape[-1]]

    def _place(self, number):
        """Where a tile is: its index into the images, and the part of it that this fills."""
        number, column = divmod(number, self.columns)
        number, row = divmod(number, self.rows)
        image, plane = divmod(number, self.planes)
        channels = slice(None) if self.planes == 1 else slice(plane, plane + 1)
        ranges = [_overlap(*axis) for axis in ((row, self.rows, self.tile[0], self.height),
                                               (column, self.columns, self.tile[1], self.width))]
        (rows, in_rows), (columns, in_columns) = ranges
        return (image, rows, columns, channels), (in_rows, in_columns)


def _images(shape):
    """`(N, H, W, C)` of an array of images."""
    rule = ('images must be of shape [H, W], [H, W, C], [N, H, W] or [N, H, W, C], with 1 or 3 '
            'channels (grey or RGB, no alpha)')
    if len(shape) == 2:
        found = (1, *shape, 1)
    elif len(shape) == 3:
        found = (1, *shape) if shape[-1] in (1, 3) else (*shape, 1)
    elif len(shape) == 4 and shape[-1] in (1, 3):
        found = shape
    else:
        raise ValueError(f'{rule}; got shape {list(shape)}.')
    if min(found) < 1:
        raise ValueError(f'images must not be empty; got shape {list(shape)}.')
    return found


def _overlap(index, count, size, length):
    """The part of an axis under a tile, and the part of the tile that is over the axis."""
    start = index * size - (count * size - length) // 2
    first, after = max(start, 0), min(start + size, length)
    return slice(first, after), slice(first - start, after - start)
