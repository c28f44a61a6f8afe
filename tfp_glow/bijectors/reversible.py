"""The constant-memory gradient of `Repeat` for chains of unlike bijectors and whole flows."""

from typing import Any

import tensorflow as tf
from tensorflow_probability import bijectors as tfb

from tfp_glow.bijectors import base, checks, conditions, parts
from tfp_glow.bijectors.introspection import Visit
from tfp_glow.bijectors.pullback import Pullback, check_none
from tfp_glow.bijectors.types import PairOf, PullbackOf
from tfp_glow.internal import keras_training, tfp_compat
from tfp_glow.types import Condition, DType, Latents


class Reversible(base.OnePassBijector):
    """`bijector`, trained at constant memory: the backward pass rebuilds inputs from outputs.

    ```none
    forward(x) = bijector.forward(x)        inverse(y) = bijector.inverse(y)
    ```

    Ordinary backprop keeps what every part of a chain computed until the backward pass. Here the
    backward pass walks through the parts in the other direction, rebuilds each part's input from
    its output and asks for its reverse vector-Jacobian product, so that the activations of one part
    at a time are in memory. Gradients equal those of ordinary backprop up to the error of that
    reconstruction. Whatever the methods of the bijector do in one evaluation, such as an inverse by
    iteration, is done once more.

    Gradients reach the input, the condition, every `tf.Variable` and every tensor that is an
    attribute of the bijector or its parts. Neither `tf.Module` nor this class sees a tensor that is
    hidden in a closure, and a gradient that would miss it is refused: make it an attribute, or use
    `Repeat`.

    Args:
        bijector: A `Chain`, a `MultiScale` or any other bijector over images, also a multi-part
            one.
        validate_args: Whether to check values as well, also in graphs; see `OnePassBijector`.
        name: The name of the bijector.

    Raises:
        TypeError: If `bijector` is none.
        ValueError: If, when differentiated, the bijector reads a tensor that the tape follows and
            that is no attribute.

    #### References
    Gomez et al., *The Reversible Residual Network*, 2017, arXiv:1707.04585.

    ```python
    >>> import tensorflow as tf, tfp_glow
    >>> from tfp_glow import bijectors as tgb
    >>> chain = tgb.Chain([tgb.Squeeze(2), tgb.ActNorm(tf.Variable(tf.ones(4)), tf.zeros(4))])
    >>> tgb.Reversible(chain).inverse(tf.ones([1, 2, 2, 1])).numpy()
    array([[[[0., 0., 0., 0.]]]], dtype=float32)

    ```
    """

    def __init__(self, bijector: tfb.Bijector, validate_args: bool = False,
                 name: str = 'reversible') -> None:
        parameters = dict(locals())
        checks.check_bijectors('bijector', [bijector])
        for network in keras_training.networks([bijector]):
            keras_training.check_repeated(network, 'bijector')
        self._bijector = bijector
        self._ndims = parts.common_event_ndims([bijector])
        super().__init__(
            forward_min_event_ndims=tf.nest.map_structure(
                lambda n: n or self._ndims, bijector.forward_min_event_ndims),
            inverse_min_event_ndims=self._ndims, dtype=bijector.dtype,
            validate_args=validate_args, parameters=parameters, name=name)

    @property
    def bijector(self) -> tfb.Bijector:
        """Returns the bijector whose values these are."""
        return self._bijector

    @property
    def takes_condition(self) -> bool:
        return conditions.takes_condition(self._bijector)

    def _forward_and_log_det(self, x: Latents, condition: Condition = None,
                             ) -> tuple[tf.Tensor, tf.Tensor]:
        return self._run(parts.forward_and_log_det, parts.forward_pullback, x, condition)

    def _inverse_and_log_det(self, y: tf.Tensor, condition: Condition = None,
                             ) -> tuple[Latents, tf.Tensor]:
        return self._run(parts.inverse_and_log_det, parts.inverse_pullback, y, condition)

    def _forward_pullback(self, y: tf.Tensor, dy: tf.Tensor, dlog_det: tf.Tensor,
                          pullback: Pullback, condition: Condition = None,
                          ) -> tuple[Latents, Latents]:
        return parts.forward_pullback(
            self._bijector, y, dy, dlog_det, pullback, condition, self._ndims)

    def _inverse_pullback(self, x: Latents, dx: Latents, dlog_det: tf.Tensor, pullback: Pullback,
                          condition: Condition = None) -> tuple[tf.Tensor, tf.Tensor]:
        return parts.inverse_pullback(
            self._bijector, x, dx, dlog_det, pullback, condition, self._ndims)

    def _run(self, pair: PairOf, product: PullbackOf, value: Latents, condition: Condition,
             ) -> tuple[Latents, tf.Tensor]:
        inputs, held = tf.nest.flatten(value), self._held()
        given = conditions.flatten_condition(condition)

        @tf.custom_gradient
        def run(*tensors):
            start, end = len(inputs), len(inputs) + len(given)
            condition_ = conditions.repack_condition(condition, tensors[start:end])
            with tfp_compat.hidden_inputs(tensors) as hidden:
                output, log_det = pair(
                    self._bijector, tf.nest.pack_sequence_as(value, list(tensors[:start])),
                    self._ndims, condition_)
            log_det += tf.zeros([tf.shape(inputs[0])[0]], log_det.dtype)

            def gradient(*upstream, variables=None):
                check_none(hidden, self.name)
                variables = list(variables or ())
                *doutput, dlog_det = upstream
                learned = [c for c in tensors[start:end] if c.dtype.is_floating]
                # The bijector computes with its own tensors, `held`, and the tape sees these.
                with Pullback([*variables, *learned, *held]) as pullback:
                    _, dvalue = product(
                        self._bijector, output, tf.nest.pack_sequence_as(output, list(doutput)),
                        dlog_det, pullback, condition_, self._ndims)
                gradients = iter(pullback.gradients())
                dvariables = [next(gradients) for _ in variables]
                dcondition = [next(gradients) if c.dtype.is_floating else None
                              for c in tensors[start:end]]
                dtensors = [*tf.nest.flatten(dvalue), *dcondition, *gradients]
                return (dtensors, dvariables) if variables else dtensors
            return (output, log_det), gradient
        return run(*inputs, *given, *held)

    def _held(self) -> list[tf.Tensor]:
        """Returns the bijector's own tensors that may depend on what is learned.

        The bijector and its parts hold them.
        """
        tensors = tfp_compat.tensors_in(self._bijector)
        # A constant from outside the function that is traced depends on nothing in it.
        return list({id(t): t for t in tensors if t.dtype.is_floating
                     and (tf.executing_eagerly() or not hasattr(t, 'numpy'))}.values())

    def visit_parts(self, y: tf.Tensor, visit: Visit) -> Any:
        return visit('', self._bijector, y)

    def _in_mode(self, training: bool) -> tfb.Bijector:
        inner = parts.in_mode(self._bijector, training)
        if inner is self._bijector:
            return self
        # A bijector that normalises by its batch cannot be rebuilt: ordinary backprop trains it.
        return inner if training else self.copy(bijector=inner)

    def _frozen_values(self) -> Any:
        return parts.frozen_values(self._bijector)

    def _with_frozen(self, values: Any) -> tfb.Bijector:
        return parts.with_frozen(self._bijector, values)

    def _forward_dtype(self, input_dtype: Any, **kwargs: Any) -> DType:
        return self._bijector.forward_dtype(input_dtype)

    def _inverse_dtype(self, output_dtype: DType, **kwargs: Any) -> Any:
        return self._bijector.inverse_dtype(output_dtype)

    def _forward_event_shape(self, shape: Any) -> tf.TensorShape:
        return self._bijector.forward_event_shape(shape)

    def _inverse_event_shape(self, shape: tf.TensorShape) -> Any:
        return self._bijector.inverse_event_shape(shape)

    def _forward_event_shape_tensor(self, shape: Any) -> tf.Tensor:
        return self._bijector.forward_event_shape_tensor(shape)

    def _inverse_event_shape_tensor(self, shape: tf.Tensor) -> Any:
        return self._bijector.inverse_event_shape_tensor(shape)

