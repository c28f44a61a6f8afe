"""`SplitReader`: the padded images and labels of one split, in order or shuffled.

`ArrayReader` gives the same from arrays.
"""

import functools

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

Padding = tuple[tuple[int, int], tuple[int, int]]  # ((top, bottom), (left, right)).
MEMORY_LIMIT = 2**30  # Bytes. A larger split is streamed from disk.
SHUFFLE_BYTES = 2**28  # So much of a streamed split is shuffled at once.
_NO_GLOBAL_SEED, _SEEDS = 87654321, 2**31 - 1  # What TensorFlow takes where no global seed is set.


class ArrayReader:
    """Reads a split that is in memory.

    Args:
        values: An array whose axis 0 counts the examples.
        labels: An integer for each of them.

    Attributes:
        size: The number of examples.
    """

    def __init__(self, values: np.ndarray, labels: np.ndarray) -> None:
        with tf.device('CPU:0'):
            self._held = [tf.constant(values), tf.constant(labels, tf.int64)]
        self.size = len(values)

    def in_order(self, batch_size: int, count: int) -> tf.data.Dataset:
        """Returns batches of the first `count` examples and labels; the last may be incomplete."""
        return tf.data.Dataset.range(count).batch(batch_size).map(self._gather)

    def shuffled(self, batch_size: int, seed: tf.Tensor,
                 skip: int | tf.Tensor = 0) -> tf.data.Dataset:
        """Returns whole batches in the order that `seed`, an int64 [2] tensor, gives.

        The first `skip` of them are left out, at no cost.
        """
        keys = tf.random.stateless_uniform([self.size], seed, None, None, tf.int32)
        order = in_batches(tf.argsort(keys, stable=True), batch_size)
        return order.skip(skip).map(self._gather)

    @property
    def _arrays(self) -> list[tf.Tensor]:
        return self._held

    @tf.autograph.experimental.do_not_convert
    def _gather(self, indices: tf.Tensor) -> tuple[tf.Tensor, ...]:
        return tuple(tf.gather(array, indices) for array in self._arrays)


