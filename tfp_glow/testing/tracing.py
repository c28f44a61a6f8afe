"""Checks traced functions of a bijector: None batch, listed variables, XLA, SavedModel."""

import tempfile
from collections.abc import Iterator
from typing import Any

import tensorflow as tf

from tfp_glow.testing.subject import Evaluation, Subject, check
from tfp_glow.types import Condition


class Traced:
    """Holds both directions with their log-dets as `tf.function`s with a None batch, traced once.
    """

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self.inverse = self._function(subject.inverse, subject.y)
        self.forward = self._function(subject.forward, subject.x)

    def args(self, value: Any) -> list[Any]:
        """Returns what the functions are called with: `value`, and the condition if there is one.
        """
        condition = self._subject.condition
        return [value] if condition is None else [value, condition]

    def concrete(self) -> Iterator[tuple[str, Any, int]]:
        """Yields `(name, concrete function, number of its argument tensors)` of both directions."""
        for name, function, value in (('inverse', self.inverse, self._subject.y),
                                      ('forward', self.forward, self._subject.x)):
            yield name, function.get_concrete_function(), len(tf.nest.flatten(self.args(value)))

    def answers(self, functions: Any = None) -> tuple[Any, Any]:
        """Returns the answers of both `functions`, by default the traced ones, as `expected` does.
        """
        functions = functions or self
        return (functions.inverse(*self.args(self._subject.y)),
                functions.forward(*self.args(self._subject.x)))

    def expected(self) -> tuple[Any, Any]:
        """Returns the answers in eager mode."""
        subject = self._subject
        return (subject.x, subject.ildj), (subject.y, -subject.ildj)

    def _function(self, function: Evaluation, value: Any) -> Any:
        def call(value: Any) -> tuple[Any, tf.Tensor]:
            return function(value)

        def call_with_condition(value: Any, condition: Condition) -> tuple[Any, tf.Tensor]:
            return function(value, condition)
        signature = tf.nest.map_structure(_any_batch, self.args(value))
        return tf.function(call if self._subject.condition is None else call_with_condition,
                           input_signature=signature)


def check_values(subject: Subject, traced: Traced) -> None:
    """Checks that `tf.function` with a None batch answers as eager mode, and knows event shapes."""
    for (name, function, _), value in zip(traced.concrete(), (subject.x, subject.y), strict=True):
        kept = tf.nest.map_structure(lambda z: z.shape[1:], function.structured_outputs[0])
        known = tf.nest.map_structure(lambda z: z.shape[1:], value)
        check(kept == known, f'{name} must keep the static event shape {known} when the batch is '
              f'unknown; got {kept}.')
    subject.close('tf.function with a None batch', traced.answers(), traced.expected())


def check_variables(subject: Subject, traced: Traced) -> None:
    """Checks that every variable that is read is listed.

    Otherwise training and saving would miss it.
    """
    for kind in ('trainable_variables', 'variables'):
        listed = {id(v) for v in getattr(subject.bijector, kind)}
        read = {id(v): v.name for _, function, _ in traced.concrete()
                for v in getattr(function.graph, kind)}
        hidden = [name for key, name in read.items() if key not in listed]
        check(not hidden, f'{kind} must list what is read; missing: {hidden}.')


def check_xla(subject: Subject, traced: Traced) -> None:
    """Checks that both directions, compiled by XLA, answer as in eager mode."""
    compiled = tf.function(lambda: traced.answers(), jit_compile=True)
    subject.close('XLA', compiled(), traced.expected())


def check_saved_model(subject: Subject, traced: Traced) -> None:
    """Checks that a loaded SavedModel answers as the bijector, for another batch size too."""
    module = tf.Module()
    module.bijector, module.inverse, module.forward = (
        subject.bijector, traced.inverse, traced.forward)
    with tempfile.TemporaryDirectory() as folder:
        try:
            tf.saved_model.save(module, folder)
        except (AssertionError, KeyError) as error:
            raise AssertionError(f'a SavedModel cannot be written: {error}') from error
        loaded = tf.saved_model.load(folder)
        subject.close('a loaded SavedModel', traced.answers(loaded), traced.expected())
        few = tf.nest.map_structure(lambda z: z[:2], traced.args(subject.y))
        subject.close('a loaded SavedModel with another batch', loaded.inverse(*few),
                      tf.nest.map_structure(lambda z: z[:2], (subject.x, subject.ildj)))


def _any_batch(tensor: tf.Tensor) -> tf.TensorSpec:
    return tf.TensorSpec([None, *tensor.shape[1:]], tensor.dtype)
