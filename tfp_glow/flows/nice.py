"""NICE's builder."""

import functools
import math

import numpy as np
import tensorflow as tf
from tensorflow_probability import util as tfp_util

from tfp_glow import bijectors as tgb
from tfp_glow import networks
from tfp_glow.flows import building, vectors


def nice(event_shape, couplings=4, hidden=(1000,) * 5, *, prior='logistic', mixture='none',
         components=5, data_range=None, scaling_rate=1., activation='relu', classes=None,
         dtype=tf.float32, network_dtype=None, seed=0, name='nice'):
    """NICE: additive couplings of the even and the odd entries in turn, then a diagonal scaling.

    With `[even, odd]` the entries of the event as one vector and m_k the networks,

    ```none
    inverse(y):   h = data_range(y);  with mixture='data'  h = logit F(h)
                  odd += m_0(even);  even += m_1(odd);  odd += m_2(even);  ...
                  z = h * exp(log_scale);  with mixture='prior'  z = logit F(z)
    log|det J_inverse| = sum(log_scale) + D log(high - low) + the mixture's
    ```

    The couplings keep volume, so that the `log_scale` of each entry, 0 at first, is all that tells
    how much the data vary, apart from a mixture. The networks' last layers start at zero, where the
    paper draws them at random: the flow begins as the identity, or as the mixture's map.

    Args:
      event_shape: `(D,)`, or `(H, W, C)` of images, which are flattened; 2 entries or more.
      couplings: how many, of alternating roles.
      hidden: units of the hidden layers of each network; or a list of one such tuple per coupling.
      prior: of the latents, 'logistic' (the paper's for MNIST and TFD) or 'normal' (for SVHN and
        CIFAR-10).
      mixture: ours, an elementwise map logit F, trained like all else, where F is the distribution
        function of a mixture of logistics for each entry. 'data': before the couplings, which then
        see entries that are all spread alike, though many pixels are nearly constant. 'prior':
        after the scaling, which with a logistic prior makes that one the mixture. 'none': neither,
        the paper's.
      components: of each mixture, at first of mean 0 and with scales from 1 to 1/1024.
      data_range: `(low, high)` to which the constant first map brings data of [-1/2, 1/2). The
        networks see the difference, not the density. By default [0, 1) for images, the paper's
        range of MNIST; its CIFAR-10 is in [-1, 1). Vectors by default stay as they are.
      scaling_rate: `log_scale`, and what a mixture has, is the rate times a trained variable, as if
        that one's learning rate were larger: Adam at 1e-3 needs thousands of steps from scale 1 to
        that of dequantized pixels, beyond 100. 1 is the paper's.
      activation: of the hidden layers.
      classes: `condition=` is a label per event, one of so many classes, seen by each network.
      dtype: of data and parameters.
      network_dtype: Keras dtype or policy of the networks, by default `dtype`.
      seed: integer; the same seed gives the same initial weights.
      name: prefix of the variables' names.

    Returns:
      `tfd.TransformedDistribution` over the events, with one latent of their shape.

    Raises:
      ValueError: an argument out of its range; the message names it.

    #### References
    Dinh, Krueger and Bengio, *NICE: Non-linear Independent Components Estimation*, 2014,
    arXiv:1410.8516, sections 3 and 5.1.

    ```python
    >>> import tensorflow as tf, tfp_glow
    >>> flow = tfp_glow.flows.nice((4, 4, 1), couplings=2, hidden=[8])
    >>> flow.sample(3, seed=1).shape
    TensorShape([3, 4, 4, 1])
    >>> tfp_glow.flows.nice([2], hidden=[8], prior='normal').log_prob(tf.zeros([3, 2])).shape
    TensorShape([3])

    ```
    """
    shape = vectors.vector_shape(event_shape, least=2)
    size = int(np.prod(shape))
    if couplings < 1 or scaling_rate <= 0 or components < 1:
        raise ValueError('couplings, scaling_rate and components must be positive; '
                         f'got {couplings=}, {scaling_rate=}, {components=}.')
    if data_range is None and len(shape) > 1:
        data_range = (0., 1.)
    building.check_choice('mixture', mixture, ('none', 'data', 'prior'))
    parts = [] if data_range is None else [vectors.from_unit_range(*data_range, dtype)]
    if mixture == 'data':
        parts.append(_mixture(size, components, scaling_rate, dtype, name))
    for k, units in enumerate(_per_coupling(hidden, couplings)):
        kept = (size + 1 - k % 2) // 2
        with tf.name_scope(f'{name}/coupling_{k}'):  # Keras names its weights by the scope.
            network = networks.mlp(
                kept, size - kept, units, activation=activation, classes=classes, name='network',
                seed=int(np.random.SeedSequence([seed, k]).generate_state(1)[0] >> 1),
                dtype=network_dtype or tf.as_dtype(dtype).name)
        parts.append(tgb.Coupling(network, tgb.Additive(), tgb.splits.even_odd(k % 2),
                                  event_ndims=1))
    parts.append(tgb.ShiftScale(log_scale=_rated('log_scale', [size], scaling_rate, dtype, name),
                                name='scaling'))
    if mixture == 'prior':
        parts.append(_mixture(size, components, scaling_rate, dtype, name))
    return vectors.flow_over(shape, parts, prior, dtype, name)


def _mixture(size, components, rate, dtype, name):
    """The map from each entry's mixture to a standard logistic."""
    log_scales = tf.constant(np.linspace(0, -math.log(1024), components), dtype)
    make = functools.partial(_rated, shape=[size, components], rate=rate, dtype=dtype,
                             name=f'{name}/mixture')
    return tgb.MixtureLogisticCDF(
        make('logits'), make('means', change=lambda v: v * tf.exp(log_scales)),
        make('log_scales', change=lambda v: v + log_scales), name='mixture')


def _rated(label, shape, rate, dtype, name, change=lambda v: v):
    """`change` of `rate` times a variable that is zero at first."""
    variable = building.variable(label, np.zeros(shape), name, dtype)
    return tfp_util.DeferredTensor(variable, lambda v: change(rate * v))


def _per_coupling(hidden, couplings):
    """The hidden layers of each coupling."""
    hidden = list(hidden)
    if all(np.ndim(units) == 0 for units in hidden):
        return [hidden] * couplings
    if len(hidden) != couplings or any(np.ndim(units) != 1 for units in hidden):
        raise ValueError('hidden must be the numbers of one network or a list of them, one per '
                         f'coupling, {couplings}; got {hidden=}.')
    return hidden
