"""The `tf.Module` that becomes a SavedModel, and its signatures."""

import tensorflow as tf


class Module(tf.Module):
    """Has each question of an `Answers` as a `tf.function`, and the variables these read."""

    def __init__(self, answers):
        super().__init__(name='bundle')
        for name, specs in answers.questions.items():
            question = tf.function(getattr(answers, name), input_signature=list(specs.values()))
            setattr(self, name, question)
        read = {id(v): v for name in answers.questions
                for v in getattr(self, name).get_concrete_function().graph.variables}
        self.weights = list(read.values())


def signatures(module, answers):
    """`{name: concrete function}`, named tensors in and out, as TensorFlow Serving wants them.

    `serving_default` is `sample`: events are what a generative model is for, and three numbers ask
    for them, so that a server can be tried without data.
    """
    levels = [f'level_{i}' for i in range(len(answers.latent_shapes))]
    results = dict.fromkeys(['sample', 'decode', 'reconstruct', 'interpolate'], answers.kind)
    found = {}
    for name, specs in answers.questions.items():
        function = _by_name(getattr(module, name), list(specs))
        if name == 'decode':
            function = _gathering(function, levels)
            specs = dict(zip(levels, specs['latents']), **specs)
            del specs['latents']
        function = _naming(function, levels if name == 'encode' else results.get(name, name))
        found[name] = tf.function(function).get_concrete_function(
            **{key: tf.TensorSpec(s.shape, s.dtype, key) for key, s in specs.items()})
    return dict(found, serving_default=found['sample'])


def _by_name(function, names):
    """`function` with its arguments by name."""
    return lambda **arguments: function(*[arguments[name] for name in names])


def _naming(function, names):
    """`function` with its result, or the list of its results, in a dictionary."""
    def named(**arguments):
        results = function(**arguments)
        return {names: results} if isinstance(names, str) else dict(zip(names, results))
    return named


def _gathering(function, names):
    """`function` of `latents`, a list, as one of separate arguments."""
    return lambda **arguments: function(latents=[arguments.pop(name) for name in names],
                                        **arguments)
