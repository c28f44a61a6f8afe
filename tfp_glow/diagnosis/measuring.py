"""The figures of one layer and of the latents."""

import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfp_glow import bijectors as tgb
from tfp_glow.bijectors import channel_affine
from tfp_glow.diagnosis import report


def layer(visit):
    """The `Layer` of a `Visit`, its share of the log-det left to who knows them all."""
    scales, mixes = _scales(visit)
    least, greatest = (None, None) if scales is None else (np.min(scales), np.max(scales))
    return report.Layer(
        path=visit.path, kind=type(visit.bijector).__name__.lstrip('_'),
        round_trip_error=round_trip_error(visit),
        least_scale=_number(least), greatest_scale=_number(greatest),
        condition_number=_number(np.float64(greatest) / least) if mixes else None,
        log_det=log_det(visit))


def round_trip_error(visit):
    """max |forward(x) - y| / max(1, max |y|), x = inverse(y); infinite where forward gives up."""
    latents = tf.nest.map_structure(tf.identity, visit.x)  # No cache knows these.
    try:
        again = visit.bijector.forward(latents, **visit.condition)
    except tf.errors.InvalidArgumentError:  # A search that does not converge, say.
        return float('inf')
    error = np.max(np.abs(np.subtract(again, visit.y)))
    return float(error / np.maximum(1, np.max(np.abs(visit.y))))


def log_det(visit):
    """The mean over the batch, in nats."""
    return float(np.mean(visit.log_det))


def levels(flow, latents):
    """The `Level`s of the latents of a batch, each in units of the flow's base."""
    latents = tf.nest.flatten(latents)
    parts = [flow.distribution]
    if isinstance(flow.distribution, tfd.JointDistribution):
        parts = tf.nest.flatten(flow.distribution.model)
    if len(parts) != len(latents):  # The model is a coroutine.
        parts = [None] * len(latents)
    paths = [f'level_{index}' for index in range(len(latents))] if len(latents) > 1 else ['latents']
    standard = [np.asarray(_standardised(z, part), np.float64) for z, part in zip(latents, parts)]
    return tuple(report.Level(path, float(np.mean(z)), float(np.std(z)))
                 for path, z in zip(paths, standard))


def _standardised(z, part):
    try:
        return (z - part.mean()) / part.stddev()
    except (AttributeError, NotImplementedError):  # No distribution by itself, or one that cannot.
        return z


def _scales(visit):
    """`(scales, mixes)`: what the layer multiplies with, or None; whether it mixes dimensions."""
    bijector = visit.bijector
    if isinstance(bijector, channel_affine.ChannelAffine):
        return (_singular_values(bijector._inverse_affine().matrix),
                not isinstance(bijector, tgb.ActNorm))
    if isinstance(bijector, tgb.Whitening):
        return np.exp(-np.asarray(bijector.log_scale, np.float64)), True
    log_slopes = _log_slopes(visit)
    return None if log_slopes is None else np.exp(np.asarray(log_slopes, np.float64)), False


def _singular_values(matrix):
    matrix = np.asarray(matrix, np.float64)
    if not np.all(np.isfinite(matrix)):  # On which LAPACK raises.
        return np.full([1], np.nan)
    return np.linalg.svd(matrix, compute_uv=False)


def _log_slopes(visit):
    """log |dx/dy| of each entry that moves, given the others; None where there is no such thing."""
    bijector, y = visit.bijector, visit.y
    if bijector.inverse_min_event_ndims == 0:
        return bijector.inverse_log_det_jacobian(y, event_ndims=0, **visit.condition)
    if isinstance(bijector, tgb.BatchNorm):
        with tf.GradientTape() as tape:
            tape.watch(y)
            x = bijector.inverse(tf.identity(y))
        return np.log(np.abs(tape.gradient(x, y)))  # Of the sum: the Jacobian is diagonal.
    for kind, log_slopes in _LOG_SLOPES.items():
        if isinstance(bijector, kind):
            ndims = bijector.inverse_min_event_ndims
            condition = bijector._checked(visit.condition, y, ndims)
            x, y = (tf.reshape(v, [-1, *v.shape[-ndims:]]) for v in (visit.x, y))
            return log_slopes(bijector, x, y, condition)
    return None


def _of_coupling(coupling, x, y, condition):
    del x
    kept, moved = coupling._split.apart(y)
    return _of_inner(coupling._inner(coupling._raw(kept, moved, condition)), moved)


def _of_conditioned(conditioned, x, y, condition):
    del x
    return _of_inner(conditioned._bound(y, **condition), y)


def _of_maf(maf, x, y, condition):
    del x
    return _of_inner(maf._bound(maf._raw(y, condition)), y[..., tf.newaxis])


def _of_iaf(iaf, x, y, condition):
    del y
    return -_of_inner(iaf._bound(iaf._raw(x, condition)), x[..., tf.newaxis])


def _of_inner(inner, value):
    if inner.inverse_min_event_ndims != 0:
        return None
    return inner.inverse_log_det_jacobian(value, event_ndims=0)


_LOG_SLOPES = {tgb.Coupling: _of_coupling, tgb.Conditioned: _of_conditioned,
               tgb.MaskedAutoregressive: _of_maf, tgb.InverseAutoregressive: _of_iaf}


def _number(value):
    return None if value is None else float(value)
