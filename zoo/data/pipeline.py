"""`ImageData`: batches of a prepared data set, the same ones every time for the same seed."""

import dataclasses

import numpy as np
import tensorflow as tf

from zoo import errors
from zoo.data import reading


@dataclasses.dataclass(frozen=True)
class ImageData:
    """An image data set as a model sees it; made by `zoo.data.load`.

    Images are uint8 [height, width, channels] with values 0..bins-1. With padding, the model sees
    `image_shape`, while bits/dim counts the `dims` numbers of `original_shape`.

    A split of at most 1 GiB is decoded once and kept in memory. A larger one is streamed, and each
    epoch then shuffles it through a buffer of 256 MiB rather than as a whole, in an order that
    depends on TensorFlow's global seed besides the one given.
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
        text = f'{self.name}: {height}x{width}x{channels}, {self.bins} levels; {sizes}; '
        text += 'half of the training images mirrored' if self.flips else 'no mirrored images'
        if self.image_shape != self.original_shape:
            text += (f'; edges repeated to {self.image_shape[0]}x{self.image_shape[1]}, bits/dim '
                     f'counts the {self.dims:,} original numbers of an image')
        return text + '.'

    def steps_per_epoch(self, batch_size):
        """Returns the batches of one training epoch; an incomplete last one is left out.

        Raises:
            UsageError: `batch_size` is not between 1 and the number of training images.
        """
        if not 1 <= batch_size <= self.sizes['train']:
            raise errors.UsageError(f'--batch_size must be at least 1 and at most the '
                                    f'{self.sizes["train"]} training images; got {batch_size}.')
        return self.sizes['train'] // batch_size

    def train(self, batch_size, seed, epoch=0, repeat=False, labels=False):
        """Returns training batches [batch_size, H, W, C], or (images, labels).

        Order and flips depend on the seed and the number of the epoch only, so a run that resumes
        at `epoch` sees what an uninterrupted one sees (use `skip` to resume within an epoch).

        Args:
            batch_size: images in each batch, all batches being whole.
            seed: an int.
            epoch: the first epoch to give, from 0.
            repeat: whether to go on with the epochs after it for ever.
            labels: whether to give the labels too.
        """
        steps = self.steps_per_epoch(batch_size)
        first = tf.constant(epoch, tf.int64)
        if repeat:
            data = tf.data.Dataset.range(first, tf.int64.max).flat_map(
                lambda number: self._epoch(batch_size, seed, number))
            steps = tf.data.INFINITE_CARDINALITY
        else:
            data = self._epoch(batch_size, seed, first)
        return self._finish(data.apply(tf.data.experimental.assert_cardinality(steps)), labels)

    def evaluation(self, split, batch_size, limit=None, labels=False):
        """Returns the images of `split` in a fixed order, unflipped, the last batch incomplete.

        Args:
            split: 'train', 'validation' or 'test'.
            batch_size: images in each batch.
            limit: give the first `limit` images only; all if there are fewer.
            labels: whether to give (images, labels).
        """
        self._check_split(split)
        if batch_size < 1 or (limit is not None and limit < 1):
            raise errors.UsageError('--batch_size and the limit on images must be at least 1; '
                                    f'got {batch_size} and {limit}.')
        count = min(limit or self.sizes[split], self.sizes[split])
        return self._finish(self.readers[split].in_order(batch_size, count), labels)

    def take(self, split, count):
        """Returns the first `count` images of `split` as a numpy array [count, H, W, C]."""
        self._check_split(split)
        if not 1 <= count <= self.sizes[split]:
            raise errors.UsageError(f'the number of images must be from 1 to the '
                                    f'{self.sizes[split]} of split {split}; got {count}.')
        return next(self.evaluation(split, count, limit=count).as_numpy_iterator())

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
        """Returns the (images, labels) batches of epoch `number`, which may be a graph tensor."""
        batches = self.readers['train'].shuffled(batch_size, tf.stack([seed, 2 * number]))
        if not self.flips:
            return batches
        coins = tf.random.stateless_uniform([self.sizes['train']], [seed, 2 * number + 1]) < .5
        coins = tf.data.Dataset.from_tensor_slices(coins).batch(batch_size, drop_remainder=True)
        return tf.data.Dataset.zip((batches, coins)).map(
            lambda batch, mirror: (tf.where(mirror[:, tf.newaxis, tf.newaxis, tf.newaxis],
                                            batch[0][:, :, ::-1], batch[0]), batch[1]))

    def _check_split(self, split):
        if split not in self.splits:
            raise errors.UsageError(f'--split must be one of {", ".join(self.splits)}; '
                                    f'got {split!r}.')

    def _finish(self, data, labels):
        if labels and self.num_classes is None:
            raise ValueError(f'labels must be False: {self.name} has no classes; got {labels=}.')
        return (data if labels else data.map(lambda image, label: image)).prefetch(2)
