"""Integer discrete flows (Hoogeboom et al., 2019, arXiv:1905.07376): likelihoods without noise.

The recipe `paper` follows the paper for CIFAR-10 and ImageNet-32. The small recipes differ on
purpose: Adam with cosine decay for short runs, refinements of IDF++, biases per position for
objects that are centred. And those of Fashion-MNIST and the photographs are pyramids: a quarter or
so of the channels leaves each time, several times a level, under mixtures about the nearest channel
that stays; so few integers, of Fashion-MNIST 49 of 784 in place of 392, have a prior that sees
nothing. That of the photographs has no permutations, so that the means of neighbouring pixels are
known at each exit, and its networks see these pixels' differences as well: where a photograph is
smooth, an error of one grey level is all there is to gain.

The refinements of IDF++ (van den Berg et al., 2021, arXiv:2006.12459) are options:
`--invert_permutation`, and in the networks `--activation=swish`, `--normalise` and `--rezero`.
"""

import dataclasses

import tfp_glow
from zoo import recipe
from zoo.models.sizes import sizes

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
        '1', 'How often channels leave a level, couplings before each time: a number or one per '
        'level, with commas (in the paper 1).')
    stay_share: float = recipe.field(.5, 'Share of the channels that stays then (in the paper .5).')
    relative: bool = recipe.field(
        False, 'Tell priors relative to the nearest channel that stays, and count the networks\' '
        'outputs in small units (not in the paper).')
    contrasts: bool = recipe.field(
        False, 'Show networks the differences of neighbours too, compressed (not in the paper).')
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
    invert_permutation: bool = recipe.field(
        False, 'Undo each permutation after its coupling, as in IDF++.')
    reversible: bool = recipe.field(
        True, 'Train at constant memory; false trades memory for less arithmetic.')
    network_dtype: str = recipe.field(
        'float32', 'Keras dtype policy of the networks; mixed_bfloat16 computes in bfloat16.')


def build(config, event_shape, seed, bins):
    """The flow over images of integers 0 .. bins-1 with initial weights drawn from `seed`."""
    factor_outs = sizes('factor_outs', config.factor_outs)
    return tfp_glow.flows.idf(
        event_shape, config.levels, config.steps_per_level, config.width, config.depth, bins=bins,
        share=config.share, top_components=config.top_components,
        exit_components=config.exit_components,
        factor_outs=factor_outs[0] if len(factor_outs) == 1 else factor_outs,
        stay_share=config.stay_share, relative=config.relative,
        contrasts=config.contrasts, colour=config.colour,
        top_prior=config.top_prior, permute=config.permute,
        invert_permutation=config.invert_permutation,
        coupling_width=config.coupling_width or None, reversible=config.reversible,
        network_options={'activation': config.activation, 'normalise': config.normalise,
                         'rezero': config.rezero, 'position_bias': config.position_bias},
        network_dtype=config.network_dtype, seed=seed)


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
    # Exits leave luma and chroma of one pixel of four at each level: twenty minutes of a core.
    'photo_patches': (Config(levels=3, factor_outs='5,5,6', stay_share=.67, relative=True,
                             contrasts=True, colour=True, steps_per_level=1, width=64, depth=4,
                             coupling_width=16, exit_components=3, top_prior='channel',
                             activation='swish', permute=False, reversible=False,
                             network_dtype='mixed_bfloat16'),
                      recipe.Training(learning_rate=2e-3, batch_size=16, epochs=8, ema=.99,
                                      clip_norm=100.)),
    # 28x28 clothing: forty minutes of a core.
    'fashion_mnist': (Config(levels=2, factor_outs='3,4', stay_share=.75, relative=True,
                             steps_per_level=1, width=64, depth=4, exit_components=5,
                             position_bias=True, activation='swish', invert_permutation=True,
                             reversible=False, network_dtype='mixed_bfloat16'),
                      recipe.Training(learning_rate=2e-3, batch_size=16, epochs=6, ema=.999,
                                      clip_norm=100.)),
}