class SplitReader(ArrayReader):
    """Reads `split` (a TFDS split string) of a prepared builder.

    A split of at most `MEMORY_LIMIT` bytes is decoded once, when it is first used, and kept, which
    leaves the processor to the training. A larger one is read from disk every time.

    Args:
        builder: A prepared `tfds.core.DatasetBuilder`.
        split: For example 'train[:90]'.
        image_key: The name of the image feature.
        has_labels: Whether there is an integer feature `label`; labels are -1 otherwise.
        padding: ((top, bottom), (left, right)), which repeats the edges.
        size: The side of the square that each image is shrunk and cropped to; None for no change.

    Attributes:
        size: The number of images.
        image_bytes: The size of one padded image.
    """

    def __init__(self, builder: tfds.core.DatasetBuilder, split: str, image_key: str,
                 has_labels: bool, padding: Padding,
                 size: int | None = None) -> None:
        # This does not call the constructor of `ArrayReader`: `_arrays` are read when they are
        # first needed.
        self._builder = builder
        self._split = split
        self._image_key = image_key
        self._has_labels = has_labels
        height, width, channels = builder.info.features[image_key].shape
        if size is not None:
            height = width = size
        self._side, self._shape = size, (height, width, channels)
        self._rows = _edge_indices(height, padding[0])
        self._columns = _edge_indices(width, padding[1])
        self.size = builder.info.splits[split].num_examples
        self.image_bytes = len(self._rows) * len(self._columns) * channels

    def in_order(self, batch_size: int, count: int) -> tf.data.Dataset:
        """Returns batches of the first `count` images and labels; the last may be incomplete."""
        if self._fits:
            return super().in_order(batch_size, count)
        return self._stream().take(count).batch(batch_size)

    def shuffled(self, batch_size: int, seed: tf.Tensor,
                 skip: int | tf.Tensor = 0) -> tf.data.Dataset:
        """Returns whole batches in the order that `seed`, an int64 [2] tensor, gives.

        The first `skip` of them are left out; of a streamed split, they are read nevertheless.
        """
        if self._fits:
            return super().shuffled(batch_size, seed, skip)
        own = tf.random.stateless_uniform([], seed, 1, tf.int64.max, tf.int64)
        images = shuffled_through(self._stream(), min(
            self.size, max(1, SHUFFLE_BYTES // self.image_bytes)), own)
        return images.batch(batch_size, drop_remainder=True).skip(skip)

    @property
    def _fits(self) -> bool:
        return self.size * self.image_bytes <= MEMORY_LIMIT

    @functools.cached_property
    def _arrays(self) -> list[tf.Tensor]:
        # The scope reads them eagerly, even if a graph asks for them first.
        with tf.init_scope(), tf.device('CPU:0'):
            batches = list(self._stream().batch(1024).as_numpy_iterator())
            return [tf.constant(np.concatenate(parts)) for parts in zip(*batches)]

    def _stream(self) -> tf.data.Dataset:
        """Returns single (image, label) pairs, in the order of the files."""
        config = tfds.ReadConfig(interleave_cycle_length=1, add_tfds_id=False)
        data = self._builder.as_dataset(
            split=self._split, shuffle_files=False, read_config=config,
            decoders=tfds.decode.PartialDecoding(
                {self._image_key: True, **({'label': True} if self._has_labels else {})}))
        return data.map(self._pair)

    def _pair(self, example: dict[str, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        image = example[self._image_key]
        if self._side is not None:
            image = _square(image, self._side)
        image = tf.gather(image, self._rows, axis=0)
        label = example['label'] if self._has_labels else tf.constant(-1, tf.int64)
        return tf.gather(image, self._columns, axis=1), label


def in_batches(values: tf.Tensor, batch_size: int) -> tf.data.Dataset:
    """Returns whole batches of the rows of a tensor, in order.

    It is what `batch(batch_size, drop_remainder=True)` gives, without the cost of a step for each
    row.
    """
    count = values.shape[0] // batch_size
    return tf.data.Dataset.from_tensor_slices(
        tf.reshape(values[:count * batch_size], [count, batch_size, *values.shape[1:]]))


def shuffled_through(data: tf.data.Dataset, buffer: int, seed: tf.Tensor) -> tf.data.Dataset:
    """Returns `data` shuffled through a buffer, in the order that `seed`, an integer, gives.

    `tf.data.Dataset.shuffle` combines it with TensorFlow's global seed; where none is set, the
    order is the same as here.
    """
    element = data.element_spec
    return tf.data.experimental.from_variant(tf.raw_ops.ShuffleDataset(
        input_dataset=tf.data.experimental.to_variant(data), buffer_size=buffer,
        seed=_NO_GLOBAL_SEED, seed2=seed % _SEEDS, reshuffle_each_iteration=False,
        output_types=[spec.dtype for spec in element],
        output_shapes=[spec.shape for spec in element]), element)


def _square(image: tf.Tensor, side: int) -> tf.Tensor:
    """Returns the centre of an image uint8 [H, W, C] whose shorter side was shrunk to `side`."""
    size = tf.shape(image)[:2]
    least = tf.reduce_min(size)
    with tf.control_dependencies([tf.debugging.assert_greater_equal(
            least, side, f'Failure: --size must be at most the sides of all images, not {side}.')]):
        factor = side / tf.cast(least, tf.float64)
    near = tf.maximum(side, tf.cast(tf.round(tf.cast(size, tf.float64) * factor), tf.int32))
    small = tf.image.resize(image, near, tf.image.ResizeMethod.LANCZOS3, antialias=True)
    top, left = tf.unstack((near - side) // 2)
    small = tf.saturate_cast(tf.round(small), tf.uint8)[top:top + side, left:left + side]
    return tf.ensure_shape(small, [side, side, image.shape[2]])


def _edge_indices(side: int, padding: tuple[int, int]) -> np.ndarray:
    return np.clip(np.arange(-padding[0], side + padding[1]), 0, side - 1)
