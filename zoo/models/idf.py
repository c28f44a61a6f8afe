"""Configures IDF (Hoogeboom et al., 2019, arXiv:1905.07376): likelihoods without noise.

The recipe `paper` of integer discrete flows follows the paper for CIFAR-10 and ImageNet-32. The
small recipes differ on purpose: Adam with cosine decay for short runs, refinements of IDF++, and
biases per position for objects that are centred.

The recipes of Fashion-MNIST and of the photographs, and the recipe `small`, are also pyramids:
channels leave a few at a time, so that few integers, of Fashion-MNIST 49 of 784 in place of 392,
have a prior that sees nothing. Without permutations it is known where each channel lies. So the
priors are mixtures about the mean of the pixels on both sides, and their networks see how all
pixels around differ from this mean: where a photograph is smooth, an error of one grey level is all
there is to gain. The couplings have little left to do there, and come once a level.

The refinements of IDF++ (van den Berg et al., 2021, arXiv:2006.12459) are options:
`--invert_permutation`, and in the networks `--activation=swish`, `--normalise` and `--rezero`.
"""

import dataclasses
import typing

from zoo.cli import errors, ranges
from zoo.models import options, recipe
from zoo.models.recipe import Recipe
from zoo.models.spec import Kind, ModelSpec

if typing.TYPE_CHECKING:
    from tfp_glow.flows import IntegerFlow

_INSIDE = ranges.Range(0, 1, open_below=True, open_above=True)


@dataclasses.dataclass(frozen=True)
class Config(recipe.Hyperparameters):
    """Hyper-parameters of the model; the defaults are the paper's for CIFAR-10."""

    levels: int = recipe.field(
        3, 'Number of levels, each with half the side of the one before (L in the paper).',
        options.LEVELS)
    steps_per_level: int = recipe.field(8, 'Number of integer couplings of each level.')
    width: int = recipe.field(
        512, 'Number of channels that the dense layers of a network add together, at least '
        '--depth.')
    depth: int = recipe.field(12, 'Number of dense layers of each network.')
    share: float = recipe.field(
        .75, 'Share of the channels that each coupling leaves as they are; they determine how it '
        'shifts the others.', _INSIDE)
    top_components: int = recipe.field(
        5, 'Number of logistics in the distribution of the last latent.')
    exit_components: int = recipe.field(
        1, 'Number of logistics in the distributions of the latents that leave before the last; '
        'the paper has 1.')
    factor_outs: str = options.sizes_field(
        '1', 'Number of times that channels leave a level, one number for all levels or one for '
        'each, with commas between; the paper has 1. Couplings come before each time, but with '
        '--nopermute before the first time only.')
    stay_share: float = recipe.field(
        .5, 'Share of the channels that stays each time that others leave; the paper has .5.',
        _INSIDE, used_with={'leaving': ('',)})
    leaving: str = options.sizes_field(
        '', 'Number of channels that leave each time, one number for all levels or one for each, '
        'with commas between. It takes the place of --stay_share.', optional=True)
    relative: bool = recipe.field(
        False, 'Tell the distribution of a channel that leaves relative to the nearest channels '
        'that stay, and count the outputs of networks in small units (not in the paper).')
    contrasts: bool = recipe.field(
        False, 'Show the networks of these distributions how the pixels around differ from the '
        'mean of the nearest ones (not in the paper).', used_with={'permute': (False,)})
    colour: bool = recipe.field(
        False, 'Turn RGB into luma and chroma first, without loss (not in the paper).')
    top_prior: str = recipe.field(
        'position', 'Whether the distribution of the last latent is learned for each channel or '
        'for each position of each channel.', choices=('channel', 'position'))
    position_bias: bool = options.position_bias_field()
    activation: str = recipe.field(
        'relu', 'Activation of the networks, by its name in Keras; IDF++ has swish.',
        choices=('relu', 'swish'))
    normalise: bool = recipe.field(
        False, 'Apply group normalisation in the networks, as IDF++ does.')
    rezero: bool = recipe.field(
        False, 'Multiply the outputs of the networks by gates that start at zero, as IDF++ does.')
    permute: bool = recipe.field(
        True, 'Shuffle the channels before each coupling. Otherwise the channels that stay are '
        'pixels of the image, unchanged, and --relative means relative to the mean of the nearest '
        'pixels on both sides (not in the paper).')
    coupling_width: int = recipe.field(
        0, 'Number of channels as of --width in the networks of the couplings, at least --depth; '
        '0 for the same number, as in the paper.', ranges.WHOLE)
    coarse_width: int = recipe.field(
        0, 'Number of channels as of --width at all levels but the finest, at least --depth; 0 for '
        'the same number, as in the paper.', ranges.WHOLE,
        used_with={'levels': ranges.Range(2, ranges.LARGEST_INTEGER)})
    project: int = recipe.field(
        0, 'Number of channels to which the inputs of a network that has more are reduced first; 0 '
        'for no reduction, as in the paper.', ranges.WHOLE)
    invert_permutation: bool = recipe.field(
        False, 'Undo each shuffle after its coupling, as IDF++ does.',
        used_with={'permute': (True,)})
    reversible: bool = recipe.field(
        True, 'Train with memory that does not grow with the number of steps. Otherwise training '
        'takes more memory and less arithmetic.')
    network_dtype: str = options.network_dtype_field()


