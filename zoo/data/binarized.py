"""`BinaryReader`: the images of a split as draws of black and white pixels."""

import tensorflow as tf

from zoo.data import reading

_FIXED = 1009  # First half of the seed of the fixed draws, no run's.


class BinaryReader(reading.SplitReader):
    """A `SplitReader` whose images are draws: each number x of 0 .. bins-1 becomes

        1 with probability x / (bins - 1), else 0,

    so that a black pixel stays black, and a white one white. The uniform number behind it depends
    on a seed and the number of the image in its split alone, not on the batch. In order, images are
    one fixed draw. Shuffled, they are that too, or with `dynamic` drawn anew for each seed, so for
    each epoch. Padding repeats the drawn edges.

    Args:
        *where: the arguments of `SplitReader`.
        bins: grey levels of the images.
        dynamic: see above.
        number: of the split, so that no two share their fixed draws.

    #### References
    Salakhutdinov and Murray, *On the quantitative analysis of deep belief networks*, 2008: the
    fixed draw. Burda, Grosse and Salakhutdinov, *Importance weighted autoencoders*, 2016,
    arXiv:1509.00519, section 5.1: anew each time.
    """

    def __init__(self, *where, bins, dynamic, number):
        super().__init__(*where)
        self._white, self._dynamic = float(bins - 1), dynamic
        self._fixed = tf.constant([_FIXED, number], tf.int64)

    def in_order(self, batch_size, count):
        """As `SplitReader`; the fixed draw."""
        return self._drawn(super().in_order(batch_size, count), self._fixed)

    def shuffled(self, batch_size, seed):
        """As `SplitReader`; drawn by `seed`, if dynamic."""
        return self._drawn(super().shuffled(batch_size, seed),
                           seed if self._dynamic else self._fixed)

    def _stream(self):
        """As `SplitReader`, with the number of each image behind its label."""
        return super()._stream().enumerate().map(lambda number, pair: (*pair, number))

    @tf.autograph.experimental.do_not_convert
    def _drawn(self, batches, seed):
        def draw(images, labels, numbers):
            key = tf.random.experimental.stateless_fold_in(
                seed, tf.constant(_FIXED, tf.int64))  # So that no other draw has the same seed.
            seeds = key + tf.stack([tf.zeros_like(numbers), numbers], axis=-1)
            uniform = tf.map_fn(lambda own: tf.random.stateless_uniform(self._shape, own), seeds,
                                fn_output_signature=tf.float32)
            uniform = tf.gather(tf.gather(uniform, self._rows, axis=1), self._columns, axis=2)
            white = uniform * self._white < tf.cast(images, tf.float32)
            return tf.cast(white, tf.uint8), labels
        return batches.map(draw)
