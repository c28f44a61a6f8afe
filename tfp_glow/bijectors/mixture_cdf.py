"""Mixtures of logistics as elementwise bijectors: the logit of their CDF, as in Flow++."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability import bijectors as tfb

from tfp_glow.bijectors import affine, base, checks, parts, scale_maps
from tfp_glow.bijectors.types import ScaleMap
from tfp_glow.internal import tfp_compat
from tfp_glow.types import DType, TensorLike

_TOLERANCE = 1e-6  # The error of the inverse, relative to 1 + |value|.


class MixtureLogisticCDF(base.OnePassBijector):
    """The logit of a mixture of logistics' CDF, in the direction data -> latent; elementwise.

    ```none
    inverse(y) = logit F(y)     with F(y) = sum_k softmax(logits)_k sigmoid((y - mean_k) / scale_k)
    log|d inverse / dy| = log F'(y) - log F(y) - log(1 - F(y))
    ```

    All of it is computed from log F and log(1 - F), so that both tails hold in float32. `forward`
    has no closed form. It searches the root between those of the single components by
    Chandrupatla's method, `tfp.math.find_root_chandrupatla`: bisection, or inverse quadratic
    interpolation where that is safe. One Newton step follows. The result is right to 1e-6 (1 +
    |y|). Where F is so flat that it does not determine y to that precision, the logit of the result
    is right to 1e-6 (1 + |x|). float64 gives more. If the search ends before it reaches this
    precision, eager mode and `tf.function` raise; under XLA, which drops the check, the entry is
    NaN. Gradients of `forward` are those of the implicit function theorem, of first order.

    Args:
        logits: The logits of the weights, a `[..., K]` tensor or `tf.Variable`, whose leading
            dimensions broadcast with those of the input.
        means: The means of the components, likewise.
        log_scales: The log-scales of the components, likewise.
        max_iterations: The greatest number of iterations of the search.
        validate_args: Whether to check values as well, also in graphs; see `OnePassBijector`.
        name: The name of the bijector.

    Raises:
        ValueError: If the parameters have no components, different numbers of components, or more
            than one dtype, or if `max_iterations` is not positive.
        tf.errors.InvalidArgumentError: If the search did not converge.

    #### References
    Ho et al., *Flow++*, 2019, arXiv:1902.00275, section 3.2.

    ```python
    >>> import tfp_glow
    >>> mixture = tfp_glow.bijectors.MixtureLogisticCDF(
    ...     logits=[0., 0.], means=[-1., 1.], log_scales=[0., 0.])
    >>> print(f'{mixture.inverse(1.):.4f} {mixture.inverse(100.):.4f}')
    0.8020 99.5662
    >>> print(f'{mixture.forward(99.5662):.4f}')
    100.0000

    ```
    """

    def __init__(self, logits: TensorLike, means: TensorLike, log_scales: TensorLike,
                 max_iterations: int = 100, validate_args: bool = False,
                 name: str = 'mixture_logistic_cdf') -> None:
        parameters = dict(locals())
        if max_iterations < 1:
            raise ValueError(f'max_iterations must be positive; got {max_iterations=}.')
        with tf.name_scope(name):
            self._logits, self._means, self._log_scales = checks.floats(
                logits=logits, means=means, log_scales=log_scales)
            self._max_iterations = max_iterations
            shapes = [p.shape for p in (self._logits, self._means, self._log_scales)]
            if any(s.rank == 0 for s in shapes) or len({s[-1] for s in shapes} - {None}) > 1:
                raise ValueError('logits, means and log_scales must have one entry for each '
                                 f'component along their last axes; got shapes={shapes}.')
            super().__init__(forward_min_event_ndims=0, dtype=self._means.dtype,
                             validate_args=validate_args, parameters=parameters, name=name)

    @classmethod
    def _parameter_properties(cls, dtype: DType | None, num_classes: int | None = None,
                              ) -> dict[str, tfp_compat.ParameterProperties]:
        return {name: tfp_compat.ParameterProperties(event_ndims=1)
                for name in ('logits', 'means', 'log_scales')}

    def _inverse_and_log_det(self, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return _logit_and_log_slope(y, self._mixture())

    def _forward_and_log_det(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        mixture = self._mixture()
        start = self._search(tf.stop_gradient(x), [tf.stop_gradient(p) for p in mixture])
        logit, log_slope = _logit_and_log_slope(start, mixture)
        # If the slope underflows, its reciprocal must not overflow.
        slope = tf.stop_gradient(tf.maximum(tf.exp(log_slope), _limits(x).tiny))
        residual = logit - x
        error, size = tf.stop_gradient(residual), 1 + tf.abs(start)
        close = tf.abs(error / slope) <= _TOLERANCE * size
        solved = tf.abs(error) <= _TOLERANCE * (1 + tf.abs(x))
        ends = _epsilon(x) * size
        polished = start - tf.clip_by_value(error / slope, -ends, ends)
        failed = ~(close | solved | tf.math.is_nan(error))
        check = tf.debugging.assert_equal(
            tf.reduce_any(failed), False, f'{self.name}: the inverse of the mixture CDF did not '
            f'converge to {_TOLERANCE} in {self._max_iterations} iterations.')
        with tf.control_dependencies([check] if check is not None else []):
            polished = tf.where(failed, tf.constant(np.nan, x.dtype), polished)
        # What is subtracted is zero, but its gradient is that of the root.
        y = polished - (residual - error) / slope
        return y, -_logit_and_log_slope(y, mixture)[1]

    def _mixture(self) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Returns log-weights, means and log-scales."""
        logits, means, log_scales = map(
            tf.convert_to_tensor, (self._logits, self._means, self._log_scales))
        return tf.nn.log_softmax(logits), means, log_scales

    def _search(self, x: tf.Tensor, mixture: Sequence[tf.Tensor]) -> tf.Tensor:
        _, means, log_scales = mixture
        # These are the roots of each component alone.
        roots = means + tf.exp(log_scales) * x[..., tf.newaxis]
        low, high = tf.reduce_min(roots, -1), tf.reduce_max(roots, -1)
        margin = _epsilon(x) * (1 + tf.maximum(tf.abs(low), tf.abs(high)))
        solution = tfp.math.find_root_chandrupatla(
            lambda y: _logit_and_log_slope(y, mixture)[0] - x, low - margin, high + margin,
            position_tolerance=_epsilon(x), max_iterations=self._max_iterations)
        solution.estimated_root.set_shape(low.shape)
        return tf.stop_gradient(solution.estimated_root)


