"""A Keras metric that is the same on all replicas of a strategy."""

import keras
import tensorflow as tf


class RunningMean(keras.metrics.Metric):
    """Holds the mean of all values since it was reset; NaN if there were none.

    Every replica adds the sums over all replicas. So each of them has the result, and reading it
    needs no other one.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name=name)
        self.total, self.count = (
            self.add_variable((), 'zeros', aggregation='only_first_replica', name=part)
            for part in ('total', 'count'))

    def update_state(self, total: tf.Tensor, count: tf.Tensor) -> None:
        """Adds values: their sum, and their number or the sum of their weights."""
        self.total.assign_add(tf.cast(total, self.dtype))
        self.count.assign_add(tf.cast(count, self.dtype))

    def reset_state(self) -> None:
        for variable in (self.total, self.count):
            variable.assign(tf.zeros([], self.dtype))

    def result(self) -> tf.Tensor:
        return tf.convert_to_tensor(self.total) / tf.convert_to_tensor(self.count)
