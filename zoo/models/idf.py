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

from zoo.cli import errors, ranges
from zoo.models import options, recipe
from zoo.models.recipe import Recipe
from zoo.models.spec import Kind, ModelSpec


@dataclasses.dataclass(frozen=True)
class Config(recipe.Hyperparameters):
    """Hyper-parameters of the model; the defaults are the paper's for CIFAR-10."""

    levels: int = recipe.field(3, 'L: levels, each with half the side of the one before.')
    steps_per_level: int = recipe.field(8, 'Integer couplings of each level.')
    width: int = recipe.field(512, 'Channels that the dense layers of a network add together.')
    depth: int = recipe.field(12, 'Dense layers of each network.')
    share: float = recipe.field(.75, 'Share of the channels that conditions a coupling.',
                                ranges.Range(0, 1, open_below=True, open_above=True))
    top_components: int = recipe.field(5, 'Logistics in the prior of the last latent.')
    exit_components: int = recipe.field(
        1, 'Logistics in the priors of the latents that leave early (in the paper 1).')
    factor_outs: str = options.sizes_field(
        '1', 'How often channels leave a level, couplings before each time (with --nopermute the '
        'first): a number or one per level, with commas (in the paper 1).')
    stay_share: float = recipe.field(.5, 'Share of the channels that stays then (in the paper .5).',
                                     ranges.Range(0, 1, open_below=True, open_above=True),
                                     used_with={'leaving': ('',)})
    leaving: str = options.sizes_field(
        '', 'In place of --stay_share, how many channels leave each time: a number or one per '
        'level, with commas.', optional=True)
    relative: bool = recipe.field(
        False, 'Tell priors relative to the nearest channel that stays, and count the networks\' '
        'outputs in small units (not in the paper).')
    contrasts: bool = recipe.field(
        False, 'Show the priors\' networks how the pixels around those that leave differ from the '
        'mean of the next ones (not in the paper).', used_with={'permute': (False,)})
    colour: bool = recipe.field(
        False, 'Take RGB apart into luma and chroma first, losslessly (not in the paper).')
    top_prior: str = recipe.field(
        'position', 'Prior of the last latent, learned per channel or position.',
        choices=('channel', 'position'))
    position_bias: bool = options.position_bias_field()
    activation: str = recipe.field('relu', 'Of the networks, by its Keras name; swish as in IDF++.')
    normalise: bool = recipe.field(False, 'Group normalisation in the networks, as in IDF++.')
    rezero: bool = recipe.field(
        False, 'Gates that start at zero after the networks, as in IDF++.')
    permute: bool = recipe.field(
        True, 'Shuffle channels before each coupling; without, what stays are pixels as they are, '
        'and with --relative priors are about means of these (not in the paper).')
    coupling_width: int = recipe.field(
        0, 'As width, of the couplings\' networks; 0 for the same (in the paper the same).',
        ranges.WHOLE)
    coarse_width: int = recipe.field(
        0, 'As width, at all levels but the finest; 0 for the same (in the paper the same).',
        ranges.WHOLE)
    project: int = recipe.field(
        0, 'Channels that the networks\' inputs are brought to first where they are more; 0 for '
        'all (in the paper all).', ranges.WHOLE)
    invert_permutation: bool = recipe.field(
        False, 'Undo each permutation after its coupling, as in IDF++.',
        used_with={'permute': (True,)})
    reversible: bool = recipe.field(
        True, 'Train at constant memory; false trades memory for less arithmetic.')
    network_dtype: str = options.network_dtype_field()


def build(config: Config, event_shape: tuple[int, ...], seed: int, bins: int):
    """Returns the flow over images of integers 0 .. bins-1, its weights drawn from `seed`."""
    import tfp_glow  # Late: a wrong flag is reported at once.
    factor_outs = _per_level(config.factor_outs)
    leaving = _per_level(config.leaving) if config.leaving else None
    if 0 < config.coarse_width < config.depth:
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


def _per_level(text: str) -> int | tuple[int, ...]:
    numbers = options.sizes(text)
    return numbers[0] if len(numbers) == 1 else numbers


def divisor(config: Config) -> int:
    """Returns what the sides of an image must be divisible by."""
    return 2**config.levels


RECIPES = {
    # For GPUs.
    'paper': Recipe(Config(), recipe.Training(
              optimizer='adamax', learning_rate=1e-3, schedule='constant', decay=.999,
              warmup_epochs=10., batch_size=256, epochs=2000, ema=0., shifts=.05)),
    # 8x8 digits: minutes on two cores.
    'digits': Recipe(Config(levels=2, steps_per_level=4, width=32, depth=4,
                            position_bias=True, reversible=False),
                     recipe.Training(learning_rate=2e-3, batch_size=64, epochs=30, ema=.99)),
    # At the finest two levels channels leave one by one, above pixel by pixel. Twenty minutes.
    'photo_patches': Recipe(Config(levels=4, factor_outs='9,9,3,3', leaving='1,1,3,3', share=.9,
                                   relative=True, contrasts=True, colour=True, steps_per_level=1,
                                   width=64, coarse_width=24, depth=4, project=32, coupling_width=4,
                                   exit_components=3, top_prior='channel', position_bias=True,
                                   activation='swish', permute=False, reversible=False,
                                   network_dtype='mixed_bfloat16'),
                            recipe.Training(learning_rate=4e-3, batch_size=16, epochs=10, ema=.99,
                                            clip_norm=100., upside_down=True)),
    # 28x28 clothing: forty minutes of a core.
    'fashion_mnist': Recipe(Config(levels=2, factor_outs='3,4', leaving='1', stay_share=.75,
                                   relative=True, contrasts=True, steps_per_level=1, width=64, depth=4,
                                   project=32, coupling_width=16, exit_components=3, position_bias=True,
                                   activation='swish', permute=False, reversible=False,
                                   network_dtype='mixed_bfloat16'),
                            recipe.Training(learning_rate=3e-3, batch_size=16, epochs=6, ema=.999,
                                            clip_norm=100.)),
    # For data without a recipe of their own: less than an hour of two cores for 32x32 images.
    'small': Recipe(Config(levels=2, steps_per_level=2, width=64, depth=4, relative=True,
                           exit_components=3, activation='swish', permute=False, reversible=False,
                           network_dtype='mixed_bfloat16'),
                    recipe.Training(learning_rate=2e-3, batch_size=16, clip_norm=100., ema=.999),
                    steps=6000),
}

SPEC = ModelSpec(
    name='idf', about='Integer discrete flows: exact likelihoods of integers, lossless codes.',
    config=Config, recipes=RECIPES, build=build, kind=Kind.INTEGER_FLOW, divisor=divisor)
