"""Builds the flows of a VAE over vectors of latents: IAF posteriors and learned priors."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfp_glow import bijectors as tgb
from tfp_glow import flows, networks
from tfp_glow.distributions import latent
from tfp_glow.flows import building

_SMALL = .1  # The factor of the outputs of an IAF step's network.
_LOG_SCALE = tgb.scale_maps.exponential(bound=3.)

PRIORS = ('normal', 'maf', 'real_nvp', 'made')


def iaf_posterior(size: int, context_size: int, steps: int = 2, hidden: Sequence[int] = (128,), *,
                  network_dtype: str | None = None, seed: int = 0,
                  name: str = 'iaf_posterior') -> tgb.Chain:
    """Builds IAF steps over vectors, each conditioned on a context: `[B, D] -> [B, D]`.

    ```none
    forward(z):   for each step:   [m, s] = network(z, condition) / 10
                                   z = (z + m) * exp(3 tanh(s / 3))
    ```

    Each step's network is a `networks.made`. Its order is natural and reversed in turn, so that
    what one step leaves nearly unmoved is moved most by the next. The small outputs make steps
    small and training stable. All steps start as the identity.

    Args:
        size: D, the size of the vectors.
        context_size: The size of the condition, vectors `[B, context_size]`.
        steps: The number of steps.
        hidden: The units of each network's hidden layers.
        network_dtype: The Keras dtype or policy of the networks; the default is float32.
        seed: An integer for the initial weights.
        name: The prefix of the variables' names.

    Returns:
        A `bijectors.Chain`, to be used as a `VAE`'s `posterior_flow`.

    Raises:
        ValueError: If `steps` is not positive, or if `networks.made` raises it.

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


def learned_prior(kind: str, size: int, layers: int = 2, hidden: Sequence[int] = (128,), *,
                  network_dtype: str | None = None, seed: int = 0,
                  name: str = 'prior') -> tfd.TransformedDistribution | None:
    """Builds p(z) over vectors; the result is None for the standard Normal.

    Args:
        kind: The kind of prior. 'normal' is the standard Normal. 'maf' has a parallel density and
            serial sampling. 'real_nvp' has affine couplings of the even and the odd entries in
            turn, and is parallel both ways. 'made' is an autoregressive density, in which each
            entry is a mixture of 4 logistics given those before it.
        size: D, the size of the vectors.
        layers: The number of layers of 'maf' or of couplings of 'real_nvp'; 'made' has one layer.
        hidden: The units of each network's hidden layers.
        network_dtype: The Keras dtype or policy of the networks; the default is float32.
        seed: An integer for the initial weights.
        name: The prefix of the variables' names.

    Returns:
        A `tfd.TransformedDistribution`, or None for 'normal'.

    Raises:
        ValueError: If the kind is unknown, if `layers` is not positive, or if the builders in
            `flows` raise it.

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
    options: dict[str, Any] = {'seed': seed, 'name': name, 'network_dtype': network_dtype}
    if kind == 'made':
        return flows.made([size], hidden, inner='mixture', components=4, prior='logistic',
                          **options)
    if kind == 'maf':
        return flows.maf([size], layers, hidden, batch_norm=False, **options)
    return _real_nvp(size, layers, hidden, **options)


def _real_nvp(size: int, couplings: int, hidden: Sequence[int], network_dtype: str | None,
              seed: int, name: str) -> tfd.TransformedDistribution:
    """Builds affine couplings of the even and the odd entries in turn."""
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


def seed_of(seed: int, k: int) -> int:
    """Returns the seed of part k of a model that has `seed`, an integer."""
    return int(np.random.SeedSequence([seed, k]).generate_state(1)[0] >> 1)


class _SmallAffine(tgb.AffineInner):
    """Applies `AffineInner` to raw outputs that it makes small first."""

    def __init__(self) -> None:
        super().__init__(_LOG_SCALE)

    def __call__(self, raw: tf.Tensor) -> tgb.ShiftScale:
        return super().__call__(_SMALL * raw)


small_affine = _SmallAffine()
