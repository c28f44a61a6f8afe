"""The builder of a ladder VAE: configuration to `LadderVAE`."""

import itertools

import numpy as np
import tensorflow as tf

from tfp_glow import bijectors as tgb
from tfp_glow import networks
from tfp_glow.flows import building
from tfp_glow.vaes import flows, ladder_model, likelihoods

POSTERIORS = ('gaussian', 'iaf')


def ladder_vae(event_shape, bins=256, levels=1, layers=20, width=160, latent_channels=32, *,
               posterior='iaf', likelihood=None, likelihood_options=None, flow_width=None,
               position_bias=False, dtype=tf.float32, network_dtype=None, seed=0,
               name='ladder_vae'):
    """The resnet VAE of Kingma et al.: a bidirectional ladder with an IAF step at each layer.

    The image's sides are halved by the stem and once more at each level after the first; with the
    defaults, those of the reference's best model of CIFAR-10, 20 layers have latents `[16, 16, 32]`
    each. All convolutions are weight-normalised, set by `tfp_glow.initialize` or `fit` from a
    batch, but for those of the flows, which start as identities:

    ```none
    z <- (z + m / 10) * exp(s / 10),    [m, s] = masked convolutions of z, given the context
    ```

    Where it differs from the reference's code on purpose: strided convolutions act on blocks of
    pixels moved into channels; the features that go around a layer are averaged in place of thinned
    out; the flow's masked convolutions are `networks.masked_conv`'s, with a 1x1 one after the
    second and without weight normalisation, and s is softly bounded; likelihoods of other kinds and
    biases per position may be chosen.

    Args:
      event_shape: `(H, W, C)`; H and W divisible by 2**levels.
      bins: number of grey levels of the images.
      levels: number of resolutions of the latents.
      layers: groups of latents per level, a number or a list of one for each level, the finest
        first.
      width: channels of the features.
      latent_channels: channels of each group of latents.
      posterior: 'gaussian', or 'iaf' for a Gaussian followed by an inverse autoregressive flow.
      likelihood: 'bernoulli', 'normal', 'logistic', 'mixture' or one of `likelihoods`; by default
        the first for binary images, and for others a logistic with one learned scale for all.
      likelihood_options: dictionary of the options of a named likelihood, such as `scale`.
      flow_width: hidden channels of the flows' networks; by default `width`.
      position_bias: learn biases per position in what the way down says of the latents and in the
        head: for centred objects. Not the reference's.
      dtype: of the variables and latents.
      network_dtype: Keras dtype policy of the networks, such as 'mixed_bfloat16'.
      seed: integer for the initial weights.
      name: name of the model and path of its variables.

    Returns:
      A `LadderVAE`, whose `latent_shapes` are `[h, w, latent_channels]`, the coarsest first.

    Raises:
      ValueError: sides not divisible by 2**levels, or the coarsest below 2; `posterior` unknown;
        a number that is not positive; `layers` not one number for each level.

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
    options = {'position_bias': position_bias, 'dtype': network_dtype or dtype.name}
    context = (flow_width or width) if posterior == 'iaf' else 0

    seeds = (flows.seed_of(seed, k) for k in itertools.count())
    with tf.name_scope(f'{name}/stem'):
        stem = networks.resampled_conv((height, wide, channels), width, shrink=2,
                                       dtype=options['dtype'], seed=next(seeds), name='stem')
    found, shapes, side = [], [], (height // 2, wide // 2)
    for level, count in enumerate(counts):
        for index in range(count):
            factor = 2 if level and not index else 1
            path = f'{name}/level_{level}/layer_{index}'
            with tf.name_scope(path):
                parts = networks.ladder_layer(
                    side, width, latent_channels, context, factor,
                    top=len(found) == sum(counts) - 1, seed=next(seeds), **options)
                side = tuple(length // factor for length in side)
                flow = None
                if context:
                    flow = _iaf((*side, latent_channels), context, next(seeds),
                                options['dtype'])
            found.append(ladder_model.LadderLayer(*parts, flow))
            shapes.append((*side, latent_channels))
    with tf.name_scope(f'{name}/head'):
        head = networks.resampled_conv(
            (height // 2, wide // 2, width), likelihood.outputs(channels), grow=2,
            activation='elu', seed=next(seeds), name='head', **options)
    top = building.variable('top', np.random.default_rng(next(seeds)).standard_normal(width),
                            name, dtype)
    return ladder_model.LadderVAE(event_shape, bins, stem, found[::-1], shapes[::-1], top, side,
                                  head, likelihood, name=name)


def _iaf(shape, width, seed, dtype):
    network = networks.masked_conv(
        shape, flows.small_affine.outputs_per_channel, width, blocks=1, activation='elu',
        condition_channels=width, seed=seed, dtype=dtype, name='flow')
    return tgb.InverseAutoregressive(network, flows.small_affine)
