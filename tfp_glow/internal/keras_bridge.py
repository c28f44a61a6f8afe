"""The only adapter between Keras and `tf.Module`.

A Keras 3 layer is no `tf.Module`: held raw by a bijector, its weights are missing from
`trainable_variables`, and training silently does nothing. `as_module` makes them visible;
`StackedNetwork` holds the weights of K copies of one network as K-fold stacked variables.
"""

import inspect

import keras
import numpy as np
import tensorflow as tf

# Initialisers whose distribution does not depend on the shape of what is drawn.
_SHAPELESS = (keras.initializers.RandomNormal, keras.initializers.RandomUniform,
              keras.initializers.TruncatedNormal)


def as_module(network, name='conditioner'):
    """`network` as something whose weights TFP, `tf.Module` and checkpoints see.

    Args:
      network: a built `keras.Layer` or `keras.Model`, which is wrapped; any other callable, a
        `tf.Module` above all, is returned as it is.
      name: of the argument, in errors.

    Raises:
      ValueError: a Keras network that has not been built, for it has no weights yet.
      TypeError: `network` cannot be called.
    """
    if isinstance(network, keras.Layer):
        _check_built(network, name)
        return KerasModule(network)
    if not callable(network):
        raise TypeError(f'{name} must be callable; got {type(network).__name__}.')
    return network


def takes_condition(network):
    """Whether `network` is called with `condition=` beside its input.

    It says so by an attribute `takes_condition`, else by an argument of that name; a functional
    Keras model, by having two inputs.
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
    except ValueError:  # A function of C has no signature.
        return False


def _is_pair(layer):
    return isinstance(layer, keras.Model) and len(getattr(layer, 'inputs', None) or ()) == 2


def _arguments(layer, inputs, condition):
    """Positional and keyword arguments of a call of `layer`."""
    if condition and _is_pair(layer):
        return [[inputs, condition['condition']]], {}
    return [inputs], condition


class KerasModule(tf.Module):
    """A built Keras network as a `tf.Module`: calls it, and owns its variables."""

    def __init__(self, layer):
        super().__init__()
        object.__setattr__(self, '_layer', layer)  # Untracked: the variables below are what counts.
        self._weights = [v.value for v in layer.variables]

    @property
    def layer(self):
        """The Keras network."""
        return self._layer

    def __call__(self, inputs, **condition):
        args, kwargs = _arguments(self._layer, inputs, condition)
        return self._layer(*args, **kwargs)

    def incremental(self, batch, **condition):
        """The network one dimension at a time, or None; see `networks.MaskedDenseNetwork`."""
        if hasattr(self._layer, 'incremental'):
            return self._layer.incremental(batch, **condition)
        return None

    def initialize(self, inputs, **condition):
        """Lets the network set data-dependent weights, if it can; see `networks`."""
        if hasattr(self._layer, 'initialize'):
            self._layer.initialize(inputs, **condition)

    def __deepcopy__(self, memo):
        copy = type(self)(clone(self._layer))
        memo[id(self)] = copy
        return copy


class StackedNetwork:
    """The weights of `times` copies of one Keras network, stacked along a leading axis.

    Args:
      layer: a built Keras network; its own weights are used as a template only.
      times: K, the number of copies.
      seed: integer; each copy's random weights are drawn anew with the initialisers of the layer.
      name: path under which the variables are named.

    Raises:
      ValueError: `layer` is not built.
    """

    def __init__(self, layer, times, seed, name='network'):
        _check_built(layer, 'layer')
        self._layer = layer
        owners = _owners(layer)
        self.weights = []
        for index, variable in enumerate(layer.variables):
            path = variable.path.split('/', 1)[-1]
            self.weights.append(tf.Variable(
                _draw(owners.get(id(variable)), variable, times, (seed, index)),
                trainable=variable.trainable, name=f'{name}/{path}'))

    def bind(self, weights):
        """The network run with `weights`: slices of `self.weights`, or variables of that shape."""
        return BoundNetwork(self._layer, weights)


class BoundNetwork:
    """A Keras network evaluated with the given weights in place of its own."""

    def __init__(self, layer, weights):
        self._layer = layer
        self._weights = list(weights)

    @property
    def layer(self):
        """The Keras network that is the template."""
        return self._layer

    def __call__(self, inputs, **condition):
        args, kwargs = _arguments(self._layer, inputs, condition)
        named = dict(zip(map(id, self._layer.variables), self._weights))
        outputs, _ = self._layer.stateless_call(
            [named[id(v)] for v in self._layer.trainable_variables],
            [named[id(v)] for v in self._layer.non_trainable_variables], *args, **kwargs)
        return outputs

    def incremental(self, batch, **condition):
        """As `KerasModule.incremental`; the network must read its weights before it returns."""
        if not hasattr(self._layer, 'incremental'):
            return None
        with keras.StatelessScope(list(zip(self._layer.variables, self._weights))):
            return self._layer.incremental(batch, **condition)

    def initialize(self, inputs, **condition):
        """Runs the network's data-dependent initialisation and writes it to the weights."""
        if not hasattr(self._layer, 'initialize'):
            return
        for own, given in zip(self._layer.variables, self._weights):
            own.assign(given)
        self._layer.initialize(inputs, **condition)
        for own, given in zip(self._layer.variables, self._weights):
            given.assign(own.value)


def clone(layer):
    """A copy of a built Keras network with equal, separate weights."""
    config = layer.get_config()
    copy = type(layer).from_config(config)
    copy.build_from_config(layer.get_build_config() or {})
    for ours, theirs in zip(copy.variables, layer.variables):
        ours.assign(theirs)
    return copy


def _owners(layer):
    """Variable of `layer`, by id -> (the sublayer that has it as an attribute, its name there)."""
    owners = {}
    for sublayer in layer._flatten_layers():
        for attribute, value in vars(sublayer).items():
            if isinstance(value, keras.Variable):
                owners[id(value)] = (sublayer, attribute.lstrip('_'))
    return owners


def _draw(owner, variable, times, seed):
    """Fresh initial values `[times, ...]`, by the Keras convention of `<name>_initializer`."""
    initializer = None
    if owner is not None:
        initializer = getattr(owner[0], f'{owner[1]}_initializer', None)
    if initializer is None or 'seed' not in inspect.signature(type(initializer)).parameters:
        return tf.stack([variable.value] * times)

    def drawn(shape, *seed):
        config = dict(initializer.get_config(),
                      seed=int(np.random.SeedSequence(seed).generate_state(1)[0] >> 1))
        return type(initializer).from_config(config)(shape, dtype=variable.dtype)
    if isinstance(initializer, _SHAPELESS):  # One draw serves all copies.
        return drawn((times, *variable.shape), *seed)
    return tf.stack([drawn(variable.shape, *seed, copy) for copy in range(times)])


def _check_built(layer, name):
    if not layer.built:
        raise ValueError(f'{name} must be built before a bijector holds it, or its weights '
                         f'would be missing from the trainable variables; {layer.name!r} is not: '
                         f'call it on data, or build(), first.')
