"""Checks what a bijector tells of itself as a layer by its Jacobian and its inverse."""

from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow_probability import bijectors as tfb

from tfp_glow.bijectors import conditions, introspection
from tfp_glow.testing.subject import Subject, check, map_condition, uncached


def check_slopes(subject: Subject, jacobian: np.ndarray) -> None:
    """Checks `log_slopes` and `singular_values` by the Jacobian of the inverse at the first row."""
    first, condition = uncached(subject.y[:1]), map_condition(lambda c: c[:1], subject.condition)
    log_slopes = introspection.log_slopes(subject.bijector, first, condition)
    if log_slopes is not None:
        _check_diagonal(subject, np.ravel(log_slopes), np.log(np.abs(np.diagonal(jacobian))))
    singular_values = introspection.singular_values(subject.bijector)
    if singular_values is not None:
        _check_singular_values(subject, np.asarray(singular_values), jacobian)


def _check_diagonal(subject: Subject, log_slopes: np.ndarray, diagonal: np.ndarray) -> None:
    """Checks slopes that come in any order; those that are left out must be of 1."""
    check(log_slopes.size <= diagonal.size,
          f'log_slopes must be at most one number per entry, {diagonal.size} an event; '
          f'got {log_slopes.size}.')
    padded = np.concatenate([log_slopes, np.zeros(diagonal.size - log_slopes.size)])
    subject.close("log_slopes must be those of the Jacobian's diagonal.",
                  np.sort(padded), np.sort(diagonal))


def _check_singular_values(subject: Subject, values: np.ndarray, jacobian: np.ndarray) -> None:
    check(values.ndim == 1 and len(jacobian) % values.size == 0,
          f'singular_values must be one for each of the {len(jacobian)} entries, or for each '
          f'channel; got shape={values.shape}.')
    # If the values are those of channels, the map is the same at each pixel.
    repeated = np.repeat(values, len(jacobian) // values.size)
    subject.close('singular_values must be those of the Jacobian.',
                  np.sort(repeated), np.sort(np.linalg.svd(jacobian, compute_uv=False)))


def check_parts(subject: Subject) -> None:
    """Checks that the parts of a container, visited one after the other, make up its inverse."""
    def visit(name: str, part: tfb.Bijector, value: Any) -> Any:
        check(isinstance(name, str), f'visit must be told a name; got {name!r}.')
        kwargs = conditions.condition_kwargs(part, subject.condition)
        return part.inverse(tf.nest.map_structure(tf.identity, value), **kwargs)
    latents = introspection.visit_parts(subject.bijector, uncached(subject.y), visit)
    if latents is not None:
        subject.close('what visit_parts returns must be the inverse.', latents, subject.x)
