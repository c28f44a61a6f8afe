"""The dense VAE (Kingma and Welling, 2014, arXiv:1312.6114), its posterior Gaussian or an IAF.

The recipe `paper` is that of the paper's MNIST, with 20 latents: the ELBO of Bernoulli pixels. It
differs on purpose in that pixels are drawn (dynamic binarisation), without which a Bernoulli is no
likelihood of grey levels, and in Adam in place of Adagrad. The others are for two cores.
"""

import dataclasses

import tfp_glow
from zoo.models import recipe, vaes
from zoo.models.options import any_side, sizes

VAE = True


@dataclasses.dataclass(frozen=True)
class Config(vaes.Config):
    """Hyper-parameters of the model."""

    hidden: str = recipe.field('512,512', 'Units of the hidden layers, with commas.')
    activation: str = recipe.field('relu', 'Of the hidden layers, by its Keras name.')


def build(config, event_shape, bins, seed):
    """The VAE of images of `event_shape` with initial weights drawn from the integer `seed`."""
    return tfp_glow.vaes.dense_vae(
        event_shape, hidden=sizes('hidden', config.hidden), activation=config.activation,
        **vaes.options(config, bins, seed))


objective = vaes.objective


divisor = any_side

_FASHION = recipe.Training(learning_rate=1e-3, batch_size=128, epochs=60, ema=.999, clip_norm=100.)
_DIGITS = recipe.Training(learning_rate=2e-3, batch_size=64, epochs=60, ema=.99, clip_norm=100.)
RECIPES = {
    # 100 images a step, until 100 million have been seen.
    'paper': (Config(latent_dims=20, hidden='500', activation='tanh'), recipe.Training(
        learning_rate=1e-3, schedule='constant', warmup_epochs=0., batch_size=100, epochs=2000,
        ema=0., binarize='dynamic')),
    'fashion_mnist': (Config(kl_warmup_epochs=5.), _FASHION),
    'fashion_mnist_binary': (Config(kl_warmup_epochs=5.),
                             dataclasses.replace(_FASHION, binarize='dynamic')),
    'digits': (Config(latent_dims=8, hidden='256', kl_warmup_epochs=5.), _DIGITS),
    'digits_binary': (Config(latent_dims=8, hidden='256', kl_warmup_epochs=5.),
                      dataclasses.replace(_DIGITS, binarize='dynamic')),
}
