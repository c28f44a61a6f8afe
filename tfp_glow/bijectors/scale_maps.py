"""Maps from a network's raw output to the log-scale of an affine coupling.

Each is a function `raw -> log_scale`, elementwise. The scale multiplies in the direction data ->
latent, so that sampling divides by it. A scale that may tend to 0 makes sampling explode; one that
is capped at 1 can be too tight. Choose by argument.
"""

import math

import tensorflow as tf

from tfp_glow.bijectors.types import ScaleMap
from tfp_glow.internal import configs
from tfp_glow.types import TensorLike


@configs.recorded
def sigmoid(offset: float = 2., minimum: float = 0., maximum: float = 1.) -> ScaleMap:
    """Returns the map with scale = minimum + (maximum - minimum) * sigmoid(raw + offset).

    The defaults are Glow's.

    Raises:
        ValueError: Unless 0 <= minimum < maximum.
    """
    if not 0 <= minimum < maximum:
        raise ValueError(f'minimum must be in [0, maximum); got {minimum=}, {maximum=}.')

    def log_scale(raw):
        if minimum == 0:
            return math.log(maximum) - tf.math.softplus(-(raw + offset))
        return tf.math.log(minimum + (maximum - minimum) * tf.sigmoid(raw + offset))
    return log_scale


@configs.recorded
def exponential(bound: float | None = None) -> ScaleMap:
    """Returns the map with scale = exp(raw) or, with `bound`, exp(bound * tanh(raw / bound)).

    The scale of the latter never leaves e^+-bound.

    Raises:
        ValueError: If `bound` is not positive.
    """
    if bound is None:
        return lambda raw: raw
    if bound <= 0:
        raise ValueError(f'bound must be positive; got {bound=}.')
    return lambda raw: bound * tf.tanh(raw / bound)


@configs.recorded
def bounded_tanh(factor: TensorLike) -> ScaleMap:
    """Returns RealNVP's map with scale = exp(factor * tanh(raw)), whose factor may be trained.

    Args:
        factor: A tensor or a `tf.Variable` that broadcasts with raw, such as a scalar or one number
            for each transformed channel, or a Python number. A variable is among those of the
            coupling.

    Raises:
        ValueError: If `factor` is the number 0, which leaves nothing to learn.

    #### References
    Dinh et al., *RealNVP*, 2017, arXiv:1605.08803, section 4.1.

    ```python
    >>> import tensorflow as tf, tfp_glow
    >>> from tfp_glow import bijectors as tgb
    >>> scale_map = tgb.scale_maps.bounded_tanh(tf.Variable(1., name='factor'))
    >>> coupling = tgb.Coupling(lambda y1: 0. * y1, tgb.Multiplicative(scale_map))
    >>> [v.name for v in coupling.trainable_variables]
    ['factor:0']

    ```
    """
    return _BoundedTanh(factor)


@configs.recorded
def clamped_exp(limit: float) -> ScaleMap:
    """Returns the map with scale = exp(limit * 2/pi * atan(raw / limit)).

    The scale is softly clamped to less than e^+-limit. Unlike a hard clip this map has a gradient
    everywhere, and unlike tanh it has one that fades slowly; at raw = 0 its slope is 2/pi.

    Raises:
        ValueError: If `limit` is not positive.

    #### References
    Ardizzone et al., *Guided Image Generation with Conditional Invertible Neural Networks*, 2019,
    arXiv:1907.02392.
    """
    if limit <= 0:
        raise ValueError(f'limit must be positive; got {limit=}.')
    return lambda raw: limit * 2 / math.pi * tf.atan(raw / limit)


class _BoundedTanh(tf.Module):
    """See `bounded_tanh`. This is a module, so that the factor is seen wherever it is held."""

    def __init__(self, factor: TensorLike) -> None:
        super().__init__()
        if isinstance(factor, (int, float)) and factor == 0:
            raise ValueError(f'factor must not be 0; got {factor=}.')
        self._factor = factor

    def __call__(self, raw: tf.Tensor) -> tf.Tensor:
        return self._factor * tf.tanh(raw)
