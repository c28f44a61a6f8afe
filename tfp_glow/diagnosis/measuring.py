"""The figures of one layer and of the latents."""

import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfp_glow.bijectors import introspection
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
        again = visit.bijector.forward(latents, **visit.kwargs)
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
    singular_values = introspection.singular_values(visit.bijector)
    if singular_values is not None:
        return np.asarray(singular_values, np.float64), True
    log_slopes = introspection.log_slopes(visit.bijector, visit.y, visit.condition)
    return None if log_slopes is None else np.exp(np.asarray(log_slopes, np.float64)), False


def _number(value):
    return None if value is None else float(value)
