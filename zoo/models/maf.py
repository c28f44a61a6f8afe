"""Configures MAF (Papamakarios, Pavlakou and Murray, 2017, arXiv:1705.07057).

The recipes `paper` and `paper_10` are those of the paper's tables of UCI data, MAF (5) and (10),
without the early stopping. They differ on purpose in the affine scale, which is softly bounded.
"""

import typing

from zoo.models import autoregressive, recipe
from zoo.models.recipe import Recipe
from zoo.models.spec import ModelSpec

if typing.TYPE_CHECKING:
    from tensorflow_probability import distributions as tfd

Config = autoregressive.LayersConfig


def build(config: Config, event_shape: tuple[int, ...],
          seed: int) -> 'tfd.TransformedDistribution':
    """Returns the flow over data of `event_shape`; its initial weights are drawn from `seed`."""
    import tfp_glow  # Late, so that a wrong flag is reported at once.
    return tfp_glow.flows.maf(event_shape, config.layers, batch_norm=config.batch_norm,
                              **autoregressive.arguments(config, seed))


RECIPES = {
    'paper': Recipe(Config(), autoregressive.PAPER),
    'paper_10': Recipe(Config(layers=10), autoregressive.PAPER),
    'fashion_mnist': Recipe(
        Config(layers=1, hidden='1024,256', inner='mixture', components=4, batch_norm=False,
               prior='logistic'),
        recipe.Training(learning_rate=3e-3, batch_size=128, epochs=40, ema=.999)),
    'digits': Recipe(
        Config(layers=2, hidden='256', inner='mixture', components=4, batch_norm=False,
               prior='logistic'),
        recipe.Training(learning_rate=2e-3, batch_size=64, epochs=30, ema=.99)),
    # For vectors, unless --recipe says otherwise.
    'vectors': Recipe(
        Config(layers=4, hidden='64,64', activation='tanh'),
        recipe.Training(learning_rate=1e-3, batch_size=256, epochs=50, ema=.99),
        steps=9750),
    # For data sets without a recipe of their own.
    'small': Recipe(
        Config(layers=1, hidden='1024,256', inner='mixture', batch_norm=False, prior='logistic'),
        recipe.Training(learning_rate=3e-3, batch_size=128, ema=.999),
        steps=8000),
}

SPEC = ModelSpec(
    name='maf', about='MAF: autoregressive layers; densities are parallel, samples serial.',
    config=Config, recipes=RECIPES, build=build, vectors=True)
