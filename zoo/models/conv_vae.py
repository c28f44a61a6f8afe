"""Configures a VAE of residual convolutional networks; its posterior is an IAF or a Gaussian.

The recipe `paper` follows the MNIST models of Kingma et al., 2016, arXiv:1606.04934, in their
sizes: 32 latents, a dense layer of 450 units, an IAF posterior and images that are binarised once.
It differs on purpose in the networks' details (`networks.conv_encoder`). The other recipes are for
two cores.
"""

import dataclasses
import typing

from zoo.models import recipe, vaes
from zoo.models.recipe import Recipe
from zoo.models.spec import Kind, ModelSpec

if typing.TYPE_CHECKING:
    from tfp_glow.vaes import VAE


@dataclasses.dataclass(frozen=True)
class Config(vaes.Config, vaes.Convolutions):
    """Hyper-parameters of the model."""


def build(config: Config, event_shape: tuple[int, ...], bins: int, seed: int) -> 'VAE':
    """Returns the VAE of images of `event_shape`; its initial weights are drawn from `seed`."""
    import tfp_glow  # Late, so that a wrong flag is reported at once.
    return tfp_glow.vaes.conv_vae(
        event_shape, **vaes.convolutions(config), **vaes.arguments(config, bins, seed))


_FASHION = recipe.Training(
    optimizer='adamax', learning_rate=2e-3, batch_size=64, epochs=30, ema=.999, clip_norm=100.)
_DIGITS = recipe.Training(learning_rate=2e-3, batch_size=64, epochs=40, ema=.99, clip_norm=100.)
RECIPES = {
    'paper': Recipe(
        Config(posterior='iaf', iaf_steps=8, iaf_hidden='1920', context_size=450, dense_units=450,
               levels=3, blocks=2),
        recipe.Training(
            optimizer='adamax', learning_rate=2e-3, schedule='constant', batch_size=100,
            epochs=2000, ema=.999, binarize='static')),
    'fashion_mnist': Recipe(Config(posterior='iaf', kl_warmup_epochs=3.), _FASHION, towers=True),
    'fashion_mnist_binary': Recipe(
        Config(posterior='iaf', kl_warmup_epochs=3.),
        dataclasses.replace(_FASHION, binarize='dynamic'), towers=True),
    # For zoo.posteriors: about 10 minutes of one core with a Gaussian posterior, 16 with an IAF.
    'posteriors': Recipe(
        Config(posterior='iaf', kl_warmup_epochs=3., iaf_steps=4, iaf_hidden='1024',
               context_size=256),
        dataclasses.replace(_FASHION, binarize='dynamic', optimizer='adam', epochs=20),
        towers=True),
    'digits': Recipe(
        Config(latent_dims=8, dense_units=64, posterior='iaf', kl_warmup_epochs=3.), _DIGITS),
    'digits_binary': Recipe(
        Config(latent_dims=8, dense_units=64, posterior='iaf', kl_warmup_epochs=3.),
        dataclasses.replace(_DIGITS, binarize='dynamic')),
    # For data sets without a recipe of their own.
    'small': Recipe(
        Config(kl_warmup_epochs=1.),
        recipe.Training(
            optimizer='adamax', learning_rate=2e-3, batch_size=64, ema=.999, clip_norm=100.),
        steps=8000, towers=True),
}

SPEC = ModelSpec(
    name='conv_vae', about='A VAE of convolutional networks.', config=Config, recipes=RECIPES,
    build=build, kind=Kind.VAE, objective=vaes.objective)
