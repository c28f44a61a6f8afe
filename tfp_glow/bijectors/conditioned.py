"""An inner transform whose parameters come from the condition alone."""

import tensorflow as tf
from tensorflow_probability import bijectors as tfb

from tfp_glow.bijectors import affine, base, introspection, parts
from tfp_glow.bijectors.types import Inner, Network, PairOf
from tfp_glow.internal import keras_bridge
from tfp_glow.types import Condition


class Conditioned(base.OnePassBijector):
    """Transforms the whole input given the condition: `[..., H, W, C] -> [..., H, W, C]`.

    ```none
    inverse(y) = inner(conditioner(condition)).inverse(y)
    forward(x) = inner(conditioner(condition)).forward(x)
    ```

    As the last part of a flow, on the side of the latents, it is a conditional prior: for example
    N(mean, scale) with a mean and a scale for each class.

    Args:
        conditioner: A built Keras network or any callable, `condition -> raw`, with what `inner`
            wants along the last axis; raw must broadcast with the input.
        inner: The inner transform, as in `Coupling`; by default affine with scale exp(s).
        validate_args: Whether to check values as well, also in graphs; see `OnePassBijector`.
        name: The name of the bijector.

    Raises:
        ValueError: If the Keras network is not built, or its output does not broadcast to the
            input.

    #### References
    Kingma and Dhariwal, *Glow*, 2018, arXiv:1807.03039, section 5: the prior of a class.

    ```python
    >>> import tensorflow as tf, tfp_glow
    >>> means = tf.constant([[0., 0.], [1., 2.]])
    >>> prior = tfp_glow.bijectors.Conditioned(
    ...     lambda label: -tf.gather(means, label)[:, tf.newaxis, tf.newaxis],
    ...     inner=tfp_glow.bijectors.Additive())
    >>> prior.forward(tf.zeros([1, 1, 1, 2]), condition=tf.constant([1])).numpy()
    array([[[[1., 2.]]]], dtype=float32)

    ```
    """

    def __init__(self, conditioner: Network, inner: Inner | None = None,
                 validate_args: bool = False, name: str = 'conditioned') -> None:
        parameters = dict(locals())
        self._conditioner = keras_bridge.as_module(conditioner)
        self._inner = inner or affine.AffineInner(lambda s: s)
        super().__init__(validate_args=validate_args, parameters=parameters, name=name)

    @property
    def conditioner(self) -> Network:
        """Returns the network, as it was given or wrapped."""
        return self._conditioner

    @property
    def takes_condition(self) -> bool:
        return True

    def _forward_and_log_det(self, x: tf.Tensor, condition: Condition = None,
                             ) -> tuple[tf.Tensor, tf.Tensor]:
        return self._transform(x, condition, parts.forward_and_log_det)

    def _inverse_and_log_det(self, y: tf.Tensor, condition: Condition = None,
                             ) -> tuple[tf.Tensor, tf.Tensor]:
        return self._transform(y, condition, parts.inverse_and_log_det)

    def _transform(self, images: tf.Tensor, condition: Condition, function: PairOf,
                   ) -> tuple[tf.Tensor, tf.Tensor]:
        after, log_det = function(self._bound(images, condition), images, 3)
        if not after.shape.is_compatible_with(images.shape):
            raise ValueError('conditioner must give what broadcasts to the input, of shape='
                             f'{images.shape}; got shape={after.shape}.')
        return after, log_det

    def _log_slopes(self, y: tf.Tensor, condition: Condition = None) -> tf.Tensor | None:
        return introspection.log_slopes(self._bound(y, condition), y)

    def _bound(self, images: tf.Tensor, condition: Condition) -> tfb.Bijector:
        """Returns the inner transform under `condition`."""
        raw = tf.cast(self._conditioner(condition), images.dtype)
        return self._inner(self._output_of('conditioner', raw))
