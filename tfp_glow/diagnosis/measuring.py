"""Computes the figures of one layer and of the latents."""

from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfp_glow.bijectors import introspection
from tfp_glow.diagnosis import report, walking
from tfp_glow.types import Latents


def layer(visit: walking.Visit) -> report.Layer:
    """Returns the `Layer` of a `Visit`, without its share, for which all log-dets are needed."""
    scales, mixes = _scales(visit)
    least, greatest = (None, None) if scales is None else (np.min(scales), np.max(scales))
    ratio = np.float64(greatest) / least if mixes and least is not None else None
    return report.Layer(
        path=visit.path, kind=type(visit.bijector).__name__.lstrip('_'),
        round_trip_error=round_trip_error(visit),
        least_scale=_number(least), greatest_scale=_number(greatest),
        condition_number=_number(ratio),
        log_det=log_det(visit))


def round_trip_error(visit: walking.Visit) -> float:
    """Returns max |forward(x) - y| / max(1, max |y|), x = inverse(y).

    The error is infinite where `forward` gives up.
    """
    latents = tf.nest.map_structure(tf.identity, visit.x)  # No cache knows these tensors.
    try:
        again = visit.bijector.forward(latents, **visit.kwargs)
    except tf.errors.InvalidArgumentError:  # For example, a search does not converge.
        return float('inf')
    error = np.max(np.abs(np.subtract(again, visit.y)))
    return float(error / np.maximum(1, np.max(np.abs(visit.y))))


def log_det(visit: walking.Visit) -> float:
    """Returns the mean log-det over the batch, in nats."""
    return float(np.mean(visit.log_det))


def levels(flow: tfd.Distribution, latents: Latents) -> tuple[report.Level, ...]:
    """Returns the `Level`s of the latents of a batch, each in units of the flow's base."""
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


def _standardised(z: tf.Tensor, part: Any) -> tf.Tensor:
    try:
        return (z - part.mean()) / part.stddev()
    except (AttributeError, NotImplementedError):
        return z  # The part is no distribution by itself, or it does not know these figures.


def _scales(visit: walking.Visit) -> tuple[np.ndarray | None, bool]:
    """Returns `(scales, mixes)` of a layer.

    `scales` are what the layer multiplies with, or None. `mixes` says whether it mixes dimensions.
    """
    singular_values = introspection.singular_values(visit.bijector)
    if singular_values is not None:
        return np.asarray(singular_values, np.float64), True
    log_slopes = introspection.log_slopes(visit.bijector, visit.y, visit.condition)
    return None if log_slopes is None else np.exp(np.asarray(log_slopes, np.float64)), False


def _number(value: Any) -> float | None:
    return None if value is None else float(value)
