"""Makes the variables of a flow weights of a Keras layer, and finds flows whose variables are not.

Keras 3 tracks Keras variables and layers, and no `tf.Module`: a flow that a layer or a model of
Keras holds as it is has no weights there, so that `fit` does not move it and `save_weights` loses
it.
"""

import threading
import warnings
import weakref
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from tfp_glow.internal import variables as named_variables

_LOCAL = threading.local()
_KERAS = '_keras_variable'
# The modules that each outermost layer was seen to call.
_SEEN: weakref.WeakKeyDictionary[Any, set[int]] = weakref.WeakKeyDictionary()


class FlowVariable(keras.Variable):
    """A Keras variable around a `tf.Variable` that is there: both have one value.

    Args:
        variable: The `tf.Variable`.
        path: Its path, 'glow/level_0/act_norm/log_scale'; its name has dots in place of slashes.
    """

    def __init__(self, variable: tf.Variable, path: str) -> None:
        super().__init__(variable, dtype=variable.dtype.name, trainable=variable.trainable,
                         autocast=False, name=path.replace('/', '.'))
        self._path = path

    def _convert_to_tensor(self, value: Any, dtype: Any = None) -> Any:
        if isinstance(value, tf.Variable):
            return value
        return super()._convert_to_tensor(value, dtype)


def keras_variables(module: tf.Module) -> list[FlowVariable]:
    """Returns a Keras variable around each variable of a module, named by its path."""
    held = []
    for path, variable in named_variables.by_path(module).items():
        # Two layers around one flow share its weights, which Keras then counts and moves once.
        if getattr(variable, _KERAS, None) is None:
            setattr(variable, _KERAS, FlowVariable(variable, path))
        held.append(getattr(variable, _KERAS))
    return held


class OptimizedVariables:
    """Gives an optimizer of Keras the variables of modules as it wants them: with paths."""

    def __init__(self) -> None:
        self._held: list[FlowVariable] = []

    def of(self, variables: Sequence[tf.Variable]) -> list[FlowVariable]:
        """Returns a Keras variable around each variable: the same ones in each call."""
        if [id(held.value) for held in self._held] != [id(v) for v in variables]:
            with tf.init_scope():
                self._held = [FlowVariable(v, v.name.split(':')[0]) for v in variables]
        return self._held


def warn_of_untracked(module: tf.Module) -> None:
    """Warns if a layer of Keras that is being called does not track the weights of `module`.

    Keras's outermost layer is asked, as it is what `fit` trains. It is warned of once.
    """
    outermost = outermost_layer()
    if outermost is None or id(module) in _SEEN.setdefault(outermost, set()):
        return
    _SEEN[outermost].add(id(module))
    tracked = {id(getattr(v, 'value', v)) for v in outermost.variables}
    tracked |= {id(v) for v in outermost.variables}
    missing = [v.name for v in module.trainable_variables if id(v) not in tracked]
    if missing:
        warnings.warn(
            f'{outermost.name!r}, a {type(outermost).__name__} of Keras, calls the flow '
            f'{module.name!r} and does not track {len(missing)} of its weights, such as '
            f'{missing[0]}: fit will not train them, and save_weights will not save them. Hold '
            'the flow as tfp_glow.FlowLayer(flow).', stacklevel=2)


def outermost_layer() -> Any:
    """Returns the layer of Keras whose call all others are part of, or None outside of calls."""
    if not hasattr(_LOCAL, 'probe'):
        _LOCAL.probe = keras.layers.Layer(name='probe')
    outermost = _LOCAL.probe._get_call_context().entry_layer
    if outermost is not _LOCAL.probe:
        return outermost
    _LOCAL.probe._maybe_reset_call_context()
    return None
