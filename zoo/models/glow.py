"""Configures Glow (Kingma and Dhariwal, 2018, arXiv:1807.03039).

The recipe `paper` follows the reference. The small recipes differ on purpose: Adam with cosine
decay for short runs; a least scale of the couplings, which bounds what sampling divides by; for
`digits` and `fashion_mnist`, whose objects are centred, biases and a top prior per position.
"""

import dataclasses
import typing
from typing import Any

from zoo.cli import ranges
from zoo.models import options, recipe
from zoo.models.recipe import Recipe
from zoo.models.spec import ModelSpec

if typing.TYPE_CHECKING:
    from tensorflow_probability import distributions as tfd


@dataclasses.dataclass(frozen=True)
class Config(recipe.Hyperparameters):
    """Hyper-parameters of the model; the defaults are those of the paper's code, affine."""

    levels: int = recipe.field(
        3, 'Number of levels, each with half the side of the one before (L in the paper).',
        options.LEVELS)
    steps_per_level: int = recipe.field(
        32, 'Number of flow steps of each level (K in the paper).')
    width: int = recipe.field(512, 'Number of hidden channels of the coupling networks.')
    coupling: str = recipe.field(
        'affine', 'What a coupling does to a half of the channels: shift and scale it, or shift it '
        'only.', choices=('affine', 'additive'))
    permutation: str = recipe.field(
        'conv', 'What mixes the channels between couplings: an invertible 1x1 convolution, by its '
        'LU factors (conv) or by its matrix (dense); a fixed shuffle; or the reverse order.',
        choices=('conv', 'dense', 'shuffle', 'reverse'))
    top_prior: str = recipe.field(
        'channel', 'Distribution of the last latent: a standard Normal, or Normals whose means '
        'and scales are learned for each channel or for each position.',
        choices=('channel', 'position', 'standard'))
    position_bias: bool = options.position_bias_field()
    minimum_scale: float = recipe.field(
        0., 'Least factor by which an affine coupling scales; the paper has 0.', ranges.PART,
        used_with={'coupling': ('affine',)})
    reversible: bool = recipe.field(
        True, 'Train with memory that does not grow with the number of steps. Otherwise training '
        'takes more memory and less arithmetic.')
    conditional: bool = recipe.field(
        False, 'Model images given their labels, and train a classifier of the last latent beside.')
    classification_weight: float = recipe.field(
        .01, 'Weight of the loss of this classifier.', used_with={'conditional': (True,)})
    network_dtype: str = options.network_dtype_field()


def build(config: Config, event_shape: tuple[int, ...], seed: int,
          classes: int | None = None) -> 'tfd.TransformedDistribution':
    """Returns the flow over data of `event_shape`; its initial weights are drawn from `seed`.

    With `classes` it is a flow given labels.
    """
    import tfp_glow  # Late, so that a wrong flag is reported at once.
    return tfp_glow.flows.glow(
        event_shape, config.levels, config.steps_per_level, config.width,
        coupling=config.coupling, permutation=config.permutation, top_prior=config.top_prior,
        scale_map=tfp_glow.bijectors.scale_maps.sigmoid(minimum=config.minimum_scale),
        network_options={'position_bias': config.position_bias},
        reversible=config.reversible, network_dtype=options.precision(config.network_dtype),
        classes=classes, class_networks=False, seed=seed)


def classifier(config: Config, flow: 'tfd.TransformedDistribution',
               classes: int) -> tuple[Any, float]:
    """Returns the classifier of a conditional model and the weight of its loss."""
    import keras

    import tfp_glow
    layer = keras.layers.Dense(classes, kernel_initializer='zeros', name='classifier')
    layer.build([None, flow.bijector.inverse_event_shape(flow.event_shape)[-1][-1]])
    return tfp_glow.flows.ClassFinder(flow, layer), config.classification_weight


def divisor(config: Config) -> int:
    """Returns what the sides of an image must be divisible by."""
    return 2**config.levels


RECIPES = {
    # The paper's quantitative run of CIFAR-10: Adamax, 10 epochs of warm-up. For GPUs.
    'paper': Recipe(
        Config(),
        recipe.Training(
            optimizer='adamax', learning_rate=1e-3, schedule='constant', warmup_epochs=10.,
            batch_size=64, epochs=1500)),
    # 8x8 digits: minutes on two cores.
    'digits': Recipe(
        Config(levels=2, steps_per_level=8, width=64, top_prior='position', position_bias=True,
               minimum_scale=.1, reversible=False),
        recipe.Training(learning_rate=2e-3, batch_size=64, epochs=30, ema=.99,
                        early_stopping=4)),
    'photo_patches': Recipe(
        Config(levels=3, steps_per_level=8, width=64, minimum_scale=.3),
        recipe.Training(learning_rate=1e-3, batch_size=32, epochs=10), towers=True),
    # Tiles of photographs, of details of several sizes: an hour or two on two cores.
    'photos32': Recipe(
        Config(levels=3, steps_per_level=12, width=128, minimum_scale=.3, reversible=False,
               network_dtype='auto'),
        recipe.Training(learning_rate=1e-3, batch_size=32, epochs=30, ema=.999, size=32,
                        tiles=True, shrink='2,3,4,6,8'), towers=True),
    # Six of these runs make the ablation of the paper's figure 3: minutes each on two cores.
    'ablation': Recipe(
        Config(levels=2, steps_per_level=4, width=64, reversible=False),
        recipe.Training(learning_rate=1e-3, batch_size=64, epochs=4, ema=.99), towers=True),
    # The paper's conditional model: additive, with a classification loss.
    'paper_conditional': Recipe(
        Config(coupling='additive', conditional=True),
        recipe.Training(
            optimizer='adamax', learning_rate=1e-3, schedule='constant', warmup_epochs=10.,
            batch_size=64, epochs=1500)),
    # 28x28 clothing: an hour on two cores.
    'fashion_mnist': Recipe(
        Config(levels=2, steps_per_level=12, width=128, top_prior='position', position_bias=True,
               minimum_scale=.3, reversible=False, network_dtype='auto'),
        recipe.Training(learning_rate=2e-3, batch_size=64, epochs=18, ema=.999), towers=True),
    # For data sets without a recipe of their own.
    'small': Recipe(
        Config(levels=2, steps_per_level=8, width=64, minimum_scale=.3),
        recipe.Training(learning_rate=1e-3, batch_size=32, ema=.999),
        steps=6000, towers=True),
}

SPEC = ModelSpec(
    name='glow', about='Glow: affine or additive couplings, invertible 1x1 convolutions, levels.',
    config=Config, recipes=RECIPES, build=build, divisor=divisor, classifier=classifier)
