"""Checks that gradients of the variables are there, finite, and not lost to a cache."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfp_glow.testing.subject import Subject, check, uncached


def check_gradients(subject: Subject) -> None:
    """Checks that each variable gets its gradient, also if the tensor was evaluated before."""
    for name, function, value in subject.directions():
        expected = gradients(function, uncached(value), subject.variables, name)
        for v, g in zip(subject.variables, expected, strict=True):
            check(np.any(g), f'the gradient of {name} by {v.name} is all zeros.')
        function(value)
        what = f'{name} after an evaluation'
        subject.close(f'gradients of {what}',
                      gradients(function, value, subject.variables, what), expected)

        @tf.function
        def evaluated_before(value, name=name, function=function):
            function(value)
            return gradients(function, value, subject.variables,
                             f'{name} after a traced evaluation')
        subject.close(f'gradients of {name}, traced', evaluated_before(value), expected)


def gradients(function: Callable[[Any], Any], value: Any, sources: Sequence[Any],
              what: str) -> list[tf.Tensor]:
    """Returns the gradients of a sum over value and log-det in which no two parts cancel.

    Tensors among the `sources` are watched. `what` names the function in messages.

    Raises:
        AssertionError: If a gradient is None or, in eager mode, not finite.
    """
    with tf.GradientTape() as tape:
        tape.watch([s for s in sources if not isinstance(s, tf.Variable)])
        outputs = tf.nest.flatten(function(value))
        loss = sum(tf.reduce_sum(tf.sin(o + i)) for i, o in enumerate(outputs))
    derivatives = tape.gradient(loss, sources)
    for source, gradient in zip(sources, derivatives, strict=True):
        name = source.name if isinstance(source, tf.Variable) else 'the condition'
        check(gradient is not None, f'the gradient of {what} by {name} is None.')
    derivatives = [tf.convert_to_tensor(g) for g in derivatives]  # Some may be `tf.IndexedSlices`.
    if tf.executing_eagerly():
        check(all(np.all(np.isfinite(g)) for g in derivatives),
              f'the gradients of {what} must be finite.')
    return derivatives
