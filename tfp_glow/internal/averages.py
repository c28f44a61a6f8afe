"""Reads and warms up the moving averages of the weights that a Keras optimizer keeps."""

import contextlib
from collections.abc import Iterator
from typing import Any

import tensorflow as tf


def ema_values(optimizer: Any) -> list[Any]:
    """Returns the averages of the variables that `optimizer` trains, in their order.

    The list is empty if there are none: before the first step, and for an optimizer that keeps no
    averages or is None.
    """
    values = getattr(optimizer, '_model_variables_moving_average', None)
    return values if values and int(optimizer.iterations) else []


@contextlib.contextmanager
def warmed_up_ema(optimizer: Any) -> Iterator[None]:
    """Lets a step t within it move the averages with min(ema_momentum, (1 + t) / (10 + t)).

    Otherwise a momentum of .999 would keep the initial weights in sight for thousands of steps.
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
