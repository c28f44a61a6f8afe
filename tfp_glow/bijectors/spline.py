"""Rational-quadratic splines: TFP's, from unconstrained parameters, as a coupling's inner part."""

import math

import tensorflow as tf
from tensorflow_probability import bijectors as tfb

from tfp_glow.bijectors import affine, base, values
from tfp_glow.internal import tfp_compat


class Spline(base.OnePassBijector):
    """A monotone spline on [-bound, bound], the identity outside; elementwise.

    ```none
    inverse(y) = spline(y)        forward(x) = spline^-1(x)
    log|d inverse / dy| = log spline'(y)
    ```

    Both directions are in closed form, by `tfb.RationalQuadraticSpline`. Its knots are

    ```none
    widths = 2 bound (min_bin + (1 - K min_bin) softmax(raw[..., :K]))       heights likewise
    slopes = min_slope + softplus(raw[..., 2K:] + c)      with c such that raw = 0 has slope 1
    ```

    with slope 1 at both ends, so that it is smooth there and raw = 0 gives the identity. The least
    bin and slope bound what either direction multiplies with.

    Args:
      raw: `[..., 3 K - 1]`, tensor or `tf.Variable`, whose leading dimensions broadcast with the
        input's: K widths, K heights and the K - 1 inner slopes.
      bound: where the spline ends, a positive number.
      min_bin: least width and height of a bin, as a fraction of 2 bound.
      min_slope: least slope at a knot.
      validate_args: check values too, also in graphs; see `OnePassBijector`.
      name: name of the bijector.

    Raises:
      ValueError: raw's last axis is not 3 K - 1 with K >= 2; `bound` is not positive; unless
        0 < min_bin < 1 / K and 0 < min_slope < 1.

    #### References
    Durkan et al., *Neural Spline Flows*, 2019, arXiv:1906.04032, section 3.1.

    ```python
    >>> import tensorflow as tf, tfp_glow
    >>> spline = tfp_glow.bijectors.Spline(raw=tf.zeros([5]), bound=1.)
    >>> spline.forward([0.25, 7.]).numpy()
    array([0.25, 7.  ], dtype=float32)

    ```
    """

    def __init__(self, raw, bound=3., min_bin=1e-2, min_slope=1e-2, validate_args=False,
                 name='spline'):
        parameters = dict(locals())
        with tf.name_scope(name):
            self._raw, = values.floats(raw=raw)
            size = self._raw.shape[-1] if self._raw.shape.rank else None
            if size is None or size < 5 or size % 3 != 2:
                raise ValueError('raw must have 3 * bins - 1 entries along its last axis, of at '
                                 f'least 2 bins; got shape={self._raw.shape}.')
            self._bins = (size + 1) // 3
            _check(self._bins, bound, min_bin, min_slope)
            self._bound, self._min_bin, self._min_slope = bound, min_bin, min_slope
            super().__init__(forward_min_event_ndims=0, dtype=self._raw.dtype,
                             validate_args=validate_args, parameters=parameters, name=name)

    @classmethod
    def _parameter_properties(cls, dtype, num_classes=None):
        return {'raw': tfp_compat.ParameterProperties(event_ndims=1)}

    def _forward_and_log_det(self, x):
        spline = self._spline()
        return self._inside(x, spline.inverse, spline.inverse_log_det_jacobian)

    def _inverse_and_log_det(self, y):
        spline = self._spline()
        return self._inside(y, spline.forward, spline.forward_log_det_jacobian)

    def _inside(self, value, function, log_det):
        # Far outside TFP's formulas may overflow, and the gradient of what `where` drops is NaN.
        inside = tf.abs(value) < self._bound
        safe = tf.where(inside, value, tf.zeros_like(value))
        answers = (tf.where(inside, function(safe), value),
                   tf.where(inside, log_det(safe, event_ndims=0), tf.zeros_like(value)))
        for answer in answers:  # TFP broadcasts by dynamic shapes and forgets the static one.
            answer.set_shape(tf.broadcast_static_shape(value.shape, self._raw.shape[:-1]))
        return answers

    def _spline(self):
        widths, heights, slopes = tf.split(
            tf.convert_to_tensor(self._raw), [self._bins, self._bins, self._bins - 1], -1)
        offset = math.log(math.expm1(1 - self._min_slope))
        return tfb.RationalQuadraticSpline(
            self._sizes(widths), self._sizes(heights),
            self._min_slope + tf.math.softplus(slopes + offset), range_min=-self._bound)

    def _sizes(self, raw):
        free = 1 - self._bins * self._min_bin
        return 2 * self._bound * (self._min_bin + free * tf.nn.softmax(raw))


class SplineInner:
    """Inner transform of a `Coupling`: a `Spline` for each channel, from 3 * bins - 1 outputs each.

    A network whose last layer starts at zero starts with the identity.

    Args:
      bins: K, at least 2.
      bound, min_bin, min_slope: as in `Spline`. Values beyond the bound stay as they are, so that
        an `ActNorm` before the coupling should bring the data within.

    Raises:
      ValueError: as in `Spline`.
    """

    def __init__(self, bins=8, bound=3., min_bin=1e-2, min_slope=1e-2):
        if bins < 2:
            raise ValueError(f'bins must be at least 2; got {bins=}.')
        _check(bins, bound, min_bin, min_slope)
        self.outputs_per_channel = 3 * bins - 1
        self._options = {'bound': bound, 'min_bin': min_bin, 'min_slope': min_slope}

    def __call__(self, raw):
        return Spline(affine.per_channel(raw, self.outputs_per_channel), **self._options)


def _check(bins, bound, min_bin, min_slope):
    if bound <= 0:
        raise ValueError(f'bound must be positive; got {bound=}.')
    if not 0 < min_bin < 1 / bins:
        raise ValueError(f'min_bin must be between 0 and 1 / {bins}; got {min_bin=}.')
    if not 0 < min_slope < 1:
        raise ValueError(f'min_slope must be between 0 and 1; got {min_slope=}.')
