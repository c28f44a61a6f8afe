"""Touches private interfaces of TFP and TensorFlow: caches, tapes, ops. No other file does."""

import contextlib
import inspect
from collections.abc import Iterable, Iterator
from typing import Any

import tensorflow as tf
from tensorflow.python.eager import record
from tensorflow.python.framework import op_callbacks, ops
from tensorflow_probability import bijectors as tfb
from tensorflow_probability.python.bijectors import chain
from tensorflow_probability.python.distributions import joint_distribution_sequential
from tensorflow_probability.python.internal import cache_util, parameter_properties

ParameterProperties = parameter_properties.ParameterProperties

# This is a class of every chain. `tfb.Chain` is not: a chain whose parts are not all composite
# tensors is no instance of it.
Chain = chain._Chain

_READS = frozenset({'ReadVariableOp', 'ResourceGather', 'VariableShape'})


class Joint(joint_distribution_sequential._JointDistributionSequential):
    """Makes `tfd.JointDistributionSequential` one that checkpoints and SavedModel can write.

    TFP's own class caches its parts in a dictionary with integer keys, which `tf.train.Checkpoint`
    refuses after the first `log_prob` or `sample`. Nothing in that cache is state.
    """

    _single_sample_distributions: dict[int, Any]

    def __init__(self, model: Any, name: str = 'joint') -> None:
        parameters = dict(locals())
        super().__init__(model, name=name)
        self._parameters = self._no_dependency(
            {k: v for k, v in parameters.items() if k in ('model', 'name')})
        del self._single_sample_distributions
        self._single_sample_distributions = self._no_dependency({})


@contextlib.contextmanager
def hidden_inputs(known: Iterable[tf.Tensor]) -> Iterator[list[tf.Tensor]]:
    """Gives a list that collects the hidden inputs of what is computed within.

    These are tensors that are read within, are older, and are followed by a gradient tape. Neither
    the tensors `known` nor variables are collected. Nothing is seen in a `tf.function` that is
    called within in eager mode, and nothing of a tape that is opened when all is traced already.
    """
    hidden: list[tf.Tensor] = []
    start, known_ids = ops.uid(), {t._id for t in known}

    def is_hidden(tensor: tf.Tensor) -> bool:
        return (tensor.dtype.is_floating and tensor._id < start and tensor._id not in known_ids
                and record.should_record_backprop([tensor]))

    def look(op_type: str, inputs: Any, attrs: Any, outputs: Any, op_name: str | None = None,
             graph: Any = None) -> None:
        hidden.extend(filter(is_hidden, inputs))
    op_callbacks.add_op_callback(look)
    try:
        yield hidden
    finally:
        op_callbacks.remove_op_callback(look)
    captures = getattr(tf.compat.v1.get_default_graph(), 'captures', ())
    hidden.extend(outer for outer, inner in captures if inner._id > start and is_hidden(outer))


class OnePassCache(cache_util.BijectorCache):
    """Fills TFP's cache with value and log-det from one evaluation, and is never stale.

    TFP's own cache answers with what it computed before, even after a variable was assigned
    (measured: `b.forward(x)`, assign, `b.forward(x)` returns the old value in eager mode). This one
    remembers the state of the bijector's variables with each entry. It forgets the entry when they
    have changed, or when a gradient tape is open that has not recorded the evaluation. In eager
    mode a value is always computed anew; only the log-det is handed over, which saves the second
    evaluation within `log_prob`.
    """

    def _invoke(self, input: Any, fn_name: str,  # pylint: disable=redefined-builtin
                kwargs: dict[str, Any], attributes: dict[str, Any]) -> Any:
        kwargs = {name: value.structure for name, value in kwargs.items()}
        output, log_det = self.bijector._flattened(fn_name, input, kwargs)
        attributes['ildj'] = -log_det if fn_name == self._forward_name else log_det
        attributes['state'] = _state(self.bijector)
        return output

    def _lookup(self, input: Any, forward_name: str, inverse_name: str, **kwargs: Any) -> Any:
        kwargs = _by_identity(kwargs)
        edge = self._get_or_create_edge(input, forward_name, kwargs)
        if tf.executing_eagerly() or self._is_stale(edge):
            self._forget(edge)
        return super()._lookup(input, forward_name, inverse_name, **kwargs)

    def _attributes(self, input: Any, fn_name: str, **kwargs: Any) -> dict[str, Any]:
        kwargs = _by_identity(kwargs)
        edge = self._get_or_create_edge(input, fn_name, kwargs)
        if 'ildj' in edge.attributes and not self._is_stale(edge):
            return edge.attributes
        other = self._inverse_name if fn_name == self._forward_name else self._forward_name
        output = self._lookup(input, fn_name, other, **kwargs)
        attributes = self._get_or_create_edge(input, fn_name, kwargs).attributes
        del output
        return attributes

    def _is_stale(self, edge: Any) -> bool:
        state = edge.attributes.get('state')
        if state is None:
            return False
        return _is_unrecorded(edge) or not _unchanged(state, _state(self.bijector))

    def _forget(self, edge: Any) -> None:
        for reference in (edge.input_ref, edge.output_ref):
            if reference is not None and reference in self.storage:
                reference.cancel()
                self.storage.pop(reference)


