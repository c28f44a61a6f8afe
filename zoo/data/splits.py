"""`Batches`: what image and vector data sets have in common, the same batches for the same seed."""

import tensorflow as tf

from zoo.cli import errors


class Batches:
    """Training and evaluation batches of a data set with three splits.

    A subclass has `name`, `sizes` and `splits` (by split), `num_classes` (or None) and `readers`
    (by split, with `in_order` and `shuffled`, see `reading.ArrayReader`). `examples` is what it
    calls its examples.
    """

    examples = 'images'

    def steps_per_epoch(self, batch_size):
        """Returns the batches of one training epoch; an incomplete last one is left out.

        Raises:
            UsageError: `batch_size` is not between 1 and the number of training examples.
        """
        if not 1 <= batch_size <= self.sizes['train']:
            raise errors.UsageError(f'--batch_size must be at least 1 and at most the '
                                    f'{self.sizes["train"]} training {self.examples}; '
                                    f'got {batch_size}.')
        return self.sizes['train'] // batch_size

    def train(self, batch_size, seed, epoch=0, repeat=False, labels=False):
        """Returns training batches, [batch_size, ...] or (that, labels).

        They depend on the seed and the number of the epoch only, so a run that resumes at `epoch`
        sees what an uninterrupted one sees (use `skip` to resume within an epoch).

        Args:
            batch_size: examples in each batch, all batches being whole.
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
        """Returns the examples of `split` in a fixed order, as they are, the last batch incomplete.

        Args:
            split: 'train', 'validation' or 'test'.
            batch_size: examples in each batch.
            limit: give the first `limit` examples only; all if there are fewer.
            labels: whether to give (examples, labels).
        """
        self._check_split(split)
        if batch_size < 1 or (limit is not None and limit < 1):
            raise errors.UsageError(f'--batch_size and the limit on {self.examples} must be at '
                                    f'least 1; got {batch_size} and {limit}.')
        count = min(limit or self.sizes[split], self.sizes[split])
        return self._finish(self.readers[split].in_order(batch_size, count), labels)

    def take(self, split, count):
        """Returns the first `count` examples of `split` as a numpy array [count, ...]."""
        self._check_split(split)
        if not 1 <= count <= self.sizes[split]:
            raise errors.UsageError(f'the number of {self.examples} must be from 1 to the '
                                    f'{self.sizes[split]} of split {split}; got {count}.')
        return next(self.evaluation(split, count, limit=count).as_numpy_iterator())

    @tf.autograph.experimental.do_not_convert
    def _epoch(self, batch_size, seed, number):
        """Returns the batches with labels of epoch `number`, which may be a graph tensor."""
        return self.readers['train'].shuffled(batch_size, tf.stack([seed, 2 * number]))

    def _check_split(self, split):
        if split not in self.splits:
            raise errors.UsageError(f'--split must be one of {", ".join(self.splits)}; '
                                    f'got {split!r}.')

    def _finish(self, data, labels):
        if labels and self.num_classes is None:
            raise ValueError(f'labels must be False: {self.name} has no classes; got {labels=}.')
        data = data.map(lambda example, label: (self._as_modelled(example), label) if labels
                        else self._as_modelled(example))
        return data.prefetch(2)

    def _as_modelled(self, examples: tf.Tensor) -> tf.Tensor:
        """Returns examples of a reader as a model sees them."""
        return examples
