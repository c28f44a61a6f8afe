"""Defines likelihoods: from a decoder's output to p(x|z) over images of integers 0 .. bins-1.

A likelihood is a callable `raw -> tfd.Distribution`. `raw [..., H, W, n * C]` holds n blocks of C
channels, one block for each parameter. The distribution has the event shape `[H, W, C]`, and its
values are floats. `outputs(C)` is n * C. A likelihood with a variable of its own is a `tf.Module`.
"""

import math
from collections.abc import Callable
from typing import Any, Protocol

import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfp_glow import distributions
from tfp_glow.bijectors import scale_maps

_SCALE = .1  # Where a scale starts, as a share of the range of values.
_log_scale = scale_maps.exponential(bound=7.)  # Scales are _SCALE * e^-7 .. _SCALE * e^7.


class Likelihood(Protocol):
    """Describes what a VAE asks of a likelihood: the classes below and `PixelCNN` have it."""

    bins: int

    def outputs(self, channels: int) -> int:
        """Returns the number of channels of the decoder for images of `channels`."""

    def __call__(self, raw: tf.Tensor) -> tfd.Distribution:
        """Returns p(x|z) for the decoder's output."""


class _Likelihood(tf.Module):
    """Provides what all share: the number of grey levels, and independence given z."""

    parameters = 1  # n above.

    def __init__(self, bins: int, name: str | None = None) -> None:
        super().__init__(name=name)
        if bins < 2:
            raise ValueError(f'bins must be at least 2; got {bins=}.')
        self.bins = int(bins)

    def outputs(self, channels: int) -> int:
        """Returns the number of channels of the decoder for images of `channels`."""
        return self.parameters * channels

    def __call__(self, raw: tf.Tensor) -> tfd.Distribution:
        if raw.shape[-1] is not None and raw.shape[-1] % self.parameters:
            raise ValueError(f'raw must have {self.parameters} outputs per channel; '
                             f'got shape={raw.shape}.')
        return tfd.Independent(self._each(raw), 3)

    def _each(self, raw: tf.Tensor) -> tfd.Distribution:
        """Returns the distribution of batch shape `[..., H, W, C]`."""
        raise NotImplementedError(f'{type(self).__name__} must write _each.')

    def _levels(self, raw: tf.Tensor) -> tf.Tensor:
        """Returns the grey levels of values in the networks' units: see `centred`."""
        return (raw + .5) * self.bins - .5


class Bernoulli(_Likelihood):
    """Models binary images: raw is the logit of 1.

    Args:
        bins: 2; other values are refused, because for other data this would be no likelihood.

    Raises:
        ValueError: If `bins` is not 2.
    ```python
    >>> import tensorflow as tf, tfp_glow
    >>> dark = tfp_glow.vaes.likelihoods.Bernoulli()(tf.zeros([3, 2, 2, 1]))
    >>> print(f'{dark.log_prob(tf.zeros([2, 2, 1]))[0]:.4f}')
    -2.7726

    ```
    """

    def __init__(self, bins: int = 2) -> None:
        super().__init__(bins, 'bernoulli')
        if bins != 2:
            raise ValueError('likelihood must fit the range of the data: Bernoulli is for bins=2; '
                             f'got {bins=}.')

    def _each(self, raw: tf.Tensor) -> tfd.Distribution:
        return tfd.Bernoulli(raw, dtype=raw.dtype)


class _LocScale(_Likelihood):
    """Takes a location from the decoder, and a scale from it, or one scale for all values.

    Args:
        bins: The number of grey levels.
        scale: 'predicted', by the decoder for each value; 'learned', one trained number for all; or
            a positive number to which it is fixed. Numbers are shares of the range of values: the
            scale in grey levels is the number times `bins`. Predicted and learned scales start near
            .1.

    Raises:
        ValueError: If `scale` is none of these.
    """

    _distribution: type[tfd.Distribution]

    def __init__(self, bins: int, scale: str | float = 'predicted') -> None:
        super().__init__(bins, type(self).__name__.lower())
        if scale not in ('predicted', 'learned') and not (
                isinstance(scale, (int, float)) and scale > 0):
            raise ValueError("scale must be 'predicted', 'learned' or a positive number; "
                             f'got {scale=}.')
        self.parameters = 2 if scale == 'predicted' else 1
        self._scale = scale
        if scale == 'learned':
            self._raw_scale = tf.Variable(0., name=f'{self.name}/raw_scale')

    def _each(self, raw: tf.Tensor) -> tfd.Distribution:
        if self._scale == 'predicted':
            raw, s = tf.split(raw, 2, axis=-1)
            scale = _SCALE * tf.exp(_log_scale(s))
        elif self._scale == 'learned':
            scale = tf.cast(_SCALE * tf.exp(_log_scale(self._raw_scale)), raw.dtype)
        else:
            scale = tf.constant(self._scale, raw.dtype)
        return self._distribution(self._levels(raw), scale * self.bins, 0, self.bins - 1)


