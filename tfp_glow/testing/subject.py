"""Defines what is under test, a bijector with data, and the comparisons that all checks share."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow_probability import bijectors as tfb

from tfp_glow.types import Condition

# This is a function of a value and a condition that returns value and log-det.
Evaluation = Callable[..., tuple[Any, tf.Tensor]]


class Subject:
    """Holds a bijector, data `y [n, ...]`, and the latents `x` and log-dets that belong to them.

    `inverse` and `forward` return value and log-det per event, as a user would ask for them.
    """

    def __init__(self, bijector: tfb.Bijector, y: tf.Tensor, condition: Condition = None,
                 tolerance: float | None = None) -> None:
        self.bijector, self.y, self.condition = bijector, y, condition
        self.variables = bijector.trainable_variables
        self.ndims = y.shape.rank - 1
        self.latent_ndims = tf.nest.map_structure(
            lambda n: n + self.ndims - bijector.inverse_min_event_ndims,
            bijector.forward_min_event_ndims)
        self.tolerance = tolerance or (1e-8 if y.dtype == tf.float64 else 2e-3)
        self.x, self.ildj = self.inverse(y)

    def inverse(self, y: tf.Tensor, condition: Condition = None) -> tuple[Any, tf.Tensor]:
        """Returns `(x, log|det dx/dy|)` under `condition`, by default the subject's."""
        return self._pair('inverse', y, self.ndims, condition)

    def forward(self, x: Any, condition: Condition = None) -> tuple[Any, tf.Tensor]:
        """Returns `(y, log|det dy/dx|)` under `condition`, by default the subject's."""
        return self._pair('forward', x, self.latent_ndims, condition)

    def directions(self) -> tuple[tuple[str, Evaluation, Any], tuple[str, Evaluation, Any]]:
        """Returns `(name, function, value)` of both directions."""
        return ('inverse', self.inverse, self.y), ('forward', self.forward, self.x)

    def condition_kwargs(self, condition: Condition = None) -> dict[str, Any]:
        """Returns the keyword arguments of the bijector's methods."""
        condition = self.condition if condition is None else condition
        return {} if condition is None else {'condition': condition}

    def _pair(self, direction: str, value: Any, ndims: Any,
              condition: Condition) -> tuple[Any, tf.Tensor]:
        given = self.condition_kwargs(condition)
        log_det = getattr(self.bijector, f'{direction}_log_det_jacobian')(
            value, event_ndims=ndims, **given)
        return (getattr(self.bijector, direction)(value, **given),
                _per_event(log_det, value, ndims, direction))

    def is_new(self, answer: Any) -> bool:
        """Returns whether `answer`, an inverse with its log-det, is not that of the data."""
        return any(not np.allclose(a, e) for a, e in zip(
            tf.nest.flatten(answer), tf.nest.flatten((self.x, self.ildj)), strict=True))

    def close(self, what: str, actual: Any, expected: Any, tolerance: float | None = None) -> None:
        """Raises an `AssertionError` unless the tensors of both structures agree to many digits."""
        tolerance = tolerance or self.tolerance
        for a, e in zip(tf.nest.flatten(actual), tf.nest.flatten(expected), strict=True):
            check(np.shape(a) == np.shape(e),
                  f'{what}: the shape must be {np.shape(e)}; got {np.shape(a)}.')
            np.testing.assert_allclose(a, e, tolerance, tolerance, err_msg=what)


def check(holds: Any, message: str) -> None:
    """Raises an `AssertionError` with `message` unless `holds`."""
    if not holds:
        raise AssertionError(message)


def map_condition(function: Callable[..., Any], condition: Condition) -> Condition:
    """Returns `function` of each tensor of a condition, or None if there is none."""
    return None if condition is None else tf.nest.map_structure(function, condition)


def uncached(structure: Any) -> Any:
    """Returns equal tensors that no cache has seen."""
    return tf.nest.map_structure(tf.identity, structure)


def assign(variables: Iterable[tf.Variable], values: Iterable[Any]) -> None:
    """Assigns each of `values` to its variable."""
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def _per_event(log_det: tf.Tensor, value: Any, event_ndims: Any, direction: str) -> tf.Tensor:
    """Returns `log_det` with all leading dimensions of `value`.

    TFP may leave these dimensions to broadcasting.
    """
    part, ndims = tf.nest.flatten(value)[0], tf.nest.flatten(event_ndims)[0]
    batch_ndims = part.shape.rank - ndims
    check((log_det.shape.rank or 0) <= batch_ndims,
          f'the {direction} log-det must be one number per event; got shape={log_det.shape} '
          f'for an input of shape={part.shape}.')
    return tf.broadcast_to(log_det, tf.shape(part)[:batch_ndims])
