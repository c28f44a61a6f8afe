"""Traced functions of a bijector: None batch, listed variables, XLA, SavedModel."""

import tempfile

import tensorflow as tf

from tfp_glow.testing.subject import check


class Traced:
    """Both directions with their log-dets as `tf.function`s with a None batch, traced once."""

    def __init__(self, subject):
        self._subject = subject
        self.inverse = self._function(subject.inverse, subject.y)
        self.forward = self._function(subject.forward, subject.x)

    def args(self, value):
        """What the functions are called with: `value`, and the condition if there is one."""
        condition = self._subject.condition
        return [value] if condition is None else [value, condition]

    def concrete(self):
        """`(name, concrete function, number of its argument tensors)` of both."""
        for name, function, value in (('inverse', self.inverse, self._subject.y),
                                      ('forward', self.forward, self._subject.x)):
            yield name, function.get_concrete_function(), len(tf.nest.flatten(self.args(value)))

    def answers(self, functions=None):
        """Those of both `functions`, by default the traced ones, as `expected` has them."""
        functions = functions or self
        return (functions.inverse(*self.args(self._subject.y)),
                functions.forward(*self.args(self._subject.x)))

    def expected(self):
        """The answers in eager mode."""
        subject = self._subject
        return (subject.x, subject.ildj), (subject.y, -subject.ildj)

    def _function(self, function, value):
        if self._subject.condition is None:
            def call(value):
                return function(value)
        else:
            def call(value, condition):
                return function(value, condition)
        signature = tf.nest.map_structure(_any_batch, self.args(value))
        return tf.function(call, input_signature=signature)


def check_values(subject, traced):
    """`tf.function` with a None batch answers as eager mode does, and knows the event's shape."""
    for (name, function, _), value in zip(traced.concrete(), (subject.x, subject.y), strict=True):
        kept = tf.nest.map_structure(lambda z: z.shape[1:], function.structured_outputs[0])
        known = tf.nest.map_structure(lambda z: z.shape[1:], value)
        check(kept == known, f'{name} must keep the static event shape {known} when the batch is '
              f'unknown; got {kept}.')
    subject.close('tf.function with a None batch', traced.answers(), traced.expected())


def check_variables(subject, traced):
    """Every variable that is read is listed, or training and saving would miss it."""
    for kind in ('trainable_variables', 'variables'):
        listed = {id(v) for v in getattr(subject.bijector, kind)}
        read = {id(v): v.name for _, function, _ in traced.concrete()
                for v in getattr(function.graph, kind)}
        hidden = [name for key, name in read.items() if key not in listed]
        check(not hidden, f'{kind} must list what is read; missing: {hidden}.')


def check_xla(subject, traced):
    """Compiled by XLA, both directions answer as in eager mode."""
    compiled = tf.function(lambda: traced.answers(), jit_compile=True)
    subject.close('XLA', compiled(), traced.expected())


def check_saved_model(subject, traced):
    """A loaded SavedModel answers as the bijector that was saved, for another batch size too."""
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


def _any_batch(tensor):
    return tf.TensorSpec([None, *tensor.shape[1:]], tensor.dtype)
