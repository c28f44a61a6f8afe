"""What is under test: a bijector with data, and the comparisons all checks share."""

import numpy as np
import tensorflow as tf


class Subject:
    """A bijector, data `y [n, ...]`, and the latents `x` and log-dets that belong to them.

    `inverse` and `forward` return value and log-det per event, as a user would ask for them.
    """

    def __init__(self, bijector, y, condition=None, tolerance=None):
        self.bijector, self.y, self.condition = bijector, y, condition
        self.variables = bijector.trainable_variables
        self.ndims = y.shape.rank - 1
        self.latent_ndims = tf.nest.map_structure(
            lambda n: n + self.ndims - bijector.inverse_min_event_ndims,
            bijector.forward_min_event_ndims)
        self.tolerance = tolerance or (1e-8 if y.dtype == tf.float64 else 2e-3)
        self.x, self.ildj = self.inverse(y)

    def inverse(self, y, condition=None):
        """`(x, log|det dx/dy|)` under `condition`, by default the subject's."""
        return self._pair('inverse', y, self.ndims, condition)

    def forward(self, x, condition=None):
        """`(y, log|det dy/dx|)` under `condition`, by default the subject's."""
        return self._pair('forward', x, self.latent_ndims, condition)

    def directions(self):
        """`(name, function, value)` of both."""
        return ('inverse', self.inverse, self.y), ('forward', self.forward, self.x)

    def condition_kwargs(self, condition=None):
        """The keyword arguments of the bijector's methods."""
        condition = self.condition if condition is None else condition
        return {} if condition is None else {'condition': condition}

    def _pair(self, direction, value, ndims, condition):
        given = self.condition_kwargs(condition)
        log_det = getattr(self.bijector, f'{direction}_log_det_jacobian')(
            value, event_ndims=ndims, **given)
        return (getattr(self.bijector, direction)(value, **given),
                _per_event(log_det, value, ndims, direction))

    def is_new(self, answer):
        """Whether `answer`, an inverse with its log-det, is another than that of the data."""
        return any(not np.allclose(a, e) for a, e in zip(
            tf.nest.flatten(answer), tf.nest.flatten((self.x, self.ildj)), strict=True))

    def close(self, what, actual, expected, tolerance=None):
        """Raises unless the structures' tensors are equal to many digits."""
        tolerance = tolerance or self.tolerance
        for a, e in zip(tf.nest.flatten(actual), tf.nest.flatten(expected), strict=True):
            check(np.shape(a) == np.shape(e),
                  f'{what}: the shape must be {np.shape(e)}; got {np.shape(a)}.')
            np.testing.assert_allclose(a, e, tolerance, tolerance, err_msg=what)


def check(holds, message):
    """Raises an `AssertionError` with `message` unless `holds`."""
    if not holds:
        raise AssertionError(message)


def map_condition(function, condition):
    """`function` of each tensor of a condition, or None if there is none."""
    return None if condition is None else tf.nest.map_structure(function, condition)


def uncached(structure):
    """Equal tensors that no cache has seen."""
    return tf.nest.map_structure(tf.identity, structure)


def assign(variables, values):
    """Assigns each of `values` to its variable."""
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def _per_event(log_det, value, event_ndims, direction):
    """`log_det` with all leading dimensions of `value`, which TFP may leave to broadcasting."""
    part, ndims = tf.nest.flatten(value)[0], tf.nest.flatten(event_ndims)[0]
    batch_ndims = part.shape.rank - ndims
    check((log_det.shape.rank or 0) <= batch_ndims,
          f'the {direction} log-det must be one number per event; got shape={log_det.shape} '
          f'for an input of shape={part.shape}.')
    return tf.broadcast_to(log_det, tf.shape(part)[:batch_ndims])
