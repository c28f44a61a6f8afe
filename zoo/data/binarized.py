"""`BinaryReader`: the images of a split as draws of black and white pixels."""

from typing import Any

import tensorflow as tf

from zoo.data import reading

_FIXED = 1009  # The first half of the seed of the fixed draws, which is that of no run.


class BinaryReader(reading.SplitReader):
    """A `SplitReader` whose images are draws: each number x of 0 .. bins-1 becomes

        1 with probability x / (bins - 1), else 0,

    so that a black pixel stays black, and a white one stays white. The uniform number behind a draw
    depends on a seed and on the number of the image in its split alone, not on the batch. In order,
    the images are one fixed draw. Shuffled, they are the fixed draw too, unless `dynamic` is set:
    then they are drawn anew for each seed, and so for each epoch. Padding repeats the drawn edges.

    Args:
        *where: The arguments of `SplitReader`.
        bins: The number of grey levels of the images.
        dynamic: Whether shuffled images are drawn anew for each seed.
        number: The number of the split, so that no two splits share their fixed draws.

    #### References
    Salakhutdinov and Murray, *On the quantitative analysis of deep belief networks*, 2008: the
    fixed draw. Burda, Grosse and Salakhutdinov, *Importance weighted autoencoders*, 2016,
    arXiv:1509.00519, section 5.1: anew each time.
    """

    def __init__(self, *where: Any, bins: int, dynamic: bool, number: int) -> None:
        super().__init__(*where)
        self._white, self._dynamic = float(bins - 1), dynamic
        self._fixed = tf.constant([_FIXED, number], tf.int64)

    def in_order(self, batch_size: int, count: int) -> tf.data.Dataset:
        """Returns batches as `SplitReader` does, of the fixed draw."""
        return self._drawn(super().in_order(batch_size, count), self._fixed)

    def shuffled(self, batch_size: int, seed: tf.Tensor,
                 skip: int | tf.Tensor = 0) -> tf.data.Dataset:
        """Returns batches as `SplitReader` does; `dynamic` ones are drawn by `seed`."""
        return self._drawn(super().shuffled(batch_size, seed, skip),
                           seed if self._dynamic else self._fixed)

    def _stream(self) -> tf.data.Dataset:
        """Returns what `SplitReader` does, with the number of each image behind its label."""
        return super()._stream().enumerate().map(lambda number, pair: (*pair, number))

    @tf.autograph.experimental.do_not_convert
    def _drawn(self, batches: tf.data.Dataset, seed: tf.Tensor) -> tf.data.Dataset:
        def draw(images: tf.Tensor, labels: tf.Tensor,
                 numbers: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            key = tf.random.experimental.stateless_fold_in(
                seed, tf.constant(_FIXED, tf.int64))  # So that no other draw has the same seed.
            seeds = key + tf.stack([tf.zeros_like(numbers), numbers], axis=-1)
            uniform = tf.map_fn(lambda own: tf.random.stateless_uniform(self._shape, own), seeds,
                                fn_output_signature=tf.float32)
            uniform = tf.gather(tf.gather(uniform, self._rows, axis=1), self._columns, axis=2)
            white = uniform * self._white < tf.cast(images, tf.float32)
            return tf.cast(white, tf.uint8), labels
        return batches.map(draw)
