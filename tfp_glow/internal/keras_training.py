"""What a training does with Keras networks: it tells them that they train, and adds penalties."""

import contextlib
import inspect
import threading
from collections.abc import Iterable, Iterator
from typing import Any

import keras
import tensorflow as tf

_LOCAL = threading.local()  # Each replica of a strategy is traced in a thread of its own.
_DROPS = (keras.layers.Dropout, keras.layers.SpatialDropout1D, keras.layers.SpatialDropout2D,
          keras.layers.SpatialDropout3D, keras.layers.AlphaDropout, keras.layers.GaussianDropout,
          keras.layers.GaussianNoise)
_NORMALISES = (keras.layers.BatchNormalization,)


@contextlib.contextmanager
def training() -> Iterator[None]:
    """Returns a context within which Keras networks of bijectors are told that they train."""
    before = is_training()
    _LOCAL.training = True
    try:
        yield
    finally:
        _LOCAL.training = before


def is_training() -> bool:
    """Returns whether this code runs within `training`."""
    return getattr(_LOCAL, 'training', False)


def told(layer: keras.Layer) -> dict[str, bool]:
    """Returns the argument by which a network is told that it trains, or none."""
    if is_training() and 'training' in inspect.signature(layer.call).parameters:
        return {'training': True}
    return {}


def random_layers(layer: keras.Layer) -> list[str]:
    """Returns the names of the layers that drop or disturb values when they train."""
    return [part.name for part in _parts(layer) if isinstance(part, _DROPS) and any(
        getattr(part, rate, 0) for rate in ('rate', 'stddev'))]


def batch_layers(layer: keras.Layer) -> list[str]:
    """Returns the names of the layers that normalise by the batch when they train."""
    return [part.name for part in _parts(layer) if isinstance(part, _NORMALISES)]


def activity_regularized(layer: keras.Layer) -> list[str]:
    """Returns the names of the layers with a regulariser of what they compute."""
    return [part.name for part in _parts(layer)
            if getattr(part, 'activity_regularizer', None) is not None]


def regularized(layer: keras.Layer) -> list[keras.Variable]:
    """Returns the weights that have a regulariser."""
    return [v for v in layer.trainable_variables if getattr(v, 'regularizer', None) is not None]


def networks(modules: Iterable[tf.Module]) -> list[keras.Layer]:
    """Returns the Keras networks that modules hold."""
    held = {id(part.layer): part.layer for module in modules
            for part in (module, *module.submodules)
            if isinstance(getattr(part, 'layer', None), keras.Layer)}
    return list(held.values())


def penalty(modules: Iterable[tf.Module]) -> float | tf.Tensor:
    """Returns the sum of the regularisers of all weights of Keras networks."""
    terms: list[Any] = [tf.cast(v.regularizer(v), tf.float32) for layer in networks(modules)
                        for v in regularized(layer)]
    return tf.add_n(terms) if terms else 0.


def check_trained(modules: Iterable[tf.Module], towers: int = 1) -> None:
    """Checks that a training can do what the Keras networks of modules ask for.

    Raises:
        ValueError: If a layer has an `activity_regularizer`, or normalises by the batch, or drops
            values, and there are several towers.
    """
    for layer in networks(modules):
        names = activity_regularized(layer)
        if names:
            raise ValueError(
                'activity_regularizer must be left out of a network in a flow, whose outputs no '
                f'loss adds up; {layer.name!r} has one in {", ".join(names)}.')
        names = batch_layers(layer) + random_layers(layer)
        if towers > 1 and names:
            raise ValueError(
                f'towers must be 1 to train a network with {", ".join(names)}, which depend on the '
                f'whole batch or draw random numbers; got {towers=}.')


def check_repeated(layer: keras.Layer, holder: str) -> None:
    """Checks that a network can be one that a loop or a backward pass computes again.

    Args:
        layer: The network.
        holder: What computes it again, for the error.

    Raises:
        ValueError: If it drops values or normalises by the batch, which would differ the second
            time.
    """
    names = random_layers(layer) + batch_layers(layer)
    if names:
        raise ValueError(f'{holder} must have networks that compute the same each time; '
                         f'{layer.name!r} has {", ".join(names)}, of which it cannot know the drop '
                         'masks or the batch again.')


def check_stacked(layer: keras.Layer, holder: str) -> None:
    """Checks that a network can be the template of a loop's steps.

    Raises:
        ValueError: See `check_repeated`; also if it has regularisers.
    """
    check_repeated(layer, holder)
    names = activity_regularized(layer) + [v.path for v in regularized(layer)]
    if names:
        raise ValueError(f'{holder} must have networks without regularisers, as its steps have '
                         f'weights of their own; {layer.name!r} has one of {names[0]}. A prior of '
                         'all weights is weight_prior= of FlowModel.')


def _parts(layer: keras.Layer) -> list[keras.Layer]:
    return layer._flatten_layers()
