"""The flows of a VAE over vectors of latents: IAF posteriors and learned priors."""

import numpy as np
import tensorflow as tf

from tfp_glow import bijectors as tgb
from tfp_glow import flows, networks
from tfp_glow.distributions import latent
from tfp_glow.flows import building

_SMALL = .1  # What the outputs of an IAF step's network are multiplied by.
_LOG_SCALE = tgb.scale_maps.exponential(bound=3.)

PRIORS = ('normal', 'maf', 'real_nvp', 'made')


def iaf_posterior(size, context_size, steps=2, hidden=(128,), *, network_dtype=None, seed=0,
                  name='iaf_posterior'):
    """IAF steps over vectors, each conditioned on a context: `[B, D] -> [B, D]`.

    ```none
    forward(z):   for each step:   [m, s] = network(z, condition) / 10
                                   z = (z + m) * exp(3 tanh(s / 3))
    ```

    Each step's network is a `networks.made`; its order is natural and reversed in turn, so that
    what one step leaves nearly unmoved the next moves most. The small outputs make steps small and
    training stable; all start as the identity.

    Args:
      size: D.
      context_size: size of the condition, vectors `[B, context_size]`.
      steps: how many.
      hidden: units of each network's hidden layers.
      network_dtype: Keras dtype or policy of the networks; float32 by default.
      seed: integer for the initial weights.
      name: prefix of the variables' names.

    Returns:
      A `bijectors.Chain`, to be a `VAE`'s `posterior_flow`.

    Raises:
      ValueError: `steps` is not positive; as `networks.made`.

    #### References
    Kingma et al., *Improving Variational Inference with Inverse Autoregressive Flow*, 2016,
    arXiv:1606.04934, algorithm 1.

    ```python
    >>> import tensorflow as tf, tfp_glow
    >>> flow = tfp_glow.vaes.iaf_posterior(3, context_size=4, hidden=[8])
    >>> flow.forward(tf.ones([1, 3]), condition=tf.zeros([1, 4])).numpy()
    array([[1., 1., 1.]], dtype=float32)

    ```
    """
    if steps < 1:
        raise ValueError(f'steps must be positive; got {steps=}.')
    parts = []
    for k in range(steps):
        with tf.name_scope(f'{name}/step_{k}'):  # Keras names its weights by the scope.
            network = networks.made(
                size, small_affine.outputs_per_channel, hidden, activation='elu',
                order=('natural', 'reversed')[k % 2], condition_size=context_size,
                seed=seed_of(seed, k), dtype=network_dtype or 'float32', name='network')
        parts.append(tgb.InverseAutoregressive(network, small_affine))
    return tgb.Chain(parts[::-1], name=name)  # A chain's forward begins with the last.


def learned_prior(kind, size, layers=2, hidden=(128,), *, network_dtype=None, seed=0,
                  name='prior'):
    """p(z) over vectors: a `tfd.TransformedDistribution`, or None for the standard Normal.

    Args:
      kind: 'normal'; 'maf', whose density is parallel and whose sampling is not; 'real_nvp',
        affine couplings of the even and the odd entries in turn, parallel both ways; 'made', an
        autoregressive density, each entry's a mixture of 4 logistics given those before it.
      size: D.
      layers: of 'maf' and 'real_nvp', here couplings; 'made' is one.
      hidden: units of each network's hidden layers.
      network_dtype: Keras dtype or policy of the networks; float32 by default.
      seed: integer for the initial weights.
      name: prefix of the variables' names.

    Raises:
      ValueError: an unknown kind; `layers` is not positive; as the builders in `flows`.

    #### References
    * Papamakarios, Pavlakou and Murray, 2017, arXiv:1705.07057: 'maf'.
    * Dinh, Sohl-Dickstein and Bengio, 2017, arXiv:1605.08803: 'real_nvp'.
    * Germain et al., 2015, arXiv:1502.03509: 'made'.

    ```python
    >>> import tensorflow as tf, tfp_glow
    >>> prior = tfp_glow.vaes.learned_prior('real_nvp', size=4, hidden=[8])
    >>> print(f'{prior.log_prob(tf.zeros([4])):.4f}')
    -3.6758

    ```
    """
    building.check_choice('prior', kind, PRIORS)
    if kind == 'normal':
        return None
    options = {'seed': seed, 'name': name, 'network_dtype': network_dtype}
    if kind == 'made':
        return flows.made([size], hidden, inner='mixture', components=4, prior='logistic',
                          **options)
    if kind == 'maf':
        return flows.maf([size], layers, hidden, batch_norm=False, **options)
    return _real_nvp(size, layers, hidden, **options)


def _real_nvp(size, couplings, hidden, network_dtype, seed, name):
    if couplings < 1 or size < 2:
        raise ValueError('layers must be positive and size at least 2 for couplings; '
                         f'got layers={couplings}, {size=}.')
    parts = []
    for k in range(couplings):
        kept = (size + 1 - k % 2) // 2
        with tf.name_scope(f'{name}/coupling_{k}'):
            network = networks.mlp(kept, 2 * (size - kept), hidden, seed=seed_of(seed, k),
                                   dtype=network_dtype or 'float32', name='network')
        parts.append(tgb.Coupling(network, tgb.AffineInner(_LOG_SCALE), tgb.splits.even_odd(k % 2),
                                  event_ndims=1))
    return building.transformed(latent([size]), tgb.Chain(parts, name=name), name)


def seed_of(seed, k):
    """The seed of part k of what has `seed`, an integer."""
    return int(np.random.SeedSequence([seed, k]).generate_state(1)[0] >> 1)


class _SmallAffine(tgb.AffineInner):
    """`AffineInner` of raw outputs that are made small first."""

    def __init__(self):
        super().__init__(_LOG_SCALE)

    def __call__(self, raw):
        return super().__call__(_SMALL * raw)


small_affine = _SmallAffine()
