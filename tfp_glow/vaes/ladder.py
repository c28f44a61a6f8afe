"""Builds ladder VAEs: from a configuration to a `LadderVAE`."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfp_glow import bijectors as tgb
from tfp_glow import networks
from tfp_glow.flows import building
from tfp_glow.internal import configs
from tfp_glow.types import DType, Shape
from tfp_glow.vaes import flows, ladder_model, likelihoods

POSTERIORS = ('gaussian', 'iaf')


@configs.recorded
def ladder_vae(event_shape: Shape, bins: int = 256, levels: int = 1,
               layers: int | Sequence[int] = 20, width: int = 160, latent_channels: int = 32, *,
               posterior: str = 'iaf', likelihood: str | likelihoods.Likelihood | None = None,
               likelihood_options: Mapping[str, Any] | None = None, flow_width: int | None = None,
               position_bias: bool = False, dtype: DType = tf.float32,
               network_dtype: str | None = None, seed: int = 0,
               name: str = 'ladder_vae') -> ladder_model.LadderVAE:
    """Builds the resnet VAE of Kingma et al.: a bidirectional ladder with IAF posteriors.

    Each layer has an IAF step. The stem halves the image's sides, and each level after the first
    halves them once more. The defaults are those of the reference's best model of CIFAR-10: 20
    layers with latents `[16, 16, 32]` each. All convolutions are weight-normalised, and
    `tfp_glow.initialize` or `fit` sets them from a batch. This does not hold for those of the
    flows, which start as identities:

    ```none
    z <- (z + m / 10) * exp(s / 10),    [m, s] = masked convolutions of z, given the context
    ```

    The model differs from the reference's code on purpose in these points. Strided convolutions act
    on blocks of pixels that are moved into channels. The features that go around a layer are
    averaged instead of thinned out. The flow's masked convolutions are those of
    `networks.masked_conv`, with a 1x1 convolution after the second and without weight
    normalisation, and s is softly bounded. Likelihoods of other kinds and biases per position may
    be chosen.

    Args:
        event_shape: The shape `(H, W, C)`; H and W must be divisible by 2**levels.
        bins: The number of grey levels of the images.
        levels: The number of resolutions of the latents.
        layers: The number of groups of latents per level, one number or a list of one for each
            level, the finest first.
        width: The channels of the features.
        latent_channels: The channels of each group of latents.
        posterior: 'gaussian', or 'iaf' for a Gaussian followed by an inverse autoregressive flow.
        likelihood: 'bernoulli', 'normal', 'logistic', 'mixture' or one of `likelihoods`. The
            default is the first for binary images, and for others a logistic with one learned scale
            for all values.
        likelihood_options: A dictionary of the options of a named likelihood, such as `scale`.
        flow_width: The hidden channels of the flows' networks; the default is `width`.
        position_bias: Whether to learn biases per position, in what the way down says of the
            latents and in the head. They suit centred objects. The reference has none.
        dtype: The dtype of the variables and latents.
        network_dtype: The Keras dtype policy of the networks, such as 'mixed_bfloat16'.
        seed: An integer for the initial weights.
        name: The name of the model and the path of its variables.

    Returns:
        A `LadderVAE`, whose `latent_shapes` are `[h, w, latent_channels]`, the coarsest first.

    Raises:
        ValueError: If sides are not divisible by 2**levels or the coarsest are below 2, if
            `posterior` is unknown, if a number is not positive, or if `layers` is neither one
            number nor one for each level.

    #### References
    Kingma et al., *Improving Variational Inference with Inverse Autoregressive Flow*, 2016,
    arXiv:1606.04934, section 5.3, and its code.

    ```python
    >>> import tensorflow as tf, tfp_glow
    >>> vae = tfp_glow.vaes.ladder_vae((8, 8, 1), 17, levels=2, layers=1, width=8,
    ...                                latent_channels=2)
    >>> print(*vae.latent_shapes)
    (2, 2, 2) (4, 4, 2)
    >>> [z.shape for z in vae.encode(tf.zeros([5, 8, 8, 1]))]
    [TensorShape([5, 2, 2, 2]), TensorShape([5, 4, 4, 2])]

    ```
    """
    height, wide, channels = building.multi_scale_shape(event_shape, levels)
    building.check_choice('posterior', posterior, POSTERIORS)
    counts = building.per_level('layers', layers, levels)
    for argument, value in (('layers', min(counts)), ('width', width),
                            ('latent_channels', latent_channels), ('flow_width', flow_width)):
        if value is not None and value < 1:
            raise ValueError(f'{argument} must be positive; got {argument}={value}.')
    if min(height, wide) < 2 * 2**levels:
        raise ValueError(f'height and width must be at least 2 * 2**levels = {2 * 2**levels}; '
                         f'got height={height}, width={wide}, {levels=}.')
    if likelihood is None and bins > 2:
        likelihood, likelihood_options = 'logistic', {'scale': 'learned'}
    likelihood = likelihoods.make(likelihood, bins, **(likelihood_options or {}))
    dtype = tf.as_dtype(dtype)
    options: dict[str, Any] = {'position_bias': position_bias, 'dtype': network_dtype or dtype.name}
    context = (flow_width or width) if posterior == 'iaf' else 0

    seeds = (flows.seed_of(seed, k) for k in itertools.count())
    with tf.name_scope(f'{name}/stem'):
        stem = networks.resampled_conv((height, wide, channels), width, shrink=2,
                                       dtype=options['dtype'], seed=next(seeds), name='stem')
    ladder: list[ladder_model.LadderLayer] = []
    shapes, side = [], (height // 2, wide // 2)
    for level, count in enumerate(counts):
        for index in range(count):
            factor = 2 if level and not index else 1
            path = f'{name}/level_{level}/layer_{index}'
            with tf.name_scope(path):
                up, down, merge = networks.ladder_layer(
                    side, width, latent_channels, context, factor,
                    top=len(ladder) == sum(counts) - 1, seed=next(seeds), **options)
                side = tuple(length // factor for length in side)
                flow = None
                if context:
                    flow = _iaf((*side, latent_channels), context, next(seeds),
                                options['dtype'])
            ladder.append(ladder_model.LadderLayer(up, down, merge, flow))
            shapes.append((*side, latent_channels))
    with tf.name_scope(f'{name}/head'):
        head = networks.resampled_conv(
            (height // 2, wide // 2, width), likelihood.outputs(channels), grow=2,
            activation='elu', seed=next(seeds), name='head', **options)
    top = building.variable('top', np.random.default_rng(next(seeds)).standard_normal(width),
                            name, dtype)
    return ladder_model.LadderVAE(event_shape, bins, stem, ladder[::-1], shapes[::-1], top, side,
                                  head, likelihood, name=name)


def _iaf(shape: Sequence[int], width: int, seed: int, dtype: str) -> tgb.InverseAutoregressive:
    """Builds the flow of one layer's posterior."""
    network = networks.masked_conv(
        shape, flows.small_affine.outputs_per_channel, width, blocks=1, activation='elu',
        condition_channels=width, seed=seed, dtype=dtype, name='flow')
    return tgb.InverseAutoregressive(network, flows.small_affine)
