"""Sums and greatest values over the replicas of a `tf.distribute` strategy."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf


def count() -> int:
    """Returns the number of replicas that this code runs on; 1 outside of `strategy.run`."""
    if tf.distribute.get_replica_context() is None:
        return 1
    return tf.distribute.get_strategy().num_replicas_in_sync


def index() -> int | tf.Tensor:
    """Returns the number of this replica, 0 outside of `strategy.run`."""
    context = tf.distribute.get_replica_context()
    return context.replica_id_in_sync_group if context is not None else 0


def total(values: Any) -> Any:
    """Returns the sums of tensors, a structure of them, over the replicas; differentiable."""
    if count() == 1:
        return values
    flat = tf.nest.flatten(values)
    sums: dict[int, tf.Tensor] = {}
    for dtype in dict.fromkeys(value.dtype for value in flat):  # Workers exchange one dtype at once.
        places = [i for i, value in enumerate(flat) if value.dtype == dtype]
        reduced = tf.distribute.get_replica_context().all_reduce(
            tf.distribute.ReduceOp.SUM, [flat[i] for i in places])
        sums.update(zip(places, reduced))
    return tf.nest.pack_sequence_as(values, [sums[i] for i in range(len(flat))])


def total_gradients(gradients: Sequence[Any], extra: tf.Tensor) -> tuple[list[Any], tf.Tensor]:
    """Returns the sums over the replicas of gradients, some of which may be None, and of `extra`.

    They are summed together, which costs one exchange.
    """
    if count() == 1:
        return list(gradients), extra
    dense = [tf.convert_to_tensor(g) for g in gradients if g is not None]
    *sums, extra = total([*dense, extra])
    summed = iter(sums)
    return [None if g is None else next(summed) for g in gradients], extra


def greatest(value: tf.Tensor) -> tf.Tensor:
    """Returns the greatest of a scalar over the replicas; NaN if one of them is NaN."""
    if count() == 1:
        return value
    # A sum of one-hot vectors is a gather that every strategy has.
    each = total(tf.one_hot(index(), count(), value, 0., dtype=value.dtype))
    return tf.where(tf.reduce_any(tf.math.is_nan(each)), float('nan'), tf.reduce_max(each))


def share_first(strategy: tf.distribute.Strategy, variables: Sequence[tf.Variable]) -> None:
    """Sets variables of all workers of a strategy to the values that the first worker has."""
    def first() -> list[tf.Tensor]:
        values = [tf.cast(v, tf.int32) if v.dtype.is_bool else tf.convert_to_tensor(v)
                  for v in variables]
        return total([tf.where(tf.equal(index(), 0), v, tf.zeros_like(v)) for v in values])
    with strategy.scope():
        if over_workers():
            shared = strategy.run(tf.function(first, autograph=False))
            for variable, value in zip(variables, shared):
                value = strategy.experimental_local_results(value)[0]
                variable.assign(tf.cast(value, variable.dtype))


def over_workers() -> bool:
    """Returns whether the strategy has several workers."""
    strategy = tf.distribute.get_strategy()
    return (isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)
            and strategy.extended._in_multi_worker_mode())
