"""Records how a builder was called, as JSON, so that a flow or a VAE can be built again."""

import functools
import importlib
import inspect
import json
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypeVar

import keras
import numpy as np
import tensorflow as tf

from tfp_glow.internal import variables

P = ParamSpec('P')
T = TypeVar('T')
_BUILDERS: dict[str, Callable[..., Any]] = {}
_NETWORKS = 'tfp_glow.networks'
_KEY = 'tfp_glow'  # The key of a dictionary that stands for what is no JSON.
_ATTRIBUTE = '_builder_config'


def recorded(builder: Callable[P, T]) -> Callable[P, T]:
    """Decorates a builder: what it returns is rebuilt by its name and its arguments."""
    name = f'{builder.__module__}.{builder.__qualname__}'

    @functools.wraps(builder)
    def build(*args: P.args, **kwargs: P.kwargs) -> T:
        made = builder(*args, **kwargs)
        bound = inspect.signature(builder).bind(*args, **kwargs).arguments
        # A text is no structure that TensorFlow would track.
        text = _text(name, bound)
        object.__setattr__(made, _ATTRIBUTE, text)
        if hasattr(made, 'event_shape') and 'missing' not in json.loads(text):
            # TFP's distributions can be neither pickled nor copied deeply. Python takes these
            # methods from the object; its class is TFP's.
            object.__setattr__(made, '__reduce_ex__', functools.partial(_reduced, made))
            object.__setattr__(made, '__deepcopy__', functools.partial(_deep_copy, made))
        return made
    _BUILDERS[name] = build
    return build


def register(name: str, builder: Callable[..., Any]) -> None:
    """Makes `builder(name)` return a function or class that lies higher in the house."""
    _BUILDERS[name] = builder


def builder(name: str) -> Callable[..., Any]:
    """Returns what was registered under a name."""
    return _BUILDERS[name]


def of(made: Any, alternative: str) -> dict[str, Any]:
    """Returns what `rebuilt` builds an equal object from, but for its weights.

    Args:
        made: A flow, a VAE or a scale map.
        alternative: What to call where this cannot be, for the error.

    Raises:
        NotImplementedError: If no builder of this library made it, or one was given what has no
            configuration.
    """
    text = getattr(made, _ATTRIBUTE, None)
    name = getattr(made, 'name', type(made).__name__)
    if text is None:
        raise NotImplementedError(
            f'{name} has no configuration, as no builder of tfp_glow made it; {alternative} '
            'works without one.')
    config = json.loads(text)
    if 'missing' in config:
        raise NotImplementedError(f'{name} has no configuration, as its {config["missing"]} has '
                                  f'none; {alternative} works without one.')
    return config


def argument(made: Any, name: str) -> Any:
    """Returns what the builder of an object was given as an argument, or None."""
    config = json.loads(getattr(made, _ATTRIBUTE, '{}'))
    return config.get('arguments', {}).get(name)


def rebuilt(config: Mapping[str, Any]) -> Any:
    """Returns what a builder makes of a configuration that `of` returned.

    Raises:
        ValueError: If there is no such builder.
    """
    known = _BUILDERS.get(config.get('builder', ''))
    if known is None:
        raise ValueError(f'builder must be one of {", ".join(_BUILDERS)}; got '
                         f'{config.get("builder")!r}.')
    arguments = {key: _value(value) for key, value in config['arguments'].items()}
    more = arguments.pop('**', {})
    return known(**arguments, **more)


def plain(arguments: Mapping[str, Any], owner: str, alternative: str) -> dict[str, Any]:
    """Returns arguments as what JSON has, for the `get_config` of a Keras model.

    Args:
        arguments: The arguments by name; a flow is one that a builder made.
        owner: The name of the model, for the error.
        alternative: What to call where this cannot be, for the error.

    Raises:
        NotImplementedError: If an argument has no configuration; the message names it.
    """
    result = {}
    for name, value in arguments.items():
        try:
            result[name] = _plain(value)
        except TypeError:
            raise NotImplementedError(
                f'{owner} has no configuration, as its argument {name} has none; {alternative} '
                'works without one.') from None
    return result


def valued(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the arguments of which `plain` made JSON."""
    return {name: _value(value) for name, value in arguments.items()}


def _reduced(made: Any, protocol: int) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """Returns what pickle restores an object from: its configuration and its weights."""
    del protocol
    values: dict[str, np.ndarray] = {}
    variables.store(made, values)
    return _restored, (of(made, 'tf.train.Checkpoint(flow=flow)'), values)


def _restored(config: Mapping[str, Any], values: Mapping[str, np.ndarray]) -> Any:
    made = rebuilt(config)
    variables.load(made, values)
    return made


def _deep_copy(made: Any, memo: dict[int, Any]) -> Any:
    function, arguments = _reduced(made, 0)
    memo[id(made)] = copy = function(*arguments)
    return copy


def _text(name: str, bound: Mapping[str, Any]) -> str:
    signature = inspect.signature(_BUILDERS[name])
    arguments = {}
    for key, value in bound.items():
        own = signature.parameters.get(key)
        try:
            plain = _plain(value)
        except TypeError:
            return json.dumps({'missing': f'argument {key}'})
        is_more = own is not None and own.kind is inspect.Parameter.VAR_KEYWORD
        arguments['**' if is_more else key] = plain
    return json.dumps({'builder': name, 'arguments': arguments})


def _plain(value: Any) -> Any:
    """Returns a value as what JSON has.

    Raises:
        TypeError: If it has no such form.
    """
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, tf.TensorShape):
        return value.as_list()
    if isinstance(value, (tf.DType, type)):
        return {_KEY: 'dtype', 'value': tf.as_dtype(value).name}
    if isinstance(value, tf.TensorSpec):
        return {_KEY: 'spec', 'value': [value.shape.as_list(), value.dtype.name]}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if hasattr(value, _ATTRIBUTE):
        config = json.loads(getattr(value, _ATTRIBUTE))
        if 'missing' not in config:
            return {_KEY: 'built', 'value': config}
    name = getattr(value, '__name__', '')
    if getattr(value, '__module__', '').startswith(_NETWORKS) and hasattr(
            importlib.import_module(_NETWORKS), name):
        return {_KEY: 'network', 'value': name}
    if isinstance(value, keras.initializers.Initializer):
        return {_KEY: 'initializer', 'value': keras.initializers.serialize(value)}
    if isinstance(value, keras.Layer):
        return {_KEY: 'layer', 'value': keras.saving.serialize_keras_object(value)}
    raise TypeError(f'{value!r} has no configuration')


def _value(plain: Any) -> Any:
    """Undoes `_plain`; sequences are tuples."""
    if isinstance(plain, list):
        return tuple(map(_value, plain))
    if not isinstance(plain, Mapping):
        return plain
    if _KEY not in plain:
        return {key: _value(item) for key, item in plain.items()}
    kind, value = plain[_KEY], plain['value']
    if kind == 'dtype':
        return tf.as_dtype(value)
    if kind == 'built':
        return rebuilt(value)
    if kind == 'network':
        return getattr(importlib.import_module(_NETWORKS), value)
    if kind == 'spec':
        return tf.TensorSpec(*value)
    if kind == 'layer':
        return keras.saving.deserialize_keras_object(value)
    return keras.initializers.deserialize(value)
