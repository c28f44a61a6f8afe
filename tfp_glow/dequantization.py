"""Conversion between integer images and the continuous data of a flow, and bits per dimension."""

import math

import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfp_glow.internal import draws
from tfp_glow.types import Seed, TensorLike


def dequantize(images: TensorLike, bins: int, seed: Seed) -> tf.Tensor:
    """Adds uniform noise to integers 0 .. bins-1 and scales them to [-1/2, 1/2).

    ```none
    y = (images + u) / bins - 1/2,    u ~ U[0, 1)
    ```

    A density p(y) then gives the lower bound `log P(images) >= E_u[log p(y)] - D log(bins)` over
    the D dimensions (Theis, van den Oord and Bethge, 2016, arXiv:1511.01844, section 3.1).

    Args:
        images: Integers of any shape.
        bins: The number of grey levels.
        seed: Two integers for `tf.random.stateless_uniform`.

    ```python
    >>> import tensorflow as tf
    >>> from tfp_glow import dequantization
    >>> y = dequantization.dequantize(tf.constant([0, 255], tf.uint8), bins=256, seed=[1, 2])
    >>> dequantization.quantize(y, bins=256).numpy()
    array([  0, 255], dtype=uint8)

    ```
    """
    images = tf.convert_to_tensor(images)
    noise = draws.uniform_like(images, seed)
    # The sum may round up to the next integer, which would be the next grey level.
    values = tf.minimum(tf.cast(images, tf.float32) + noise,
                        tf.cast(images, tf.float32) + (1 - 2.**-14))
    return values / bins - .5


def is_discrete(flow: tfd.Distribution) -> bool:
    """Tells whether `flow.log_prob` takes integers as they are, as that of `IntegerFlow` does."""
    return getattr(flow, 'discrete', False)


def quantize(data: TensorLike, bins: int) -> tf.Tensor:
    """Returns the images nearest to continuous data: floor((y + 1/2) * bins) as uint8.

    The result is clipped to 0 .. bins-1.
    """
    return tf.cast(tf.clip_by_value(tf.floor((data + .5) * bins), 0, bins - 1), tf.uint8)


def to_levels(values: TensorLike, bins: int) -> tf.Tensor:
    """Returns the grey levels nearest to numbers on the integer grid, in 0 .. bins-1, as uint8."""
    return tf.cast(tf.clip_by_value(tf.round(values), 0, bins - 1), tf.uint8)


def bits_per_dim(log_prob: TensorLike, modelled: int, bins: int,
                 counted: int | None = None) -> tf.Tensor:
    """Returns the bits per dimension of integer images from the log-density of dequantized data.

    ```none
    (modelled * log(bins) - log_prob) / (counted * log(2))
    ```

    Args:
        log_prob: The log-density in nats, of data in [-1/2, 1/2).
        modelled: The number of dimensions D of the data.
        bins: The number of grey levels.
        counted: The number of dimensions of the original images, where padding made D larger. The
            bits are then an upper bound for the original image: they pay for the padding as well.
    """
    return (modelled * math.log(bins) - log_prob) / ((counted or modelled) * math.log(2))
