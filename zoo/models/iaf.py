"""IAF (Kingma et al., 2016, arXiv:1606.04934) as a density: MAF turned round.

The IAF of its paper is the posterior of a VAE, where it is only sampled. The recipe `paper` here
is that of MAF's UCI tables with the directions exchanged, without batch normalisation. Density, so
training too, is serial, and backprop keeps all of its steps: these recipes are for vectors and
small images.
"""

import dataclasses

from zoo.models import autoregressive, recipe
from zoo.models.recipe import Recipe
from zoo.models.spec import ModelSpec


@dataclasses.dataclass(frozen=True)
class Config(autoregressive.LayersConfig):
    """Hyper-parameters of the model; those of MAF with another default."""

    batch_norm: bool = recipe.field(False, 'Batch normalisation after each layer.')


def build(config: Config, event_shape: tuple[int, ...], seed: int):
    """Returns the flow over data of `event_shape`, its initial weights drawn from `seed`."""
    import tfp_glow  # Late: a wrong flag is reported at once.
    return tfp_glow.flows.iaf(event_shape, config.layers, batch_norm=config.batch_norm,
                              **autoregressive.arguments(config, seed))


RECIPES = {
    'paper': Recipe(Config(), autoregressive.PAPER),
    'digits': Recipe(Config(layers=2, hidden='256'), recipe.Training(
              learning_rate=1e-3, batch_size=64, epochs=30, ema=.99)),
    'vectors': Recipe(Config(layers=4, hidden='64,64', activation='tanh'), recipe.Training(
              learning_rate=1e-3, batch_size=256, epochs=50, ema=.99), steps=9750),
    # For data without a recipe of their own: less than an hour of two cores for 32x32 images.
    'small': Recipe(Config(layers=2, hidden='256'),
                    recipe.Training(learning_rate=1e-3, batch_size=64, ema=.99),
                    steps=1000),
}

SPEC = ModelSpec(
    name='iaf', about='IAF as a density: autoregressive layers; samples are parallel, densities serial.',
    config=Config, recipes=RECIPES, build=build, vectors=True)
