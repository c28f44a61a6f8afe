"""Configures PixelVAE: a convolutional VAE whose decoder ends in a gated PixelCNN.

The recipe `paper` follows the reference code's MNIST model of Gulrajani et al., 2017,
arXiv:1611.05013: binarised images, 16 latents, a first gated block of 7x7 and 12 blocks of 5x5 with
16 channels, batches of 100, 10,000 steps of KL warm-up out of 200,000. It differs on purpose in
three points: the networks' details (`networks.conv_encoder`, `networks.gated_pixelcnn`); clipped
gradients; and what is added to each gate, which is a map that a decoder of convolutions makes of
the latents, where the code takes one vector for all pixels. The other recipes are for two cores.
"""

import dataclasses
import typing

from zoo.cli import ranges
from zoo.models import recipe, vaes
from zoo.models.recipe import Recipe
from zoo.models.spec import Kind, ModelSpec

if typing.TYPE_CHECKING:
    from tfp_glow.vaes import PixelVAE

_KERNEL = ranges.Range(3, ranges.LARGEST_INTEGER, parity='odd')


@dataclasses.dataclass(frozen=True)
class Config(vaes.Latents, vaes.Convolutions):
    """Hyper-parameters of the model."""

    components: int = vaes.components_field()
    features: int = recipe.field(
        16, 'Number of channels of the decoder\'s feature map, which conditions the PixelCNN.')
    pixel_width: int = recipe.field(32, 'Number of channels of each stack of the PixelCNN.')
    pixel_blocks: int = recipe.field(
        4, 'Number of gated blocks of the PixelCNN; with more blocks each pixel sees further.')
    kernel_size: int = recipe.field(
        3, 'Number of pixels along the side of the kernels in all blocks but the first.', _KERNEL,
        used_with={'pixel_blocks': ranges.Range(2, ranges.LARGEST_INTEGER)})
    first_kernel_size: int = recipe.field(
        7, 'Number of pixels along the side of the kernels in the first block.', _KERNEL)


def build(config: Config, event_shape: tuple[int, ...], bins: int, seed: int) -> 'PixelVAE':
    """Returns the VAE of images of `event_shape`; its initial weights are drawn from `seed`."""
    import tfp_glow  # Late, so that a wrong flag is reported at once.
    return tfp_glow.vaes.pixel_vae(
        event_shape, features=config.features, pixel_width=config.pixel_width,
        pixel_blocks=config.pixel_blocks, kernel_size=config.kernel_size,
        first_kernel_size=config.first_kernel_size, components=config.components,
        **vaes.convolutions(config), **vaes.latents(config, bins, seed))


_FASHION = recipe.Training(
    learning_rate=2e-3, batch_size=32, epochs=6, ema=.999, clip_norm=1.)
_DIGITS = recipe.Training(learning_rate=2e-3, batch_size=64, epochs=30, ema=.99, clip_norm=1.)
_SMALL = Config(latent_dims=8, dense_units=64, pixel_width=16, pixel_blocks=2,
                first_kernel_size=5, kl_warmup_epochs=3.)
RECIPES = {
    # The code's epochs are of 500 steps.
    'paper': Recipe(
        Config(latent_dims=16, width=32, levels=2, blocks=2, dense_units=512, features=16,
               pixel_width=16, pixel_blocks=12, kernel_size=5, kl_warmup_epochs=20.),
        recipe.Training(
            schedule='constant', warmup_epochs=0., batch_size=100, epochs=400, ema=0.,
            clip_norm=1., binarize='static')),
    # 28x28 clothing: a step takes .28 s of one core, so that the run takes some 50 minutes.
    'fashion_mnist': Recipe(
        Config(pixel_blocks=5, kl_warmup_epochs=1., network_dtype='auto'), _FASHION, towers=True),
    'fashion_mnist_binary': Recipe(
        Config(pixel_blocks=3, posterior='iaf', kl_warmup_epochs=2.,
               network_dtype='auto'),
        dataclasses.replace(_FASHION, binarize='dynamic')),
    'digits': Recipe(_SMALL, _DIGITS),
    'digits_binary': Recipe(_SMALL, dataclasses.replace(_DIGITS, binarize='dynamic')),
    # For data sets without a recipe of their own.
    'small': Recipe(
        Config(pixel_blocks=3, kl_warmup_epochs=1.),
        recipe.Training(learning_rate=2e-3, batch_size=32, ema=.999, clip_norm=1.),
        steps=5000),
}

SPEC = ModelSpec(
    name='pixel_vae', about='A VAE whose decoder ends in a gated PixelCNN.', config=Config,
    recipes=RECIPES, build=build, kind=Kind.VAE, objective=vaes.objective)
