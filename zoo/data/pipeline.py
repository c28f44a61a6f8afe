"""`ImageData`: batches of a prepared data set, the same ones every time for the same seed."""

import dataclasses

import numpy as np
import tensorflow as tf

from zoo.data import batches, reading


@dataclasses.dataclass(frozen=True)
class ImageData(batches.Batches):
    """An image data set as a model sees it; made by `zoo.data.load`.

    Images are uint8 [height, width, channels] with values 0..bins-1. With padding, the model sees
    `image_shape`, while bits/dim counts the `dims` numbers of `original_shape`.

    A split of at most 1 GiB is decoded once and kept in memory. A larger one is streamed, and each
    epoch then shuffles it through a buffer of 256 MiB rather than as a whole, in an order that
    depends on TensorFlow's global seed besides the one given.

    `binarize` says whether images are draws of black and white pixels, see `load`.
    """

    name: str
    image_shape: tuple[int, int, int]
    original_shape: tuple[int, int, int]
    bins: int
    num_classes: int | None
    sizes: dict[str, int]
    splits: dict[str, str]
    flips: bool
    readers: dict[str, reading.SplitReader] = dataclasses.field(repr=False, compare=False)
    binarize: str = ''

    @property
    def event_shape(self):
        """What the model sees: `image_shape`."""
        return self.image_shape

    @property
    def dims(self):
        """The numbers in one original image, which bits/dim divides by."""
        return int(np.prod(self.original_shape))

    def describe(self):
        """Returns in one line what is trained on, for logs and cards."""
        sizes = ', '.join(f'{s} {n:,} ({self.splits[s]})' for s, n in self.sizes.items())
        height, width, channels = self.original_shape
        levels = {'': f'{self.bins} levels', 'static': 'binarised once',
                  'dynamic': 'binarised anew in each epoch'}[self.binarize]
        text = f'{self.name}: {height}x{width}x{channels}, {levels}; {sizes}; '
        text += 'half of the training images mirrored' if self.flips else 'no mirrored images'
        if self.image_shape != self.original_shape:
            text += (f'; edges repeated to {self.image_shape[0]}x{self.image_shape[1]}, bits/dim '
                     f'counts the {self.dims:,} original numbers of an image')
        return text + '.'

    def crop(self, images):
        """Undoes the padding: [..., H, W, C] of `image_shape` -> the same of `original_shape`."""
        if tuple(images.shape[-3:]) != self.image_shape:
            raise ValueError(f'images must end in the shape {self.image_shape}; '
                             f'got {tuple(images.shape)}.')
        height, width = self.original_shape[:2]
        top, left = (self.image_shape[0] - height) // 2, (self.image_shape[1] - width) // 2
        return images[..., top:top + height, left:left + width, :]

    @tf.autograph.experimental.do_not_convert
    def _epoch(self, batch_size, seed, number):
        plain = super()._epoch(batch_size, seed, number)
        if not self.flips:
            return plain
        coins = tf.random.stateless_uniform([self.sizes['train']], [seed, 2 * number + 1]) < .5
        coins = tf.data.Dataset.from_tensor_slices(coins).batch(batch_size, drop_remainder=True)
        return tf.data.Dataset.zip((plain, coins)).map(
            lambda batch, mirror: (tf.where(mirror[:, tf.newaxis, tf.newaxis, tf.newaxis],
                                            batch[0][:, :, ::-1], batch[0]), batch[1]))
