"""Configures the dense VAE (Kingma and Welling, 2014, arXiv:1312.6114), also with an IAF posterior.

The recipe `paper` is that of the paper's MNIST, with 20 latents: the ELBO of Bernoulli pixels. It
differs on purpose in two points. Black and white pixels are drawn (dynamic binarisation), because a
Bernoulli is no likelihood of grey levels; and the optimizer is Adam in place of Adagrad. The other
recipes are for two cores.
"""

import dataclasses
import typing

from zoo.models import options, recipe, vaes
from zoo.models.recipe import Recipe
from zoo.models.spec import Kind, ModelSpec

if typing.TYPE_CHECKING:
    from tfp_glow.vaes import VAE


@dataclasses.dataclass(frozen=True)
class Config(vaes.Config):
    """Hyper-parameters of the model."""

    hidden: str = options.sizes_field(
        '512,512', 'Number of units of each hidden layer of the encoder, with commas between; the '
        'decoder has them in reverse order.')
    activation: str = options.activation_field()


def build(config: Config, event_shape: tuple[int, ...], bins: int, seed: int) -> 'VAE':
    """Returns the VAE of images of `event_shape`; its initial weights are drawn from `seed`."""
    import tfp_glow  # Late, so that a wrong flag is reported at once.
    return tfp_glow.vaes.dense_vae(
        event_shape, hidden=options.sizes(config.hidden), activation=config.activation,
        **vaes.arguments(config, bins, seed))


_FASHION = recipe.Training(learning_rate=1e-3, batch_size=128, epochs=60, ema=.999, clip_norm=100.)
_DIGITS = recipe.Training(learning_rate=2e-3, batch_size=64, epochs=60, ema=.99, clip_norm=100.)
RECIPES = {
    # Steps of 100 images, until the model has seen 100 million.
    'paper': Recipe(
        Config(latent_dims=20, hidden='500', activation='tanh'),
        recipe.Training(
            learning_rate=1e-3, schedule='constant', warmup_epochs=0., batch_size=100, epochs=2000,
            ema=0., binarize='dynamic')),
    'fashion_mnist': Recipe(Config(kl_warmup_epochs=5.), _FASHION),
    'fashion_mnist_binary': Recipe(
        Config(kl_warmup_epochs=5.), dataclasses.replace(_FASHION, binarize='dynamic')),
    'digits': Recipe(Config(latent_dims=8, hidden='256', kl_warmup_epochs=5.), _DIGITS),
    'digits_binary': Recipe(
        Config(latent_dims=8, hidden='256', kl_warmup_epochs=5.),
        dataclasses.replace(_DIGITS, binarize='dynamic')),
    # For data sets without a recipe of their own.
    'small': Recipe(
        Config(kl_warmup_epochs=1.),
        recipe.Training(learning_rate=1e-3, batch_size=128, ema=.999, clip_norm=100.),
        steps=5000),
}

SPEC = ModelSpec(
    name='dense_vae', about='A VAE of dense networks.', config=Config, recipes=RECIPES,
    build=build, kind=Kind.VAE, objective=vaes.objective)
