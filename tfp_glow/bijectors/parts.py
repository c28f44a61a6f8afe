"""Functions by which a container treats its parts, which may be any TFP bijectors."""

from collections.abc import Iterable, Sequence
from typing import Any

import tensorflow as tf
from tensorflow_probability import bijectors as tfb

from tfp_glow.bijectors import batch_moments
from tfp_glow.bijectors.base import OnePassBijector
from tfp_glow.bijectors.conditions import condition_kwargs
from tfp_glow.bijectors.pullback import Pullback, vjp_by_reconstruction
from tfp_glow.types import Condition, Latents


def common_event_ndims(bijectors: Iterable[tfb.Bijector]) -> int:
    """Returns the number of event dimensions that all `bijectors` can share.

    If all of them are elementwise, it is 3, that of images.
    """
    return max(part.inverse_min_event_ndims for part in bijectors) or 3


def common_dtype(**bijectors: Sequence[tfb.Bijector]) -> tf.DType | None:
    """Returns the dtype of those bijectors in the named lists that have one, or None.

    Raises:
        ValueError: If they have more than one dtype.
    """
    dtypes = {f'{name}[{i}]': part.dtype for name, parts in bijectors.items()
             for i, part in enumerate(parts) if isinstance(part.dtype, tf.DType)}
    if len(set(dtypes.values())) > 1:
        listed = ', '.join(f'{name}={dtype.name}' for name, dtype in dtypes.items())
        raise ValueError(f'{" and ".join(bijectors)} must have one dtype; got {listed}.')
    return next(iter(dtypes.values()), None)


def forward_and_log_det(bijector: tfb.Bijector, x: Latents, event_ndims: int,
                        condition: Condition = None) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns `(forward(x), log-det)` of any TFP bijector, for events of `event_ndims` axes."""
    kwargs = condition_kwargs(bijector, condition)
    if not isinstance(bijector, OnePassBijector):
        # For an old tensor, TFP's cache returns old values, which no tape records.
        x = tf.identity(x)
        log_det = bijector.forward_log_det_jacobian(x, event_ndims=event_ndims, **kwargs)
        return (bijector.forward(x, **kwargs),
                tf.broadcast_to(log_det, tf.shape(x)[:-event_ndims]))
    if tf.nest.flatten(bijector.forward_min_event_ndims)[0] in (0, event_ndims):
        y, log_det = bijector._pair('_forward', x, **kwargs)
    else:  # A bijector of vectors within images, say, sees the rest of the event as batch.
        y, log_det = bijector._flattened('_forward', x, kwargs)
    return y, _sum_event(log_det, event_ndims - bijector.inverse_min_event_ndims)


def inverse_and_log_det(bijector: tfb.Bijector, y: tf.Tensor, event_ndims: int,
                        condition: Condition = None) -> tuple[Latents, tf.Tensor]:
    """Returns `(inverse(y), log-det)` of any TFP bijector, for events of `event_ndims` axes."""
    kwargs = condition_kwargs(bijector, condition)
    if not isinstance(bijector, OnePassBijector):
        y = tf.identity(y)
        log_det = bijector.inverse_log_det_jacobian(y, event_ndims=event_ndims, **kwargs)
        return (bijector.inverse(y, **kwargs),
                tf.broadcast_to(log_det, tf.shape(y)[:-event_ndims]))
    if bijector.inverse_min_event_ndims in (0, event_ndims):
        x, log_det = bijector._pair('_inverse', y, **kwargs)
    else:
        x, log_det = bijector._flattened('_inverse', y, kwargs)
    return x, _sum_event(log_det, event_ndims - bijector.inverse_min_event_ndims)


def forward_pullback(bijector: tfb.Bijector, y: tf.Tensor, dy: Latents, dlog_det: tf.Tensor,
                     pullback: Pullback, condition: Condition = None, event_ndims: int = 3,
                     ) -> tuple[Latents, Latents]:
    """Returns `_forward_pullback` of any TFP bijector, for events of `event_ndims` axes."""
    if _is_one_pass_over(bijector, event_ndims):
        return bijector._forward_pullback(
            y, dy, dlog_det, pullback, **condition_kwargs(bijector, condition))
    return vjp_by_reconstruction(
        lambda v: inverse_and_log_det(bijector, v, event_ndims, condition),
        lambda v: forward_and_log_det(bijector, v, event_ndims, condition),
        y, dy, dlog_det, pullback)


def inverse_pullback(bijector: tfb.Bijector, x: Latents, dx: Latents, dlog_det: tf.Tensor,
                     pullback: Pullback, condition: Condition = None, event_ndims: int = 3,
                     ) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns `_inverse_pullback` of any TFP bijector, for events of `event_ndims` axes."""
    if _is_one_pass_over(bijector, event_ndims):
        return bijector._inverse_pullback(
            x, dx, dlog_det, pullback, **condition_kwargs(bijector, condition))
    return vjp_by_reconstruction(
        lambda v: forward_and_log_det(bijector, v, event_ndims, condition),
        lambda v: inverse_and_log_det(bijector, v, event_ndims, condition),
        x, dx, dlog_det, pullback)


def in_mode(bijector: tfb.Bijector, training: bool) -> tfb.Bijector:
    """Returns `bijector` as it trains or evaluates; itself if that makes no difference."""
    return bijector._in_mode(training) if isinstance(bijector, OnePassBijector) else bijector


def spans_replicas(bijector: tfb.Bijector) -> bool:
    """Returns whether `bijector` now normalises by a batch on several replicas of a strategy.

    No loop of a graph can hold it then.
    """
    return batch_moments.over_replicas() and in_mode(bijector, False) is not bijector


def frozen_values(bijector: tfb.Bijector) -> Any:
    """Returns what `bijector` computes from its parameters alone, such as inverse matrices."""
    return bijector._frozen_values() if isinstance(bijector, OnePassBijector) else ()


def with_frozen(bijector: tfb.Bijector, values: Any) -> tfb.Bijector:
    """Returns `bijector` reading `values`: its `frozen_values` as tensors or variables."""
    return bijector._with_frozen(values) if isinstance(bijector, OnePassBijector) else bijector


def _is_one_pass_over(bijector: tfb.Bijector, event_ndims: int) -> bool:
    return (isinstance(bijector, OnePassBijector)
            and bijector.inverse_min_event_ndims == event_ndims)


def _sum_event(log_det: tf.Tensor, ndims: int) -> tf.Tensor:
    if ndims == 0 or log_det.shape.rank == 0:
        return log_det
    return tf.reduce_sum(log_det, axis=list(range(-ndims, 0)))
