"""Builds integer discrete flows."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow_probability import bijectors as tfb

from tfp_glow import bijectors as tgb
from tfp_glow import networks
from tfp_glow.flows import building, contrast, integer_priors, integer_steps, neighbours
from tfp_glow.flows.integer_flow import IntegerFlow
from tfp_glow.internal import configs
from tfp_glow.types import DType, Shape

TOP_PRIORS = ('channel', 'position')


@configs.recorded
def idf(event_shape: Shape, levels: int = 3, steps_per_level: int = 8,
        width: int | Sequence[int] = 512, depth: int = 12, *, bins: int = 256, share: float = .75,
        top_components: int = 5, exit_components: int = 1, factor_outs: int | Sequence[int] = 1,
        stay_share: float = .5, leaving: int | Sequence[int] | None = None, relative: bool = False,
        contrasts: bool = False, colour: bool = False, top_prior: str = 'position',
        permute: bool = True, invert_permutation: bool = False,
        coupling_width: int | Sequence[int] | None = None,
        network: building.MakeNetwork | None = None,
        network_options: Mapping[str, Any] | None = None, reversible: bool = True,
        dtype: DType = tf.float32, network_dtype: str | None = None, seed: int = 0,
        name: str = 'idf') -> IntegerFlow:
    """Builds an IDF: `levels` x (squeeze, `steps_per_level` x (permutation, integer coupling)).

    Images are integers, as they are: P is a mass, not a density, and nothing is dequantized. The
    middle of the grey levels, bins // 2, is subtracted first.

    Args:
        event_shape: The shape `(H, W, C)` of the data; H and W must be divisible by `2**levels`.
        levels: L, the number of levels.
        steps_per_level: The number of couplings of each level before each time that channels leave.
            Without `permute`, these are only before the first time.
        width: The number of channels that the dense layers of a network add together, one number
            or one per level.
        depth: The number of dense layers of each network.
        bins: The number of grey levels. Networks see integers divided by it.
        share: The share of the channels that conditions the shift of the rest. Without `permute`,
            the rest must be at most as many as leave next.
        top_components: The number of logistics in each mixture that is the prior of the last
            latent.
        exit_components: The number of logistics in the prior of the latents that leave early; 1 for
            no mixture. A network like those of the couplings computes this prior from what stays.
        factor_outs: How often channels leave at each level, one number or one per level. Couplings
            come before, as `steps_per_level` says. At the last time of all, what is left is the
            last latent. The reference has 1. With more, fewer integers have a prior that sees
            nothing of the image.
        stay_share: The share of the channels that stays where others leave. The reference has .5.
        leaving: How many channels leave each time, one number or one per level; it takes the place
            of `stay_share`.
        relative: Whether the priors of channels that leave are given relative to the nearest
            channel that stays, and all networks' outputs count in units / 64, so that a step of an
            optimizer moves shifts and locations by grey levels, not by tens of them. The reference
            does not do this.
        contrasts: Whether to show the priors' networks, in place of what stays, the mean of the
            pixels next to those that leave, and how all pixels around differ from it
            (`flows.contrast.Surroundings`). This requires `permute=False`. The reference does not
            do this.
        colour: Whether to take RGB apart into luma and chroma first, by
            `bijectors.reversible_colour`. The reference does not do this.
        top_prior: Learned per 'position' and channel (the reference) or per 'channel'.
        permute: Whether to shuffle channels before each coupling, as the reference does. Without
            it, couplings move only channels that leave next, and what stays are pixels as they are
            (from the second level on, with as many channels as the level before left). With
            `relative`, the priors are then given relative to the mean of the nearest of these
            pixels on both sides.
        invert_permutation: Whether to undo each permutation after its coupling, a refinement of
            IDF++.
        coupling_width: The `width` of the couplings' networks; the default is `width`.
        network: A function `(input_shape, outputs, width=, depth=, seed=, dtype=) -> built Keras
            network`; the default is `networks.dense_network`.
        network_options: Further keyword arguments for `network`, such as IDF++'s
            `activation='swish'`, `normalise=True` and `rezero=True`.
        reversible: Whether to train at constant memory; the reconstruction is exact.
        dtype: The dtype of data and parameters.
        network_dtype: The Keras dtype or policy of the networks; the default is `dtype`. A flow
            that was trained in 'mixed_bfloat16' must code in the precision in which it is
            evaluated.
        seed: An integer. The same seed gives the same initial weights and permutations.
        name: The prefix of the variables' names.

    Returns:
        An `IntegerFlow`. The permutations are among its variables and are saved with them.

    Raises:
        ValueError: If an argument is out of its range; the message names it.

    #### References
    * Hoogeboom, Peters, van den Berg and Welling, *Integer Discrete Flows and Lossless
      Compression*, 2019, arXiv:1905.07376.
    * van den Berg, Gritsenko, Dehghani, Sønderby and Salimans, *IDF++*, 2021, arXiv:2006.12459.

    ```python
    >>> import tensorflow as tf, tfp_glow
    >>> flow = tfp_glow.flows.idf((4, 4, 1), levels=1, steps_per_level=2, width=4, depth=2)
    >>> images = tf.constant(range(0, 256, 16), shape=[1, 4, 4, 1])
    >>> bool(tf.reduce_all(flow.merge(0, *flow.decompose(images)) == tf.cast(images, tf.float32)))
    True

    ```
    """
    shape = building.multi_scale_shape(event_shape, levels)
    colours = shape[2]
    building.check_choice('top_prior', top_prior, TOP_PRIORS)
    for argument, value, least in (
            ('steps_per_level', steps_per_level, 1), ('bins', bins, 2),
            ('top_components', top_components, 1), ('exit_components', exit_components, 1)):
        if value < least:
            raise ValueError(f'{argument} must be at least {least}; got {argument}={value}.')
    if not 0 < stay_share < 1:
        raise ValueError(f'stay_share must be in (0, 1); got {stay_share=}.')
    if colour and shape[2] != 3:
        raise ValueError(f'colour must be False for images that are not RGB; got {colour=} and '
                         f'event_shape={shape}.')
    unit, shares = float(bins), []
    widths = building.per_level('width', width, levels)
    coupling_widths = building.per_level(
        'coupling_width', width if coupling_width is None else coupling_width, levels)
    network = network or functools.partial(networks.dense_network, name='network')
    network = functools.partial(network, depth=depth,
                                dtype=network_dtype or tf.as_dtype(dtype).name,
                                **(network_options or {}))
    if min(widths + coupling_widths) < 1:
        raise ValueError(f'width and coupling_width must be at least 1; got {width=} and '
                         f'{coupling_width=}.')
    if contrasts and permute:
        raise ValueError('contrasts must be False where channels are shuffled; '
                         f'got {contrasts=} and {permute=}.')
    counts = building.per_level('factor_outs', factor_outs, levels)
    numbers = building.per_level('leaving', leaving, levels)
    if min(counts) < 1:
        raise ValueError(f'factor_outs must be at least 1; got {factor_outs=}.')
    if not all(n is None or (isinstance(n, int) and n > 0) for n in numbers):
        raise ValueError(f'leaving must be positive integers, or None; got {leaving=}.')
    stages = [(level, k) for level in range(levels) for k in range(counts[level])]
    steps = integer_steps.IntegerSteps(
        network, steps_per_level, tgb.splits.channels(share=share), unit, relative, permute,
        invert_permutation, reversible, dtype)
    bijectors: list[tfb.Bijector] = []
    priors: list[integer_priors.ConditionalPrior] = []
    for level, k in stages:
        if k == 0:
            if not permute:
                colours = shape[2]  # The channels of what is now a pixel, whose place is known.
            shape = (shape[0] // 2, shape[1] // 2, shape[2] * 4)
        *seeds, exit_seed = (int(s) for s in np.random.SeedSequence(
            [seed, level] + [k] * (k > 0)).generate_state(3) >> 1)
        path = f'{name}/level_{level}' + f'_{k}' * (k > 0)
        parts = [tgb.Squeeze(2)] if k == 0 else []
        if not bijectors:
            parts = [tgb.ShiftScale(tf.constant(-(bins // 2), dtype)),
                     *([tgb.reversible_colour(dtype)] if colour else []), *parts]
        last = (level, k) == stages[-1]
        left = numbers[level] or tgb.splits.channels(share=stay_share).moved(shape[2])
        if shape[2] > 1 and (permute or k == 0):
            if not (permute or last) and steps.split.moved(shape[2]) > left:
                raise ValueError('share must leave to couplings no more channels than leave next '
                                 f'without permute, at level {level} {left} of {shape[2]}; '
                                 f'got {share=}.')
            parts.append(steps(shape, coupling_widths[level], seeds, path))
        elif not parts:  # No coupling belongs here, or there is one channel, which cannot be split.
            parts.append(tgb.ShiftScale(tf.constant(0., dtype)))
        bijectors.append(tgb.Chain(parts, name=path.rpartition('/')[2]))
        if not last:
            kept = shape[2] - left
            if kept < 1:
                raise ValueError(f'factor_outs must leave at least {left + 1} channels to be '
                                 f'split; got {factor_outs=}, which leaves {shape[2]} at level '
                                 f'{level}, and {leaving=}.')
            shares.append(1 - left / shape[2])
            outputs = integer_priors.outputs_per_channel(exit_components) * left
            shape = (*shape[:2], kept)
            around = contrast.Surroundings(kept, left, colours, unit) if contrasts else None
            with tf.name_scope(f'{path}/exit'):  # Keras names its weights by the scope.
                exit_network = network(
                    (*shape[:2], kept if around is None else around.count), outputs,
                    width=widths[level], seed=exit_seed)
            near = [neighbours.nearest_channels(c, kept, colours, not permute)
                    for c in range(kept, kept + left)]
            priors.append(integer_priors.ConditionalPrior(
                exit_network, exit_components, unit, near if relative else None, around))
    raw = np.zeros([*(shape if top_prior == 'position' else shape[-1:]),
                    integer_priors.outputs_per_channel(top_components)])
    top = integer_priors.TopPrior(
        building.variable('top_prior', raw, name, dtype), shape, top_components, unit)
    return IntegerFlow(event_shape, bijectors, priors, top, share=shares, name=name)
