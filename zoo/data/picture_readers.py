"""Readers of pictures that are decoded when they are needed, or kept once decoded."""

import dataclasses
import pathlib
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from zoo.cli import errors, processor
from zoo.data import picture_decoding, reading
from zoo.data.picture_options import PictureOptions

MIDDLE = (.5, .5)


@dataclasses.dataclass(frozen=True)
class Pictures:
    """The pictures of one split, as images of one size.

    Attributes:
        root: The folder.
        paths: Their paths within it.
        labels: Their classes, or -1.
        counts: The number of images that each gives: 1, or that of its tiles.
        shape: The shape of an image before it is padded.
        options: How pictures become images.
        padding: ((top, bottom), (left, right)), which repeats the edges.
        notes: Counts what decoding did.
    """

    root: pathlib.Path
    paths: Sequence[str]
    labels: np.ndarray
    counts: np.ndarray
    shape: tuple[int, int, int]
    options: PictureOptions
    padding: reading.Padding
    notes: picture_decoding.Notes

    @property
    def size(self) -> int:
        """The number of images."""
        return int(self.counts.sum())

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """The shape of a padded image."""
        height, width, channels = self.shape
        return height + sum(self.padding[0]), width + sum(self.padding[1]), channels

    def pixels(self, index: int) -> np.ndarray:
        """Returns a decoded picture, shrunk to the size of its images unless they are tiles.

        Raises:
            Unreadable: If the file is no whole picture.
        """
        side = None if self.options.tiles else self.options.size
        return picture_decoding.decode(
            self.root / self.paths[index], self.shape[2], side, self.notes)

    def cut(self, index: int, pixels: np.ndarray,
            position: tuple[float, float] = MIDDLE) -> np.ndarray:
        """Returns the images of a picture, uint8 `[n, height, width, channels]`.

        Args:
            index: The number of the picture.
            pixels: What `pixels(index)` returned.
            position: Where a crop lies, between 0 and 1, from the top and from the left.

        Raises:
            Unreadable: If the picture does not have the size that its header had.
        """
        height, width, _ = self.shape
        if self.options.tiles:
            images = np.concatenate([_tiles(picture_decoding.shrink(pixels, factor), height)
                                     for factor in self.options.shrink])
        else:
            room = pixels.shape[0] - height, pixels.shape[1] - width
            if min(room) < 0 or (self.options.size is None and max(room)):
                raise picture_decoding.Unreadable(
                    f'is {pixels.shape[0]}x{pixels.shape[1]} and not {height}x{width}')
            top, left = (min(int(p * (r + 1)), r) for p, r in zip(position, room))
            images = pixels[np.newaxis, top:top + height, left:left + width]
        if len(images) != self.counts[index]:
            raise picture_decoding.Unreadable('has changed')
        return np.pad(images, ((0, 0), *self.padding, (0, 0)), mode='edge')


def tile_count(height: int, width: int, size: int, shrink: Sequence[int]) -> int:
    """Returns the number of tiles of a picture."""
    return sum((height // factor // size) * (width // factor // size) for factor in shrink)


def _tiles(pixels: np.ndarray, size: int) -> np.ndarray:
    """Returns all whole squares of a grid in the middle of a picture: `[n, size, size, C]`."""
    rows, columns = pixels.shape[0] // size, pixels.shape[1] // size
    top, left = (pixels.shape[0] - rows * size) // 2, (pixels.shape[1] - columns * size) // 2
    grid = pixels[top:top + rows * size, left:left + columns * size]
    grid = grid.reshape(rows, size, columns, size, -1).swapaxes(1, 2)
    return grid.reshape(rows * columns, size, size, -1)


class PictureReader:
    """Reads a split from its files each time: the same examples as `reading.ArrayReader` gives.

    Pictures are taken in an order of their own in each epoch. Their tiles are then shuffled through
    a buffer of `reading.SHUFFLE_BYTES`, so that no more memory is needed however many there are.

    Args:
        pictures: The pictures of the split.
        kept: The decoded pictures, `pictures.pixels` of each, or None to decode them each time.

    Attributes:
        size: The number of images.
    """

    def __init__(self, pictures: Pictures, kept: Sequence[np.ndarray] | None = None) -> None:
        self._pictures, self.size = pictures, pictures.size
        self._labels = tf.constant(pictures.labels, tf.int64)
        self._kept = kept

    def in_order(self, batch_size: int, count: int) -> tf.data.Dataset:
        """Returns batches of the first `count` images and labels; the last may be incomplete."""
        order = tf.data.Dataset.range(len(self._pictures.paths))
        return self._decoded(order.map(
            lambda i: (i, tf.constant(MIDDLE)))).take(count).batch(batch_size)

    def shuffled(self, batch_size: int, seed: tf.Tensor,
                 skip: int | tf.Tensor = 0) -> tf.data.Dataset:
        """Returns whole batches in the order that `seed`, an int64 [2] tensor, gives.

        The first `skip` of them are left out; their files are read nevertheless if they have tiles.
        """
        count = len(self._pictures.paths)
        keys = tf.random.stateless_uniform([count], seed, None, None, tf.int32)
        places = tf.random.stateless_uniform(
            [count, 2], tf.random.experimental.stateless_fold_in(seed, 1))
        if self._pictures.options.crop != 'random':
            places = tf.tile([MIDDLE], [count, 1])
        order = tf.data.Dataset.from_tensor_slices((tf.argsort(keys, stable=True), places))
        if not self._pictures.options.tiles:
            images = self._decoded(order.skip(tf.cast(skip, tf.int64) * batch_size))
            return images.batch(batch_size, drop_remainder=True)
        own = tf.random.stateless_uniform([], seed, 1, tf.int64.max, tf.int64)
        buffer = max(1, reading.SHUFFLE_BYTES // int(np.prod(self._pictures.image_shape)))
        return reading.shuffled_through(self._decoded(order), min(self.size, buffer), own).batch(
            batch_size, drop_remainder=True).skip(skip)

    @tf.autograph.experimental.do_not_convert
    def _decoded(self, order: tf.data.Dataset) -> tf.data.Dataset:
        """Returns single (image, label) pairs of pictures, given their numbers and crops."""
        shape = [None, *self._pictures.image_shape]

        def decode(index: tf.Tensor, place: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            images = tf.ensure_shape(
                tf.numpy_function(self._images, [index, place], tf.uint8), shape)
            labels = tf.repeat(self._labels[index], tf.shape(images)[0])
            return images, labels
        return order.map(decode, num_parallel_calls=processor.cores(), deterministic=True).unbatch()

    def _images(self, index: int, place: np.ndarray) -> np.ndarray:
        """Returns the images of a picture, or of the next one that can be read, if that is wanted.

        Raises:
            Failure: If it cannot be read.
        """
        first, pictures = int(index), self._pictures
        message = ''
        for number in range(first, first + len(pictures.paths)):
            number %= len(pictures.paths)
            try:
                return pictures.cut(number, self._pixels(number), (place[0], place[1]))
            except picture_decoding.Unreadable as error:
                message = f'{pictures.root / pictures.paths[number]} {error}.'
                if not pictures.options.skip_unreadable or pictures.options.tiles:
                    break
                pictures.notes.add('that cannot be read, in whose place the next is taken')
        raise errors.Failure(message)

    def _pixels(self, number: int) -> np.ndarray:
        return self._pictures.pixels(number) if self._kept is None else self._kept[number]
