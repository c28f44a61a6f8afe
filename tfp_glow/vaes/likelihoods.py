"""From a decoder's output to p(x|z), a distribution over images of integers 0 .. bins-1.

A likelihood is a callable `raw -> tfd.Distribution`: `raw [..., H, W, n * C]` holds n blocks of C
channels, one for each parameter, and the distribution has the event shape `[H, W, C]`, its values
being floats. `outputs(C)` is n * C. One with a variable of its own is a `tf.Module`.
"""

import math

import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfp_glow import distributions
from tfp_glow.bijectors import scale_maps

_SCALE = .1  # Where a scale starts, as a share of the range of values.
_log_scale = scale_maps.exponential(bound=7.)  # Scales are _SCALE * e^-7 .. _SCALE * e^7.


class _Likelihood(tf.Module):
    """What all share: the number of grey levels, and independence given z."""

    parameters = 1  # n above.

    def __init__(self, bins, name=None):
        super().__init__(name=name)
        if bins < 2:
            raise ValueError(f'bins must be at least 2; got {bins=}.')
        self.bins = int(bins)

    def outputs(self, channels):
        """Channels of the decoder for images of `channels`."""
        return self.parameters * channels

    def __call__(self, raw):
        if raw.shape[-1] is not None and raw.shape[-1] % self.parameters:
            raise ValueError(f'raw must have {self.parameters} outputs per channel; '
                             f'got shape={raw.shape}.')
        return tfd.Independent(self._each(raw), 3)

    def _each(self, raw):
        """The distribution of batch shape `[..., H, W, C]`."""
        raise NotImplementedError(f'{type(self).__name__} must write _each.')

    def _levels(self, raw):
        """Grey levels, of values in the networks' units: see `centred`."""
        return (raw + .5) * self.bins - .5


class Bernoulli(_Likelihood):
    """Binary images: raw is the logit of 1.

    Args:
      bins: 2, or it is refused: of other data this would be no likelihood.

    Raises:
      ValueError: `bins` is not 2.

    ```python
    >>> import tensorflow as tf, tfp_glow
    >>> dark = tfp_glow.vaes.likelihoods.Bernoulli()(tf.zeros([3, 2, 2, 1]))
    >>> print(f'{dark.log_prob(tf.zeros([2, 2, 1]))[0]:.4f}')
    -2.7726

    ```
    """

    def __init__(self, bins=2):
        super().__init__(bins, 'bernoulli')
        if bins != 2:
            raise ValueError('likelihood must fit the range of the data: Bernoulli is for bins=2; '
                             f'got {bins=}.')

    def _each(self, raw):
        return tfd.Bernoulli(raw, dtype=raw.dtype)


class _LocScale(_Likelihood):
    """A location from the decoder, and a scale from it, or one for all values.

    Args:
      bins: number of grey levels.
      scale: 'predicted', by the decoder for each value; 'learned', one trained number for all; or
        a positive number that it is fixed to. Numbers are shares of the range of values: of
        grey levels times `bins`. Predicted and learned ones start near to .1.

    Raises:
      ValueError: `scale` is none of these.
    """

    def __init__(self, bins, scale='predicted'):
        super().__init__(bins, type(self).__name__.lower())
        if scale not in ('predicted', 'learned') and not (
                isinstance(scale, (int, float)) and scale > 0):
            raise ValueError("scale must be 'predicted', 'learned' or a positive number; "
                             f'got {scale=}.')
        self.parameters = 2 if scale == 'predicted' else 1
        self._scale = scale
        if scale == 'learned':
            self._raw_scale = tf.Variable(0., name=f'{self.name}/raw_scale')

    def _each(self, raw):
        if self._scale == 'predicted':
            raw, s = tf.split(raw, 2, axis=-1)
            scale = _SCALE * tf.exp(_log_scale(s))
        elif self._scale == 'learned':
            scale = tf.cast(_SCALE * tf.exp(_log_scale(self._raw_scale)), raw.dtype)
        else:
            scale = tf.constant(self._scale, raw.dtype)
        return self._distribution(self._levels(raw), scale * self.bins, 0, self.bins - 1)


class Normal(_LocScale):
    """A Gaussian in bins: `distributions.DiscretizedNormal`, see `Logistic` for the arguments.

    A density would not compare with the other likelihoods; the mass in each bin does.
    """

    _distribution = distributions.DiscretizedNormal


class Logistic(_LocScale):
    """A logistic in bins: `distributions.DiscretizedLogistic`.

    Args:
      bins: number of grey levels.
      scale: 'predicted', by the decoder for each value; 'learned', one trained number for all, as
        the reference has it; or a positive number that it is fixed to. Numbers are shares of the
        range of values: of grey levels times `bins`. Predicted and learned ones start at .1 or
        near to it.

    Raises:
      ValueError: `scale` is none of these.

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
    """A mixture of logistics in bins: `distributions.DiscretizedLogisticMixture`.

    Each channel has its own, given z. The middles start spread over the range.

    Args:
      bins: number of grey levels.
      components: K; 3 K outputs per channel are their logits, locations and scales.

    Raises:
      ValueError: `components` < 1.

    #### References
    Salimans, Karpathy, Chen and Kingma, *PixelCNN++*, 2017, arXiv:1701.05517, section 2.1.
    """

    def __init__(self, bins, components=5):
        super().__init__(bins, 'logistic_mixture')
        if components < 1:
            raise ValueError(f'components must be positive; got {components=}.')
        self._components = components
        self.parameters = 3 * components

    def _each(self, raw):
        blocks = tf.stack(tf.split(raw, self.parameters, axis=-1), axis=-1)
        logits, loc, s = tf.split(blocks, 3, axis=-1)
        count = self._components
        spread = tf.constant([(i + .5) / count - .5 for i in range(count)], raw.dtype)
        scale = tf.exp(_log_scale(s)) * (self.bins * _SCALE / math.sqrt(count))
        return distributions.DiscretizedLogisticMixture(
            logits, self._levels(loc + spread), scale, 0, self.bins - 1)


_KINDS = {'bernoulli': Bernoulli, 'normal': Normal, 'logistic': Logistic,
          'mixture': LogisticMixture}


def make(kind, bins, **options):
    """The likelihood of images of `bins` grey levels.

    Args:
      kind: 'bernoulli', 'normal', 'logistic', 'mixture', None for the first or the last as `bins`
        is 2 or more; or a likelihood, which is returned.
      bins: number of grey levels.
      **options: of the class: `scale` of 'normal' and 'logistic', `components` of 'mixture'.

    Raises:
      ValueError: an unknown kind; a likelihood of another number of grey levels, or one beside
        options.
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
