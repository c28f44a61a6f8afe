"""Builds RealNVP."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow_probability import bijectors as tfb
from tensorflow_probability import distributions as tfd

from tfp_glow import bijectors as tgb
from tfp_glow import networks
from tfp_glow.distributions.latents import latents
from tfp_glow.flows import building
from tfp_glow.internal import configs
from tfp_glow.types import DType, Shape

# Where a coupling splits: its split, the shape that its network sees and the network's mask.
_Place = tuple[tgb.splits.Split, tuple[int, int, int], np.ndarray | None]


@configs.recorded
def real_nvp(event_shape: Shape, levels: int = 2, width: int = 64, blocks: int = 8, *,
             alpha: float = .05, halves: bool = False, batch_norm: bool = True,
             network: building.MakeNetwork | None = None,
             network_options: Mapping[str, Any] | None = None, dtype: DType = tf.float32,
             network_dtype: str | None = None, classes: int | None = None,
             condition_channels: int | None = None, seed: int = 0,
             name: str = 'real_nvp') -> tfd.TransformedDistribution:
    """Builds RealNVP: affine couplings by checkerboard and by channel, at `levels` scales.

    In the direction of the density, data in [-1/2, 1/2) are moved to [0, 1) and to logits. Each
    scale but the last has 3 couplings by checkerboard, a squeeze and 3 couplings by channel. Then
    half of its channels leave, which is one colour of the checkerboard. The last scale has 4
    couplings by checkerboard. Roles alternate from coupling to coupling. A coupling's scale is
    exp(factor * tanh(.)). The factor, one for each channel that moves, is learned and starts at 0.
    The shift starts at 0 too, so all couplings start as the identity. A `BatchNorm` follows each
    coupling.

    The flow that is returned evaluates and samples. Train `tfp_glow.with_training(flow)`, and call
    `tfp_glow.update_statistics(flow, batch)` before you evaluate.

    The flow differs from the reference on purpose in these points. `BatchNorm` normalises all of a
    coupling's output; in the reference it normalises what the coupling has moved. There is no
    `BatchNorm` within the networks, see `networks.ResidualNetwork`. The reference has one factor
    for all channels, and its shifts start at random.

    Args:
        event_shape: The shape `(H, W, C)` of the data; H and W must be divisible by
            `2**(levels - 1)`.
        levels: The number of scales; each has half the side of the one before.
        width: The channels of the first coupling networks; they double with each squeeze.
        blocks: The number of residual blocks of each network.
        alpha: The logits are those of alpha + (1 - 2 alpha) y, see `bijectors.Logit`.
        halves: Whether to show the networks of the checkerboard couplings the conditioning pixels
            alone, pushed together. This halves the work, see `bijectors.splits.checkerboard`. All
            widths must then be even, including those of the last scale. The reference shows the
            image with zeros.
        batch_norm: Whether to normalise by `BatchNorm`. False puts an `ActNorm` in the place of
            each, so that training and evaluation use the same flow.
        network: A function `(input_shape, outputs, width=, blocks=, mask=, zero_outputs=, seed=,
            dtype=) -> built Keras network`. The default is `networks.residual_network`, whose
            arguments these are. The mask marks the conditioning pixels or, with `halves`, the rows
            that begin with one. It is None in couplings by channel.
        network_options: Further keyword arguments for `network`.
        dtype: The dtype of data and parameters.
        network_dtype: The Keras dtype or policy of the coupling networks; the default is `dtype`.
            'mixed_bfloat16' computes them in bfloat16 and keeps weights, flow and log-dets in
            `dtype`.
        classes: If given, `condition=` is a label per image, one of this number of classes, for
            each network.
        condition_channels: If given, `condition=` is a feature map with this number of channels,
            `[B, h, w, C]`.
        seed: An integer. The same seed gives the same initial weights.
        name: The prefix of the variables' names.

    Returns:
        A `tfd.TransformedDistribution` over images. Its base is N(0, 1), one part per scale, so
        `flow.bijector.inverse(x)` is a list of `levels` latents, the finest first. Call
        `tfp_glow.initialize(flow, batch)` before training.

    Raises:
        ValueError: If an argument is out of its range; the message names it.

    #### References
    Dinh, Sohl-Dickstein and Bengio, *Density Estimation using Real NVP*, 2017, arXiv:1605.08803.

    ```python
    >>> import tensorflow as tf, tfp_glow
    >>> flow = tfp_glow.flows.real_nvp((8, 8, 1), levels=2, width=4, blocks=1)
    >>> [z.shape.as_list() for z in flow.bijector.inverse(tf.zeros([3, 8, 8, 1]))]
    [[3, 4, 4, 2], [3, 4, 4, 2]]
    >>> flow.sample(2, seed=1).shape
    TensorShape([2, 8, 8, 1])

    ```
    """
    shape = _checked(event_shape, levels, halves)
    if classes is not None and condition_channels is not None:
        raise ValueError('at most one of classes and condition_channels may be given; '
                         f'got {classes=}, {condition_channels=}.')
    network = network or functools.partial(networks.residual_network, name='network')
    condition = {key: value for key, value in (('classes', classes), (
        'condition_channels', condition_channels)) if value is not None}
    network = functools.partial(network, blocks=blocks,
                                dtype=network_dtype or tf.as_dtype(dtype).name,
                                **condition, **(network_options or {}))
    make = functools.partial(_couplings, network, batch_norm, dtype)
    level_bijectors, shapes = [], []
    for level in range(levels):
        last, path = level == levels - 1, f'{name}/level_{level}'
        seeds = np.random.SeedSequence([seed, level]).generate_state(2) >> 1
        parts = [] if level else [
            tgb.ShiftScale(tf.constant(.5, dtype), name='from_center'), tgb.Logit(alpha)]
        boards = [_checkerboard(shape, k % 2, halves) for k in range(4 if last else 3)]
        parts += make(boards, width << level, int(seeds[0]), f'{path}/checkerboard')
        if not last:
            shape = (shape[0] // 2, shape[1] // 2, shape[2] * 4)
            half = (*shape[:2], shape[2] // 2)
            sides = [(tgb.splits.channels(reverse=bool(k % 2)), half, None) for k in range(3)]
            squeeze = tgb.Squeeze(2, 'glow')
            parts += [squeeze, *make(sides, width << level + 1, int(seeds[1]), f'{path}/channels')]
            # The halves of channels above are not colours of the board; those that part here are.
            parts += [tfb.Invert(squeeze), tgb.Squeeze(2, 'realnvp')]
            shape = half
        level_bijectors.append(tgb.Chain(parts, name=f'level_{level}'))
        shapes.append(shape)
    return building.transformed(latents(shapes, dtype=dtype),
                                tgb.MultiScale(level_bijectors, name=name), name)


def _checked(event_shape: Shape, levels: int, halves: bool) -> tuple[int, int, int]:
    """Returns the shape as a tuple, if its sides can be halved `levels - 1` times.

    With `halves`, the pixels of each row must also split into two halves at the last scale.
    """
    shape = building.multi_scale_shape(event_shape, levels, last_squeezes=False)
    if halves and shape[1] % 2**levels:
        raise ValueError(f'width must be divisible by 2**levels = {2**levels} with halves; got '
                         f'width={shape[1]}, {levels=}.')
    return shape


def _checkerboard(shape: tuple[int, int, int], parity: int, halves: bool) -> _Place:
    """Returns `(split, input shape of the network, mask)`."""
    height, width, channels = shape
    side = (height, width // 2) if halves else (height, width)
    rows, columns = np.indices(side)
    mask = (rows if halves else rows + columns) % 2 == parity
    return tgb.splits.checkerboard(parity, halves), (*side, channels), mask


def _couplings(network: building.MakeNetwork, batch_norm: bool, dtype: DType,
               places: Sequence[_Place], width: int, seed: int, path: str) -> list[tfb.Bijector]:
    """Returns a coupling for each `(split, input shape, mask)`, each with its normalisation."""
    parts = []
    for k, (split, input_shape, mask) in enumerate(places):
        moved = input_shape[-1]  # As many channels move as condition, whatever the split is.
        here = f'{path}_{k}'
        with tf.name_scope(here):  # Keras names its weights by the scope.
            conditioner = network(input_shape, 2 * moved, width=width, mask=mask,
                                  zero_outputs=moved, seed=seed + 1000 * k)
        factor = building.variable('factor', np.zeros([moved]), here, dtype)
        inner = tgb.AffineInner(tgb.scale_maps.bounded_tanh(factor))
        channels = moved if mask is not None else 2 * moved
        parts += [tgb.Coupling(conditioner, inner, split, name=f'coupling_{k}'),
                  _normalisation(channels, batch_norm, dtype, here)]
    return parts


def _normalisation(channels: int, batch_norm: bool, dtype: DType, path: str) -> tfb.Bijector:
    """Makes a `BatchNorm` or an `ActNorm` with its variables."""
    zeros = np.zeros([channels])
    make = functools.partial(building.variable, path=f'{path}/norm', dtype=dtype)
    if batch_norm:
        fixed = tf.zeros([channels], dtype)
        return tgb.BatchNorm(fixed, fixed, make('mean', zeros, trainable=False),
                             make('variance', zeros + 1, trainable=False))
    return tgb.ActNorm(make('shift', zeros), make('log_scale', zeros), tf.Variable(
        False, trainable=False, name=f'{path}/norm/initialized'))
