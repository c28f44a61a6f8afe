"""MADE as a density (Germain et al., 2015, arXiv:1502.03509): one layer of MAF.

The recipe `paper` is the Gaussian MADE that the paper of MAF compares with on UCI data.
"""

import tfp_glow
from zoo.models import autoregressive, recipe

VECTORS = True  # Not images alone: densities and tables too.

Config = autoregressive.Config


def build(config, event_shape, seed):
    """The flow over data of `event_shape` with initial weights drawn from the integer `seed`."""
    return tfp_glow.flows.made(event_shape, **autoregressive.options(config, seed))


divisor = autoregressive.divisor

RECIPES = {
    'paper': (Config(), autoregressive.PAPER),
    'fashion_mnist': (Config(hidden='1024,256', inner='mixture', prior='logistic'),
                      recipe.Training(learning_rate=3e-3, batch_size=128, epochs=40, ema=.999)),
    'digits': (Config(hidden='256', inner='mixture', prior='logistic'), recipe.Training(
        learning_rate=2e-3, batch_size=64, epochs=30, ema=.99)),
    'vectors': (Config(hidden='64,64', inner='mixture', components=8, prior='logistic',
                     activation='tanh'),
              recipe.Training(learning_rate=1e-3, batch_size=256, epochs=50, ema=.99)),
}
