"""Configures Flow++ (Ho et al., 2019, arXiv:1902.00275): mixture couplings and learned noise.

The recipe `paper` follows the paper for CIFAR-10, but without dropout and without data-dependent
initialisation of the networks. The small recipes differ on purpose: a higher learning rate that
decays, fewer components and, for objects that are centred, biases per position.
"""

import dataclasses
import typing
from typing import Any

from zoo.cli import ranges
from zoo.models import options, recipe
from zoo.models.recipe import Recipe
from zoo.models.spec import ModelSpec

if typing.TYPE_CHECKING:
    from tensorflow_probability import distributions as tfd

    from tfp_glow.distributions import VariationalNoise

_ATTENTION: recipe.UsedWith = {'network': ('attention',)}
_LEARNED_NOISE: recipe.UsedWith = {'noise_steps': ranges.COUNT}


@dataclasses.dataclass(frozen=True)
class Config(recipe.Hyperparameters):
    """Hyper-parameters of the model; the defaults are the paper's."""

    levels: int = recipe.field(
        1, 'Number of levels, each with half the side of the one before.', options.LEVELS)
    steps_per_level: int = recipe.field(
        2, 'Number of steps of each level whose couplings split channels.', ranges.WHOLE)
    checkerboards: int = recipe.field(
        3, 'Number of further steps of each level, whose couplings split pixels.', ranges.WHOLE)
    first_checkerboards: int = recipe.field(
        4, 'Number of steps before the first level, whose couplings split the pixels of the image '
        'itself.', ranges.WHOLE)
    width: int = recipe.field(96, 'Number of hidden channels of the coupling networks.')
    components: int = recipe.field(32, 'Number of logistics in each mixture.')
    network: str = recipe.field(
        'attention', 'Kind of the coupling networks: gated convolutions with attention, or plain '
        'convolutions as in Glow.', choices=('attention', 'conv'))
    blocks: int = recipe.field(10, 'Number of residual blocks of each coupling network.',
                               used_with=_ATTENTION)
    heads: int = recipe.field(
        4, 'Number of heads of the attention, which must divide the width; 0 for no attention.',
        ranges.WHOLE, used_with=_ATTENTION)
    top_prior: str = recipe.field(
        'standard', 'Distribution of the last latent: a standard Normal, or Normals whose means '
        'and scales are learned for each channel or for each position.',
        choices=('channel', 'position', 'standard'))
    position_bias: bool = options.position_bias_field()
    network_dtype: str = options.network_dtype_field()
    noise_steps: int = recipe.field(
        4, 'Number of steps of the flow whose samples dequantize the images; 0 for uniform noise.',
        ranges.WHOLE)
    noise_width: int = recipe.field(
        96, 'Number of hidden channels of the networks of the noise.', used_with=_LEARNED_NOISE)
    noise_blocks: int = recipe.field(
        2, 'Number of residual blocks of each network of the noise.',
        used_with={**_ATTENTION, **_LEARNED_NOISE})


def build(config: Config, event_shape: tuple[int, ...],
          seed: int) -> 'tfd.TransformedDistribution':
    """Returns the flow over data of `event_shape`; its initial weights are drawn from `seed`."""
    import tfp_glow  # Late, so that a wrong flag is reported at once.
    return tfp_glow.flows.flow_pp(
        event_shape, config.levels, config.steps_per_level, config.checkerboards,
        config.first_checkerboards, config.width, top_prior=config.top_prior, seed=seed,
        **_arguments(config))


def noise(config: Config, event_shape: tuple[int, ...], seed: int) -> 'VariationalNoise | None':
    """Returns q(u|x) of variational dequantization; None for uniform noise."""
    if not config.noise_steps:
        return None
    import tfp_glow  # Late, so that a wrong flag is reported at once.

    # The couplings split pixels if the first ones of the flow do, and channels otherwise.
    steps = (config.noise_steps, 0) if config.first_checkerboards else (0, config.noise_steps)
    arguments = _arguments(config)
    arguments['network_options'].update({'blocks': config.noise_blocks}
                                        if config.network == 'attention' else {'act_norm': False})
    return tfp_glow.flows.flow_pp_noise(
        event_shape, *steps, config.noise_width, seed=seed, **arguments)


def divisor(config: Config) -> int:
    """Returns what the sides of an image must be divisible by."""
    return 2**config.levels


def _arguments(config: Config) -> dict[str, Any]:
    """Returns the arguments that the flow and its noise have in common."""
    from tfp_glow import networks
    network_options: dict[str, Any] = {'position_bias': config.position_bias}
    if config.network == 'attention':
        network_options.update(blocks=config.blocks, heads=config.heads)
    network = {'attention': networks.gated_attention_network, 'conv': networks.conv_network}
    return {'components': config.components, 'network': network[config.network],
            'network_options': network_options,
            'network_dtype': options.precision(config.network_dtype)}


RECIPES = {
    # CIFAR-10, for GPUs. The warm-up is 2,000 steps, which are 2.56 epochs of 50,000 images.
    'paper': Recipe(
        Config(),
        recipe.Training(
            learning_rate=3e-4, schedule='constant', warmup_epochs=2.56, batch_size=64,
            epochs=1500, clip_norm=1., ema=.999)),
    # 8x8 digits: the paper's design in small, minutes on two cores.
    'digits': Recipe(
        Config(first_checkerboards=2, steps_per_level=2, checkerboards=2, width=32, components=4,
               blocks=1, position_bias=True, noise_steps=2, noise_width=32, noise_blocks=1),
        recipe.Training(learning_rate=2e-3, batch_size=64, epochs=30, ema=.99)),
    # 28x28 clothing: two hours on one core. Glow's networks are the better ones for the time.
    'fashion_mnist': Recipe(
        Config(levels=2, steps_per_level=8, checkerboards=0, first_checkerboards=0, width=128,
               components=4, network='conv', top_prior='position', position_bias=True,
               network_dtype='auto', noise_steps=2, noise_width=32),
        recipe.Training(learning_rate=2e-3, batch_size=64, epochs=15, clip_norm=1., ema=.999),
        towers=True),
    # For data sets without a recipe of their own.
    'small': Recipe(
        Config(levels=2, steps_per_level=4, checkerboards=0, first_checkerboards=0, width=64,
               components=4, network='conv', noise_steps=2, noise_width=32),
        recipe.Training(learning_rate=2e-3, batch_size=32, clip_norm=1., ema=.999),
        steps=5000, towers=True),
}

SPEC = ModelSpec(
    name='flow_pp', about='Flow++: couplings by mixtures of logistics, learned noise.',
    config=Config, recipes=RECIPES, build=build, divisor=divisor, noise=noise)
