"""Configures IAF (Kingma et al., 2016, arXiv:1606.04934) as a density: MAF turned round.

The IAF of its paper is the posterior of a VAE, where it is only sampled. The recipe `paper` here
is that of MAF's UCI tables with the directions exchanged, without batch normalisation. The density,
and so training too, is serial, and backprop keeps all of its steps: these recipes are for vectors
and small images.
"""

import dataclasses
import typing

from zoo.models import autoregressive, recipe
from zoo.models.recipe import Recipe
from zoo.models.spec import ModelSpec

if typing.TYPE_CHECKING:
    from tensorflow_probability import distributions as tfd


@dataclasses.dataclass(frozen=True)
class Config(autoregressive.LayersConfig):
    """Hyper-parameters of the model; those of MAF with another default."""

    batch_norm: bool = recipe.field(False, 'Apply batch normalisation after each layer.')


def build(config: Config, event_shape: tuple[int, ...],
          seed: int) -> 'tfd.TransformedDistribution':
    """Returns the flow over data of `event_shape`; its initial weights are drawn from `seed`."""
    import tfp_glow  # Late, so that a wrong flag is reported at once.
    return tfp_glow.flows.iaf(event_shape, config.layers, batch_norm=config.batch_norm,
                              **autoregressive.arguments(config, seed))


RECIPES = {
    'paper': Recipe(Config(), autoregressive.PAPER),
    'digits': Recipe(
        Config(layers=2, hidden='256'),
        recipe.Training(learning_rate=1e-3, batch_size=64, epochs=30, ema=.99)),
    # For vectors, unless --recipe says otherwise.
    'vectors': Recipe(
        Config(layers=4, hidden='64,64', activation='tanh'),
        recipe.Training(learning_rate=1e-3, batch_size=256, epochs=50, ema=.99),
        steps=9750),
    # For data sets without a recipe of their own.
    'small': Recipe(
        Config(layers=2, hidden='256'),
        recipe.Training(learning_rate=1e-3, batch_size=64, ema=.99),
        steps=1000),
}

SPEC = ModelSpec(
    name='iaf',
    about='IAF as a density: autoregressive layers; samples are parallel, densities serial.',
    config=Config, recipes=RECIPES, build=build, vectors=True)
