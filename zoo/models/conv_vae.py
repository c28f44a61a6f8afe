"""A VAE of residual convolutional networks, its posterior an IAF or Gaussian.

The recipe `paper` follows the MNIST models of Kingma et al., 2016, arXiv:1606.04934, in
their sizes: 32 latents, a dense layer of 450, IAF posterior; statically binarised images. It
differs on purpose in the networks' details (`networks.conv_encoder`). The others are for two cores.
"""

import dataclasses

import tfp_glow
from zoo.models import recipe, vaes
from zoo.models.options import any_side

VAE = True


@dataclasses.dataclass(frozen=True)
class Config(vaes.Config, vaes.Convolutions):
    """Hyper-parameters of the model."""



def build(config, event_shape, bins, seed):
    """The VAE of images of `event_shape` with initial weights drawn from the integer `seed`."""
    return tfp_glow.vaes.conv_vae(
        event_shape, **vaes.convolutions(config), **vaes.options(config, bins, seed))


objective = vaes.objective


divisor = any_side

_FASHION = recipe.Training(
    optimizer='adamax', learning_rate=2e-3, batch_size=64, epochs=30, ema=.999, clip_norm=100.)
_DIGITS = recipe.Training(learning_rate=2e-3, batch_size=64, epochs=40, ema=.99, clip_norm=100.)
RECIPES = {
    'paper': (Config(posterior='iaf', iaf_steps=8, iaf_hidden='1920', context_size=450,
                     dense_units=450, levels=3, blocks=2), recipe.Training(
        optimizer='adamax', learning_rate=2e-3, schedule='constant', batch_size=100, epochs=2000,
        ema=.999, binarize='static')),
    'fashion_mnist': (Config(posterior='iaf', kl_warmup_epochs=3.), _FASHION),
    'fashion_mnist_binary': (Config(posterior='iaf', kl_warmup_epochs=3.),
                             dataclasses.replace(_FASHION, binarize='dynamic')),
    # For zoo.posteriors, with either posterior: some 10 and 16 minutes of a core.
    'posteriors': (Config(posterior='iaf', kl_warmup_epochs=3., iaf_steps=4, iaf_hidden='1024',
                          context_size=256),
                   dataclasses.replace(_FASHION, binarize='dynamic', optimizer='adam', epochs=20)),
    'digits': (Config(latent_dims=8, dense_units=64, posterior='iaf', kl_warmup_epochs=3.),
               _DIGITS),
    'digits_binary': (Config(latent_dims=8, dense_units=64, posterior='iaf', kl_warmup_epochs=3.),
                      dataclasses.replace(_DIGITS, binarize='dynamic')),
}
