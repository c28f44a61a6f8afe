"""Glow (Kingma and Dhariwal, 2018, arXiv:1807.03039).

The recipe `paper` follows the reference. The small ones differ on purpose: Adam with cosine decay
for short runs; a least scale of the coupling, which bounds what sampling divides by; for `digits`
and `fashion_mnist`, whose objects are centred, biases and a top prior per position.
"""

import dataclasses

import keras

import tfp_glow
from zoo.models import recipe


@dataclasses.dataclass(frozen=True)
class Config:
    """Hyper-parameters of the model; the defaults are the paper's code's, affine."""

    levels: int = recipe.field(3, 'L: levels, each with half the side of the one before.')
    steps_per_level: int = recipe.field(32, 'K: flow steps per level.')
    width: int = recipe.field(512, 'Hidden channels of the coupling networks.')
    coupling: str = recipe.field('affine', 'affine or additive.')
    permutation: str = recipe.field('conv', 'conv, dense, shuffle or reverse.')
    top_prior: str = recipe.field(
        'channel', 'Prior of the last latent, learned per channel or position, or standard.')
    position_bias: bool = recipe.field(
        False, 'Learn a bias per position in the networks (not in the paper): aligned images.')
    minimum_scale: float = recipe.field(
        0., 'Least scale of the affine coupling; the paper has 0.')
    reversible: bool = recipe.field(
        True, 'Train at constant memory; false trades memory for less arithmetic.')
    conditional: bool = recipe.field(
        False, 'Model images given their labels, with a classifier of the last latent beside.')
    classification_weight: float = recipe.field(
        .01, 'Weight of the classifier\'s loss of a conditional model.')
    network_dtype: str = recipe.field(
        'float32', 'Keras dtype policy of the networks; mixed_bfloat16 computes in bfloat16.')


def build(config, event_shape, seed, classes=None):
    """The flow over data of `event_shape` with initial weights drawn from the integer `seed`.

    With `classes` it is one given labels.
    """
    return tfp_glow.flows.glow(
        event_shape, config.levels, config.steps_per_level, config.width,
        coupling=config.coupling, permutation=config.permutation, top_prior=config.top_prior,
        scale_map=tfp_glow.bijectors.scale_maps.sigmoid(minimum=config.minimum_scale),
        network_options={'position_bias': config.position_bias},
        reversible=config.reversible, network_dtype=config.network_dtype, classes=classes,
        class_networks=False, seed=seed)


def classifier(config, flow, classes):
    """`(the classifier of a conditional model, the weight of its loss)`."""
    layer = keras.layers.Dense(classes, kernel_initializer='zeros', name='classifier')
    layer.build([None, flow.bijector.inverse_event_shape(flow.event_shape)[-1][-1]])
    return tfp_glow.flows.ClassFinder(flow, layer), config.classification_weight


def divisor(config):
    """What the sides of an image must be divisible by."""
    return 2**config.levels


RECIPES = {
    # The paper's quantitative CIFAR-10 run: Adamax, 10 epochs of warm-up. For GPUs.
    'paper': (Config(), recipe.Training(
        optimizer='adamax', learning_rate=1e-3, schedule='constant', warmup_epochs=10.,
        batch_size=64, epochs=1500)),
    # 8x8 digits: minutes on two cores.
    'digits': (Config(levels=2, steps_per_level=8, width=64, top_prior='position',
                      position_bias=True, minimum_scale=.1, reversible=False),
               recipe.Training(learning_rate=2e-3, batch_size=64, epochs=30, ema=.99)),
    'photo_patches': (Config(levels=3, steps_per_level=8, width=64, minimum_scale=.3),
                      recipe.Training(learning_rate=1e-3, batch_size=32, epochs=10)),
    # Six of them make the ablation of the paper's figure 3: minutes each on two cores.
    'ablation': (Config(levels=2, steps_per_level=4, width=64, reversible=False),
                 recipe.Training(learning_rate=1e-3, batch_size=64, epochs=4, ema=.99)),
    # The paper's conditional model: additive, with a classification loss.
    'paper_conditional': (Config(coupling='additive', conditional=True), recipe.Training(
        optimizer='adamax', learning_rate=1e-3, schedule='constant', warmup_epochs=10.,
        batch_size=64, epochs=1500)),
    # 28x28 clothing: an hour on two cores.
    'fashion_mnist': (Config(levels=2, steps_per_level=12, width=128, top_prior='position',
                             position_bias=True, minimum_scale=.3, reversible=False,
                             network_dtype='mixed_bfloat16'),
                      recipe.Training(learning_rate=2e-3, batch_size=64, epochs=18, ema=.999)),
}
