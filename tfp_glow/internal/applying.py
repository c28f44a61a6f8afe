"""Lets a Keras optimizer apply gradients, or leave all as it is, on one device or on replicas."""

import warnings
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from tfp_glow.internal import averages

_LEAST_EPSILON = 1e-16


def apply_if(wanted: tf.Tensor, optimizer: Any, gradients: Sequence[Any],
             variables: Sequence[tf.Variable]) -> None:
    """Applies gradients if `wanted`; otherwise the optimizer and the variables stay as they are.

    Args:
        wanted: A boolean scalar, which is the same on all replicas.
        optimizer: A Keras optimizer; a wrapper such as `LossScaleOptimizer` is one too. Under a
            strategy with several replicas it no longer sums gradients itself.
        gradients: The gradients, which are already summed over the replicas.
        variables: The variables of the gradients.
    """
    def update(gradients: Sequence[Any]) -> None:
        optimizer.apply(gradients, variables)

    if not optimizer.built:
        optimizer.build(variables)
    if tf.__internal__.distribute.strategy_supports_no_merge_call():
        _sum_no_more(optimizer)

        def alone() -> None:
            with averages.warmed_up_ema(optimizer):
                update(gradients)
        _if(wanted, alone)
        return

    def across(strategy: tf.distribute.Strategy, wanted: Any, gradients: Any) -> None:
        _sum_no_more(optimizer)

        def each() -> None:
            with averages.warmed_up_ema(optimizer):
                strategy.extended.call_for_each_replica(update, args=(gradients,))
        # A branch may hold what merges replicas only if the condition stands across them.
        _if(strategy.experimental_local_results(wanted)[0], each)
    tf.distribute.get_replica_context().merge_call(across, args=(wanted, list(gradients)))


def make_finite(optimizer: Any) -> None:
    """Raises an `epsilon_1` of Adafactor whose square is 0, and warns of that.

    Where all gradients of a weight are 0, as before the last layer of a coupling's network has
    moved, Keras's Adafactor would divide 0 by 0 and the weight would be NaN.
    """
    inner = averages.innermost(optimizer)
    if type(inner).__name__ == 'Adafactor' and inner.epsilon_1 < _LEAST_EPSILON:
        warnings.warn(f'epsilon_1 of Adafactor is raised from {inner.epsilon_1:g} to '
                      f'{_LEAST_EPSILON:g}: with less, gradients of 0 make weights NaN.',
                      stacklevel=3)
        inner.epsilon_1 = _LEAST_EPSILON


def all_finite(values: Sequence[Any]) -> tf.Tensor:
    """Returns whether all values of tensors, some of which may be None, are finite: a scalar."""
    present = [value for value in values if value is not None]
    return tf.reduce_all([tf.reduce_all(tf.math.is_finite(
        v.values if isinstance(v, tf.IndexedSlices) else v)) for v in present])


def scales_loss(optimizer: Any) -> bool:
    """Returns whether an optimizer scales the loss, and lowers the scale when gradients overflow.

    Such an optimizer must see gradients that are not finite. It does not apply them.
    """
    return hasattr(optimizer, 'dynamic_scale') or hasattr(optimizer, 'dynamic_growth_steps')


def _if(wanted: tf.Tensor, act: Any) -> None:
    def done() -> tf.Tensor:
        act()
        return tf.constant(True)
    tf.cond(wanted, done, lambda: tf.constant(False))


def _sum_no_more(optimizer: Any) -> None:
    if tf.distribute.get_strategy().num_replicas_in_sync > 1:
        # Keras clips before it sums; it must clip the sum, as it does on one device.
        averages.innermost(optimizer)._all_reduce_sum_gradients = _as_they_are


def _as_they_are(gradients_and_variables: Any) -> list[Any]:
    return list(gradients_and_variables)
