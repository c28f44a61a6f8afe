"""What distributions over integers that are held as floats share: their ends and their checks."""

import math
from typing import Any

import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfp_glow.internal import tfp_compat
from tfp_glow.types import DType, Seed, TensorLike


class GridDistribution(tfd.Distribution):
    """A distribution of an integer, held as a float, from `low` to `high` where they are given.

    A subclass writes `log_mass(k)`, `_cdf_inside(k)` and `_survival_inside(k)`, which need to hold
    for low <= k < high only, and `_unclipped_sample(n, seed)`.

    Args:
        dtype: The dtype of the parameters and of the values.
        low, high: Integers with low < high, or tensors of them; both or None.
        validate_args: Whether to check that values are integers.
        parameters: The arguments from which the subclass was built.
        name: The name of the distribution.

    Raises:
        ValueError: If one of `low` and `high` is given without the other, or if low < high does not
            hold where that is known.
    """

    def __init__(self, dtype: DType, low: TensorLike | None, high: TensorLike | None,
                 validate_args: bool, parameters: dict[str, Any], name: str) -> None:
        if (low is None) != (high is None):
            raise ValueError(f'low and high must be given together; got {low=}, {high=}.')
        self._low: tf.Tensor | None = None
        self._high: tf.Tensor | None = None
        if low is not None:
            self._low, self._high = (tf.cast(tf.convert_to_tensor(v), dtype) for v in (low, high))
            known = tf.get_static_value(self._low < self._high)
            if known is not None and not known.all():
                raise ValueError(f'low must be less than high; got {low=}, {high=}.')
        super().__init__(
            dtype=dtype, reparameterization_type=tfd.NOT_REPARAMETERIZED,
            validate_args=validate_args, allow_nan_stats=True, parameters=parameters, name=name)

    @property
    def low(self) -> tf.Tensor | None:
        """The least integer, to which the lower tail is added, or None."""
        return self._low

    @property
    def high(self) -> tf.Tensor | None:
        """The greatest integer, to which the upper tail is added, or None."""
        return self._high

    def log_mass(self, k: tf.Tensor) -> tf.Tensor:
        """Returns log P(k) in nats, as `log_prob` for integers k that lie between the ends."""
        raise NotImplementedError(f'{type(self).__name__} must write log_mass.')

    def _log_prob(self, k: tf.Tensor) -> tf.Tensor:
        k = tf.cast(k, self.dtype)
        if self._low is None:
            return self.log_mass(k)
        # Beyond the ends the mass is computed at the end, so that gradients are not NaN.
        inside = (k >= self._low) & (k <= self._high)
        return tf.where(inside, self.log_mass(self._clipped(k)),
                        tf.constant(-math.inf, self.dtype))

    def _cdf(self, k: tf.Tensor) -> tf.Tensor:
        k = tf.floor(tf.cast(k, self.dtype))
        return self._with_ends(k, self._cdf_inside(k), 0., 1.)

    def _survival_function(self, k: tf.Tensor) -> tf.Tensor:
        k = tf.floor(tf.cast(k, self.dtype))
        return self._with_ends(k, self._survival_inside(k), 1., 0.)

    def _sample_n(self, n: int | tf.Tensor, seed: Seed | None = None) -> tf.Tensor:
        return self._clipped(tf.round(self._unclipped_sample(n, seed)))

    def _mean_between_ends(self) -> tf.Tensor:
        """Returns E[X] = low + the sum of P(X > k) over k = low .. high - 1."""
        low, high = self._low, self._high
        if low is None or high is None:
            raise ValueError(f'low and high must be given to have a mean between them; '
                             f'got {low=}, {high=}.')

        def add(i: tf.Tensor, total: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            above = self._survival_inside(low + i)
            return i + 1, total + tf.where(low + i < high, above, tf.zeros_like(above))
        start = tf.ensure_shape(
            tf.broadcast_to(low, self.batch_shape_tensor()), self.batch_shape)
        count = tf.reduce_max(high - low)
        return tf.while_loop(
            lambda i, _: i < count, add, (tf.zeros([], self.dtype), start))[1]

    def _clipped(self, k: tf.Tensor) -> tf.Tensor:
        return k if self._low is None else tf.clip_by_value(k, self._low, self._high)

    def _with_ends(self, k: tf.Tensor, value: tf.Tensor, below: float,
                   from_high: float) -> tf.Tensor:
        """Returns `value`, but `below` for k < low and `from_high` for k >= high."""
        if self._low is None:
            return value
        below, from_high = (tf.constant(v, self.dtype) for v in (below, from_high))
        return tf.where(k < self._low, below, tf.where(k < self._high, value, from_high))

    def _event_shape(self) -> tf.TensorShape:
        return tf.TensorShape([])

    def _event_shape_tensor(self) -> tf.Tensor:
        return tf.constant([], tf.int32)

    def _sample_control_dependencies(self, k: tf.Tensor) -> list[tf.Operation]:
        if not self.validate_args:
            return []
        k = tf.cast(k, self.dtype)
        return [tf.debugging.assert_equal(k, tf.floor(k), f'{self.name}: values must be integers.')]


class LocScaleDistribution(GridDistribution):
    """A `GridDistribution` that rounds a continuous variable with a location and a scale.

    Args:
        loc, scale: Floating tensors or variables of one dtype, in units of the grid.
        low, high, validate_args, parameters, name: See `GridDistribution`.

    Raises:
        ValueError: As for `GridDistribution` and `floats`.
    """

    def __init__(self, loc: TensorLike, scale: TensorLike, low: TensorLike | None,
                 high: TensorLike | None, validate_args: bool, parameters: dict[str, Any],
                 name: str) -> None:
        with tf.name_scope(name) as name:
            self._loc, self._scale = floats(loc=loc, scale=scale)
            super().__init__(self._loc.dtype, low, high, validate_args, parameters, name)

    @classmethod
    def _parameter_properties(cls, dtype: DType, num_classes: int | None = None) -> dict[str, Any]:
        return {key: tfp_compat.ParameterProperties() for key in ('loc', 'scale', 'low', 'high')}

    @property
    def loc(self) -> tf.Tensor | tf.Variable:
        """The middle of the continuous variable."""
        return self._loc

    @property
    def scale(self) -> tf.Tensor | tf.Variable:
        """The scale of the continuous variable."""
        return self._scale

    def _scaled(self, t: tf.Tensor) -> tf.Tensor:
        """Returns the distance of t from loc, in scales."""
        return (t - self._loc) / self._scale

    def _parameter_control_dependencies(self, is_init: bool) -> list[tf.Operation]:
        return check_scale(self, self._scale, is_init)


def floats(**values: TensorLike) -> list[tf.Tensor | tf.Variable]:
    """Returns the values in order: variables as they are, Python's numbers as float32 tensors.

    Raises:
        ValueError: If the values do not have one floating dtype.
    """
    dtypes = {tf.as_dtype(v.dtype) for v in values.values() if hasattr(v, 'dtype')} or {tf.float32}
    if len(dtypes) > 1 or not all(dtype.is_floating for dtype in dtypes):
        listed = ', '.join(sorted(dtype.name for dtype in dtypes))
        raise ValueError(f'{", ".join(values)} must have one floating dtype; got {listed}.')
    return [v if isinstance(v, tf.Variable) else tf.convert_to_tensor(v, *dtypes, name=name)
            for name, v in values.items()]


def check_scale(distribution: tfd.Distribution, scale: tf.Tensor | tf.Variable,
                is_init: bool) -> list[tf.Operation]:
    """Returns TFP's assertions that `scale` is positive, if `distribution` validates."""
    if not distribution.validate_args or is_init == isinstance(scale, tf.Variable):
        return []
    return [tf.debugging.assert_positive(
        scale, f'scale of {distribution.name} must be positive.')]
