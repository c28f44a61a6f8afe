"""The Normal distribution on the integers, precise in its tails too."""

import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfp_glow.distributions import grid
from tfp_glow.types import Seed, TensorLike


class DiscretizedNormal(grid.LocScaleDistribution):
    """Integers low .. high, each with the mass that a Normal has within half a unit of it.

    ```none
    P(k) = F(k + 1/2) - F(k - 1/2),    F(t) = Phi((t - loc) / scale)
    P(low) = F(low + 1/2),             P(high) = 1 - F(high - 1/2)
    ```

    The logarithm of a difference is computed in the lower tail, where F is known to full relative
    precision. Above loc, it is computed for the mirror image. Values and samples are integers held
    as floats.

    Args:
        loc, scale: Floating tensors or `tf.Variable`s of one dtype, in units of the grid; they
            broadcast. `scale` must be positive.
        low, high: Integers with low < high, or tensors of them.
        validate_args: Whether to check that `scale` is positive and that values are integers.
        name: The name of the distribution.

    Raises:
        ValueError: If low < high does not hold where that is known, or if the parameters do not
            have one floating dtype.

    See also: `tfd.QuantizedDistribution`, which does this for any distribution and knows no mean.

    ```python
    >>> import tensorflow as tf, tfp_glow
    >>> grey = tfp_glow.distributions.DiscretizedNormal(100.2, 4., low=0, high=255)
    >>> print(f'{grey.log_prob(100):.4f} {grey.log_prob(255):.1f}')
    -2.3091 -748.6
    >>> print(f'{tf.reduce_sum(grey.prob(tf.range(256))):.4f}')
    1.0000

    ```
    """

    def __init__(self, loc: TensorLike, scale: TensorLike, low: TensorLike, high: TensorLike,
                 validate_args: bool = False, name: str = 'discretized_normal') -> None:
        super().__init__(loc, scale, low, high, validate_args, dict(locals()), name)

    def log_mass(self, k: tf.Tensor) -> tf.Tensor:
        standard = self._standard()
        start, stop = self._scaled(k - .5), self._scaled(k + .5)
        mirrored = start + stop > 0
        start, stop = tf.where(mirrored, -stop, start), tf.where(mirrored, -start, stop)
        # The ends take all the mass that is beyond them.
        first, last = k <= self.low, k >= self.high
        below, above = tf.where(mirrored, last, first), tf.where(mirrored, first, last)
        log_start, log_stop = standard.log_cdf(start), standard.log_cdf(stop)
        # Cells that are too narrow for their dtype must not make gradients infinite.
        difference = tf.minimum(log_start - log_stop, tf.constant(-1e-30, self.dtype))
        between = log_stop + tf.math.log(-tf.math.expm1(difference))
        return tf.where(below, log_stop, tf.where(above, standard.log_cdf(-start), between))

    def _cdf_inside(self, k: tf.Tensor) -> tf.Tensor:
        return self._standard().cdf(self._scaled(k + .5))

    def _survival_inside(self, k: tf.Tensor) -> tf.Tensor:
        return self._standard().cdf(-self._scaled(k + .5))

    def _unclipped_sample(self, n: int | tf.Tensor, seed: Seed | None) -> tf.Tensor:
        return tfd.Normal(self._loc, self._scale).sample(n, seed)

    def _mean(self) -> tf.Tensor:
        return self._mean_between_ends()

    def _standard(self) -> tfd.Normal:
        return tfd.Normal(tf.zeros([], self.dtype), tf.ones([], self.dtype))
