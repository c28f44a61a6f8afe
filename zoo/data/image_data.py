"""`ImageData`: batches of a prepared data set, the same ones every time for the same seed."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from zoo.data import reading, splits


@dataclasses.dataclass(frozen=True)
class ImageData(splits.Batches):
    """An image data set as a model sees it; `zoo.data.load` makes it.

    Images are uint8 [height, width, channels] with values 0..bins-1. With padding, the model sees
    `image_shape`, while bits/dim counts the `dims` numbers of `original_shape`.

    A split of at most 1 GiB is decoded once and kept in memory. A larger one is streamed, and each
    epoch then shuffles it through a buffer of 256 MiB rather than as a whole.

    Attributes:
        name: The name of the data set.
        image_shape: The shape of an image as the model sees it.
        original_shape: The shape of an image in the data set.
        bins: The number of grey levels that are left where `bits` of a channel are kept.
        num_classes: The number of classes, or None if there are no labels.
        sizes: The number of images by split.
        splits: What each split is, as a split string of TFDS.
        flips: Whether training mirrors half of the images.
        readers: The reader of each split.
        binarize: Whether images are draws of black and white pixels; see `load`.
        shifts: How far training moves images; see `load`.
        upside_down: Whether training mirrors half of the images top to bottom; see `load`.
        bits: How many bits of each channel are kept.
        original_bins: The number of grey levels of the data set; 2 if images are binarised.
        class_names: The names of the classes, if they are known.
    """

    name: str
    image_shape: tuple[int, int, int]
    original_shape: tuple[int, int, int]
    bins: int
    num_classes: int | None
    sizes: dict[str, int]
    splits: dict[str, str]
    flips: bool
    readers: dict[str, Any] = dataclasses.field(repr=False, compare=False)
    binarize: str = ''
    shifts: float = 0.
    upside_down: bool = False
    bits: int = 8
    original_bins: int = 256
    class_names: tuple[str, ...] = ()

    examples = 'images'

    @property
    def event_shape(self) -> tuple[int, ...]:
        """The shape of what the model sees: `image_shape`."""
        return self.image_shape

    def serving_arguments(self, count: int) -> dict:
        """Returns what `serving.export` is told of the data, with test images to check it with.

        Args:
            count: The number of these images, or all if there are fewer.
        """
        return {'original_shape': self.original_shape,
                'golden_images': self.crop(self.take('test', min(count, self.sizes['test'])))}

    def keep_bits(self, images: Any) -> Any:
        """Returns images of `original_bins` levels with `bins` levels: it drops the lowest bits."""
        return images if self.bits == 8 else images // 2**(8 - self.bits)

    def _as_modelled(self, examples: tf.Tensor) -> tf.Tensor:
        return self.keep_bits(examples)

    @property
    def dims(self) -> int:
        """The number of numbers in one original image, which bits/dim divides by."""
        return int(np.prod(self.original_shape))

    def describe(self) -> str:
        """Returns in one line what is trained on, for logs and cards."""
        sizes = ', '.join(f'{s} {n:,} ({self.splits[s]})' for s, n in self.sizes.items())
        height, width, channels = self.original_shape
        levels = {'': f'{self.bins} levels' + f' of {self.original_bins}' * (self.bits < 8),
                  'static': 'binarised once',
                  'dynamic': 'binarised anew in each epoch'}[self.binarize]
        text = f'{self.name}: {height}x{width}x{channels}, {levels}; {sizes}; '
        if self.class_names:
            names = ', '.join(self.class_names[:10])
            text += f'{len(self.class_names)} classes, {names}'
            text += ', ...; ' if len(self.class_names) > 10 else '; '
        text += 'half of the training images mirrored' if self.flips else 'no mirrored images'
        if self.upside_down:
            text += '; half of the training images upside down'
        if self.shifts:
            text += f'; training images moved by up to {self.shifts:.0%} of their sides'
        if self.image_shape != self.original_shape:
            text += (f'; edges repeated to {self.image_shape[0]}x{self.image_shape[1]}, bits/dim '
                     f'counts the {self.dims:,} original numbers of an image')
        return text + '.'

    def crop(self, images: Any) -> Any:
        """Undoes the padding: [..., H, W, C] of `image_shape` -> the same of `original_shape`.

        Raises:
            ValueError: If the images have another shape.
        """
        if tuple(images.shape[-3:]) != self.image_shape:
            raise ValueError(f'images must end in the shape {self.image_shape}; '
                             f'got {tuple(images.shape)}.')
        height, width = self.original_shape[:2]
        top, left = (self.image_shape[0] - height) // 2, (self.image_shape[1] - width) // 2
        return images[..., top:top + height, left:left + width, :]

    @tf.autograph.experimental.do_not_convert
    def _epoch(self, batch_size: int, seed: int, number: tf.Tensor,
               skip: tf.Tensor) -> tf.data.Dataset:
        dataset = super()._epoch(batch_size, seed, number, skip)
        size, pair = self.sizes['train'], tf.stack([seed, 2 * number + 1])
        if self.flips:
            coins = tf.random.stateless_uniform([size], pair) < .5
            dataset = _changed(dataset, coins, batch_size, skip, _mirrored)
        if self.upside_down:
            coins = tf.random.stateless_uniform(
                [size], tf.random.experimental.stateless_fold_in(pair, 2)) < .5
            dataset = _changed(dataset, coins, batch_size, skip, _upside_down)
        if self.shifts:
            moves = []
            for axis, side in enumerate(self.image_shape[:2]):
                most = round(self.shifts * side)
                moves.append(tf.random.stateless_uniform(
                    [size], tf.random.experimental.stateless_fold_in(pair, axis), -most, most + 1,
                    tf.int32))
            dataset = _changed(dataset, tf.stack(moves, axis=1), batch_size, skip, _moved)
        return dataset


def _changed(dataset: tf.data.Dataset, draws: tf.Tensor, batch_size: int, skip: tf.Tensor,
             change: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]) -> tf.data.Dataset:
    """Returns the batches of `dataset`, their images changed by what was drawn for each of them.

    The draws of the first `skip` batches are left out, since `dataset` lacks these.
    """
    drawn_for = reading.in_batches(draws, batch_size).skip(skip)
    return tf.data.Dataset.zip((dataset, drawn_for)).map(
        lambda batch, drawn: (change(batch[0], drawn), batch[1]))


def _mirrored(images: tf.Tensor, coins: tf.Tensor) -> tf.Tensor:
    return _where(coins, images[:, :, ::-1], images)


def _upside_down(images: tf.Tensor, coins: tf.Tensor) -> tf.Tensor:
    return _where(coins, images[:, ::-1], images)


def _where(coins: tf.Tensor, first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
    return tf.where(coins[:, tf.newaxis, tf.newaxis, tf.newaxis], first, second)


def _moved(images: tf.Tensor, moves: tf.Tensor) -> tf.Tensor:
    """Moves each image by so many pixels down and to the right, [B, 2], and repeats the edges."""
    for axis in (1, 2):
        size = images.shape[axis]
        sources = tf.clip_by_value(tf.range(size) - moves[:, axis - 1, tf.newaxis], 0, size - 1)
        images = tf.gather(images, sources, axis=axis, batch_dims=1)
    return images
