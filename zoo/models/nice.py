"""Configures NICE (Dinh, Krueger and Bengio, 2014, arXiv:1410.8516).

The recipes `paper` (MNIST), `paper_svhn` and `paper_cifar10` follow the paper and its code. They
differ on purpose in that the couplings start as the identity. The small recipes have smaller
networks, Adam with cosine decay, averaged weights and a faster final scaling. The recipe of
Fashion-MNIST sees each pixel through a trained map of its own, `mixture`, which the paper does not
have: half of its pixels are constant.
"""

import dataclasses
import typing

from zoo.cli import errors, ranges
from zoo.models import options, recipe
from zoo.models.recipe import Recipe
from zoo.models.spec import ModelSpec

if typing.TYPE_CHECKING:
    from tensorflow_probability import distributions as tfd


@dataclasses.dataclass(frozen=True)
class Config(recipe.Hyperparameters):
    """Hyper-parameters of the model; the defaults are the paper's for MNIST."""

    couplings: int = recipe.field(
        4, 'Number of coupling layers, in which the two halves of the entries move in turn.')
    width: int = recipe.field(1000, 'Number of units of each hidden layer.')
    depths: str = options.sizes_field(
        '5', 'Number of hidden layers of the coupling networks: one number for all, or one for '
        'each coupling, with commas between.')
    prior: str = recipe.field('logistic', 'Distribution of the latents.',
                              choices=('logistic', 'normal'))
    mixture: str = recipe.field(
        'none', 'Where each entry has a mixture of logistics of its own: in a map of the data '
        'before the couplings, or in the distribution of the latents. The paper has none.',
        choices=('none', 'data', 'prior'))
    components: int = recipe.field(5, 'Number of logistics in each mixture.',
                                   used_with={'mixture': ('data', 'prior')})
    symmetric: bool = recipe.field(
        False, 'Show the networks images in [-1, 1) in place of [0, 1).', images_only=True)
    scaling_rate: float = recipe.field(
        1., 'Factor of the learning rate of the final scaling and of the mixtures; the paper has '
        '1.', ranges.POSITIVE)
    network_dtype: str = options.network_dtype_field()


def build(config: Config, event_shape: tuple[int, ...],
          seed: int) -> 'tfd.TransformedDistribution':
    """Returns the flow over data of `event_shape`; its initial weights are drawn from `seed`.

    Raises:
        UsageError: If there is not one depth for each coupling.
    """
    import tfp_glow  # Late, so that a wrong flag is reported at once.
    depths = options.sizes(config.depths)
    depths *= config.couplings if len(depths) == 1 else 1
    if len(depths) != config.couplings:
        raise errors.UsageError(f'--depths must be one number or one for each of the couplings, '
                                f'{config.couplings}; got {config.depths!r}.')
    symmetric = config.symmetric and len(event_shape) > 1
    return tfp_glow.flows.nice(
        event_shape, config.couplings, [(config.width,) * depth for depth in depths],
        prior=config.prior, mixture=config.mixture, components=config.components,
        data_range=(-1., 1.) if symmetric else None, scaling_rate=config.scaling_rate,
        network_dtype=options.precision(config.network_dtype), seed=seed)


_PAPER = recipe.Training(
    optimizer='rmsprop', learning_rate=1e-3, schedule='constant', warmup_epochs=0.,
    batch_size=200, epochs=1500, ema=0.)

RECIPES = {
    'paper': Recipe(Config(), _PAPER),
    'paper_svhn': Recipe(Config(width=2000, depths='3', prior='normal', symmetric=True), _PAPER),
    'paper_cifar10': Recipe(
        Config(couplings=8, width=2400, depths='1,1,3,3,2,2,1,1', prior='normal', symmetric=True),
        _PAPER),
    'fashion_mnist': Recipe(
        Config(width=320, depths='3', mixture='data', scaling_rate=10.),
        recipe.Training(learning_rate=1e-3, batch_size=128, epochs=10, ema=.999)),
    'digits': Recipe(
        Config(width=128, depths='2', scaling_rate=10.),
        recipe.Training(learning_rate=1e-3, batch_size=64, epochs=60, ema=.99)),
    # For vectors, unless --recipe says otherwise. Additive couplings alone are stiff, so that
    # densities over the plane need more of them.
    'vectors': Recipe(
        Config(couplings=8, width=64, depths='2', prior='normal'),
        recipe.Training(learning_rate=1e-3, batch_size=256, epochs=50, ema=.99),
        steps=9750),
    # For data sets without a recipe of their own.
    'small': Recipe(
        Config(width=320, depths='3', mixture='data', scaling_rate=10.),
        recipe.Training(learning_rate=1e-3, batch_size=128, ema=.999),
        steps=4000),
}

SPEC = ModelSpec(
    name='nice', about='NICE: additive couplings and a final scaling.', config=Config,
    recipes=RECIPES, build=build, vectors=True)
