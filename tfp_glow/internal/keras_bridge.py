"""Adapts Keras to `tf.Module`; no other file does.

A Keras 3 layer is not a `tf.Module`. If a bijector held it raw, its weights would be missing from
`trainable_variables`, and training would silently do nothing. `as_module` makes them visible;
`StackedNetwork` holds the weights of K copies of one network as K-fold stacked variables.
"""

import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfp_glow.internal import keras_training

# The distribution of these initialisers does not depend on the shape of what is drawn.
_SHAPELESS = (keras.initializers.RandomNormal, keras.initializers.RandomUniform,
              keras.initializers.TruncatedNormal)


def as_module(network: Callable[..., Any], name: str = 'conditioner') -> Callable[..., Any]:
    """Returns `network` in a form whose weights TFP, `tf.Module` and checkpoints see.

    Args:
        network: A built `keras.Layer` or `keras.Model`, which is wrapped. Any other callable, a
            `tf.Module` above all, is returned as it is.
        name: The name of the argument in errors.

    Raises:
        ValueError: If `network` is a Keras network that has not been built, and so has no weights
            yet.
        TypeError: If `network` cannot be called.
    """
    if isinstance(network, keras.Layer):
        _check_built(network, name)
        return KerasModule(network)
    if not callable(network):
        raise TypeError(f'{name} must be callable; got {type(network).__name__}.')
    return network


def takes_condition(network: Callable[..., Any]) -> bool:
    """Returns whether `network` is called with `condition=` beside its input.

    The network says so by an attribute `takes_condition`, or else by an argument `condition`. A
    functional Keras model says so by having two inputs.
    """
    if isinstance(network, (KerasModule, BoundNetwork)):
        network = network.layer
    if isinstance(network, keras.Layer):
        return getattr(network, 'takes_condition', _is_pair(network)
                       or 'condition' in inspect.signature(network.call).parameters)
    if hasattr(network, 'takes_condition'):
        return network.takes_condition
    try:
        return 'condition' in inspect.signature(network).parameters
    except ValueError:  # A function that is written in C has no signature.
        return False


def _is_pair(layer: keras.Layer) -> bool:
    return isinstance(layer, keras.Model) and len(getattr(layer, 'inputs', None) or ()) == 2


def _arguments(layer: keras.Layer, inputs: Any, condition: dict[str, Any],
               ) -> tuple[list[Any], dict[str, Any]]:
    """Returns the positional and the keyword arguments of a call of `layer`."""
    if condition and _is_pair(layer):
        return [[inputs, condition['condition']]], {}
    return [inputs], condition


class KerasModule(tf.Module):
    """Wraps a built Keras network as a `tf.Module`: calls it, and owns its variables."""

    def __init__(self, layer: keras.Layer) -> None:
        super().__init__()
        # The layer is not tracked: the variables below are what counts.
        object.__setattr__(self, '_layer', layer)
        self._weights = [v.value for v in layer.variables]

    @property
    def layer(self) -> keras.Layer:
        """The Keras network."""
        return self._layer

    def __call__(self, inputs: Any, **condition: Any) -> Any:
        args, kwargs = _arguments(self._layer, inputs, condition)
        return self._layer(*args, **kwargs, **keras_training.told(self._layer))

    def incremental(self, batch: Any, **condition: Any) -> Any:
        """Returns the network one dimension at a time; see `networks.MaskedDenseNetwork`.

        The result is None if the network cannot be run in this way.
        """
        if hasattr(self._layer, 'incremental'):
            return self._layer.incremental(batch, **condition)
        return None

    def initialize(self, inputs: Any, **condition: Any) -> None:
        """Lets the network set its data-dependent weights, if it can; see `networks`."""
        if hasattr(self._layer, 'initialize'):
            self._layer.initialize(inputs, **condition)

    def __deepcopy__(self, memo: dict[int, Any]) -> 'KerasModule':
        copy = type(self)(clone(self._layer))
        memo[id(self)] = copy
        return copy


