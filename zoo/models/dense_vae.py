"""The dense VAE (Kingma and Welling, 2014, arXiv:1312.6114), its posterior Gaussian or an IAF.

The recipe `paper` is that of the paper's MNIST, with 20 latents: the ELBO of Bernoulli pixels. It
differs on purpose in that pixels are drawn (dynamic binarisation), without which a Bernoulli is no
likelihood of grey levels, and in Adam in place of Adagrad. The others are for two cores.
"""

import dataclasses

from zoo.models import options, recipe, vaes
from zoo.models.recipe import Recipe
from zoo.models.spec import Kind, ModelSpec


@dataclasses.dataclass(frozen=True)
class Config(vaes.Config):
    """Hyper-parameters of the model."""

    hidden: str = options.sizes_field('512,512', 'Units of the hidden layers, with commas.')
    activation: str = recipe.field('relu', 'Of the hidden layers, by its Keras name.')


def build(config: Config, event_shape: tuple[int, ...], bins: int, seed: int):
    """Returns the VAE of images of `event_shape`, its initial weights drawn from `seed`."""
    import tfp_glow  # Late: a wrong flag is reported at once.
    return tfp_glow.vaes.dense_vae(
        event_shape, hidden=options.sizes(config.hidden), activation=config.activation,
        **vaes.arguments(config, bins, seed))


_FASHION = recipe.Training(learning_rate=1e-3, batch_size=128, epochs=60, ema=.999, clip_norm=100.)
_DIGITS = recipe.Training(learning_rate=2e-3, batch_size=64, epochs=60, ema=.99, clip_norm=100.)
RECIPES = {
    # 100 images a step, until 100 million have been seen.
    'paper': Recipe(Config(latent_dims=20, hidden='500', activation='tanh'), recipe.Training(
              learning_rate=1e-3, schedule='constant', warmup_epochs=0., batch_size=100, epochs=2000,
              ema=0., binarize='dynamic')),
    'fashion_mnist': Recipe(Config(kl_warmup_epochs=5.), _FASHION),
    'fashion_mnist_binary': Recipe(Config(kl_warmup_epochs=5.),
                                   dataclasses.replace(_FASHION, binarize='dynamic')),
    'digits': Recipe(Config(latent_dims=8, hidden='256', kl_warmup_epochs=5.), _DIGITS),
    'digits_binary': Recipe(Config(latent_dims=8, hidden='256', kl_warmup_epochs=5.),
                            dataclasses.replace(_DIGITS, binarize='dynamic')),
    # For data without a recipe of their own: less than an hour of two cores for 32x32 images.
    'small': Recipe(Config(kl_warmup_epochs=1.),
                    recipe.Training(learning_rate=1e-3, batch_size=128, ema=.999, clip_norm=100.),
                    steps=10000),
}

SPEC = ModelSpec(
    name='dense_vae', about='A VAE of dense networks.',
    config=Config, recipes=RECIPES, build=build, kind=Kind.VAE, objective=vaes.objective)
