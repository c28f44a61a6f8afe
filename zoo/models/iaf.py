"""IAF (Kingma et al., 2016, arXiv:1606.04934) as a density: MAF turned round.

The IAF of its paper is the posterior of a VAE, where it is only sampled. The recipe `paper` here
is that of MAF's UCI tables with the directions exchanged, without batch normalisation. Density, so
training too, is serial, and backprop keeps all of its steps: these recipes are for vectors and
small images.
"""

import dataclasses

import tfp_glow
from zoo.models import autoregressive, recipe

VECTORS = True  # Not images alone: densities and tables too.


@dataclasses.dataclass(frozen=True)
class Config(autoregressive.LayersConfig):
    """Hyper-parameters of the model; those of MAF with another default."""

    batch_norm: bool = recipe.field(False, 'Batch normalisation after each layer.')


def build(config, event_shape, seed):
    """The flow over data of `event_shape` with initial weights drawn from the integer `seed`."""
    return tfp_glow.flows.iaf(event_shape, config.layers, batch_norm=config.batch_norm,
                              **autoregressive.options(config, seed))


divisor = autoregressive.divisor

RECIPES = {
    'paper': (Config(), autoregressive.PAPER),
    'digits': (Config(layers=2, hidden='256'), recipe.Training(
        learning_rate=1e-3, batch_size=64, epochs=30, ema=.99)),
    'vectors': (Config(layers=4, hidden='64,64', activation='tanh'), recipe.Training(
        learning_rate=1e-3, batch_size=256, epochs=50, ema=.99)),
}