class MixtureCDFInner(tf.Module):
    """Flow++'s inner transform of a `Coupling`, from 2 + 3 * components outputs per channel.

    ```none
    inverse(y) = (logit F(y) + shift) * exp(scale_map(s))
    ```

    where the network's output holds, in this order, shift, s, and of each component a logit, a mean
    and a log-scale, see `MixtureLogisticCDF`. The log-scales are bounded to +-7, softly. At raw = 0
    the components have scale 1, and evenly spaced means with mean 0 and standard deviation 0.4. If
    they were equal, a network whose last layer starts at zero would keep them equal. If they were
    much further apart, deep flows would lose their data before they learn: the slope at 0 is about
    1 - variance / 4, which is 0.96 here, and 0.08 after 64 steps. With means at -1 and 1 it would
    be 0.79, and 2e-7 after 64 steps, from which float32 cannot rebuild the data.

    Args:
        components: K, the number of logistics.
        scale_map: The map `s -> log_scale`; by default `scale_maps.clamped_exp(2.)`.

    Raises:
        ValueError: If `components` is not positive.

    #### References
    Ho et al., *Flow++*, 2019, arXiv:1902.00275, section 3.2.
    """

    def __init__(self, components: int = 8, scale_map: ScaleMap | None = None) -> None:
        super().__init__()
        if components < 1:
            raise ValueError(f'components must be positive; got {components=}.')
        self.outputs_per_channel = 2 + 3 * components
        self._components = components
        self._scale_map = scale_map or scale_maps.clamped_exp(2.)

    def __call__(self, raw: tf.Tensor) -> '_Then':
        k = self._components
        shift, s, logits, means, log_scales = tf.split(
            affine.per_channel(raw, self.outputs_per_channel), [1, 1, k, k, k], -1)
        mixture = MixtureLogisticCDF(
            logits, means + tf.constant(_offsets(k), raw.dtype),
            scale_maps.exponential(bound=7.)(log_scales))
        return _Then(mixture, affine.ShiftScale(shift[..., 0], self._scale_map(s[..., 0])))


class _Then(base.OnePassBijector):
    """Two elementwise bijectors, of which the first is nearer to the data."""

    def __init__(self, first: tfb.Bijector, second: tfb.Bijector, name: str = 'then') -> None:
        parameters = dict(locals())
        self._first, self._second = first, second
        super().__init__(forward_min_event_ndims=0, dtype=first.dtype, parameters=parameters,
                         name=name)

    def _forward_and_log_det(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        h, second = parts.forward_and_log_det(self._second, x, 0)
        y, first = parts.forward_and_log_det(self._first, h, 0)
        return y, first + second

    def _inverse_and_log_det(self, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        h, first = parts.inverse_and_log_det(self._first, y, 0)
        x, second = parts.inverse_and_log_det(self._second, h, 0)
        return x, first + second


def _offsets(components: int) -> np.ndarray:
    """Returns evenly spaced numbers with mean 0 and, if more than one, standard deviation 0.4."""
    index = np.arange(components)
    return .4 * (index - np.mean(index)) / (np.std(index) or 1.)


def _logit_and_log_slope(y: tf.Tensor, mixture: Sequence[tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns logit F(y) and the log of its derivative."""
    log_weights, means, log_scales = mixture
    z = (y[..., tf.newaxis] - means) * tf.exp(-log_scales)
    below, above = tf.math.log_sigmoid(z), tf.math.log_sigmoid(-z)
    log_cdf = tf.reduce_logsumexp(log_weights + below, -1)
    log_survival = tf.reduce_logsumexp(log_weights + above, -1)
    log_density = tf.reduce_logsumexp(log_weights + below + above - log_scales, -1)
    return log_cdf - log_survival, log_density - log_cdf - log_survival


def _epsilon(x: tf.Tensor) -> float:
    """Returns 1e-6 in float32, 2e-15 in float64."""
    return 8 * float(_limits(x).eps)


def _limits(x: tf.Tensor) -> np.finfo:
    return np.finfo(x.dtype.as_numpy_dtype)
