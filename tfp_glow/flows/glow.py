"""Glow's builder."""

import functools

import numpy as np
import tensorflow as tf

from tfp_glow import bijectors as tgb
from tfp_glow import networks
from tfp_glow.flows import building
from tfp_glow.internal import keras_bridge

PERMUTATIONS = ('conv', 'dense', 'shuffle', 'reverse')
COUPLINGS = ('affine', 'additive')
TOP_PRIORS = ('channel', 'position', 'standard')


def glow(event_shape, levels=3, steps_per_level=32, width=512, *, coupling='affine',
         permutation='conv', scale_map=None, network=None, network_options=None,
         exit_prior=True, top_prior='channel', reversible=True, dtype=tf.float32,
         network_dtype=None, classes=None, class_networks=True, condition_channels=None, seed=0,
         name='glow'):
    """Glow: `levels` of squeeze and `steps_per_level` x (actnorm, 1x1 convolution, coupling).

    Args:
      event_shape: `(H, W, C)` of the data; H and W must be divisible by `2**levels`.
      levels: L.
      steps_per_level: K.
      width: hidden channels of the coupling networks, one number or one per level.
      coupling: 'affine' or 'additive'.
      permutation: 'conv' (PLU form), 'dense' (a free matrix), 'shuffle' or 'reverse'.
      scale_map: `s -> log_scale` of the affine coupling, see `bijectors.scale_maps`.
      network: `(input_shape, outputs, width=, seed=, dtype=) -> built Keras network`; by default
        `networks.conv_network`.
      network_options: further keyword arguments for it.
      exit_prior: learn the prior of each latent that leaves early from what stays; False leaves it
        standard Normal.
      top_prior: mean and log-scale of the last latent: learned per 'channel' (the reference), per
        'position' and channel, or 'standard'.
      reversible: train at constant memory (see `bijectors.Repeat`).
      dtype: of data and parameters.
      network_dtype: Keras dtype or policy of the coupling networks, by default `dtype`;
        'mixed_bfloat16' computes them in bfloat16 and keeps weights, flow and log-dets in `dtype`.
      classes: `condition=` is a label per image, one of so many classes: it enters each coupling's
        network and the prior of the last latent.
      class_networks: whether it does enter the networks; False leaves it to the prior, as in the
        reference, so that latents do not depend on the label, see `ClassFinder`.
      condition_channels: `condition=` is a feature map of so many channels, `[B, h, w, C]`, of any
        size, brought to each network's.
      seed: integer; the same seed gives the same initial weights.
      name: prefix of the variables' names.

    Returns:
      `tfd.TransformedDistribution` over images. Its base has one part per level, so
      `flow.bijector.inverse(x)` is a list of `levels` latents, the finest first. Call
      `tfp_glow.initialize(flow, batch)` before training. A conditional flow wants `condition=` in
      `log_prob`, `sample` and the bijector's methods; see `flows.transformed`.

    Raises:
      ValueError: an argument out of its range; the message names it.

    #### References
    Kingma and Dhariwal, *Glow*, 2018, arXiv:1807.03039.

    ```python
    >>> import tensorflow as tf, tfp_glow
    >>> flow = tfp_glow.flows.glow((8, 8, 1), levels=2, steps_per_level=2, width=8)
    >>> flow.log_prob(tf.zeros([3, 8, 8, 1])).shape
    TensorShape([3])
    >>> flow.sample(2, seed=1).shape
    TensorShape([2, 8, 8, 1])

    ```
    """
    height, width_, channels = building.multi_scale_shape(event_shape, levels)
    building.check_choice('coupling', coupling, COUPLINGS)
    building.check_choice('permutation', permutation, PERMUTATIONS)
    building.check_choice('top_prior', top_prior, TOP_PRIORS)
    if steps_per_level < 1:
        raise ValueError(f'steps_per_level must be positive; got {steps_per_level=}.')
    widths = list(width) if isinstance(width, (list, tuple)) else [width] * levels
    if len(widths) != levels:
        raise ValueError(f'width must be one number or one per level, {levels}; got {width=}.')
    if classes is not None and condition_channels is not None:
        raise ValueError('at most one of classes and condition_channels may be given; '
                         f'got {classes=}, {condition_channels=}.')
    condition = {key: value for key, value in (('classes', classes), (
        'condition_channels', condition_channels)) if value is not None}
    if not class_networks:
        condition.pop('classes', None)
    network = functools.partial(network or networks.conv_network,
                                dtype=network_dtype or tf.as_dtype(dtype).name,
                                **condition, **(network_options or {}))
    inner = tgb.Additive() if coupling == 'additive' else tgb.AffineInner(scale_map)

    shape, level_bijectors, exits, shapes = (height, width_, channels), [], [], []
    for level in range(levels):
        shape = (shape[0] // 2, shape[1] // 2, shape[2] * 4)
        seeds = [int(s) for s in np.random.SeedSequence([seed, level]).generate_state(3) >> 1]
        path = f'{name}/level_{level}'
        steps = _steps(shape, steps_per_level, permutation, inner,
                       functools.partial(network, width=widths[level]), seeds, dtype, path,
                       reversible)
        parts = [tgb.Squeeze(2), steps]
        if classes is not None and level == levels - 1:
            parts.append(_class_prior(shape[2], classes, dtype, path))
        level_bijectors.append(tgb.Chain(parts, name=f'level_{level}'))
        if level < levels - 1:
            kept = (shape[2] + 1) // 2
            if exit_prior:
                exits.append(_exit((*shape[:2], kept), shape[2] - kept, dtype, path,
                                   (network_options or {}).get('position_bias', False)))
            shapes.append((*shape[:2], shape[2] - kept))
            shape = (*shape[:2], kept)
    shapes.append(shape)
    return building.transformed(
        building.level_latents(shapes, top_prior, dtype, name),
        tgb.MultiScale(level_bijectors, exits if exit_prior else None,
                       (height, width_, channels), name=name), name)


def _steps(shape, times, permutation, inner, network, seeds, dtype, path, reversible):
    """The `times` steps of one level, as a `Repeat` over stacked variables."""
    channels = shape[2]
    kept = (channels + 1) // 2
    variable = functools.partial(building.variable, path=path, dtype=dtype)
    params = {'act_norm': {
        'shift': variable('act_norm/shift', np.zeros([times, channels])),
        'log_scale': variable('act_norm/log_scale', np.zeros([times, channels])),
        'initialized': tf.Variable(np.zeros([times], bool), trainable=False,
                                   name=f'{path}/act_norm/initialized')}}
    drawn = [_draw_mixing(permutation, channels, [seeds[0], k], dtype) for k in range(times)]
    params['mixing'] = {
        key: variable(f'{permutation}/{key}', np.stack([d[key] for d in drawn]),
                      trainable=key not in ('permutation', 'sign'))
        for key in drawn[0]}
    stacked = keras_bridge.StackedNetwork(
        network((*shape[:2], kept), inner.outputs_per_channel * (channels - kept), seed=seeds[1]),
        times, seeds[1], name=f'{path}/network')
    params['network'] = stacked.weights

    def make_step(params):
        return tgb.Chain([
            tgb.ActNorm(**params['act_norm']),
            _mixing(permutation, channels, dtype, params['mixing']),
            tgb.Coupling(stacked.bind(params['network']), inner)])
    return tgb.Repeat(make_step, params, times, reversible)


def _draw_mixing(permutation, channels, seed, dtype):
    dtype = tf.as_dtype(dtype).as_numpy_dtype
    if permutation == 'conv':
        return tgb.plu_parameters(channels, seed, dtype)
    if permutation == 'dense':
        return {'kernel': tgb.rotation(channels, seed).astype(dtype)}
    if permutation == 'shuffle':
        return {'permutation': tgb.random_permutation(channels, seed)}
    return {}


def _mixing(permutation, channels, dtype, params):
    if permutation == 'conv':
        return tgb.InvertibleConv1x1(**params)
    if permutation == 'dense':
        return tgb.DenseConv1x1(**params)
    if permutation == 'shuffle':
        return tgb.Shuffle(**params, dtype=dtype)
    return tgb.Reverse(channels, dtype=dtype)


def _exit(input_shape, channels, dtype, path, position_bias):
    """The conditional prior of a latent that leaves: N(mean, exp(logs)) from a zero convolution."""
    prior = networks.ScaledConv2D(2 * channels, 3, 'zeros', rate=3., edge_indicator=True,
                                  position_bias=position_bias, dtype=tf.as_dtype(dtype).name,
                                  name='prior')
    with tf.name_scope(f'{path}/exit'):  # Keras names its weights by the scope.
        prior.build((None, *input_shape))
    return tgb.Coupling(prior, tgb.AffineInner(tgb.scale_maps.exponential()), name='exit')


def _class_prior(channels, classes, dtype, path):
    """Shift and scale of the last latent per class, zero at first."""
    prior = networks.ConditionBias(2 * channels, classes=classes, dtype=tf.as_dtype(dtype).name,
                                   name='class_prior')
    with tf.name_scope(path):
        prior.build()
    return tgb.Conditioned(prior, name='class_prior')
