"""`Batches`: what image and vector data sets have in common, the same batches for the same seed."""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from zoo.cli import errors
from zoo.data import reading

MOST_HELD_OUT = 5000  # Of each split that a data set lacks.
AHEAD_BYTES, MOST_AHEAD = 2**22, 64  # So much is read ahead, in so many batches, but at least two.


def held_out(count: int) -> int:
    """Returns how many of so many examples or files each split gets that is missing: a tenth."""
    return min(MOST_HELD_OUT, max(1, round(.1 * count)))


class Batches:
    """Training and evaluation batches of a data set with three splits.

    Attributes:
        name: The name of the data set.
        num_classes: The number of classes, or None if there are no labels.
        sizes: The number of examples by split.
        splits: What each split is, in words or as a split string of TFDS.
        readers: The reader of each split.
        examples: What the data set calls its examples.
    """

    name: str
    num_classes: int | None
    sizes: dict[str, int]
    splits: dict[str, str]
    readers: Mapping[str, reading.ArrayReader]
    examples = 'images'

    def steps_per_epoch(self, batch_size: int) -> int:
        """Returns the number of batches of one training epoch; an incomplete last one is left out.

        Raises:
            UsageError: If `batch_size` is not between 1 and the number of training examples.
        """
        if not 1 <= batch_size <= self.sizes['train']:
            raise errors.UsageError(f'--batch_size must be at least 1 and at most the '
                                    f'{self.sizes["train"]} training {self.examples}; '
                                    f'got {batch_size}.')
        return self.sizes['train'] // batch_size

    def train(self, batch_size: int, seed: int, epoch: int = 0, repeat: bool = False,
              labels: bool = False, skip: int = 0) -> tf.data.Dataset:
        """Returns training batches, [batch_size, ...], or pairs of such a batch and its labels.

        They depend on the seed and the number of the epoch only, so a run that resumes at `epoch`,
        after `skip` of its batches, sees what an uninterrupted one sees.

        Args:
            batch_size: The number of examples in each batch; all batches are whole.
            seed: The seed of their order and of all that is drawn.
            epoch: The number of the first epoch to give, from 0.
            repeat: Whether to go on with the epochs after it for ever.
            labels: Whether to give the labels too.
            skip: The number of batches of the first epoch to leave out, which costs nothing if the
                data are in memory.

        Raises:
            UsageError: If `batch_size` is not between 1 and the number of training examples.
            ValueError: If `labels` is set and the data set has no classes, or if `skip` is not
                between 0 and the number of batches of an epoch.
        """
        steps = self.steps_per_epoch(batch_size)
        if not 0 <= skip <= steps:
            raise ValueError(f'skip must be at least 0 and at most the {steps} batches of an '
                             f'epoch; got {skip=}.')
        first = tf.constant(epoch, tf.int64)
        if repeat:
            data = tf.data.Dataset.range(first, tf.int64.max).flat_map(
                lambda number: self._epoch(batch_size, seed, number, tf.where(
                    number == first, tf.constant(skip, tf.int64), 0)))
            steps = tf.data.INFINITE_CARDINALITY
        else:
            data = self._epoch(batch_size, seed, first, tf.constant(skip, tf.int64))
            steps -= skip
        return self._finish(data.apply(tf.data.experimental.assert_cardinality(steps)),
                            batch_size, labels)

    def evaluation(self, split: str, batch_size: int, limit: int | None = None,
                   labels: bool = False) -> tf.data.Dataset:
        """Returns batches of the examples of `split`, unchanged and in a fixed order.

        The last batch may be incomplete.

        Args:
            split: 'train', 'validation' or 'test'.
            batch_size: The number of examples in each batch.
            limit: Give the first `limit` examples only, or all if there are fewer.
            labels: Whether to give pairs of examples and labels.

        Raises:
            UsageError: If there is no such split, or a number is less than 1.
            ValueError: If `labels` is set and the data set has no classes.
        """
        self._check_split(split)
        if batch_size < 1 or (limit is not None and limit < 1):
            raise errors.UsageError(f'--batch_size and the limit on {self.examples} must be at '
                                    f'least 1; got {batch_size} and {limit}.')
        count = min(limit or self.sizes[split], self.sizes[split])
        return self._finish(self.readers[split].in_order(batch_size, count), batch_size, labels)

    def take(self, split: str, count: int) -> np.ndarray:
        """Returns the first `count` examples of `split` as a numpy array [count, ...].

        Raises:
            UsageError: If there is no such split, or it has fewer examples.
        """
        self._check_split(split)
        if not 1 <= count <= self.sizes[split]:
            raise errors.UsageError(f'the number of {self.examples} must be from 1 to the '
                                    f'{self.sizes[split]} of split {split}; got {count}.')
        return next(self.evaluation(split, count, limit=count).as_numpy_iterator())

    @tf.autograph.experimental.do_not_convert
    def _epoch(self, batch_size: int, seed: int, number: tf.Tensor,
               skip: tf.Tensor) -> tf.data.Dataset:
        """Returns the batches with labels of epoch `number` after the first `skip` of them.

        Both may be tensors of a graph.
        """
        return self.readers['train'].shuffled(batch_size, tf.stack([seed, 2 * number]), skip)

    def _check_split(self, split: str) -> None:
        if split not in self.splits:
            raise errors.UsageError(f'--split must be one of {", ".join(self.splits)}; '
                                    f'got {split!r}.')

    def _finish(self, data: tf.data.Dataset, batch_size: int, labels: bool) -> tf.data.Dataset:
        if labels and self.num_classes is None:
            raise ValueError(f'labels must be False: {self.name} has no classes; got {labels=}.')
        data = data.map(lambda example, label: (self._as_modelled(example), label) if labels
                        else self._as_modelled(example))
        examples = data.element_spec[0] if labels else data.element_spec
        batch_bytes = batch_size * examples.shape[1:].num_elements() * examples.dtype.size
        return data.prefetch(min(max(2, AHEAD_BYTES // batch_bytes), MOST_AHEAD))

    def _as_modelled(self, examples: tf.Tensor) -> tf.Tensor:
        """Returns examples of a reader as a model sees them."""
        return examples