def takes_keyword(bijector: tfb.Bijector, name: str) -> bool:
    """Returns whether the methods of a TFP bijector take a keyword: if its `_forward` does."""
    return name in inspect.signature(bijector._forward).parameters


def checks_at_construction(bijector: tfb.Bijector) -> Any:
    """Returns the graph's operations that check the parameters known at construction."""
    return bijector._initial_parameter_control_dependencies


def untracked(module: tf.Module, value: Any) -> Any:
    """Returns `value` as an attribute of `module` in which no `tf.Module` looks for variables."""
    return module._no_dependency(value)


def tensors_in(module: tf.Module) -> list[tf.Tensor]:
    """Returns the tensors that a `tf.Module` and its parts hold as attributes."""
    return list(module._flatten(predicate=lambda value: isinstance(value, tf.Tensor)))


class _Identity:
    """Holds a structure of tensors as part of a key: equal to another that holds the same tensors.

    The tensors are held, so that no other gets their place in memory while the key is alive.
    """

    def __init__(self, structure: Any) -> None:
        self.structure = structure
        self._key = tuple(map(id, tf.nest.flatten(structure)))

    def __hash__(self) -> int:
        return hash(self._key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Identity) and self._key == other._key


def _by_identity(kwargs: dict[str, Any]) -> dict[str, _Identity]:
    return {name: value if isinstance(value, _Identity) else _Identity(value)
            for name, value in kwargs.items()}


def _state(bijector: tfb.Bijector) -> tuple[Any, list[Any]]:
    """Returns what an answer depends on besides the input.

    In eager mode these are the values of the variables, in a graph the writes that are traced.
    """
    if tf.executing_eagerly():
        return 'eager', [v.read_value() for v in bijector.variables]
    graph = tf.compat.v1.get_default_graph()
    handles = {id(outer): inner for outer, inner in getattr(graph, 'captures', ())}
    inner = [handles.get(id(_handle(v))) for v in bijector.variables]
    writes = [0 if h is None else sum(op.type not in _READS for op in h.consumers())
              for h in inner]
    return graph, writes


def _handle(variable: tf.Variable) -> tf.Tensor:
    try:
        return variable.handle
    except ValueError:  # A replicated variable has none outside a replica; its copies do.
        return variable.values[0].handle


def _is_unrecorded(edge: Any) -> bool:
    """Returns whether a tape is open that has not seen the evaluation, and misses its gradient."""
    tensors = [edge.attributes['ildj']]
    if edge.output_ref:
        tensors += tf.nest.flatten(edge.output_ref())
    return record.could_possibly_record() and not record.should_record_backprop(tensors)


def _unchanged(old: tuple[Any, list[Any]], new: tuple[Any, list[Any]]) -> bool:
    if old[0] is not new[0]:
        return False
    if new[0] != 'eager':
        return old[1] == new[1]
    with record.stop_recording():
        return all(bool(tf.reduce_all(a == b)) for a, b in zip(old[1], new[1]))
