"""Integer discrete flows (Hoogeboom et al., 2019, arXiv:1905.07376): likelihoods without noise.

The recipe `paper` follows the paper for CIFAR-10 and ImageNet-32. The small recipes differ on
purpose: Adam with cosine decay for short runs, refinements of IDF++, biases per position for
objects that are centred. And those of Fashion-MNIST and the photographs are pyramids: channels
leave one by one, or pixel by pixel, so that few integers, of Fashion-MNIST 49 of 784 in place of
392, have a prior that sees nothing. Without permutations it is known where each channel lies:
priors are mixtures about the mean of the pixels on both sides, and their networks see how all
pixels around differ from it; where a photograph is smooth, an error of one grey level is all there
is to gain. Couplings have little left to do there, and come once a level.

The refinements of IDF++ (van den Berg et al., 2021, arXiv:2006.12459) are options:
`--invert_permutation`, and in the networks `--activation=swish`, `--normalise` and `--rezero`.
"""

import dataclasses

import tfp_glow
from zoo.cli import errors
from zoo.models import recipe
from zoo.models.options import sizes

DISCRETE = True  # `build` is told the number of grey levels.


@dataclasses.dataclass(frozen=True)
class Config:
    """Hyper-parameters of the model; the defaults are the paper's for CIFAR-10."""

    levels: int = recipe.field(3, 'L: levels, each with half the side of the one before.')
    steps_per_level: int = recipe.field(8, 'Integer couplings of each level.')
    width: int = recipe.field(512, 'Channels that the dense layers of a network add together.')
    depth: int = recipe.field(12, 'Dense layers of each network.')
    share: float = recipe.field(.75, 'Share of the channels that conditions a coupling.')
    top_components: int = recipe.field(5, 'Logistics in the prior of the last latent.')
    exit_components: int = recipe.field(
        1, 'Logistics in the priors of the latents that leave early (in the paper 1).')
    factor_outs: str = recipe.field(
        '1', 'How often channels leave a level, couplings before each time (with --nopermute the '
        'first): a number or one per level, with commas (in the paper 1).')
    stay_share: float = recipe.field(.5, 'Share of the channels that stays then (in the paper .5).')
    leaving: str = recipe.field(
        '', 'In its place how many channels leave each time: a number or one per level, with '
        'commas.')
    relative: bool = recipe.field(
        False, 'Tell priors relative to the nearest channel that stays, and count the networks\' '
        'outputs in small units (not in the paper).')
    contrasts: bool = recipe.field(
        False, 'Show the priors\' networks how the pixels around those that leave differ from the '
        'mean of the next ones; only with --nopermute (not in the paper).')
    colour: bool = recipe.field(
        False, 'Take RGB apart into luma and chroma first, losslessly (not in the paper).')
    top_prior: str = recipe.field(
        'position', 'Prior of the last latent, learned per channel or position.')
    position_bias: bool = recipe.field(
        False, 'Learn a bias per position in the networks (not in the paper): aligned images.')
    activation: str = recipe.field('relu', 'Of the networks: relu, or swish as in IDF++.')
    normalise: bool = recipe.field(False, 'Group normalisation in the networks, as in IDF++.')
    rezero: bool = recipe.field(
        False, 'Gates that start at zero after the networks, as in IDF++.')
    permute: bool = recipe.field(
        True, 'Shuffle channels before each coupling; without, what stays are pixels as they are, '
        'and with --relative priors are about means of these (not in the paper).')
    coupling_width: int = recipe.field(
        0, 'As width, of the couplings\' networks; 0 for the same (in the paper the same).')
    coarse_width: int = recipe.field(
        0, 'As width, at all levels but the finest; 0 for the same (in the paper the same).')
    project: int = recipe.field(
        0, 'Channels that the networks\' inputs are brought to first where they are more; 0 for '
        'all (in the paper all).')
    invert_permutation: bool = recipe.field(
        False, 'Undo each permutation after its coupling, as in IDF++.')
    reversible: bool = recipe.field(
        True, 'Train at constant memory; false trades memory for less arithmetic.')
    network_dtype: str = recipe.field(
        'float32', 'Keras dtype policy of the networks; mixed_bfloat16 computes in bfloat16.')


def build(config, event_shape, seed, bins):
    """The flow over images of integers 0 .. bins-1 with initial weights drawn from `seed`."""
    factor_outs = _per_level('factor_outs', config.factor_outs)
    leaving = _per_level('leaving', config.leaving) if config.leaving else None
    if config.coarse_width < 0 or 0 < config.coarse_width < config.depth:
        raise errors.UsageError(f'--coarse_width must be 0 or at least --depth, {config.depth}; '
                                f'got {config.coarse_width}.')
    widths = [config.width] + [config.coarse_width or config.width] * (config.levels - 1)
    return tfp_glow.flows.idf(
        event_shape, config.levels, config.steps_per_level, widths, config.depth, bins=bins,
        share=config.share, top_components=config.top_components,
        exit_components=config.exit_components,
        factor_outs=factor_outs, stay_share=config.stay_share, leaving=leaving,
        relative=config.relative, contrasts=config.contrasts, colour=config.colour,
        top_prior=config.top_prior, permute=config.permute,
        invert_permutation=config.invert_permutation,
        coupling_width=config.coupling_width or None, reversible=config.reversible,
        network_options={'activation': config.activation, 'normalise': config.normalise,
                         'rezero': config.rezero, 'position_bias': config.position_bias,
                         'project': config.project or None},
        network_dtype=config.network_dtype, seed=seed)


def _per_level(flag, text):
    found = sizes(flag, text)
    return found[0] if len(found) == 1 else found


def divisor(config):
    """What the sides of an image must be divisible by."""
    return 2**config.levels


RECIPES = {
    # For GPUs.
    'paper': (Config(), recipe.Training(
        optimizer='adamax', learning_rate=1e-3, schedule='constant', decay=.999,
        warmup_epochs=10., batch_size=256, epochs=2000, ema=0., shifts=.05)),
    # 8x8 digits: minutes on two cores.
    'digits': (Config(levels=2, steps_per_level=4, width=32, depth=4,
                      position_bias=True, reversible=False),
               recipe.Training(learning_rate=2e-3, batch_size=64, epochs=30, ema=.99)),
    # At the finest two levels channels leave one by one, above pixel by pixel. Twenty minutes.
    'photo_patches': (Config(levels=4, factor_outs='9,9,3,3', leaving='1,1,3,3', share=.9,
                             relative=True, contrasts=True, colour=True, steps_per_level=1,
                             width=64, coarse_width=24, depth=4, project=32, coupling_width=4,
                             exit_components=3, top_prior='channel', position_bias=True,
                             activation='swish', permute=False, reversible=False,
                             network_dtype='mixed_bfloat16'),
                      recipe.Training(learning_rate=4e-3, batch_size=16, epochs=10, ema=.99,
                                      clip_norm=100., upside_down=True)),
    # 28x28 clothing: forty minutes of a core.
    'fashion_mnist': (Config(levels=2, factor_outs='3,4', leaving='1', stay_share=.75,
                             relative=True, contrasts=True, steps_per_level=1, width=64, depth=4,
                             project=32, coupling_width=16, exit_components=3, position_bias=True,
                             activation='swish', permute=False, reversible=False,
                             network_dtype='mixed_bfloat16'),
                      recipe.Training(learning_rate=3e-3, batch_size=16, epochs=6, ema=.999,
                                      clip_norm=100.)),
}
