"""Builds Flow++ and the noise it is trained with."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow_probability import bijectors as tfb
from tensorflow_probability import distributions as tfd

from tfp_glow import bijectors as tgb
from tfp_glow import networks
from tfp_glow.distributions import VariationalNoise
from tfp_glow.flows import building
from tfp_glow.internal import configs
from tfp_glow.types import DType, Shape


@configs.recorded
def flow_pp(event_shape: Shape, levels: int = 1, steps_per_level: int = 2, checkerboards: int = 3,
            first_checkerboards: int = 4, width: int | Sequence[int] = 96, *, components: int = 32,
            scale_map: Callable[[tf.Tensor], tf.Tensor] | None = None,
            network: building.MakeNetwork | None = None,
            network_options: Mapping[str, Any] | None = None, top_prior: str = 'standard',
            reversible: bool = False, dtype: DType = tf.float32, network_dtype: str | None = None,
            classes: int | None = None, condition_channels: int | None = None, seed: int = 0,
            name: str = 'flow_pp') -> tfd.TransformedDistribution:
    """Builds Flow++: couplings by the CDF of logistic mixtures, between pixels and channels.

    `first_checkerboards` steps act on the image itself. Then follow, `levels` times, a squeeze,
    `steps_per_level` steps whose couplings split channels, and `checkerboards` steps whose
    couplings split pixels. Each step is an actnorm, a 1x1 convolution (where there is more than one
    channel) and a coupling. The defaults give the paper's flow for CIFAR-10.

    The paper's flow has one squeeze and no latent that leaves early. With more levels, half of the
    channels leave after each level as in `glow`, through a learned conditional prior. This is our
    addition, because what leaves makes the rest cheaper.

    Args:
        event_shape: The shape `(H, W, C)` of the data; H and W must be divisible by `2**levels`.
        levels: The number of squeezes.
        steps_per_level: The number of steps by channels after each squeeze.
        checkerboards: The number of steps by pixels after those.
        first_checkerboards: The number of steps by pixels before the first squeeze.
        width: The hidden channels of the coupling networks, one number or one per level.
        components: The number of logistics per mixture.
        scale_map: The map `s -> log_scale` of the affine map that follows each mixture, see
            `bijectors.MixtureCDFInner`.
        network: A function `(input_shape, outputs, width=, seed=, dtype=) -> built Keras network`;
            the default is `networks.gated_attention_network`. In steps by pixels the network sees
            the half of an image that conditions, `(H, W // 2, C)`. If W is odd, it sees the image
            with zeros where pixels move.
        network_options: Further keyword arguments for `network`.
        top_prior: The mean and log-scale of the last latent: 'standard' (the paper), or learned per
            'channel' or 'position'.
        reversible: Whether to train at constant memory (see `bijectors.Repeat`). The inverse of a
            mixture is a search, so this takes several times as long.
        dtype: The dtype of data and parameters.
        network_dtype: The Keras dtype or policy of the coupling networks; the default is `dtype`.
        classes: If given, `condition=` is a label per image, one of this number of classes. It
            enters each coupling's network and the prior of the last latent.
        condition_channels: If given, `condition=` is a feature map with this number of channels,
            `[B, h, w, C]`, of any size, which is brought to the size of each network's input.
        seed: An integer. The same seed gives the same initial weights.
        name: The prefix of the variables' names.

    Returns:
        A `tfd.TransformedDistribution` over images, like that of `glow`. Call
        `tfp_glow.initialize(flow, batch)` before training.

    Raises:
        ValueError: If an argument is out of its range; the message names it.
    #### References
    Ho, Chen, Srinivas, Duan and Abbeel, *Flow++*, 2019, arXiv:1902.00275, sections 3 and 4.

    ```python
    >>> import tensorflow as tf, tfp_glow
    >>> flow = tfp_glow.flows.flow_pp((4, 4, 1), 1, 1, 1, 1, width=4, components=2,
    ...                               network_options={'blocks': 1, 'heads': 2})
    >>> flow.log_prob(tf.zeros([3, 4, 4, 1])).shape
    TensorShape([3])

    ```
    """
    shape = building.multi_scale_shape(event_shape, levels)
    building.check_choice('top_prior', top_prior, building.TOP_PRIORS)
    _check_counts(steps_per_level=steps_per_level, checkerboards=checkerboards,
                  first_checkerboards=first_checkerboards)
    widths = building.per_level('width', width, levels)
    options = dict(network_options or {}, **building.condition_options(classes, condition_channels))
    network = functools.partial(network or networks.gated_attention_network,
                                dtype=network_dtype or tf.as_dtype(dtype).name, **options)
    make = functools.partial(_couplings, inner=tgb.MixtureCDFInner(components, scale_map),
                             dtype=dtype, reversible=reversible)

    level_bijectors, exits, shapes = [], [], []
    for level in range(levels):
        path = f'{name}/level_{level}'
        seeds = np.random.SeedSequence([seed, level]).spawn(3)
        each = functools.partial(make, network=functools.partial(network, width=widths[level]))
        parts = []
        if level == 0:
            parts += each(shape, first_checkerboards, True, seeds[0], f'{path}/first')
        shape = (shape[0] // 2, shape[1] // 2, shape[2] * 4)
        parts.append(tgb.Squeeze(2))
        parts += each(shape, steps_per_level, False, seeds[1], f'{path}/channels')
        parts += each(shape, checkerboards, True, seeds[2], f'{path}/pixels')
        if classes is not None and level == levels - 1:
            parts.append(building.class_prior(shape[2], classes, dtype, path))
        level_bijectors.append(tgb.Chain(parts, name=f'level_{level}'))
        if level < levels - 1:
            kept = (shape[2] + 1) // 2
            exits.append(building.exit_prior((*shape[:2], kept), shape[2] - kept, dtype, path,
                                             options.get('position_bias', False)))
            shapes.append((*shape[:2], shape[2] - kept))
            shape = (*shape[:2], kept)
    shapes.append(shape)
    return building.transformed(
        building.level_latents(shapes, top_prior, dtype, name),
        tgb.MultiScale(level_bijectors, exits, name=name), name)


@configs.recorded
def flow_pp_noise(event_shape: Shape, checkerboards: int = 4, channel_steps: int = 0,
                  width: int = 96, *, components: int = 32,
                  network: building.MakeNetwork | None = None,
                  network_options: Mapping[str, Any] | None = None, dtype: DType = tf.float32,
                  network_dtype: str | None = None, seed: int = 0,
                  name: str = 'noise') -> VariationalNoise:
    """Builds the noise of variational dequantization, q(u|x), from couplings like `flow_pp`'s.

    ```none
    u = sigmoid(chain.inverse(e, condition=features(x))),   e ~ Logistic(0, 1)
    ```

    The chain is `checkerboards` steps between the pixels of the image and `channel_steps` steps
    between the channels of the squeezed image. It runs in the direction that has a closed form:
    each training step draws noise and asks for its density together with what was drawn.

    The base is the logistic, whose sigmoid is uniform, instead of the paper's Normal: training
    starts near uniform noise. Nothing is initialised from data: actnorms start as identities.

    The features of a pixel are those of the 2x2 block that it is in, which is one pixel of the
    squeezed image. They are each value x, and also tanh(128 (x + 1/2)) and tanh(128 (1/2 - x)):
    black and white often fill whole areas, whose noise may differ from that of the next grey
    levels.

    Args:
        event_shape: The shape `(H, W, C)` of the images; H and W must be even.
        checkerboards: The number of steps between pixels.
        channel_steps: The number of steps between channels.
        width: The hidden channels of the coupling networks.
        components: As in `flow_pp`.
        network: As in `flow_pp`. A `networks.conv_network` needs the option `act_norm=False`,
            because otherwise it would wait for data that it never gets.
        network_options: As in `flow_pp`.
        dtype: As in `flow_pp`.
        network_dtype: As in `flow_pp`.
        seed: As in `flow_pp`.
        name: The prefix of the variables' names.

    Returns:
        A `distributions.VariationalNoise`.

    Raises:
        ValueError: If an argument is out of its range; the message names it.
    #### References
    Ho, Chen, Srinivas, Duan and Abbeel, *Flow++*, 2019, arXiv:1902.00275, section 3.1.

    ```python
    >>> import tensorflow as tf, tfp_glow
    >>> noise = tfp_glow.flows.flow_pp_noise(
    ...     (4, 4, 1), 0, 1, width=4, components=2, network_options={'blocks': 1, 'heads': 2})
    >>> noise.sample(2, seed=[1, 2], condition=tf.zeros([2, 4, 4, 1])).shape
    TensorShape([2, 4, 4, 1])

    ```
    """
    height, width_, channels = shape = building.multi_scale_shape(event_shape, 1)
    _check_counts(checkerboards=checkerboards, channel_steps=channel_steps)
    network = functools.partial(
        network or networks.gated_attention_network, width=width, condition_channels=12 * channels,
        dtype=network_dtype or tf.as_dtype(dtype).name, **(network_options or {}))
    seeds = np.random.SeedSequence(seed).spawn(2)
    make = functools.partial(_couplings, inner=tgb.MixtureCDFInner(components), network=network,
                             dtype=dtype, reversible=False, data_dependent=False)
    parts = make(shape, checkerboards, True, seeds[0], f'{name}/pixels')
    if channel_steps:
        squeezed = (height // 2, width_ // 2, 4 * channels)
        parts += [tgb.Squeeze(2),
                  *make(squeezed, channel_steps, False, seeds[1], f'{name}/channels'),
                  tfb.Invert(tgb.Squeeze(2))]
    base = tfd.Independent(tfd.Logistic(tf.zeros(shape, dtype), tf.ones([], dtype)), 3)
    return VariationalNoise(
        building.transformed(base, tfb.Invert(tgb.Chain(parts)), name), _features, name=name)


def _check_counts(**counts: int) -> None:
    """Raises a `ValueError` if a number of steps is negative, or if all are 0."""
    for key, count in counts.items():
        if count < 0:
            raise ValueError(f'{key} must not be negative; got {key}={count}.')
    if not any(counts.values()):
        given = ', '.join(f'{key}=0' for key in counts)
        raise ValueError(f'there must be a step; got {given}.')


def _features(images: tf.Tensor) -> tf.Tensor:
    """Returns the features that the noise is conditioned on: `[B, H, W, C] -> [B, H, W, 12 C]`."""
    ends = [tf.tanh(128 * (.5 + sign * images)) for sign in (1, -1)]
    blocks = tf.nn.space_to_depth(tf.concat([images, *ends], -1), 2)
    return tf.repeat(tf.repeat(blocks, 2, 1), 2, 2)


def _couplings(shape: tuple[int, ...], count: int, by_pixels: bool, seed: np.random.SeedSequence,
               path: str, *, inner: building.Inner, network: building.MakeNetwork, dtype: DType,
               reversible: bool, data_dependent: bool = True) -> list[tfb.Bijector]:
    """Returns `count` steps as a list of bijectors.

    By pixels, the halves of the checkerboard take turns, so a pair of steps is what is repeated. If
    `count` is odd, the last step stands alone.
    """
    def steps(times: int, part: int, parity: int | None = None) -> building.Steps:
        seeds = [int(s) for s in np.random.SeedSequence(
            seed.entropy, spawn_key=(*seed.spawn_key, part)).generate_state(2) >> 1]
        mixing = 'conv' if shape[2] > 1 else 'reverse'
        return building.alike_steps(shape, times, mixing, inner, network, seeds, dtype,
                                    f'{path}/{part}', parity, data_dependent)
    if not by_pixels:
        groups = [[steps(count, 0)]] if count else []
    else:
        groups = [[steps(count // 2, 0, 0), steps(count // 2, 1, 1)]] if count > 1 else []
        groups += [[steps(1, 2, 0)]] if count % 2 else []
    return [building.repeated(group, reversible) for group in groups]
