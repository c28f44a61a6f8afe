"""Builds Glow."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfp_glow import bijectors as tgb
from tfp_glow import networks
from tfp_glow.flows import building
from tfp_glow.internal import configs
from tfp_glow.types import DType, Shape

COUPLINGS = ('affine', 'additive')


@configs.recorded
def glow(event_shape: Shape, levels: int = 3, steps_per_level: int = 32,
         width: int | Sequence[int] = 512, *, coupling: str = 'affine', permutation: str = 'conv',
         scale_map: Callable[[tf.Tensor], tf.Tensor] | None = None,
         network: building.MakeNetwork | None = None,
         network_options: Mapping[str, Any] | None = None, exit_prior: bool = True,
         top_prior: str = 'channel', reversible: bool = True, dtype: DType = tf.float32,
         network_dtype: str | None = None, classes: int | None = None,
         class_networks: bool = True, condition_channels: int | None = None, seed: int = 0,
         name: str = 'glow') -> tfd.TransformedDistribution:
    """Builds Glow: `levels` x (squeeze, `steps_per_level` x (actnorm, 1x1 convolution, coupling)).

    Args:
        event_shape: The shape `(H, W, C)` of the data; H and W must be divisible by `2**levels`.
        levels: L, the number of levels.
        steps_per_level: K, the number of steps of each level.
        width: The hidden channels of the coupling networks, one number or one per level.
        coupling: 'affine' or 'additive'.
        permutation: 'conv' (PLU form), 'dense' (a free matrix), 'shuffle' or 'reverse'.
        scale_map: The map `s -> log_scale` of the affine coupling, see `bijectors.scale_maps`.
        network: A function `(input_shape, outputs, width=, seed=, dtype=) -> built Keras network`;
            the default is `networks.conv_network`.
        network_options: Further keyword arguments for `network`.
        exit_prior: Whether to learn the prior of each latent that leaves early from what stays;
            False leaves it standard Normal.
        top_prior: The mean and log-scale of the last latent: learned per 'channel' (the reference),
            per 'position' and channel, or 'standard'.
        reversible: Whether to train at constant memory (see `bijectors.Repeat`).
        dtype: The dtype of data and parameters.
        network_dtype: The Keras dtype or policy of the coupling networks; the default is `dtype`.
            'mixed_bfloat16' computes them in bfloat16 and keeps weights, flow and log-dets in
            `dtype`.
        classes: If given, `condition=` is a label per image, one of this number of classes. It
            enters each coupling's network and the prior of the last latent.
        class_networks: Whether the label does enter the networks. False leaves it to the prior, as
            in the reference, so that latents do not depend on the label, see `ClassFinder`.
        condition_channels: If given, `condition=` is a feature map with this number of channels,
            `[B, h, w, C]`, of any size, which is brought to the size of each network's input.
        seed: An integer. The same seed gives the same initial weights.
        name: The prefix of the variables' names.

    Returns:
        A `tfd.TransformedDistribution` over images. Its base has one part per level, so
        `flow.bijector.inverse(x)` is a list of `levels` latents, the finest first. Call
        `tfp_glow.initialize(flow, batch)` before training. A conditional flow requires `condition=`
        in `log_prob`, `sample` and the bijector's methods; see `flows.transformed`.

    Raises:
        ValueError: If an argument is out of its range; the message names it.
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
    building.check_choice('permutation', permutation, building.PERMUTATIONS)
    building.check_choice('top_prior', top_prior, building.TOP_PRIORS)
    if steps_per_level < 1:
        raise ValueError(f'steps_per_level must be positive; got {steps_per_level=}.')
    widths = building.per_level('width', width, levels)
    condition = building.condition_options(classes, condition_channels)
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
        steps = building.repeated([building.alike_steps(
            shape, steps_per_level, permutation, inner,
            functools.partial(network, width=widths[level]), seeds, dtype, path)], reversible)
        parts = [tgb.Squeeze(2), steps]
        if classes is not None and level == levels - 1:
            parts.append(building.class_prior(shape[2], classes, dtype, path))
        level_bijectors.append(tgb.Chain(parts, name=f'level_{level}'))
        if level < levels - 1:
            kept = (shape[2] + 1) // 2
            if exit_prior:
                exits.append(building.exit_prior(
                    (*shape[:2], kept), shape[2] - kept, dtype, path,
                    (network_options or {}).get('position_bias', False)))
            shapes.append((*shape[:2], shape[2] - kept))
            shape = (*shape[:2], kept)
    shapes.append(shape)
    return building.transformed(
        building.level_latents(shapes, top_prior, dtype, name),
        tgb.MultiScale(level_bijectors, exits if exit_prior else None,
                       (height, width_, channels), name=name), name)
