"""Mixtures of discretised logistics."""

from typing import Any

import tensorflow as tf
from tensorflow_probability import distributions as tfd
from tensorflow_probability import random as tfp_random

from tfp_glow.distributions import discretized_logistic, grid
from tfp_glow.internal import tfp_compat
from tfp_glow.types import DType, Seed, TensorLike


class DiscretizedLogisticMixture(grid.GridDistribution):
    """Integers with the mass that a mixture of K logistics has within half a unit of each.

    ```none
    P(k) = sum_i softmax(logits)_i P_i(k),      P_i = DiscretizedLogistic(loc_i, scale_i, low, high)
    ```

    The components are along the last axis of the parameters, which is not an axis of the batch. All
    sums are of logarithms, so that the tails are precise.

    Args:
        logits, loc, scale: Floating tensors or `tf.Variable`s `[..., K]` of one dtype; they
            broadcast. `scale` must be positive.
        low, high: Integers with low < high, or tensors `[...]` of them; both or None.
        validate_args: Whether to check that `scale` is positive and that values are integers.
        name: The name of the distribution.

    Raises:
        ValueError: If one of `low` and `high` is given without the other, if low < high does not
            hold where that is known, if the parameters do not have one floating dtype, or if they
            have different numbers of components.

    #### References
    * Salimans, Karpathy, Chen and Kingma, *PixelCNN++*, 2017, arXiv:1701.05517, section 2.1.
    * Hoogeboom, Peters, van den Berg and Welling, *Integer Discrete Flows*, 2019,
      arXiv:1905.07376, section 3.2.

    ```python
    >>> import tensorflow as tf, tfp_glow
    >>> grey = tfp_glow.distributions.DiscretizedLogisticMixture(
    ...     logits=[0., 0.], loc=[10., 200.], scale=[1., 4.], low=0, high=255)
    >>> print(f'{grey.prob(10):.4f} {grey.prob(200):.4f} {grey.mean():.1f}')
    0.1225 0.0312 105.0

    ```
    """

    def __init__(self, logits: TensorLike, loc: TensorLike, scale: TensorLike,
                 low: TensorLike | None = None, high: TensorLike | None = None,
                 validate_args: bool = False, name: str = 'discretized_logistic_mixture') -> None:
        parameters = dict(locals())
        with tf.name_scope(name) as name:
            self._logits, self._loc, self._scale = grid.floats(logits=logits, loc=loc, scale=scale)
            shapes = [p.shape for p in (self._logits, self._loc, self._scale)]
            if any(s.rank == 0 for s in shapes) or len({s[-1] for s in shapes} - {None}) > 1:
                raise ValueError('logits, loc and scale must have one entry for each component '
                                 f'along their last axes; got shapes={shapes}.')
            super().__init__(self._loc.dtype, low, high, validate_args, parameters, name)

    @classmethod
    def _parameter_properties(cls, dtype: DType, num_classes: int | None = None) -> dict[str, Any]:
        return {'logits': tfp_compat.ParameterProperties(event_ndims=1),
                'loc': tfp_compat.ParameterProperties(event_ndims=1),
                'scale': tfp_compat.ParameterProperties(event_ndims=1),
                'low': tfp_compat.ParameterProperties(),
                'high': tfp_compat.ParameterProperties()}

    @property
    def logits(self) -> tf.Tensor | tf.Variable:
        """The logarithms of the weights up to a constant: `[..., K]`."""
        return self._logits

    @property
    def loc(self) -> tf.Tensor | tf.Variable:
        """The middles of the logistics: `[..., K]`."""
        return self._loc

    @property
    def scale(self) -> tf.Tensor | tf.Variable:
        """The scales of the logistics: `[..., K]`."""
        return self._scale

    @property
    def components(self) -> discretized_logistic.DiscretizedLogistic:
        """The `DiscretizedLogistic` of all components, of batch shape `[..., K]`."""
        low, high = (None if end is None else end[..., tf.newaxis]
                     for end in (self.low, self.high))
        return discretized_logistic.DiscretizedLogistic(self._loc, self._scale, low, high)

    def log_mass(self, k: tf.Tensor) -> tf.Tensor:
        return tf.reduce_logsumexp(
            tf.nn.log_softmax(self._logits) + self.components.log_mass(k[..., tf.newaxis]), -1)

    def _cdf_inside(self, k: tf.Tensor) -> tf.Tensor:
        return self._weighted(self.components.cdf(k[..., tf.newaxis]))

    def _survival_inside(self, k: tf.Tensor) -> tf.Tensor:
        return self._weighted(self.components.survival_function(k[..., tf.newaxis]))

    def _mean(self) -> tf.Tensor:
        return self._weighted(self.components.mean())

    def _weighted(self, values: tf.Tensor) -> tf.Tensor:
        return tf.reduce_sum(tf.nn.softmax(self._logits) * values, -1)

    def _unclipped_sample(self, n: int | tf.Tensor, seed: Seed | None) -> tf.Tensor:
        for_component, for_value = tfp_random.split_seed(seed)
        count = tf.shape(self._logits)[-1]
        shape = tf.concat([self.batch_shape_tensor(), [count]], 0)
        drawn = tfd.Categorical(tf.broadcast_to(self._logits, shape)).sample(n, for_component)
        chosen = tf.one_hot(drawn, count, dtype=self.dtype)
        loc, scale = (tf.reduce_sum(chosen * p, -1) for p in (self._loc, self._scale))
        return tfd.Logistic(loc, scale).sample(seed=for_value)

    def _parameter_control_dependencies(self, is_init: bool) -> list[tf.Operation]:
        return grid.check_scale(self, self._scale, is_init)
