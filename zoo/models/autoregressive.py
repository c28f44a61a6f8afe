"""Defines what MADE, MAF and IAF have in common: the hyper-parameters of their networks."""

import dataclasses
from typing import Any

from zoo.cli import ranges
from zoo.models import options, recipe


@dataclasses.dataclass(frozen=True)
class Config(recipe.Hyperparameters):
    """Hyper-parameters of the networks and of what they transform."""

    hidden: str = options.sizes_field(
        '512,512', 'Number of units of each hidden layer, with commas between.')
    inner: str = recipe.field(
        'affine', 'What transforms each dimension, with parameters that depend on the dimensions '
        'before it: a shift and a scale, a spline, or the CDF of a mixture of logistics.',
        choices=('affine', 'spline', 'mixture'))
    components: int = recipe.field(4, 'Number of logistics in each mixture.',
                                   used_with={'inner': ('mixture',)})
    spline_bins: int = recipe.field(8, 'Number of bins of each spline.', ranges.Range(2, 99),
                                    used_with={'inner': ('spline',)})
    order: str = recipe.field(
        'natural', 'Order of the dimensions, in which each depends on those before it.',
        choices=('natural', 'reversed', 'random'))
    prior: str = recipe.field('normal', 'Distribution of the latents.',
                              choices=('normal', 'logistic'))
    activation: str = options.activation_field()
    direct: bool = recipe.field(
        False, 'Connect the inputs of each network to its outputs directly as well.')
    network_dtype: str = options.network_dtype_field()


@dataclasses.dataclass(frozen=True)
class LayersConfig(Config):
    """Hyper-parameters of several layers; the defaults are those of the paper's MAF (5)."""

    order: str = recipe.field(
        'alternate', 'Order of the dimensions, in which each depends on those before it. With '
        'alternate it is reversed in every second layer.',
        choices=('natural', 'reversed', 'random', 'alternate'))
    layers: int = recipe.field(5, 'Number of autoregressive layers.')
    batch_norm: bool = recipe.field(True, 'Apply batch normalisation after each layer.')


def arguments(config: Config, seed: int) -> dict[str, Any]:
    """Returns the arguments that the builders of the three flows have in common."""
    return {'hidden': options.sizes(config.hidden), 'inner': config.inner,
            'components': config.components, 'bins': config.spline_bins, 'order': config.order,
            'prior': config.prior, 'seed': seed,
            'network_dtype': options.precision(config.network_dtype),
            'network_options': {'activation': config.activation, 'direct': config.direct}}


PAPER = recipe.Training(
    optimizer='adam', learning_rate=1e-4, schedule='constant', warmup_epochs=0., batch_size=100,
    epochs=1000, ema=0.)
