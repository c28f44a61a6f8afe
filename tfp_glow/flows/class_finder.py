"""Defines the classifier that is trained beside a conditional Glow."""

from typing import Any

import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfp_glow import bijectors as tgb
from tfp_glow.internal import configs, keras_bridge
from tfp_glow.types import Latents, TensorLike


class ClassFinder(tf.Module):
    """Finds the class from the last latent of a conditional Glow: `(latents, labels) -> logits`.

    ```none
    logits = network(spatial mean of z_L),    [B, C] -> [B, classes]
    ```

    z_L is the last latent before its class prior, which gives it the label's mean and scale. In a
    flow with `class_networks=False`, z_L does not depend on the label. `FlowModel` trains a
    `ClassFinder` that it is given as `classifier`.

    Args:
        flow: A flow of `flows.glow(..., classes=n)`.
        network: A built Keras network or a module `[B, C] -> [B, n]`. The reference uses a linear
            layer.

    Raises:
        ValueError: If the flow has no class prior, or if the network is not built.
    #### References
    Kingma and Dhariwal, *Glow*, 2018, arXiv:1807.03039, section 5; openai/glow, `ycond`.

    ```python
    >>> import keras, tensorflow as tf, tfp_glow
    >>> flow = tfp_glow.flows.glow((4, 4, 1), 1, 1, width=4, classes=3, class_networks=False)
    >>> linear = keras.layers.Dense(3)
    >>> linear.build([None, 4])
    >>> finder = tfp_glow.flows.ClassFinder(flow, linear)
    >>> labels = tf.constant([0, 2])
    >>> latents = flow.bijector.inverse(tf.zeros([2, 4, 4, 1]), condition=labels)
    >>> finder(latents, labels).shape
    TensorShape([2, 3])

    ```
    """

    def __init__(self, flow: tfd.TransformedDistribution, network: Any) -> None:
        super().__init__(name='class_finder')
        last = getattr(flow.bijector, 'levels', (None,))[-1]
        prior = getattr(last, 'parts', (None,))[-1]
        if not isinstance(prior, tgb.Conditioned):
            raise ValueError(f'flow must be a Glow of classes, with their prior at the end of its '
                             f'last level; {flow.name} has none.')
        # The prior belongs to the flow: hidden from tf.Module, its variables are not listed here.
        object.__setattr__(self, '_prior', prior)
        self._network = keras_bridge.as_module(network)
        object.__setattr__(self, 'network', network)  # Its variables are listed by _network.

    def __call__(self, latents: Latents, labels: TensorLike) -> tf.Tensor:
        top = self._prior.forward(tf.nest.flatten(latents)[-1], condition=labels)
        return self._network(tf.reduce_mean(top, [1, 2]))


configs.register('class_finder', ClassFinder)
