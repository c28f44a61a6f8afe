"""Gradients of a step's parameters, summed up while its input is rebuilt from its output."""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import tensorflow as tf

from tfp_glow.bijectors.types import Evaluation
from tfp_glow.types import Latents


class Pullback:
    """A gradient tape over `parameters` that can be pulled part by part.

    A constant-memory backward pass walks through a chain from its output to its input. At each part
    it knows the part's output and the cotangent of that output (the gradient of the loss with
    respect to it). It rebuilds the part's input, and needs the cotangent of the input and the
    gradients of the parameters. `pull` returns the first and adds up the second.

    ```python
    with Pullback(parameters) as pullback:
        step = make_step(parameters)            # may compute with the parameters: it is recorded
        y, dy = step._inverse_pullback(x, dx, dlog_det, pullback)
    parameter_gradients = pullback.gradients()
    ```
    """

    def __init__(self, parameters: Iterable[tf.Tensor]) -> None:
        self._parameters = list(parameters)
        self._gradients = [None] * len(self._parameters)
        self._tape = tf.GradientTape(persistent=True, watch_accessed_variables=False)

    def __enter__(self) -> 'Pullback':
        self._tape.__enter__()
        self._tape.watch(self._parameters)
        return self

    def __exit__(self, *exception: Any) -> None:
        self._tape.__exit__(*exception)

    def paused(self) -> AbstractContextManager[None]:
        """Returns a context in which nothing is recorded, for rebuilding inputs."""
        return self._tape.stop_recording()

    def watch(self, tensor: Latents) -> Latents:
        """Makes `tensor` a leaf about which `pull` can be asked; returns it."""
        self._tape.watch(tensor)
        return tensor

    def pull(self, outputs: Sequence[Latents], inputs: Sequence[Latents],
             output_gradients: Sequence[Latents]) -> list[Any]:
        """Returns the cotangents of `inputs`, given those of `outputs`; adds up the parameters'."""
        with self.paused():
            sources = [*inputs, *self._parameters]
            cotangents = self._tape.gradient(outputs, sources, output_gradients=output_gradients)
            of_inputs, of_parameters = cotangents[:len(inputs)], cotangents[len(inputs):]
            self._gradients = [
                _add(old, None if new is None else tf.convert_to_tensor(new))
                for old, new in zip(self._gradients, of_parameters)]
            return [tf.zeros_like(t) if g is None else g for t, g in zip(inputs, of_inputs)]

    def gradients(self) -> list[tf.Tensor]:
        """Returns the parameters' gradients, in order; zeros for one that nothing used."""
        return [tf.zeros_like(p) if g is None else g
                for p, g in zip(self._parameters, self._gradients)]


def vjp_by_reconstruction(rebuild: Evaluation, function: Evaluation, output: Latents,
                          doutput: Latents, dlog_det: tf.Tensor, pullback: Pullback,
                          ) -> tuple[Latents, Latents]:
    """Computes the default reverse product: rebuilds the input, evaluates again, asks the tape.

    Returns:
        The input and its cotangent.
    """
    with pullback.paused():
        inputs = rebuild(output)[0]
    pullback.watch(inputs)
    again, log_det = function(inputs)
    dinputs, = pullback.pull(
        [again, log_det], [inputs], [doutput, match_log_det(dlog_det, log_det)])
    return inputs, dinputs


def match_log_det(dlog_det: tf.Tensor, log_det: tf.Tensor) -> tf.Tensor:
    """Returns the cotangent of `log_det`, which may be one scalar for the whole batch."""
    return tf.reduce_sum(dlog_det) if log_det.shape.rank == 0 else dlog_det


def check_none(hidden: Sequence[tf.Tensor], name: str) -> None:
    """Raises a `ValueError` if there are `hidden` tensors, because they would get no gradient."""
    if hidden:
        raise ValueError(
            f'{name} must know each tensor that it is to differentiate: as an attribute of a '
            'tf.Module in it or, of a Repeat, among params; got one hidden in a function, of '
            f'shape={hidden[0].shape}, which would get no gradient. Use tf.stop_gradient if it is '
            'to have none.')


def _add(a: tf.Tensor | None, b: tf.Tensor | None) -> tf.Tensor | None:
    if a is None or b is None:
        return b if a is None else a
    return a + b
