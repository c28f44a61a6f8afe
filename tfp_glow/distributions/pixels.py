"""Distributions of one pixel from the outputs of a network: each channel given those before it."""

import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfp_glow.distributions.discretized_logistic import DiscretizedLogistic
from tfp_glow.distributions.discretized_logistic_mixture import DiscretizedLogisticMixture
from tfp_glow.types import TensorLike

_LOG_SCALE = 7.  # The bound of the raw log-scales.


class BernoulliPixel:
    """Pixels of binary channels, whose logits are linear in the channels before.

    ```none
    p(x_c = 1 | x_<c) = sigmoid(raw_c + sum_(j < c) coefficient_cj * x_j)
    ```

    Args:
        channels: The number C of channels.

    A call with `raw [..., outputs]` and the channels before, `earlier [..., c]`, returns the
    distribution of channel c, of batch shape `[...]`. `outputs` is C + C (C - 1) / 2.

    ```python
    >>> import tensorflow as tf, tfp_glow
    >>> pixel = tfp_glow.distributions.BernoulliPixel(channels=2)
    >>> raw = tf.constant([0., -1., 1.])  # Two logits and the coefficient.
    >>> [float(pixel(raw, earlier=[x]).mean()) for x in (0., 1.)]
    [0.2689414322376251, 0.5]

    ```
    """

    bins = 2

    def __init__(self, channels: int) -> None:
        self.channels = _positive('channels', channels)
        self.outputs = channels + _pairs(channels)

    def __call__(self, raw: TensorLike, earlier: TensorLike) -> tfd.Bernoulli:
        raw, earlier = tf.convert_to_tensor(raw), tf.convert_to_tensor(earlier, raw.dtype)
        logits, coefficients = tf.split(raw, [self.channels, _pairs(self.channels)], -1)
        index = earlier.shape[-1]
        logit = logits[..., index] + tf.reduce_sum(_of_channel(coefficients, index) * earlier, -1)
        return tfd.Bernoulli(logits=logit, dtype=raw.dtype)


class LogisticMixturePixel:
    """Pixels as mixtures of K components of logistics whose means are linear in earlier channels.

    ```none
    p(x) = sum_k w_k prod_c DiscretizedLogistic(x_c | m_kc(x_<c), s_kc),    w = softmax(raw logits)
    (m_kc(x_<c) + 1/2) / bins = raw mean_kc + (k + 1/2) / K + sum_(j < c) coefficient_kcj x_j / bins
    s_kc / bins = exp(7 tanh(raw log-scale_kc / 7)) / 2K,    k = 0 .. K-1
    ```

    The components are those of the whole pixel: the distribution of a channel, given the channels
    before, is a mixture whose weights are the posterior of the components given those channels. At
    raw = 0 the means are spread evenly over the grey levels, for components that start equal would
    stay equal.

    Args:
        channels: The number C of channels.
        bins: The number of grey levels; the first and the last take the tails.
        components: The number K of components.

    A call with `raw [..., outputs]` and the channels before, `earlier [..., c]`, returns the
    distribution of channel c, of batch shape `[...]`. `outputs` is K (1 + 2 C + C (C - 1) / 2).

    #### References
    Salimans, Karpathy, Chen and Kingma, *PixelCNN++*, 2017, arXiv:1701.05517, sections 2.1 and 2.2.

    ```python
    >>> import tensorflow as tf, tfp_glow
    >>> pixel = tfp_glow.distributions.LogisticMixturePixel(channels=1, bins=256, components=2)
    >>> print(f'{pixel(tf.zeros([pixel.outputs]), earlier=tf.zeros([0])).mean():.3f}')
    127.500

    ```
    """

    def __init__(self, channels: int, bins: int = 256, components: int = 5) -> None:
        self.channels = _positive('channels', channels)
        self.components = _positive('components', components)
        if bins < 2:
            raise ValueError(f'bins must be at least 2; got {bins=}.')
        self.bins = bins
        self.outputs = components * (1 + 2 * channels + _pairs(channels))

    def __call__(self, raw: TensorLike, earlier: TensorLike) -> DiscretizedLogisticMixture:
        raw, earlier = tf.convert_to_tensor(raw), tf.convert_to_tensor(earlier, raw.dtype)
        parts = self.outputs // self.components
        raw = tf.reshape(raw, tf.concat([tf.shape(raw)[:-1], [self.components, parts]], 0))
        logits = tf.nn.log_softmax(raw[..., 0])
        for index in range(earlier.shape[-1]):
            component = DiscretizedLogistic(
                *self._loc_and_scale(raw, earlier[..., :index]), low=0, high=self.bins - 1)
            logits = logits + component.log_prob(earlier[..., index, tf.newaxis])
        return DiscretizedLogisticMixture(
            logits, *self._loc_and_scale(raw, earlier), low=0, high=self.bins - 1)

    def _loc_and_scale(self, raw: tf.Tensor, earlier: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns loc and scale of channel `earlier.shape[-1]` in all components."""
        index = earlier.shape[-1]
        _, means, log_scales, coefficients = tf.split(
            raw, [1, self.channels, self.channels, _pairs(self.channels)], -1)
        even = (tf.range(self.components, dtype=raw.dtype) + .5) / self.components
        shift = tf.reduce_sum(_of_channel(coefficients, index) * earlier[..., tf.newaxis, :], -1)
        scale = tf.exp(_LOG_SCALE * tf.tanh(log_scales[..., index] / _LOG_SCALE))
        return ((means[..., index] + even) * self.bins + shift - .5,
                scale * (self.bins / (2 * self.components)))


def _pairs(channels: int) -> int:
    """Returns the number of pairs of channels."""
    return channels * (channels - 1) // 2


def _of_channel(coefficients: tf.Tensor, index: int) -> tf.Tensor:
    """Returns the coefficients of the pairs of channel `index` with those before it."""
    return coefficients[..., _pairs(index):_pairs(index + 1)]


def _positive(name: str, value: int) -> int:
    if value < 1:
        raise ValueError(f'{name} must be positive; got {name}={value}.')
    return value
