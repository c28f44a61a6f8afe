"""The builder of integer discrete flows."""

import functools

import numpy as np
import tensorflow as tf

from tfp_glow import bijectors as tgb
from tfp_glow import networks
from tfp_glow.flows import building, contrast, integer_priors, integer_steps, neighbours
from tfp_glow.flows.integer_flow import IntegerFlow

TOP_PRIORS = ('channel', 'position')


def idf(event_shape, levels=3, steps_per_level=8, width=512, depth=12, *, bins=256, share=.75,
        top_components=5, exit_components=1, factor_outs=1, stay_share=.5, leaving=None,
        relative=False, contrasts=False, colour=False, top_prior='position', permute=True,
        invert_permutation=False, coupling_width=None, network=None, network_options=None,
        reversible=True, dtype=tf.float32, network_dtype=None, seed=0, name='idf'):
    """IDF: `levels` of squeeze and `steps_per_level` x (permutation, integer coupling).

    Images are integers, by themselves: P is a mass, no density, and nothing is dequantized. The
    middle of the grey levels, bins // 2, is subtracted first.

    Args:
      event_shape: `(H, W, C)` of the data; H and W must be divisible by `2**levels`.
      levels: L.
      steps_per_level: couplings of each level, before each time that channels leave; without
        `permute` before the first time.
      width: channels that the dense layers of a network add together, one number or one per level.
      depth: dense layers of each network.
      bins: number of grey levels: networks see integers divided by it.
      share: of the channels that conditions the shift of the rest; without `permute`, at most as
        many as leave next are the rest.
      top_components: logistics in each mixture that is the prior of the last latent.
      exit_components: logistics in the prior of the latents that leave early, given what stays by a
        network like those of the couplings; 1 for no mixture.
      factor_outs: how often channels leave at each level, after couplings as `steps_per_level`
        says, a number or one per level; the last time of all, what is left is the last latent. 1 is
        the reference's; with more, fewer integers have a prior that sees nothing of the image.
      stay_share: of the channels that stays where others leave; .5 is the reference's.
      leaving: in its place how many channels leave each time, a number or one per level.
      relative: the priors of channels that leave are told relative to the nearest one that stays,
        and all networks' outputs count in units / 64, so that a step of an optimizer moves shifts
        and locations by grey levels, not by tens of them. Not the reference's.
      contrasts: show the priors' networks, in place of what stays, the mean of the pixels next to
        those that leave and how all around differ from it (`flows.contrast.Surroundings`); only
        without `permute`. Not the reference's.
      colour: take RGB apart into luma and chroma first, by `bijectors.reversible_colour`. Not the
        reference's.
      top_prior: learned per 'position' and channel (the reference) or per 'channel'.
      permute: shuffle channels before each coupling, as the reference does. Without, couplings move
        only channels that leave next, what stays are pixels as they are (from the second level on,
        with as many channels as the level before left), and with `relative` priors are told
        relative to the mean of the nearest of these on both sides.
      invert_permutation: undo each permutation after its coupling, a refinement of IDF++.
      coupling_width: as `width`, of the couplings' networks; by default `width`.
      network: `(input_shape, outputs, width=, depth=, seed=, dtype=) -> built Keras network`; by
        default `networks.dense_network`.
      network_options: further keyword arguments for it, such as IDF++'s `activation='swish'`,
        `normalise=True` and `rezero=True`.
      reversible: train at constant memory; the reconstruction is exact.
      dtype: of data and parameters.
      network_dtype: Keras dtype or policy of the networks, by default `dtype`. A flow that was
        trained in 'mixed_bfloat16' must code in the precision in which it is evaluated.
      seed: integer; the same seed gives the same initial weights and permutations.
      name: prefix of the variables' names.

    Returns:
      An `IntegerFlow`. The permutations are among its variables and are saved with them.

    Raises:
      ValueError: an argument out of its range; the message names it.

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
    bijectors, priors = [], []
    for level, k in stages:
        if k == 0:
            if not permute:
                colours = shape[2]  # Of what are now the pixels: it is known where they lie.
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
        elif not parts:  # Nothing is to be coupled, or can be of one channel.
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
                exit_network = network((*shape[:2], around.count if contrasts else kept), outputs,
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
