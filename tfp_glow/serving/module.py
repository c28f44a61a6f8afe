"""The `tf.Module` that becomes a SavedModel, and its signatures."""

import tensorflow as tf

NAMES = ('sample', 'log_prob', 'bits_per_dim', 'encode', 'decode', 'interpolate')


class Module(tf.Module):
    """Has each question of an `Answers` as a `tf.function`, and the variables these read."""

    def __init__(self, answers):
        super().__init__(name='bundle')
        for name, specs in _specs(answers).items():
            question = tf.function(getattr(answers, name), input_signature=list(specs.values()))
            setattr(self, name, question)
        read = {id(v): v for name in NAMES
                for v in getattr(self, name).get_concrete_function().graph.variables}
        self.weights = list(read.values())


def signatures(module, answers):
    """`{name: concrete function}`, named tensors in and out, as TensorFlow Serving wants them.

    `serving_default` is `sample`: images are what a generative model is for, and three numbers ask
    for them, so that a server can be tried without data.
    """
    levels = [f'level_{i}' for i in range(len(answers.latent_shapes))]
    results = {'sample': 'images', 'decode': 'images', 'interpolate': 'images'}
    found = {}
    for name, specs in _specs(answers).items():
        function = getattr(module, name)
        if name == 'decode':
            function = _gathering(function, levels)
            specs = dict(zip(levels, specs['latents']))
        elif name == 'encode':
            function = _naming(function, levels)
        if name != 'encode':
            function = _naming(function, results.get(name, name))
        found[name] = tf.function(function).get_concrete_function(
            **{key: tf.TensorSpec(s.shape, s.dtype, key) for key, s in specs.items()})
    return dict(found, serving_default=found['sample'])


def _specs(answers):
    """`{question: {argument: its TensorSpec}}`, in the order of the arguments."""
    images = tf.TensorSpec([None, *answers.frame.image_shape], tf.uint8)
    latents = [tf.TensorSpec([None, *s], answers.flow.dtype) for s in answers.latent_shapes]
    integer, number = tf.TensorSpec([], tf.int32), tf.TensorSpec([], tf.float32)
    seed = tf.TensorSpec(None, tf.int32)  # [] or [2].
    return {
        'sample': {'n': integer, 'temperature': number, 'seed': seed},
        'log_prob': {'images': images, 'seed': seed},
        'bits_per_dim': {'images': images, 'seed': seed},
        'encode': {'images': images},
        'decode': {'latents': latents},
        'interpolate': {'first': images, 'second': images, 'steps': integer},
    }


def _naming(function, names):
    """`function` with its result, or the list of its results, in a dictionary."""
    def named(**arguments):
        results = function(**arguments)
        return {names: results} if isinstance(names, str) else dict(zip(names, results))
    return named


def _gathering(function, names):
    """`function` of a list as one of separate arguments."""
    return lambda **arguments: function([arguments[name] for name in names])
