"""Configures RealNVP (Dinh, Sohl-Dickstein and Bengio, 2017, arXiv:1605.08803).

The recipes `paper...` follow section 4.1, for CIFAR-10, ImageNet-32 and 64x64 images; the gradients
are clipped as in its code. The penalty on the gains of the weight normalisation is left out.
The small recipes differ on purpose: networks of checkerboard couplings that see the conditioning
pixels alone, biases per position for objects that are centred, and cosine decay for short runs.
"""

import dataclasses
import typing

from zoo.cli import ranges
from zoo.models import options, recipe
from zoo.models.recipe import Recipe
from zoo.models.spec import ModelSpec

if typing.TYPE_CHECKING:
    from tensorflow_probability import distributions as tfd


@dataclasses.dataclass(frozen=True)
class Config(recipe.Hyperparameters):
    """Hyper-parameters of the model; the defaults are the paper's for CIFAR-10."""

    levels: int = recipe.field(
        2, 'Number of scales, each with half the side of the one before.', options.LEVELS)
    width: int = recipe.field(
        64, 'Number of hidden channels of the first networks; they double with each scale.')
    blocks: int = recipe.field(8, 'Number of residual blocks of each network.', ranges.WHOLE)
    bottleneck: bool = recipe.field(
        False, 'Make each residual block of convolutions of 1x1, 3x3 and 1x1 in place of two of '
        '3x3.')
    halves: bool = recipe.field(
        False, 'Show the networks of checkerboard couplings the conditioning pixels alone, which '
        'halves the work (not in the paper).')
    position_bias: bool = options.position_bias_field()
    batch_norm: bool = recipe.field(
        True, 'Apply batch normalisation after each coupling, otherwise activation normalisation.')
    alpha: float = recipe.field(
        .05, 'Distance that data x in [0, 1) are kept from 0 and 1: the flow models the logits of '
        'alpha + (1 - 2 alpha) x.', ranges.Range(0, .5, open_below=True, open_above=True))
    network_dtype: str = options.network_dtype_field()


def build(config: Config, event_shape: tuple[int, ...],
          seed: int) -> 'tfd.TransformedDistribution':
    """Returns the flow over data of `event_shape`; its initial weights are drawn from `seed`."""
    import tfp_glow  # Late, so that a wrong flag is reported at once.
    return tfp_glow.flows.real_nvp(
        event_shape, config.levels, config.width, config.blocks, alpha=config.alpha,
        halves=config.halves, batch_norm=config.batch_norm,
        network_options={'bottleneck': config.bottleneck, 'position_bias': config.position_bias},
        network_dtype=options.precision(config.network_dtype), seed=seed)


def divisor(config: Config) -> int:
    """Returns what the sides of an image must be divisible by."""
    return 2**(config.levels if config.halves else config.levels - 1)


_PAPER = recipe.Training(
    learning_rate=1e-3, schedule='constant', warmup_epochs=0., batch_size=64, epochs=500,
    clip_norm=100.)
RECIPES = {
    # For GPUs; the paper does not tell the number of epochs.
    'paper': Recipe(Config(), _PAPER),
    'paper_imagenet32': Recipe(Config(levels=4, width=32, blocks=4), _PAPER),
    'paper_imagenet64': Recipe(Config(levels=5, width=32, blocks=2), _PAPER),  # And CelebA, LSUN.
    # 8x8 digits: minutes on two cores.
    'digits': Recipe(
        Config(width=24, blocks=1, halves=True, position_bias=True),
        recipe.Training(learning_rate=2e-3, batch_size=64, epochs=40, clip_norm=100., ema=.99)),
    # 28x28 clothing: an hour on two cores.
    'fashion_mnist': Recipe(
        Config(width=32, blocks=1, halves=True, position_bias=True,
               network_dtype='auto'),
        recipe.Training(learning_rate=2e-3, batch_size=64, epochs=18, clip_norm=100., ema=.999)),
    # For data sets without a recipe of their own.
    'small': Recipe(
        Config(width=32, blocks=1, halves=True),
        recipe.Training(learning_rate=2e-3, batch_size=64, clip_norm=100., ema=.999),
        steps=4000),
}

SPEC = ModelSpec(
    name='real_nvp',
    about='RealNVP: checkerboard and channel couplings of residual networks, batch normalisation.',
    config=Config, recipes=RECIPES, build=build, divisor=divisor)
