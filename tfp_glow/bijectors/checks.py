"""Checks of what constructors and methods are given: dtypes, and rules that values must keep."""

import typing
from collections.abc import Iterable
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow_probability import bijectors as tfb
from tensorflow_probability import util as tfp_util

from tfp_glow.types import TensorLike

FLAG = 'initialized'  # Variables of this name say that data-dependent parameters are set.
_SHOWN = 8  # An error shows this number of entries of a value.


class Rule(typing.NamedTuple):
    """The rule that `name` must `must`; `holds(value)` is True, for each entry or for the whole."""
    name: str
    value: typing.Any
    must: str
    holds: typing.Callable


def floats(**values: TensorLike) -> list[tf.Tensor | tf.Variable]:
    """Returns the values in order: variables as they are, the rest as tensors.

    What has no dtype, such as a number of Python, becomes float32.

    Raises:
        ValueError: If the values do not have one dtype, or the dtype is not floating.
    """
    tensors = {name: v if is_reference(v)
             else tf.convert_to_tensor(v, None if hasattr(v, 'dtype') else tf.float32, name=name)
             for name, v in values.items()}
    dtypes = {v.dtype for v in tensors.values()}
    if len(dtypes) > 1 or not all(dtype.is_floating for dtype in dtypes):
        listed = ', '.join(f'{name}={v.dtype.name}' for name, v in tensors.items())
        raise ValueError(f'{", ".join(values)} must have one floating dtype; got {listed}.')
    return list(tensors.values())


def check_bijectors(name: str, given: Iterable[Any]) -> None:
    """Raises a `TypeError` unless all that are `given`, as the argument `name`, are bijectors."""
    for part in given:
        if not isinstance(part, tfb.Bijector):
            raise TypeError(f'{name} must be a bijector; got {type(part).__name__}.')


def is_reference(value: Any) -> bool:
    """Returns whether `value` may be another at each call."""
    return isinstance(value, (tf.Variable, tfp_util.DeferredTensor))


def is_flag(variable: tf.Variable) -> bool:
    """Returns whether the variable is a flag of data-dependent parameters, by its name `FLAG`."""
    return variable.name.split(':')[0].split('/')[-1] == FLAG


def finite(name: str, value: Any) -> Rule:
    """Returns the rule that `value` is finite, if its dtype is floating."""
    return Rule(name, value, 'be finite', lambda v: tf.math.is_finite(v) if v.dtype.is_floating
                else tf.constant(True))


def check_known(rule: Rule) -> bool:
    """Checks the value if it is known, as in eager mode; returns whether it is known.

    Raises:
        ValueError: If the value is known and breaks the rule.
    """
    known = tf.get_static_value(tf.convert_to_tensor(rule.value))
    if known is None:
        return False
    with tf.init_scope():  # In a graph, the answer would be known only when it runs.
        holds = rule.holds(tf.constant(known)).numpy()
    if not holds.all():
        shown = (known[~holds][:_SHOWN].tolist() if holds.shape
                 else np.array2string(known, separator=', ', threshold=_SHOWN).replace('\n', ''))
        raise ValueError(f'{rule.name} must {rule.must}; got {rule.name}={shown}.')
    return True


def assertion(rule: Rule) -> tf.Operation | None:
    """Returns an operation that fails if the value breaks the rule; None in eager mode.

    Raises:
        tf.errors.InvalidArgumentError: If the value breaks the rule, in eager mode at once,
            otherwise when the operation runs.
    """
    value = tf.convert_to_tensor(rule.value)
    holds = rule.holds(value)

    def fail():
        shown = value
        if holds.shape.rank != 0:
            shown = tf.reshape(value, [-1])[tf.argmin(tf.cast(tf.reshape(holds, [-1]), tf.int32))]
        return tf.debugging.Assert(
            False, [f'{rule.name} must {rule.must}; got {rule.name}=', shown], summarize=_SHOWN)
    return tf.cond(tf.reduce_all(holds), tf.no_op, fail)


def with_assertions(structure: Any, rules: Iterable[Rule], operations: Iterable[tf.Operation] = (),
                    ) -> Any:
    """Returns `structure`, after `operations` have run and the rules have been seen to hold."""
    operations = [*operations, *map(assertion, rules)]
    with tf.control_dependencies([o for o in operations if o is not None]):
        return tf.nest.map_structure(tf.identity, structure)
