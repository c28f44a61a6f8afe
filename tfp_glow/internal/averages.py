"""Reads and warms up the moving averages of the weights that a Keras optimizer keeps."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import tensorflow as tf


def ema_values(optimizer: Any) -> list[Any]:
    """Returns the averages of the variables that `optimizer` trains, in their order.

    The list is empty if there are none: before the first step, and for an optimizer that keeps no
    averages or is None. Those of a wrapped optimizer are those of the one inside.
    """
    inner = innermost(optimizer)
    values = getattr(inner, '_model_variables_moving_average', None)
    return values if values and int(inner.iterations.numpy()) else []


def innermost(optimizer: Any) -> Any:
    """Returns the optimizer that a wrapper such as `LossScaleOptimizer` holds, or itself."""
    while getattr(optimizer, 'inner_optimizer', None) is not None:
        optimizer = optimizer.inner_optimizer
    return optimizer


def start(optimizer: Any, variables: Sequence[tf.Variable]) -> None:
    """Sets the averages to the variables before the first step.

    Keras has zeros there. At the end of `fit` it sets the variables to the averages, also if no
    step was applied.
    """
    inner = innermost(optimizer)
    if getattr(inner, 'use_ema', False) and not int(inner.iterations.numpy()):
        for average, variable in zip(inner._model_variables_moving_average, variables):
            average.assign(variable.numpy())


@contextlib.contextmanager
def warmed_up_ema(optimizer: Any) -> Iterator[None]:
    """Lets a step t within it move the averages with min(ema_momentum, (1 + t) / (10 + t)).

    Otherwise a momentum of .999 would keep the initial weights in sight for thousands of steps.
    """
    optimizer = innermost(optimizer)
    if not getattr(optimizer, 'use_ema', False):
        yield
        return
    momentum, steps = optimizer.ema_momentum, tf.cast(optimizer.iterations, tf.float32)
    optimizer.ema_momentum = tf.minimum(momentum, (1. + steps) / (10. + steps))
    try:
        yield
    finally:
        optimizer.ema_momentum = momentum
