"""NICE (Dinh, Krueger and Bengio, 2014, arXiv:1410.8516).

The recipes `paper` (MNIST), `paper_svhn` and `paper_cifar10` follow the paper and its code; ours
differs on purpose in that the couplings start as the identity. The small ones have smaller
networks, Adam with cosine decay, averaged weights and a faster final scaling. That of Fashion-MNIST
sees each pixel through a trained map of its own, `mixture`, which the paper has not: half of its
pixels are constant.
"""

import dataclasses

import tfp_glow
from zoo.cli import errors
from zoo.models import recipe
from zoo.models.options import any_side, sizes

VECTORS = True  # Not images alone: densities and tables too.


@dataclasses.dataclass(frozen=True)
class Config:
    """Hyper-parameters of the model; the defaults are the paper's for MNIST."""

    couplings: int = recipe.field(4, 'Coupling layers, of alternating roles.')
    width: int = recipe.field(1000, 'Hidden channels of the coupling networks.')
    depths: str = recipe.field(
        '5', 'Hidden layers of the coupling networks: one number, or with commas one for each.')
    prior: str = recipe.field('logistic', 'Prior of the latents, logistic or normal.')
    mixture: str = recipe.field(
        'none', 'Mixture of logistics for each entry: of the data, before the couplings; or of the '
        'prior; or none, as in the paper.')
    components: int = recipe.field(5, 'Logistics in each mixture.')
    symmetric: bool = recipe.field(
        False, 'Show the networks images in [-1, 1) in place of [0, 1).')
    scaling_rate: float = recipe.field(
        1., 'Factor on the learning rate of the final scaling; the paper has none.')
    network_dtype: str = recipe.field(
        'float32', 'Keras dtype policy of the networks; mixed_bfloat16 computes in bfloat16.')


def build(config, event_shape, seed):
    """The flow over data of `event_shape` with initial weights drawn from the integer `seed`."""
    depths = sizes('depths', config.depths)
    depths *= config.couplings if len(depths) == 1 else 1
    if len(depths) != config.couplings:
        raise errors.UsageError(f'--depths must be one number or one for each of the couplings, '
                                f'{config.couplings}; got {config.depths!r}.')
    symmetric = config.symmetric and len(event_shape) > 1
    return tfp_glow.flows.nice(
        event_shape, config.couplings, [(config.width,) * depth for depth in depths],
        prior=config.prior, mixture=config.mixture, components=config.components,
        data_range=(-1., 1.) if symmetric else None, scaling_rate=config.scaling_rate,
        network_dtype=config.network_dtype, seed=seed)


divisor = any_side

# RMSProp, batch 200, up to 1500 epochs.
_PAPER = recipe.Training(
    optimizer='rmsprop', learning_rate=1e-3, schedule='constant', warmup_epochs=0.,
    batch_size=200, epochs=1500, ema=0.)

RECIPES = {
    'paper': (Config(), _PAPER),
    'paper_svhn': (Config(width=2000, depths='3', prior='normal', symmetric=True), _PAPER),
    'paper_cifar10': (Config(couplings=8, width=2400, depths='1,1,3,3,2,2,1,1', prior='normal',
                             symmetric=True), _PAPER),
    'fashion_mnist': (Config(width=320, depths='3', mixture='data', scaling_rate=10.),
                      recipe.Training(learning_rate=1e-3, batch_size=128, epochs=10, ema=.999)),
    'digits': (Config(width=128, depths='2', scaling_rate=10.), recipe.Training(
        learning_rate=1e-3, batch_size=64, epochs=60, ema=.99)),
    # Densities over the plane: additive couplings alone are stiff, so there are more of them.
    'vectors': (Config(couplings=8, width=64, depths='2', prior='normal'), recipe.Training(
        learning_rate=1e-3, batch_size=256, epochs=50, ema=.99)),
}
