"""MAF (Papamakarios, Pavlakou and Murray, 2017, arXiv:1705.07057).

The recipes `paper` and `paper_10` are those of the paper's tables of UCI data, MAF (5) and (10),
without the early stopping. Ours differs on purpose in the affine scale, which is softly bounded.
"""

import tfp_glow
from zoo.models import autoregressive, recipe

VECTORS = True  # Not images alone: densities and tables too.

Config = autoregressive.LayersConfig


def build(config, event_shape, seed):
    """The flow over data of `event_shape` with initial weights drawn from the integer `seed`."""
    return tfp_glow.flows.maf(event_shape, config.layers, batch_norm=config.batch_norm,
                              **autoregressive.options(config, seed))


divisor = autoregressive.divisor

RECIPES = {
    'paper': (Config(), autoregressive.PAPER),
    'paper_10': (Config(layers=10), autoregressive.PAPER),
    'fashion_mnist': (Config(layers=1, hidden='1024,256', inner='mixture', components=4,
                             batch_norm=False, prior='logistic'),
                      recipe.Training(learning_rate=3e-3, batch_size=128, epochs=40, ema=.999)),
    'digits': (Config(layers=2, hidden='256', inner='mixture', components=4, batch_norm=False,
                      prior='logistic'),
               recipe.Training(learning_rate=2e-3, batch_size=64, epochs=30, ema=.99)),
    'vectors': (Config(layers=4, hidden='64,64', activation='tanh'), recipe.Training(
        learning_rate=1e-3, batch_size=256, epochs=50, ema=.99)),
}
