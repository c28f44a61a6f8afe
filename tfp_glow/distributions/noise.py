"""Noise that a flow learns, which variational dequantization adds to integers."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf
from tensorflow_probability import bijectors as tfb
from tensorflow_probability import distributions as tfd
from tensorflow_probability import util as tfp_util

from tfp_glow.internal import draws, keras_bridge
from tfp_glow.types import Condition, DType, Seed, TensorLike


class VariationalNoise(tfd.Distribution):
    """The distribution q(u|x): noise in (0, 1) from a flow whose condition is the images.

    ```none
    u = sigmoid(v),   v ~ flow(. | features(x))
    log q(u|x) = log flow(v | features(x)) - sum(log sigmoid(v) + log sigmoid(-v))
    ```

    The noise is to be added to the images x. Samples are reparameterised: gradients reach the flow
    and the features.

    Args:
        flow: An unbounded distribution over events of the images' shape whose methods take
            `condition=`: `flows.glow(event_shape, condition_channels=...)` or any other that
            `flows.transformed` builds.
        features: A function or a built Keras network from images `[B, *event_shape]` in (-1/2, 1/2)
            to the condition of the flow; by default the images themselves. The networks of a
            multi-scale flow average a map that is larger than they are:
            `lambda x: tf.nn.space_to_depth(x, 2)` keeps each pixel for the first level.
        validate_args: As for distributions of TFP.
        name: The name of the distribution.

    Its `sample`, `log_prob` and `experimental_sample_and_log_prob` need `condition=`, the images.

    Raises:
        ValueError: If the flow takes no condition, or if the Keras network is not built.

    #### References
    Ho, Chen, Srinivas, Duan and Abbeel, *Flow++*, 2019, arXiv:1902.00275, section 3.1.

    ```python
    >>> import tensorflow as tf, tfp_glow
    >>> flow = tfp_glow.flows.glow((4, 4, 1), 1, 1, width=4, condition_channels=1)
    >>> noise = tfp_glow.distributions.VariationalNoise(flow)
    >>> u = noise.sample(2, seed=[1, 2], condition=tf.zeros([2, 4, 4, 1]))
    >>> bool(tf.reduce_all((u > 0) & (u < 1)))
    True

    ```
    """

    def __init__(self, flow: tfd.Distribution,
                 features: Callable[[tf.Tensor], Condition] | None = None,
                 validate_args: bool = False, name: str = 'variational_noise') -> None:
        parameters = dict(locals())
        if not getattr(getattr(flow, 'bijector', None), 'takes_condition', True):
            raise ValueError(f'flow must take condition=, the images; {flow.name} takes none.')
        with tf.name_scope(name) as name:
            self._squashed = tfd.TransformedDistribution(
                flow, tfb.Sigmoid(), kwargs_split_fn=_all_to_flow)
            self._features = features and keras_bridge.as_module(features)
            super().__init__(
                dtype=flow.dtype, reparameterization_type=flow.reparameterization_type,
                validate_args=validate_args, allow_nan_stats=True, parameters=parameters,
                name=name)

    @classmethod
    def _parameter_properties(cls, dtype: DType, num_classes: int | None = None) -> dict[str, Any]:
        return {'flow': tfp_util.BatchedComponentProperties()}

    @property
    def flow(self) -> tfd.Distribution:
        """The distribution of v, before the sigmoid."""
        return self._squashed.distribution

    def flow_condition(self, images: tf.Tensor) -> Condition:
        """Returns the condition of `flow` that belongs to `images`: their features."""
        return images if self._features is None else self._features(images)

    def _event_shape(self) -> tf.TensorShape:
        return self.flow.event_shape

    def _event_shape_tensor(self) -> tf.Tensor:
        return self.flow.event_shape_tensor()

    def _call_sample_n(self, sample_shape: TensorLike, seed: Seed | None,
                       condition: tf.Tensor | None = None) -> tf.Tensor:
        return self._squashed.sample(sample_shape, seed=seed, **self._given(condition))

    def _sample_and_log_prob(self, sample_shape: TensorLike, seed: Seed | None,
                             condition: tf.Tensor | None = None) -> tuple[tf.Tensor, tf.Tensor]:
        given = self._given(condition)
        if not (draws.in_share() and hasattr(self.flow, 'distribution')):
            return self._squashed.experimental_sample_and_log_prob(sample_shape, seed=seed, **given)
        # TFP would draw the base for this share alone.
        flow, sigmoid, dims = self.flow, self._squashed.bijector, self.event_shape.rank
        base = flow.distribution
        z = draws.rows(lambda n: base.sample(n, seed), tf.reshape(sample_shape, []))
        v, log_q = flow.bijector.forward(z, **given), base.log_prob(z)
        log_q -= flow.bijector.forward_log_det_jacobian(z, **given)
        return sigmoid.forward(v), log_q - sigmoid.forward_log_det_jacobian(v, event_ndims=dims)

    def _log_prob(self, u: tf.Tensor, condition: tf.Tensor | None = None) -> tf.Tensor:
        return self._squashed.log_prob(u, **self._given(condition))

    def _given(self, images: tf.Tensor | None) -> dict[str, Condition]:
        if images is None:
            raise ValueError(f'condition must be given to {self.name}, the images; got None.')
        return {'condition': self.flow_condition(images)}


def _all_to_flow(kwargs: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    return kwargs, {}
