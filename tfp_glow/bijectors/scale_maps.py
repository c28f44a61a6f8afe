"""Maps from a network's raw output to the log-scale of an affine coupling.

Each is a function `raw -> log_scale`, elementwise; the scale multiplies in the direction data ->
latent, so that sampling divides by it. A scale that may tend to 0 makes sampling explode, one
that is capped at 1 can be too tight: choose by argument.
"""

import math

import tensorflow as tf


def sigmoid(offset=2., minimum=0., maximum=1.):
    """scale = minimum + (maximum - minimum) * sigmoid(raw + offset): Glow's with the defaults.

    Raises:
      ValueError: unless 0 <= minimum < maximum.
    """
    if not 0 <= minimum < maximum:
        raise ValueError(f'minimum must be in [0, maximum); got {minimum=}, {maximum=}.')

    def log_scale(raw):
        if minimum == 0:
            return math.log(maximum) - tf.math.softplus(-(raw + offset))
        return tf.math.log(minimum + (maximum - minimum) * tf.sigmoid(raw + offset))
    return log_scale


def exponential(bound=None):
    """scale = exp(raw); with `bound`, exp(bound * tanh(raw / bound)), which never leaves e^+-bound.

    Raises:
      ValueError: `bound` is not positive.
    """
    if bound is None:
        return lambda raw: raw
    if bound <= 0:
        raise ValueError(f'bound must be positive; got {bound=}.')
    return lambda raw: bound * tf.tanh(raw / bound)
