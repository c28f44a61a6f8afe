"""Elementwise inner transforms of a coupling: additive and affine."""

import tensorflow as tf

from tfp_glow.bijectors import base, scale_maps
from tfp_glow.internal import tfp_compat


class ShiftScale(base.OnePassBijector):
    """Shifts, then scales, in the direction data -> latent, as Glow's coupling does; elementwise.

    ```none
    inverse(y) = (y + shift) * exp(log_scale)
    forward(x) = x * exp(-log_scale) - shift
    log|d inverse / dy| = log_scale
    ```

    Args:
      shift: tensor that broadcasts with the input.
      log_scale: tensor that broadcasts with the input, or None for a pure shift.
      name: name of the bijector.

    ```python
    >>> import tfp_glow
    >>> float(tfp_glow.bijectors.ShiftScale(shift=1., log_scale=0.).inverse(2.))
    3.0

    ```
    """

    def __init__(self, shift, log_scale=None, name='shift_scale'):
        parameters = dict(locals())
        with tf.name_scope(name):
            self._shift = tf.convert_to_tensor(shift)
            self._log_scale = None if log_scale is None else tf.convert_to_tensor(log_scale)
            super().__init__(forward_min_event_ndims=0, dtype=self._shift.dtype,
                             parameters=parameters, name=name)

    @classmethod
    def _parameter_properties(cls, dtype, num_classes=None):
        return {'shift': tfp_compat.ParameterProperties(event_ndims=0),
                'log_scale': tfp_compat.ParameterProperties(event_ndims=0)}

    def _forward_and_log_det(self, x):
        if self._log_scale is None:
            return x - self._shift, tf.zeros_like(x)
        return x * tf.exp(-self._log_scale) - self._shift, -self._log_scale + tf.zeros_like(x)

    def _inverse_and_log_det(self, y):
        if self._log_scale is None:
            return y + self._shift, tf.zeros_like(y)
        return (y + self._shift) * tf.exp(self._log_scale), self._log_scale + tf.zeros_like(y)


class Additive:
    """Inner transform of a `Coupling`: `raw -> ShiftScale(shift=raw)`; one raw channel each."""

    outputs_per_channel = 1

    def __call__(self, raw):
        return ShiftScale(raw)


class AffineInner:
    """Inner transform of a `Coupling`: raw = [shift, s] -> `ShiftScale(shift, scale_map(s))`.

    The raw output's first half is the shift and its second half s (the reference interleaves
    them, which is the same model with its output channels reordered).

    Args:
      scale_map: `s -> log_scale`; by default `scale_maps.sigmoid()`, Glow's sigmoid(s + 2).
    """

    outputs_per_channel = 2

    def __init__(self, scale_map=None):
        self._scale_map = scale_map or scale_maps.sigmoid()

    def __call__(self, raw):
        shift, s = tf.split(raw, 2, axis=-1)
        return ShiftScale(shift, self._scale_map(s))
