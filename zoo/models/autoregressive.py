"""What MADE, MAF and IAF have in common: the hyper-parameters of an autoregressive network."""

import dataclasses

from zoo.models import options, recipe


@dataclasses.dataclass(frozen=True)
class Config(recipe.Hyperparameters):
    """Hyper-parameters of the networks and of what they transform."""

    hidden: str = options.sizes_field('512,512', 'Units of the hidden layers, with commas.')
    inner: str = recipe.field(
        'affine', 'Transform of one dimension given those before.',
        choices=('affine', 'spline', 'mixture'))
    components: int = recipe.field(4, 'Logistics in each mixture.',
                                   used_with={'inner': ('mixture',)})
    spline_bins: int = recipe.field(8, 'Bins of each spline.', used_with={'inner': ('spline',)})
    order: str = recipe.field(
        'natural', 'Order of the dimensions.', choices=('natural', 'reversed', 'random'))
    prior: str = recipe.field('normal', 'Prior of the latents.', choices=('normal', 'logistic'))
    activation: str = recipe.field('relu', 'Of the hidden layers, by its Keras name.')
    direct: bool = recipe.field(
        False, 'Connect the inputs to the outputs of the networks directly as well.')
    network_dtype: str = options.network_dtype_field()


@dataclasses.dataclass(frozen=True)
class LayersConfig(Config):
    """Hyper-parameters of several layers; the defaults are those of the paper's MAF (5)."""

    order: str = recipe.field(
        'alternate', 'Order of the dimensions; alternate: reversed in every second layer.',
        choices=('natural', 'reversed', 'random', 'alternate'))
    layers: int = recipe.field(5, 'Autoregressive layers.')
    batch_norm: bool = recipe.field(True, 'Batch normalisation after each layer.')


def arguments(config: Config, seed: int) -> dict:
    """Returns the arguments that the builders of the three flows have in common."""
    return {'hidden': options.sizes(config.hidden), 'inner': config.inner,
            'components': config.components, 'bins': config.spline_bins, 'order': config.order,
            'prior': config.prior, 'network_dtype': config.network_dtype, 'seed': seed,
            'network_options': {'activation': config.activation, 'direct': config.direct}}


PAPER = recipe.Training(
    optimizer='adam', learning_rate=1e-4, schedule='constant', warmup_epochs=0., batch_size=100,
    epochs=1000, ema=0.)