def build(config: Config, event_shape: tuple[int, ...], seed: int, bins: int) -> 'IntegerFlow':
    """Returns the flow over images of integers 0 .. bins-1; its weights are drawn from `seed`.

    Raises:
        UsageError: If a network would be narrower than it is deep.
    """
    import tfp_glow  # Late, so that a wrong flag is reported at once.
    for name in ('width', 'coupling_width', 'coarse_width'):
        width = getattr(config, name)
        if 0 < width < config.depth:
            rule = 'at least' if name == 'width' else '0 or at least'
            raise errors.UsageError(f'--{name} must be {rule} --depth, {config.depth}; '
                                    f'got {width}.')
    widths = [config.width] + [config.coarse_width or config.width] * (config.levels - 1)
    return tfp_glow.flows.idf(
        event_shape, config.levels, config.steps_per_level, widths, config.depth, bins=bins,
        share=config.share, top_components=config.top_components,
        exit_components=config.exit_components, factor_outs=_per_level(config.factor_outs),
        stay_share=config.stay_share,
        leaving=_per_level(config.leaving) if config.leaving else None,
        relative=config.relative, contrasts=config.contrasts, colour=config.colour,
        top_prior=config.top_prior, permute=config.permute,
        invert_permutation=config.invert_permutation,
        coupling_width=config.coupling_width or None, reversible=config.reversible,
        network_options={'activation': config.activation, 'normalise': config.normalise,
                         'rezero': config.rezero, 'position_bias': config.position_bias,
                         'project': config.project or None},
        network_dtype=options.precision(config.network_dtype), seed=seed)


def _per_level(text: str) -> int | tuple[int, ...]:
    numbers = options.sizes(text)
    return numbers[0] if len(numbers) == 1 else numbers


def divisor(config: Config) -> int:
    """Returns what the sides of an image must be divisible by."""
    return 2**config.levels


RECIPES = {
    # For GPUs.
    'paper': Recipe(
        Config(),
        recipe.Training(
            optimizer='adamax', learning_rate=1e-3, schedule='constant', decay=.999,
            warmup_epochs=10., batch_size=256, epochs=2000, ema=0., shifts=.05)),
    # 8x8 digits: minutes on two cores.
    'digits': Recipe(
        Config(levels=2, steps_per_level=4, width=32, depth=4, position_bias=True,
               reversible=False),
        recipe.Training(learning_rate=2e-3, batch_size=64, epochs=30, ema=.99)),
    # At the finest two levels channels leave one by one, above pixel by pixel. Twenty minutes.
    'photo_patches': Recipe(
        Config(levels=4, factor_outs='9,9,3,3', leaving='1,1,3,3', share=.9, relative=True,
               contrasts=True, colour=True, steps_per_level=1, width=64, coarse_width=24, depth=4,
               project=32, coupling_width=4, exit_components=3, top_prior='channel',
               position_bias=True, activation='swish', permute=False, reversible=False,
               network_dtype='auto'),
        recipe.Training(
            learning_rate=4e-3, batch_size=16, epochs=10, ema=.99, clip_norm=100.,
            upside_down=True)),
    # 28x28 clothing: forty minutes of a core.
    'fashion_mnist': Recipe(
        Config(levels=2, factor_outs='3,4', leaving='1', stay_share=.75, relative=True,
               contrasts=True, steps_per_level=1, width=64, depth=4, project=32, coupling_width=16,
               exit_components=3, position_bias=True, activation='swish', permute=False,
               reversible=False, network_dtype='auto'),
        recipe.Training(
            learning_rate=3e-3, batch_size=16, epochs=6, ema=.999, clip_norm=100.)),
    # For data sets without a recipe of their own. Channels leave three times a level, until one
    # pixel of four is left: 1, 1 and 1 of 4 channels of a grey image, 4, 3 and 2 of 12 of RGB.
    'small': Recipe(
        Config(levels=2, factor_outs='3', stay_share=.6, relative=True, contrasts=True,
               steps_per_level=1, width=64, depth=4, project=32, coupling_width=8,
               exit_components=3, activation='swish', permute=False, reversible=False),
        recipe.Training(learning_rate=2e-3, batch_size=16, clip_norm=100., ema=.999),
        steps=10000),
}

SPEC = ModelSpec(
    name='idf', about='Integer discrete flows: exact likelihoods of integers, lossless codes.',
    config=Config, recipes=RECIPES, build=build, kind=Kind.INTEGER_FLOW, divisor=divisor)