class StackedNetwork:
    """Holds the weights of `times` copies of one Keras network, stacked along a leading axis.

    Args:
        layer: A built Keras network. Its own weights serve as a template only.
        times: K, the number of copies.
        seed: An integer. The random weights of each copy are drawn anew with the initialisers of
            the layer.
        name: The path under which the variables are named.

    Raises:
        ValueError: If `layer` is not built.
    """

    def __init__(self, layer: keras.Layer, times: int, seed: int, name: str = 'network') -> None:
        _check_built(layer, 'layer')
        keras_training.check_stacked(layer, 'steps that share a loop')
        self._layer = layer
        owners = _owners(layer)
        self.weights = []
        for index, variable in enumerate(layer.variables):
            path = variable.path.split('/', 1)[-1]
            self.weights.append(tf.Variable(
                _draw(owners.get(id(variable)), variable, times, (seed, index)),
                trainable=variable.trainable, name=f'{name}/{path}'))

    def bind(self, weights: Iterable[Any]) -> 'BoundNetwork':
        """Returns the network, to be run with `weights`.

        They are slices of `self.weights`, or variables of the shape of such slices.
        """
        return BoundNetwork(self._layer, weights)


class BoundNetwork:
    """Evaluates a Keras network with the given weights in place of its own."""

    def __init__(self, layer: keras.Layer, weights: Iterable[Any]) -> None:
        self._layer = layer
        self._weights = list(weights)

    @property
    def layer(self) -> keras.Layer:
        """The Keras network that is the template."""
        return self._layer

    def __call__(self, inputs: Any, **condition: Any) -> Any:
        args, kwargs = _arguments(self._layer, inputs, condition)
        named = dict(zip(map(id, self._layer.variables), self._weights))
        outputs, _ = self._layer.stateless_call(
            [named[id(v)] for v in self._layer.trainable_variables],
            [named[id(v)] for v in self._layer.non_trainable_variables], *args, **kwargs)
        return outputs

    def incremental(self, batch: Any, **condition: Any) -> Any:
        """Does what `KerasModule.incremental` does.

        The network must read its weights before it returns.
        """
        if not hasattr(self._layer, 'incremental'):
            return None
        with keras.StatelessScope(list(zip(self._layer.variables, self._weights))):
            return self._layer.incremental(batch, **condition)

    def initialize(self, inputs: Any, **condition: Any) -> None:
        """Runs the network's data-dependent initialisation and writes it to the weights."""
        if not hasattr(self._layer, 'initialize'):
            return
        for own, given in zip(self._layer.variables, self._weights):
            own.assign(given)
        self._layer.initialize(inputs, **condition)
        for own, given in zip(self._layer.variables, self._weights):
            given.assign(own.value)


def clone(layer: keras.Layer) -> keras.Layer:
    """Returns a copy of a built Keras network, with equal, separate weights."""
    config = layer.get_config()
    copy = type(layer).from_config(config)
    copy.build_from_config(layer.get_build_config() or {})
    for ours, theirs in zip(copy.variables, layer.variables):
        ours.assign(theirs)
    return copy


def _owners(layer: keras.Layer) -> dict[int, tuple[keras.Layer, str]]:
    """Returns `{id(variable): (sublayer, name)}` of the variables of `layer`.

    The sublayer is the one that has the variable as an attribute, the name that of the attribute.
    """
    owners = {}
    for sublayer in layer._flatten_layers():
        for attribute, value in vars(sublayer).items():
            if isinstance(value, keras.Variable):
                owners[id(value)] = (sublayer, attribute.lstrip('_'))
    return owners


def _draw(owner: tuple[keras.Layer, str] | None, variable: keras.Variable, times: int,
          seed: tuple[int, int]) -> tf.Tensor:
    """Draws fresh initial values `[times, ...]`, by Keras's convention `<name>_initializer`."""
    initializer = None
    if owner is not None:
        initializer = getattr(owner[0], f'{owner[1]}_initializer', None)
    if initializer is None or 'seed' not in inspect.signature(type(initializer)).parameters:
        return tf.stack([variable.value] * times)

    def drawn(shape: Sequence[int], *seed: int) -> tf.Tensor:
        config = dict(initializer.get_config(),
                      seed=int(np.random.SeedSequence(seed).generate_state(1)[0] >> 1))
        return type(initializer).from_config(config)(shape, dtype=variable.dtype)
    if isinstance(initializer, _SHAPELESS):  # One draw serves all copies.
        return drawn((times, *variable.shape), *seed)
    return tf.stack([drawn(variable.shape, *seed, copy) for copy in range(times)])


def _check_built(layer: keras.Layer, name: str) -> None:
    if not layer.built:
        raise ValueError(f'{name} must be built before a bijector holds it, or its weights '
                         f'would be missing from the trainable variables; {layer.name!r} is not: '
                         f'call it on data, or build(), first.')