class Normal(_LocScale):
    """Models images by a Gaussian in bins, `distributions.DiscretizedNormal`.

    The arguments are those of `Logistic`. A density would not compare with the other likelihoods;
    the mass in each bin does.
    """

    _distribution = distributions.DiscretizedNormal


class Logistic(_LocScale):
    """Models images by a logistic in bins, `distributions.DiscretizedLogistic`.

    Args:
        bins: The number of grey levels.
        scale: 'predicted', by the decoder for each value; 'learned', one trained number for all, as
            in the reference; or a positive number to which it is fixed. Numbers are shares of the
            range of values: the scale in grey levels is the number times `bins`. Predicted and
            learned scales start at .1 or near it.

    Raises:
        ValueError: If `scale` is none of these.

    #### References
    Kingma et al., *Improving Variational Inference with Inverse Autoregressive Flow*, 2016,
    arXiv:1606.04934, appendix C.

    ```python
    >>> import tensorflow as tf, tfp_glow
    >>> likelihood = tfp_glow.vaes.likelihoods.Logistic(256, scale='learned')
    >>> grey = likelihood(tf.zeros([3, 2, 2, 1]))
    >>> print(grey.event_shape, f'{grey.mean()[0, 0, 0, 0]:.2f}')
    (2, 2, 1) 127.50

    ```
    """

    _distribution = distributions.DiscretizedLogistic


class LogisticMixture(_Likelihood):
    """Models images by a mixture of logistics in bins, `distributions.DiscretizedLogisticMixture`.

    Each channel has its own mixture, given z. The middles start spread over the range.

    Args:
        bins: The number of grey levels.
        components: K, the number of logistics. There are 3 K outputs per channel: logits, locations
            and scales.

    Raises:
        ValueError: If `components` is less than 1.

    #### References
    Salimans, Karpathy, Chen and Kingma, *PixelCNN++*, 2017, arXiv:1701.05517, section 2.1.
    """

    def __init__(self, bins: int, components: int = 5) -> None:
        super().__init__(bins, 'logistic_mixture')
        if components < 1:
            raise ValueError(f'components must be positive; got {components=}.')
        self._components = components
        self.parameters = 3 * components

    def _each(self, raw: tf.Tensor) -> tfd.Distribution:
        blocks = tf.stack(tf.split(raw, self.parameters, axis=-1), axis=-1)
        logits, loc, s = tf.split(blocks, 3, axis=-1)
        count = self._components
        spread = tf.constant([(i + .5) / count - .5 for i in range(count)], raw.dtype)
        scale = tf.exp(_log_scale(s)) * (self.bins * _SCALE / math.sqrt(count))
        return distributions.DiscretizedLogisticMixture(
            logits, self._levels(loc + spread), scale, 0, self.bins - 1)


_KINDS: dict[str, Callable[..., Likelihood]] = {
    'bernoulli': Bernoulli, 'normal': Normal, 'logistic': Logistic, 'mixture': LogisticMixture}


def make(kind: str | Likelihood | None, bins: int, **options: Any) -> Likelihood:
    """Returns the likelihood of images of `bins` grey levels.

    Args:
        kind: 'bernoulli', 'normal', 'logistic' or 'mixture'; None, which is the first if `bins` is
            2 and the last if it is more; or a likelihood, which is returned.
        bins: The number of grey levels.
        **options: Options of the class: `scale` of 'normal' and 'logistic', `components` of
            'mixture'.

    Raises:
        ValueError: If the kind is unknown, or if a likelihood is given that is for another number
            of grey levels or is given beside options.
    """
    if kind is None:
        kind = 'bernoulli' if bins == 2 else 'mixture'
    if not isinstance(kind, str):
        if kind.bins != bins:
            raise ValueError(f'likelihood must fit the range of the data, bins={bins}; got one of '
                             f'bins={kind.bins}.')
        if options:
            raise ValueError('likelihood must be named to take options; got '
                             f'{type(kind).__name__} and {", ".join(options)}.')
        return kind
    if kind not in _KINDS:
        raise ValueError(f'likelihood must be one of {", ".join(_KINDS)}; got {kind!r}.')
    return _KINDS[kind](bins, **options)
