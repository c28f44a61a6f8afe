"""The `tf.Module` that becomes a SavedModel, and its signatures."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tfp_glow.serving.answers import Answers
from tfp_glow.serving.latent_images import LatentImageAnswers

AnyAnswers = Answers | LatentImageAnswers


class Module(tf.Module):
    """Has a `tf.function` for each question of an `Answers`, and the variables that these read.

    Args:
        answers: An `Answers` or a `LatentImageAnswers`.
    """

    def __init__(self, answers: AnyAnswers) -> None:
        super().__init__(name='bundle')
        for name, specs in answers.questions.items():
            question = tf.function(getattr(answers, name), autograph=False,
                                   input_signature=list(specs.values()))
            setattr(self, name, question)
        read = {id(v): v for name in answers.questions
                for v in getattr(self, name).get_concrete_function().graph.variables}
        self.weights = list(read.values())


def signatures(module: Module, answers: AnyAnswers) -> dict[str, Callable[..., Any]]:
    """Returns `{name: concrete function}` as TensorFlow Serving needs them.

    The functions take named tensors and return named tensors. `serving_default` is `sample`:
    events are what a generative model is for, and `sample` takes only three numbers, so that a
    server can be tried without data.
    """
    levels = [f'level_{i}' for i in range(len(answers.latent_shapes))]
    results = dict.fromkeys(['sample', 'decode', 'reconstruct', 'interpolate'], answers.kind)
    functions: dict[str, Any] = {}
    for name, question in answers.questions.items():
        specs: dict[str, Any] = dict(question)
        function = _by_name(getattr(module, name), list(specs))
        if name == 'decode':
            function = _gathering(function, levels)
            specs = dict(zip(levels, specs['latents']), **specs)
            del specs['latents']
        function = _naming(function, levels if name == 'encode' else results.get(name, name))
        functions[name] = tf.function(function, autograph=False).get_concrete_function(
            **{key: tf.TensorSpec(s.shape, s.dtype, key) for key, s in specs.items()})
    return dict(functions, serving_default=functions['sample'])


def _by_name(function: Callable[..., Any], names: list[str]) -> Callable[..., Any]:
    """Returns `function` with its arguments by name."""
    return lambda **arguments: function(*[arguments[name] for name in names])


def _naming(function: Callable[..., Any],
            names: str | list[str]) -> Callable[..., dict[str, tf.Tensor]]:
    """Returns `function` with its result, or the list of its results, in a dictionary."""
    def named(**arguments: tf.Tensor) -> dict[str, tf.Tensor]:
        results = function(**arguments)
        return {names: results} if isinstance(names, str) else dict(zip(names, results))
    return named


def _gathering(function: Callable[..., Any], names: list[str]) -> Callable[..., Any]:
    """Returns `function`, which takes the list `latents`, as a function of separate arguments."""
    return lambda **arguments: function(latents=[arguments.pop(name) for name in names],
                                        **arguments)
