"""MADE as a density (Germain et al., 2015, arXiv:1502.03509): one layer of MAF.

The recipe `paper` is the Gaussian MADE that the paper of MAF compares with on UCI data.
"""

import dataclasses

import tfp_glow
from zoo import recipe
from zoo.models import maf

VECTORS = True  # Not images alone: densities and tables too.


@dataclasses.dataclass(frozen=True)
class Config:
    """Hyper-parameters of the model; see those of MAF."""

    hidden: str = recipe.field('512,512', 'Units of the hidden layers, with commas.')
    inner: str = recipe.field(
        'affine', 'Transform of one dimension given those before: affine, spline or mixture.')
    components: int = recipe.field(4, 'Logistics in each mixture.')
    spline_bins: int = recipe.field(8, 'Bins of each spline.')
    order: str = recipe.field(
        'natural', 'Order of the dimensions: natural, reversed or random.')
    prior: str = recipe.field('normal', 'Prior of the latents, logistic or normal.')
    activation: str = recipe.field('relu', 'Of the hidden layers, by its Keras name.')
    direct: bool = recipe.field(
        False, 'Connect the inputs to the outputs of the networks directly as well.')
    network_dtype: str = recipe.field(
        'float32', 'Keras dtype policy of the networks; mixed_bfloat16 computes in bfloat16.')


def build(config, event_shape, seed):
    """The flow over data of `event_shape` with initial weights drawn from the integer `seed`."""
    return tfp_glow.flows.made(event_shape, **maf.options(config, seed))


divisor = maf.divisor

RECIPES = {
    'paper': (Config(), maf.PAPER),
    'fashion_mnist': (Config(hidden='1024,256', inner='mixture', prior='logistic'),
                      recipe.Training(learning_rate=3e-3, batch_size=128, epochs=40, ema=.999)),
    'digits': (Config(hidden='256', inner='mixture', prior='logistic'), recipe.Training(
        learning_rate=2e-3, batch_size=64, epochs=30, ema=.99)),
    'vectors': (Config(hidden='64,64', inner='mixture', components=8, prior='logistic',
                     activation='tanh'),
              recipe.Training(learning_rate=1e-3, batch_size=256, epochs=50, ema=.99)),
}
