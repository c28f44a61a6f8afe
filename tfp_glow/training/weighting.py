"""Takes a batch apart, and says how much each of its examples counts: `Weights`."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tfp_glow.internal import replicas
from tfp_glow.training import inputs
from tfp_glow.types import Condition, TensorLike


class Weights:
    """Says how much each example of a batch counts: 1, or its weight.

    Under a strategy with several replicas each has a share of the batch. What `mean` and `spread`
    return is then the share of this replica; the shares of all replicas sum to the result.

    Args:
        each: The weights of the examples of this replica, `[B]`; None if there is one replica and
            each example counts 1.
        count: The number of examples, if `each` is None.

    Attributes:
        each: As given.
        total: The sum of the weights over all replicas, a scalar.
    """

    def __init__(self, each: tf.Tensor | None = None, count: float | tf.Tensor = 0.) -> None:
        self.each = each
        self.total = count if each is None else replicas.total(tf.reduce_sum(each))

    def mean(self, values: tf.Tensor) -> tf.Tensor:
        """Returns sum(w values) / sum(w) over the first dimension of `values [B, ...]`."""
        if self.each is None:
            return tf.reduce_mean(values, 0)
        return tf.math.divide_no_nan(self._sum(values), tf.cast(self.total, values.dtype))

    def spread(self, value: Any) -> Any:
        """Returns the share of a value that does not depend on the examples."""
        return value if self.each is None else value / replicas.count()

    def unless_empty(self, value: tf.Tensor) -> tf.Tensor:
        """Returns a scalar, or 0 if no example of this replica counts."""
        if self.each is None:
            return value
        return tf.where(tf.reduce_any(self.each > 0), value, tf.zeros_like(value))

    def sum_of(self, value: tf.Tensor) -> tf.Tensor:
        """Returns sum(w value) of values `[B]`, or of a scalar that is a share of a mean."""
        if value.shape.rank:
            return tf.reduce_sum(value) if self.each is None else self._sum(value)
        return value * tf.cast(self.total, value.dtype)

    def _sum(self, values: tf.Tensor) -> tf.Tensor:
        return tf.tensordot(tf.cast(self.each, values.dtype), values, 1)


EVEN = Weights()


def take_apart(data: Any, conditional: bool, module_name: str,
               ) -> tuple[Any, Condition, TensorLike | None]:
    """Returns the examples of a batch, their condition or None, and their weights or None.

    Args:
        data: The examples, or a tuple of them, the condition or labels, and the weights.
        conditional: Whether there must be a condition; otherwise the second place is ignored.
        module_name: What it is that depends on the condition, for messages.
    """
    images, second, weights = inputs.apart(data)
    if not conditional:
        return images, None, weights
    if second is None:
        raise ValueError(f'x must be batches (images, condition), as the {module_name} depends on '
                         'a condition; got images alone.')
    return images, second, weights


def weigh(images: TensorLike, condition: Condition, weights: TensorLike | None,
          ) -> tuple[tf.Tensor, Condition, Weights]:
    """Returns a batch that can be computed with, and its `Weights`.

    An example of weight 0 is replaced by another one of the batch, so that no value of it, not even
    NaN, reaches the loss. A share without examples, and one in which all have weight 0, has zeros
    in their place. A weight that is negative or not finite makes the loss NaN.
    """
    images = tf.convert_to_tensor(images)
    if weights is None and replicas.count() == 1:
        return images, condition, Weights(count=tf.cast(tf.shape(images)[0], tf.float32))
    each = tf.ones([tf.shape(images)[0]]) if weights is None else _checked(weights, images)
    if not images.shape[0]:
        missing = tf.maximum(1 - tf.shape(images)[0], 0)
        images, condition, each = _map(lambda t: tf.concat([t, tf.zeros(
            tf.concat([[missing], tf.shape(t)[1:]], 0), t.dtype)], 0), (images, condition, each))
    if weights is not None:
        heaviest = tf.argmax(each, output_type=tf.int32)
        rows = tf.where(each > 0, tf.range(tf.shape(each)[0]), heaviest)
        counts = tf.reduce_any(each > 0)

        def replaced(t: tf.Tensor) -> tf.Tensor:
            t = tf.gather(t, rows)
            return tf.where(counts, t, tf.zeros_like(t))
        images, condition = _map(replaced, (images, condition))
    return images, condition, Weights(each)


def _checked(weights: TensorLike, images: tf.Tensor) -> tf.Tensor:
    weights = tf.cast(weights, tf.float32)
    if weights.shape.rank == 2 and weights.shape[1] == 1:
        weights = weights[:, 0]
    if weights.shape.rank != 1 or not weights.shape.is_compatible_with(images.shape[:1]):
        raise ValueError('sample_weight must be one number for each example, of the shape '
                         f'{images.shape[:1]}; got shape={weights.shape}.')
    return tf.where((weights >= 0) & (weights < float('inf')), weights, float('nan'))


def _map(function: Callable[[tf.Tensor], tf.Tensor], structure: Any) -> Any:
    return tf.nest.map_structure(
        lambda t: None if t is None else function(tf.convert_to_tensor(t)), structure)
