"""Sums and greatest values over the replicas of a `tf.distribute` strategy."""

from collections.abc import Sequence
from typing import Any

import numpy as np
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
    # Workers exchange one dtype at a time.
    for dtype in dict.fromkeys(value.dtype for value in flat):
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


def of_first(strategy: tf.distribute.Strategy, arrays: Any) -> Any:
    """Returns the arrays of a strategy's first worker, given those of each worker.

    Args:
        strategy: The strategy; all its workers must call this at the same time.
        arrays: A structure of arrays, some of which may be None. Their first dimensions may differ
            between the workers.
    """
    if not over_workers(strategy):
        return arrays
    with strategy.scope():
        flat = [np.asarray(a) for a in tf.nest.flatten(arrays) if a is not None]
        counts = _sent(strategy, [np.int32(len(a) if a.ndim else 0) for a in flat])
        sent = iter(_sent(strategy, [
            # Workers exchange no bytes.
            (a if not a.ndim or len(a) == count else np.zeros([count, *a.shape[1:]])).astype(
                np.int32 if a.dtype.itemsize == 1 else a.dtype)
            for a, count in zip(flat, counts)]))
    return tf.nest.map_structure(
        lambda a: None if a is None else next(sent).astype(np.asarray(a).dtype), arrays)


def _sent(strategy: tf.distribute.Strategy, arrays: Sequence[Any]) -> list[np.ndarray]:
    def first() -> list[tf.Tensor]:
        return total([tf.where(tf.equal(index(), 0), a, tf.zeros_like(a)) for a in arrays])
    results = strategy.run(tf.function(first, autograph=False))
    return [np.asarray(strategy.experimental_local_results(r)[0]) for r in results]


def over_workers(strategy: tf.distribute.Strategy | None = None) -> bool:
    """Returns whether a strategy, the current one if none is given, has several workers."""
    strategy = strategy or tf.distribute.get_strategy()
    return (isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)
            and strategy.extended._in_multi_worker_mode())
