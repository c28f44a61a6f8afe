"""Configures the resnet VAE (Kingma et al., 2016, arXiv:1606.04934): a ladder with IAF steps.

The recipe `paper` is the reference code's best model of CIFAR-10. The small recipes differ on
purpose: cosine decay for short runs, clipped gradients, fewer and narrower layers, latents at two
resolutions; for Fashion-MNIST Adam and a divergence that is charged for little by little; a mixture
of logistics per pixel in place of one logistic with a common scale; for `digits` and
`fashion_mnist`, whose objects are centred, biases per position.
"""

import dataclasses
import typing

from zoo.models import options, recipe, vaes
from zoo.models.recipe import Recipe
from zoo.models.spec import Kind, ModelSpec

if typing.TYPE_CHECKING:
    from tfp_glow.vaes import LadderVAE


@dataclasses.dataclass(frozen=True)
class Config(vaes.Objective, vaes.Likelihood):
    """Hyper-parameters of the model."""

    closed_form_kl: bool = vaes.closed_form_field({'posterior': ('gaussian',)})
    groups: str = options.sizes_field(
        '20', 'Number of groups of latents at each resolution, the finest first, with commas '
        'between.')
    width: int = recipe.field(160, 'Number of channels of the feature maps.')
    latent_channels: int = recipe.field(32, 'Number of channels of each group of latents.')
    posterior: str = recipe.field(
        'iaf', 'Distribution of each group of latents given an image: Gaussians, or Gaussians that '
        'an IAF transforms.', choices=('gaussian', 'iaf'))
    flow_width: int = recipe.field(
        160, 'Number of hidden channels of the networks of the IAF.',
        used_with={'posterior': ('iaf',)})
    position_bias: bool = options.position_bias_field()
    network_dtype: str = options.network_dtype_field()


def build(config: Config, event_shape: tuple[int, ...], bins: int, seed: int) -> 'LadderVAE':
    """Returns the VAE of images of `event_shape`; its initial weights are drawn from `seed`."""
    import tfp_glow  # Late, so that a wrong flag is reported at once.
    groups = options.sizes(config.groups)
    return tfp_glow.vaes.ladder_vae(
        event_shape, levels=len(groups), layers=groups, width=config.width,
        latent_channels=config.latent_channels, posterior=config.posterior,
        flow_width=config.flow_width, position_bias=config.position_bias,
        network_dtype=options.precision(config.network_dtype), seed=seed,
        **vaes.likelihood(config, bins))


def divisor(config: Config) -> int:
    """Returns what the sides of an image must be divisible by."""
    return 2**len(options.sizes(config.groups))


_FASHION = Config(groups='2,4', width=64, latent_channels=8, flow_width=32, position_bias=True,
                  free_bits=.05, kl_warmup_epochs=1., network_dtype='auto')
_FASHION_TRAINING = recipe.Training(
    learning_rate=2e-3, batch_size=16, epochs=10, ema=.999, clip_norm=100.)
RECIPES = {
    # Depth 1 and 20 blocks, in batches of 32 on each of 8 GPUs.
    'paper': Recipe(
        Config(likelihood='logistic', likelihood_scale='learned', free_bits=.1),
        recipe.Training(
            optimizer='adamax', learning_rate=2e-3, schedule='constant', warmup_epochs=0.,
            batch_size=256, epochs=2000, ema=.999)),
    # 28x28 clothing: a step takes .13 s of one core, so that the run takes some 80 minutes.
    'fashion_mnist': Recipe(_FASHION, _FASHION_TRAINING),
    'fashion_mnist_binary': Recipe(
        dataclasses.replace(_FASHION, groups='1,3'),
        dataclasses.replace(_FASHION_TRAINING, binarize='dynamic')),
    # 8x8 digits: minutes on two cores.
    'digits': Recipe(
        Config(groups='2,1', width=32, latent_channels=4, flow_width=16, position_bias=True,
               free_bits=.02),
        recipe.Training(
            optimizer='adamax', learning_rate=4e-3, batch_size=64, epochs=60, ema=.99,
            clip_norm=100.)),
    # For data sets without a recipe of their own.
    'small': Recipe(
        Config(groups='2,4', width=32, latent_channels=8, flow_width=32, free_bits=.05,
               kl_warmup_epochs=1.),
        recipe.Training(learning_rate=2e-3, batch_size=16, ema=.999, clip_norm=100.),
        steps=10000),
}

SPEC = ModelSpec(
    name='resnet_vae', about='A VAE with a ladder of latents and an IAF step at each layer.',
    config=Config, recipes=RECIPES, build=build, kind=Kind.VAE, divisor=divisor,
    objective=vaes.objective)
