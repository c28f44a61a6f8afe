"""Configures MADE as a density (Germain et al., 2015, arXiv:1502.03509): one layer of MAF.

The recipe `paper` is the Gaussian MADE that the paper of MAF compares with on UCI data.
"""

import typing

from zoo.models import autoregressive, recipe
from zoo.models.recipe import Recipe
from zoo.models.spec import ModelSpec

if typing.TYPE_CHECKING:
    from tensorflow_probability import distributions as tfd

Config = autoregressive.Config


def build(config: Config, event_shape: tuple[int, ...],
          seed: int) -> 'tfd.TransformedDistribution':
    """Returns the flow over data of `event_shape`; its initial weights are drawn from `seed`."""
    import tfp_glow  # Late, so that a wrong flag is reported at once.
    return tfp_glow.flows.made(event_shape, **autoregressive.arguments(config, seed))


RECIPES = {
    'paper': Recipe(Config(), autoregressive.PAPER),
    'fashion_mnist': Recipe(
        Config(hidden='1024,256', inner='mixture', prior='logistic'),
        recipe.Training(learning_rate=3e-3, batch_size=128, epochs=40, ema=.999)),
    'digits': Recipe(
        Config(hidden='256', inner='mixture', prior='logistic'),
        recipe.Training(learning_rate=2e-3, batch_size=64, epochs=30, ema=.99)),
    # For vectors, unless --recipe says otherwise.
    'vectors': Recipe(
        Config(hidden='64,64', inner='mixture', components=8, prior='logistic',
               activation='tanh'),
        recipe.Training(learning_rate=1e-3, batch_size=256, epochs=50, ema=.99),
        steps=9750),
    # For data sets without a recipe of their own.
    'small': Recipe(
        Config(hidden='1024,256', inner='mixture', prior='logistic'),
        recipe.Training(learning_rate=3e-3, batch_size=128, ema=.999),
        steps=8000),
}

SPEC = ModelSpec(
    name='made', about='MADE: one autoregressive layer.', config=Config, recipes=RECIPES,
    build=build, vectors=True)
