"""MAF (Papamakarios, Pavlakou and Murray, 2017, arXiv:1705.07057).

The recipes `paper` and `paper_10` are those of the paper's tables of UCI data, MAF (5) and (10),
without the early stopping. Ours differs on purpose in the affine scale, which is softly bounded.
"""

import dataclasses

import tfp_glow
from zoo import recipe
from zoo.models.sizes import sizes

VECTORS = True  # Not images alone: densities and tables too.


@dataclasses.dataclass(frozen=True)
class Config:
    """Hyper-parameters of the model; the defaults are the paper's MAF (5)."""

    layers: int = recipe.field(5, 'Autoregressive layers.')
    hidden: str = recipe.field('512,512', 'Units of the hidden layers, with commas.')
    inner: str = recipe.field(
        'affine', 'Transform of one dimension given those before: affine, spline or mixture.')
    components: int = recipe.field(4, 'Logistics in each mixture.')
    spline_bins: int = recipe.field(8, 'Bins of each spline.')
    batch_norm: bool = recipe.field(True, 'Batch normalisation after each layer.')
    order: str = recipe.field(
        'alternate', 'Order of the dimensions: alternate, natural, reversed or random.')
    prior: str = recipe.field('normal', 'Prior of the latents, logistic or normal.')
    activation: str = recipe.field('relu', 'Of the hidden layers, by its Keras name.')
    direct: bool = recipe.field(
        False, 'Connect the inputs to the outputs of the networks directly as well.')
    network_dtype: str = recipe.field(
        'float32', 'Keras dtype policy of the networks; mixed_bfloat16 computes in bfloat16.')


def build(config, event_shape, seed):
    """The flow over data of `event_shape` with initial weights drawn from the integer `seed`."""
    return tfp_glow.flows.maf(event_shape, config.layers, batch_norm=config.batch_norm,
                              **options(config, seed))


def options(config, seed):
    """What MADE, MAF and IAF have in common, as arguments of their builders."""
    return {'hidden': sizes('hidden', config.hidden), 'inner': config.inner,
            'components': config.components, 'bins': config.spline_bins, 'order': config.order,
            'prior': config.prior, 'network_dtype': config.network_dtype, 'seed': seed,
            'network_options': {'activation': config.activation, 'direct': config.direct}}


def divisor(config):
    """What the sides of an image must be divisible by."""
    del config
    return 1


PAPER = recipe.Training(
    optimizer='adam', learning_rate=1e-4, schedule='constant', warmup_epochs=0., batch_size=100,
    epochs=1000, ema=0.)

RECIPES = {
    'paper': (Config(), PAPER),
    'paper_10': (Config(layers=10), PAPER),
    'fashion_mnist': (Config(layers=1, hidden='1024,256', inner='mixture', components=4,
                             batch_norm=False, prior='logistic'),
                      recipe.Training(learning_rate=3e-3, batch_size=128, epochs=40, ema=.999)),
    'digits': (Config(layers=2, hidden='256', inner='mixture', components=4, batch_norm=False,
                      prior='logistic'),
               recipe.Training(learning_rate=2e-3, batch_size=64, epochs=30, ema=.99)),
    'vectors': (Config(layers=4, hidden='64,64', activation='tanh'), recipe.Training(
        learning_rate=1e-3, batch_size=256, epochs=50, ema=.99)),
}
