"""The mean and variance of a batch: of one that has weights, and lies on several replicas, too."""

import contextlib
import threading
from collections.abc import Iterator

import tensorflow as tf

from tfp_glow.internal import replicas

_CURRENT = threading.local()  # Each replica of a strategy is traced in a thread of its own.


@contextlib.contextmanager
def weighted(weights: tf.Tensor | None) -> Iterator[None]:
    """Lets `moments` within be those of a batch with weights, over all replicas.

    Args:
        weights: The weights of the examples of this replica, `[B]`. With None, `moments` are those
            of each batch alone, and all examples count the same.
    """
    before = getattr(_CURRENT, 'weights', None)
    _CURRENT.weights = weights
    try:
        yield
    finally:
        _CURRENT.weights = before


def moments(y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the mean and the variance, `[C]`, of `y [B, ..., C]` over all dimensions but C.

    Within `weighted` each example has its weight w, and the sums go over all replicas:

    ```none
    mean = sum(w y) / sum(w)        variance = sum(w (y - mean)^2) / sum(w)
    ```
    """
    axes = list(range(y.shape.rank - 1))
    weights = getattr(_CURRENT, 'weights', None)
    if weights is None:
        return tf.nn.moments(y, axes=axes)
    # A bijector of vectors within images sees each position as a row of its own.
    weights = tf.repeat(tf.cast(weights, y.dtype), tf.shape(y)[0] // tf.shape(weights)[0])
    w = tf.reshape(weights, [-1] + [1] * len(axes))
    positions = tf.cast(tf.reduce_prod(tf.shape(y)[1:-1]), y.dtype)
    total, mean = replicas.total([tf.reduce_sum(w) * positions, tf.reduce_sum(w * y, axes)])
    mean = tf.math.divide_no_nan(mean, total)
    squares = tf.math.squared_difference(y, tf.stop_gradient(mean))
    return mean, tf.math.divide_no_nan(replicas.total(tf.reduce_sum(w * squares, axes)), total)


def over_replicas() -> bool:
    """Returns whether `moments` sum over several replicas, which no loop of a graph can do."""
    return getattr(_CURRENT, 'weights', None) is not None and replicas.count() > 1
