"""Flow++ (Ho et al., 2019, arXiv:1902.00275): mixture couplings and learned noise.

The recipe `paper` follows the paper for CIFAR-10 except that there is no dropout and no
data-dependent initialisation of the networks. The small ones differ on purpose: a higher learning
rate that decays, fewer components, biases per position for objects that are centred.
"""

import dataclasses

import tfp_glow
from zoo.models import recipe

_NETWORKS = {'attention': tfp_glow.networks.gated_attention_network,
             'conv': tfp_glow.networks.conv_network}


@dataclasses.dataclass(frozen=True)
class Config:
    """Hyper-parameters of the model; the defaults are the paper's."""

    levels: int = recipe.field(1, 'L: levels, each with half the side of the one before.')
    steps_per_level: int = recipe.field(2, 'K: flow steps per level.')
    checkerboards: int = recipe.field(3, 'Further steps per level, coupling pixels.')
    first_checkerboards: int = recipe.field(4, 'Steps that couple pixels of the image itself.')
    width: int = recipe.field(96, 'Hidden channels of the coupling networks.')
    components: int = recipe.field(32, 'Logistics per mixture.')
    network: str = recipe.field(
        'attention', 'attention (gated convolutions and attention) or conv (Glow\'s network).')
    blocks: int = recipe.field(10, 'Residual blocks of the coupling networks; not of conv.')
    heads: int = recipe.field(4, 'Heads of the attention, 0 for none.')
    top_prior: str = recipe.field(
        'standard', 'Prior of the last latent, learned per channel or position, or standard.')
    position_bias: bool = recipe.field(
        False, 'Learn a bias per position in the networks (not in the paper): aligned images.')
    network_dtype: str = recipe.field(
        'float32', 'Keras dtype policy of the networks; mixed_bfloat16 computes in bfloat16.')
    noise_steps: int = recipe.field(
        4, 'Steps of the flow whose samples dequantize; 0 for uniform noise.')
    noise_width: int = recipe.field(96, 'Hidden channels of the networks of the noise.')
    noise_blocks: int = recipe.field(2, 'Residual blocks of the networks of the noise.')


def build(config, event_shape, seed):
    """The flow over data of `event_shape` with initial weights drawn from the integer `seed`."""
    return tfp_glow.flows.flow_pp(
        event_shape, config.levels, config.steps_per_level, config.checkerboards,
        config.first_checkerboards, config.width, top_prior=config.top_prior, seed=seed,
        **_options(config))


def noise(config, event_shape, seed):
    """q(u|x) of variational dequantization, or None where `noise_steps` is 0: uniform noise."""
    if not config.noise_steps:
        return None
    # As the flow begins: between pixels, or between channels.
    steps = (config.noise_steps, 0) if config.first_checkerboards else (0, config.noise_steps)
    options = _options(config)
    options['network_options'].update({'blocks': config.noise_blocks}
                                      if config.network == 'attention' else {'act_norm': False})
    return tfp_glow.flows.flow_pp_noise(
        event_shape, *steps, config.noise_width, seed=seed, **options)


def divisor(config):
    """What the sides of an image must be divisible by."""
    return 2**config.levels


def _options(config):
    """What the flow and its noise have in common."""
    if config.network not in _NETWORKS:
        raise ValueError(f'network must be one of {", ".join(sorted(_NETWORKS))}; '
                         f'got {config.network!r}.')
    options = {'position_bias': config.position_bias}
    if config.network == 'attention':
        options.update(blocks=config.blocks, heads=config.heads)
    return {'components': config.components, 'network': _NETWORKS[config.network],
            'network_options': options, 'network_dtype': config.network_dtype}


RECIPES = {
    # CIFAR-10, for GPUs; 2,000 steps of warm-up are 2.56 epochs of 50,000 images.
    'paper': (Config(), recipe.Training(
        learning_rate=3e-4, schedule='constant', warmup_epochs=2.56, batch_size=64, epochs=1500,
        clip_norm=1., ema=.999)),
    # 8x8 digits: the paper's design in small, minutes on two cores.
    'digits': (Config(first_checkerboards=2, steps_per_level=2, checkerboards=2, width=32,
                      components=4, blocks=1, position_bias=True, noise_steps=2, noise_width=32,
                      noise_blocks=1),
               recipe.Training(learning_rate=2e-3, batch_size=64, epochs=30, ema=.99)),
    # 28x28 clothing: two hours on one core. With Glow's networks, the better ones for the time.
    'fashion_mnist': (Config(levels=2, steps_per_level=8, checkerboards=0, first_checkerboards=0,
                             width=128, components=4, network='conv', top_prior='position',
                             position_bias=True, network_dtype='mixed_bfloat16', noise_steps=2,
                             noise_width=32),
                      recipe.Training(learning_rate=2e-3, batch_size=64, epochs=15, clip_norm=1.,
                                      ema=.999)),
}
