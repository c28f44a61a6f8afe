"""The moving averages of the weights that a Keras optimizer keeps."""

import contextlib

import tensorflow as tf


def ema_values(optimizer):
    """The averages of the variables that `optimizer` trains, in their order; [] if there are none.

    Before the first step there are none.
    """
    values = getattr(optimizer, '_model_variables_moving_average', None)
    return values if values and int(optimizer.iterations) else []


@contextlib.contextmanager
def warmed_up_ema(optimizer):
    """Within it, a step t moves the averages with min(ema_momentum, (1 + t) / (10 + t)).

    Else a momentum of .999 keeps the initial weights in sight for thousands of steps.
    """
    if not getattr(optimizer, 'use_ema', False):
        yield
        return
    momentum, steps = optimizer.ema_momentum, tf.cast(optimizer.iterations, tf.float32)
    optimizer.ema_momentum = tf.minimum(momentum, (1. + steps) / (10. + steps))
    try:
        yield
    finally:
        optimizer.ema_momentum = momentum
