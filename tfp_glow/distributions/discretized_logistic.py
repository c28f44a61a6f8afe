"""The logistic distribution on the integers, precise in its tails too."""

import math

import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfp_glow.distributions import grid
from tfp_glow.types import Seed, TensorLike

_WINDOW = 9  # The number of steps on either side over which a narrow logistic's mean is summed.


class DiscretizedLogistic(grid.LocScaleDistribution):
    """Integers, each with the mass that a logistic density has within half a unit of it.

    ```none
    P(k) = F(k + 1/2) - F(k - 1/2),    F(t) = sigmoid((t - loc) / scale)
    P(low) = F(low + 1/2),             P(high) = 1 - F(high - 1/2)        where they are given
    ```

    The masses thus sum to 1 over all integers, or over low .. high, outside of which they are 0.
    The logarithm is computed from the identity

    ```none
    log P(k) = log sigmoid(a) + log sigmoid(-b) + log(1 - exp(-1 / scale)),
               a = (k + 1/2 - loc) / scale,   b = (k - 1/2 - loc) / scale
    ```

    which subtracts nothing. So it is as precise far in the tails as elsewhere, and so is its
    gradient, also the gradient with respect to k. Values and samples are integers held as floats.

    Args:
        loc, scale: Floating tensors or `tf.Variable`s of one dtype, in units of the grid; they
            broadcast. `scale` must be positive; the standard deviation is pi / sqrt(3) times
            `scale`.
        low, high: Integers with low < high, or tensors of them; both or None.
        validate_args: Whether to check that `scale` is positive and that values are integers.
        name: The name of the distribution.

    Raises:
        ValueError: If one of `low` and `high` is given without the other, if low < high does not
            hold where that is known, or if the parameters do not have one floating dtype.

    #### References
    * Salimans, Karpathy, Chen and Kingma, *PixelCNN++*, 2017, arXiv:1701.05517, section 2.1.
    * Hoogeboom, Peters, van den Berg and Welling, *Integer Discrete Flows*, 2019,
      arXiv:1905.07376, section 3.2.

    ```python
    >>> import tensorflow as tf, tfp_glow
    >>> grey = tfp_glow.distributions.DiscretizedLogistic(100.2, 4., low=0, high=255)
    >>> print(f'{grey.log_prob(100):.4f} {grey.log_prob(255):.4f}')
    -2.7745 -38.5750
    >>> print(f'{tf.reduce_sum(grey.prob(tf.range(256))):.4f}')
    1.0000

    ```
    """

    def __init__(self, loc: TensorLike, scale: TensorLike, low: TensorLike | None = None,
                 high: TensorLike | None = None, validate_args: bool = False,
                 name: str = 'discretized_logistic') -> None:
        super().__init__(loc, scale, low, high, validate_args, dict(locals()), name)

    def log_mass(self, k: tf.Tensor) -> tf.Tensor:
        scale = tf.convert_to_tensor(self._scale)
        below = tf.math.log_sigmoid(self._upper_edge(k))
        above = tf.math.log_sigmoid(1 / scale - self._upper_edge(k))
        width = tf.math.log(-tf.math.expm1(-1 / scale))
        if self.low is None:
            return below + above + width
        first, last, zero = k <= self.low, k >= self.high, tf.zeros([], self.dtype)
        return (tf.where(last, zero, below) + tf.where(first, zero, above)
                + tf.where(first | last, zero, width))

    def _upper_edge(self, k: tf.Tensor) -> tf.Tensor:
        """Returns where the cell of k ends, in scales from loc."""
        return self._scaled(k + .5)

    def _cdf_inside(self, k: tf.Tensor) -> tf.Tensor:
        return tf.sigmoid(self._upper_edge(k))

    def _survival_inside(self, k: tf.Tensor) -> tf.Tensor:
        return tf.sigmoid(-self._upper_edge(k))

    def _log_cdf(self, k: tf.Tensor) -> tf.Tensor:
        k = tf.floor(tf.cast(k, self.dtype))
        return self._with_ends(k, tf.math.log_sigmoid(self._upper_edge(k)), -math.inf, 0.)

    def _log_survival_function(self, k: tf.Tensor) -> tf.Tensor:
        k = tf.floor(tf.cast(k, self.dtype))
        return self._with_ends(k, tf.math.log_sigmoid(-self._upper_edge(k)), 0., -math.inf)

    def _quantile(self, p: tf.Tensor) -> tf.Tensor:
        p = tf.cast(p, self.dtype)
        logit = tf.math.log(p) - tf.math.log1p(-p)
        k = tf.math.ceil(self._loc + self._scale * logit - .5)
        # The rounding may have gone a step too far; the answer must agree with `cdf`.
        k = tf.where(self._cdf_inside(k) < p, k + 1, k)
        return self._clipped(tf.where(self._cdf_inside(k - 1) >= p, k - 1, k))

    def _unclipped_sample(self, n: int | tf.Tensor, seed: Seed | None) -> tf.Tensor:
        return tfd.Logistic(self._loc, self._scale).sample(n, seed)

    def _mean(self) -> tf.Tensor:
        if self.low is not None:
            return self._mean_between_ends()
        return _unbounded_mean(*map(tf.convert_to_tensor, (self._loc, self._scale)))


def _unbounded_mean(loc: tf.Tensor, scale: tf.Tensor) -> tf.Tensor:
    """Returns E[round(X)] of a logistic X, right to 1e-7: loc, or an integer if X is narrow.

    Narrow ones are summed step by step around the nearest integer. For wide ones, E[round(X) - X]
    is the Fourier series of the sawtooth, sum_n (-1)^n / (pi n) sin(2 pi n loc) t / sinh(t), where
    t = 2 pi^2 n scale. Two of its terms are computed.
    """
    nearest = tf.floor(loc + .5)
    rest = loc - nearest
    narrow, wide = tf.minimum(scale, .5), tf.clip_by_value(scale, .5, 2.)
    steps = sum(tf.sigmoid((rest - k - .5) / narrow) - tf.sigmoid((-rest - k - .5) / narrow)
                for k in range(_WINDOW))
    waves = sum((-1)**n / (math.pi * n) * tf.sin(2 * math.pi * n * rest)
                * (2 * math.pi**2 * n * wide) / tf.sinh(2 * math.pi**2 * n * wide)
                for n in (1, 2))
    return tf.where(scale < .5, nearest + steps, loc + waves)
