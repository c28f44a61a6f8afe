"""Rational-quadratic splines from unconstrained parameters, also as inner transforms."""

import math
from typing import Any

import tensorflow as tf

from tfp_glow.bijectors import affine, base, checks
from tfp_glow.bijectors.types import Evaluation
from tfp_glow.internal import tfp_compat
from tfp_glow.types import DType, TensorLike


class Spline(base.OnePassBijector):
    """A monotone spline on [-bound, bound], the identity outside; elementwise.

    ```none
    inverse(y) = spline(y)        forward(x) = spline^-1(x)
    log|d inverse / dy| = log spline'(y)
    ```

    Both directions are in closed form, as in `tfb.RationalQuadraticSpline`, whose value and log-det
    would each look up the knots anew. The knots are

    ```none
    widths = 2 bound (min_bin + (1 - K min_bin) softmax(raw[..., :K]))       heights likewise
    slopes = min_slope + softplus(raw[..., 2K:] + c)      with c such that raw = 0 has slope 1
    ```

    with slope 1 at both ends, so that the spline is smooth there and raw = 0 gives the identity.
    The least bin and the least slope bound the factors of either direction.

    Args:
        raw: The parameters, `[..., 3 K - 1]`, a tensor or a `tf.Variable`, whose leading dimensions
            broadcast with those of the input: K widths, K heights and the K - 1 inner slopes.
        bound: The point where the spline ends, a positive number.
        min_bin: The least width and height of a bin, as a fraction of 2 bound.
        min_slope: The least slope at a knot.
        validate_args: Whether to check values as well, also in graphs; see `OnePassBijector`.
        name: The name of the bijector.

    Raises:
        ValueError: If the last axis of raw is not 3 K - 1 with K >= 2, or `bound` is not positive;
            unless 0 < min_bin < 1 / K and 0 < min_slope < 1.

    #### References
    Durkan et al., *Neural Spline Flows*, 2019, arXiv:1906.04032, section 3.1.

    ```python
    >>> import tensorflow as tf, tfp_glow
    >>> spline = tfp_glow.bijectors.Spline(raw=tf.zeros([5]), bound=1.)
    >>> spline.forward([0.25, 7.]).numpy()
    array([0.25, 7.  ], dtype=float32)

    ```
    """

    def __init__(self, raw: TensorLike, bound: float = 3., min_bin: float = 1e-2,
                 min_slope: float = 1e-2, validate_args: bool = False, name: str = 'spline',
                 ) -> None:
        parameters = dict(locals())
        with tf.name_scope(name):
            self._raw, = checks.floats(raw=raw)
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
    def _parameter_properties(cls, dtype: DType | None, num_classes: int | None = None,
                              ) -> dict[str, tfp_compat.ParameterProperties]:
        return {'raw': tfp_compat.ParameterProperties(event_ndims=1)}

    def _forward_and_log_det(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        value, log_slope = self._inside(x, self._solved)
        return value, -log_slope

    def _inverse_and_log_det(self, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return self._inside(y, self._evaluated)

    def _inside(self, value: tf.Tensor, function: Evaluation) -> tuple[tf.Tensor, tf.Tensor]:
        # Far outside, the formulas may overflow, and the gradient of what `where` drops is NaN.
        inside = tf.abs(value) < self._bound
        answer, log_slope = function(tf.where(inside, value, tf.zeros_like(value)))
        return tf.where(inside, answer, value), tf.where(inside, log_slope, tf.zeros_like(value))

    def _evaluated(self, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the spline and the log of its slope at y, equations 4 and 5 of the paper."""
        bins = self._bins_by_name()
        b = _pick_bin(bins, _mask_bin(y, bins['left']))
        at = (y - b['left']) / b['width']
        ratio = b['height'] / b['width']
        value = b['height'] * (ratio * at**2 + b['first'] * at * (1 - at)) / _divisor(b, ratio, at)
        return b['bottom'] + value, _log_slope(b, ratio, at)

    def _solved(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the y at which the spline is x, and the log of its slope there.

        These are equations 6 to 8 of the paper.
        """
        bins = self._bins_by_name()
        b = _pick_bin(bins, _mask_bin(x, bins['bottom']))
        ratio, above = b['height'] / b['width'], x - b['bottom']
        bend = above * (b['first'] + b['last'] - 2 * ratio)
        a = b['height'] * (ratio - b['first']) + bend
        minus_b = bend - b['height'] * b['first']
        minus_c = ratio * above
        # No like numbers are subtracted here, because minus_b is negative.
        at = 2 * minus_c / (tf.sqrt(minus_b**2 + 4 * a * minus_c) - minus_b)
        return b['left'] + at * b['width'], _log_slope(b, ratio, at)

    def _bins_by_name(self) -> dict[str, tf.Tensor]:
        """Returns, by name, where the bins begin, their sizes, and the slopes at their ends.

        Each has the shape `[..., K]`.
        """
        widths, heights, slopes = tf.split(
            tf.convert_to_tensor(self._raw), [self._bins, self._bins, self._bins - 1], -1)
        widths, heights = self._sizes(widths), self._sizes(heights)
        offset = math.log(math.expm1(1 - self._min_slope))
        slopes = self._min_slope + tf.math.softplus(slopes + offset)
        end = tf.ones_like(slopes[..., :1])
        return {'left': tf.cumsum(widths, -1, exclusive=True) - self._bound, 'width': widths,
                'bottom': tf.cumsum(heights, -1, exclusive=True) - self._bound, 'height': heights,
                'first': tf.concat([end, slopes], -1), 'last': tf.concat([slopes, end], -1)}

    def _sizes(self, raw: tf.Tensor) -> tf.Tensor:
        free = 1 - self._bins * self._min_bin
        return 2 * self._bound * (self._min_bin + free * tf.nn.softmax(raw))


class SplineInner:
    """The inner transform of a `Coupling` that is a `Spline` of each channel.

    Each channel takes 3 * bins - 1 outputs of the network. A network whose last layer starts at
    zero starts with the identity.

    Args:
        bins: K, at least 2.
        bound: See `Spline`. Values beyond the bound stay as they are, so that an `ActNorm` before
            the coupling should bring the data within it.
        min_bin: See `Spline`.
        min_slope: See `Spline`.

    Raises:
        ValueError: See `Spline`.
    """

    def __init__(self, bins: int = 8, bound: float = 3., min_bin: float = 1e-2,
                 min_slope: float = 1e-2) -> None:
        if bins < 2:
            raise ValueError(f'bins must be at least 2; got {bins=}.')
        _check(bins, bound, min_bin, min_slope)
        self.outputs_per_channel = 3 * bins - 1
        self._options: dict[str, Any] = {'bound': bound, 'min_bin': min_bin, 'min_slope': min_slope}

    def __call__(self, raw: tf.Tensor) -> Spline:
        return Spline(affine.per_channel(raw, self.outputs_per_channel), **self._options)


def _mask_bin(value: tf.Tensor, begins: tf.Tensor) -> tf.Tensor:
    """Returns True for the bin in which the value lies, `[..., K]`."""
    index = tf.reduce_sum(tf.cast(value[..., tf.newaxis] >= begins[..., 1:], tf.int32), -1)
    return tf.one_hot(index, begins.shape[-1], True, False, dtype=tf.bool)


def _pick_bin(bins: dict[str, tf.Tensor], is_bin: tf.Tensor) -> dict[str, tf.Tensor]:
    """Returns, by name, the entry of the bin in which each value lies."""
    zero = tf.zeros([], bins['left'].dtype)
    return {name: tf.reduce_sum(tf.where(is_bin, entries, zero), -1)
            for name, entries in bins.items()}


def _divisor(b: dict[str, tf.Tensor], ratio: tf.Tensor, at: tf.Tensor) -> tf.Tensor:
    return ratio + (b['first'] + b['last'] - 2 * ratio) * at * (1 - at)


def _log_slope(b: dict[str, tf.Tensor], ratio: tf.Tensor, at: tf.Tensor) -> tf.Tensor:
    slopes = b['last'] * at**2 + 2 * ratio * at * (1 - at) + b['first'] * (1 - at)**2
    return 2 * tf.math.log(ratio) + tf.math.log(slopes) - 2 * tf.math.log(_divisor(b, ratio, at))


def _check(bins: int, bound: float, min_bin: float, min_slope: float) -> None:
    if bound <= 0:
        raise ValueError(f'bound must be positive; got {bound=}.')
    if not 0 < min_bin < 1 / bins:
        raise ValueError(f'min_bin must be between 0 and 1 / {bins}; got {min_bin=}.')
    if not 0 < min_slope < 1:
        raise ValueError(f'min_slope must be between 0 and 1; got {min_slope=}.')
