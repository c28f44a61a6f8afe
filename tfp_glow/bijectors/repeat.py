"""K steps of one form as one step with stacked parameters, in a loop, at constant memory."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf
from tensorflow_probability import bijectors as tfb

from tfp_glow.bijectors import base, checks, conditions, introspection, parts
from tfp_glow.bijectors.pullback import Pullback, check_none
from tfp_glow.internal import tfp_compat
from tfp_glow.types import Condition

# `params -> step`: the parameters are a structure that holds one slice of each.
MakeStep = Callable[[Any], tfb.Bijector]


class Repeat(base.OnePassBijector):
    """Applies `times` steps of one form, each with its slice of stacked parameters, in a loop.

    ```none
    inverse(y) = step_{K-1}.inverse( ... step_1.inverse(step_0.inverse(y)))
    forward(x) = step_0.forward(step_1.forward( ... step_{K-1}.forward(x)))
    log|det J| = the sum of the steps'
    ```

    The size of the graph and the time to the first step do not grow with K. With `reversible=True`
    nothing inside the loop is kept for the backward pass. That pass walks through the steps in the
    other direction, rebuilds each step's input from its output, and asks the step for its reverse
    vector-Jacobian product. So the memory of activations does not grow with K either. Gradients
    equal those of ordinary backprop up to the error of that reconstruction, which is small as long
    as no scale in the step explodes.

    Args:
        make_step: The function `params -> bijector`; the bijector must keep the shape of its event.
            It is called with a structure like `params` that holds one slice of each. What it
            computes from the slices is differentiated.
        params: A structure of tensors or `tf.Variable`s, each `[times, ...]`.
        times: K, a positive integer.
        reversible: Whether to train by reconstruction; False keeps ordinary backprop through the
            loop.
        validate_args: Whether to check values as well, also in graphs; see `OnePassBijector`.
        name: The name of the bijector.

    Raises:
        ValueError: If `times` is not positive or is not the leading axis of a parameter, or if a
            step changes the shape. When differentiated with `reversible`: if a step reads a tensor
            that the tape follows and that is none of `params`.
        TypeError: If `make_step` returns no bijector.

    #### References
    Gomez et al., *The Reversible Residual Network*, 2017, arXiv:1707.04585, for the backward pass.
    Behrmann et al., *Understanding and Mitigating Exploding Inverses*, 2021, arXiv:2006.09347.

    ```python
    >>> import tensorflow as tf, tfp_glow
    >>> repeat = tfp_glow.bijectors.Repeat(
    ...     lambda p: tfp_glow.bijectors.ActNorm(p['shift'], p['log_scale']),
    ...     {'shift': tf.constant([[1.], [2.], [3.]]), 'log_scale': tf.zeros([3, 1])}, times=3)
    >>> repeat.forward(tf.zeros([1, 1, 1, 1])).numpy()
    array([[[[6.]]]], dtype=float32)

    ```
    """

    def __init__(self, make_step: MakeStep, params: Any, times: int, reversible: bool = True,
                 validate_args: bool = False, name: str = 'repeat') -> None:
        parameters = dict(locals())
        if times < 1:
            raise ValueError(f'times must be positive; got {times=}.')
        self._make_step = make_step
        self._params = params
        self._times = times
        self._reversible = reversible
        for value in tf.nest.flatten(params):
            if value.shape.rank == 0 or value.shape[0] != times:
                raise ValueError(f'each parameter must have {times=} as its leading axis; '
                                 f'got shape={value.shape}.')
        step = self.step(0)
        checks.check_bijectors('what make_step returns', [step])
        self._takes_condition = conditions.takes_condition(step)
        self._ndims = parts.common_event_ndims([step])
        super().__init__(
            forward_min_event_ndims=self._ndims, dtype=parts.common_dtype(steps=[step]),
            validate_args=validate_args, parameters=parameters, name=name)

    def _parameter_rules(self) -> list[checks.Rule]:
        return [checks.finite('params', value) for value in tf.nest.flatten(self._params)]

    @property
    def times(self) -> int:
        """Returns K, the number of steps."""
        return self._times

    @property
    def reversible(self) -> bool:
        """Returns whether the backward pass rebuilds what it needs."""
        return self._reversible

    def step(self, index: int) -> tfb.Bijector:
        """Returns step `index` as an ordinary bijector; step 0 is the nearest to the data."""
        if not 0 <= index < self._times:
            raise ValueError(f'index must be in [0, {self._times}); got {index=}.')
        return self._make_step(tf.nest.map_structure(lambda p: p[index], self._params))

    @property
    def takes_condition(self) -> bool:
        return self._takes_condition

    def _forward_and_log_det(self, x: tf.Tensor, condition: Condition = None,
                             ) -> tuple[tf.Tensor, tf.Tensor]:
        return self._run(x, condition, forward=True)

    def _inverse_and_log_det(self, y: tf.Tensor, condition: Condition = None,
                             ) -> tuple[tf.Tensor, tf.Tensor]:
        return self._run(y, condition, forward=False)

    def _forward_pullback(self, y: tf.Tensor, dy: tf.Tensor, dlog_det: tf.Tensor,
                          pullback: Pullback, condition: Condition = None,
                          ) -> tuple[tf.Tensor, tf.Tensor]:
        return self._pull(y, dy, dlog_det, pullback, condition, forward=True)

    def _inverse_pullback(self, x: tf.Tensor, dx: tf.Tensor, dlog_det: tf.Tensor,
                          pullback: Pullback, condition: Condition = None,
                          ) -> tuple[tf.Tensor, tf.Tensor]:
        return self._pull(x, dx, dlog_det, pullback, condition, forward=False)

    def _run(self, value: tf.Tensor, condition: Condition, forward: bool,
             ) -> tuple[tf.Tensor, tf.Tensor]:
        flat = [tf.convert_to_tensor(p) for p in tf.nest.flatten(self._params)]
        if not self._reversible:
            return self._loop(value, flat, condition, forward)
        count, learns = len(flat), self._learns()

        @tf.custom_gradient
        def run(value, *tensors):
            flat = list(tensors[:count])
            given = conditions.repack_condition(condition, tensors[count:])
            with tf.name_scope('repeat'), tfp_compat.hidden_inputs([value, *tensors]) as hidden:
                output, log_det = self._loop(value, flat, given, forward)

            def gradient(doutput, dlog_det):
                check_none(hidden, self.name)
                with tf.name_scope('repeat_backward'):
                    _, dvalue, dflat, dcondition = self._walk_back(
                        output, doutput, dlog_det, flat, learns, given, forward)
                return [dvalue, *dflat, *dcondition]
            return (output, log_det), gradient
        return run(value, *flat, *conditions.flatten_condition(condition))

    def _pull(self, output: tf.Tensor, doutput: tf.Tensor, dlog_det: tf.Tensor, pullback: Pullback,
              condition: Condition, forward: bool) -> tuple[tf.Tensor, tf.Tensor]:
        """Computes the reverse product within that of a container.

        The gradients go through the tape of the container.
        """
        flat = [tf.convert_to_tensor(p) for p in tf.nest.flatten(self._params)]
        learns = self._learns()
        with pullback.paused():
            value, dvalue, dflat, dcondition = self._walk_back(
                output, doutput, dlog_det, flat, learns, condition, forward)
        sources = [*flat, *conditions.flatten_condition(condition)]
        learned = [(p, d) for p, d in zip(sources, [*dflat, *dcondition]) if d is not None]
        if learned:
            parameters, gradients = zip(*learned)
            pullback.pull(list(parameters), [], list(gradients))
        return value, dvalue

    def _learns(self) -> list[bool]:
        return [_is_trained(p) for p in tf.nest.flatten(self._params)]

    def _loop(self, value: tf.Tensor, flat: list[tf.Tensor], condition: Condition, forward: bool,
              ) -> tuple[tf.Tensor, tf.Tensor]:
        read = _reader(flat) if not self._reversible else lambda index: _slices(flat, index)

        def body(i, value, total):
            step = self._step(read(self._index(i, forward)))
            pair = parts.forward_and_log_det if forward else parts.inverse_and_log_det
            new, log_det = pair(step, value, self._ndims, condition)
            if not new.shape.is_compatible_with(value.shape):
                raise ValueError('what make_step returns must keep the shape of its input, '
                                 f'{value.shape}; got shape={new.shape}.')
            return i + 1, new, total + log_det
        total = tf.zeros([tf.shape(value)[0]], value.dtype)
        # A loop takes longer to trace and to run than a single step.
        if not self._reversible and (self._times == 1 or parts.spans_replicas(self.step(0))):
            for index in range(self._times):
                _, value, total = body(tf.constant(index), value, total)
            return value, total
        _, output, total = _while(self._times, body, (value, total))
        return output, total

    def _walk_back(self, output: tf.Tensor, doutput: tf.Tensor, dlog_det: tf.Tensor,
                   flat: list[tf.Tensor], learns: list[bool], condition: Condition, forward: bool,
                   ) -> tuple[tf.Tensor, tf.Tensor, list[tf.Tensor | None], list[tf.Tensor | None]]:
        """Rebuilds the input step by step.

        Returns:
            The input, its cotangent, and lists of the gradients of the parameters and of the
            condition's tensors, with None for those that do not learn.
        """
        learned = [k for k, learn in enumerate(learns) if learn]
        given = [c for c in conditions.flatten_condition(condition) if c.dtype.is_floating]
        arrays = [tf.TensorArray(flat[k].dtype, self._times, element_shape=flat[k].shape[1:])
                  for k in learned]

        def body(i, value, dvalue, arrays, summed):
            index = self._index(i, not forward)
            slices = _slices(flat, index)
            with Pullback([slices[k] for k in learned] + given) as pullback:
                product = parts.forward_pullback if forward else parts.inverse_pullback
                value, dvalue = product(self._step(slices), value, dvalue, dlog_det, pullback,
                                        condition, self._ndims)
            gradients = pullback.gradients()
            arrays = [a.write(index, g) for a, g in zip(arrays, gradients)]
            summed = [s + g for s, g in zip(summed, gradients[len(learned):])]
            return i + 1, value, dvalue, arrays, summed
        _, value, dvalue, arrays, summed = _while(
            self._times, body, (output, doutput, arrays, [tf.zeros_like(c) for c in given]))
        stacked, summed = (a.stack() for a in arrays), iter(summed)
        dflat = [next(stacked) if learn else None for learn in learns]
        dcondition = [next(summed) if c.dtype.is_floating else None
                      for c in conditions.flatten_condition(condition)]
        return value, dvalue, dflat, dcondition

    def _step(self, slices: list[tf.Tensor]) -> tfb.Bijector:
        return self._make_step(tf.nest.pack_sequence_as(self._params, slices))

    def _index(self, i: tf.Tensor, forward: bool) -> tf.Tensor:
        return self._times - 1 - i if forward else i

    def visit_parts(self, y: tf.Tensor, visit: introspection.Visit) -> tf.Tensor:
        for index in range(self._times):
            y = visit(f'[{index}]/', self.step(index), y)
        return y

    def _initialize(self, y: tf.Tensor, condition: Condition = None) -> tf.Tensor:
        """Initialises step after step on variables that hold one slice each, and writes them back.

        The step is traced once, in a loop: from step to step only the values of the variables
        change.
        """
        flat = tf.nest.flatten(self._params)
        slices = [tf.Variable(p[0], trainable=False, name=(
            p.name.split(':')[0] if isinstance(p, tf.Variable) else None)) for p in flat]

        @tf.function(autograph=False)
        def initialize(y):
            arrays = [tf.TensorArray(p.dtype, self._times, element_shape=p.shape[1:]) for p in flat]

            def body(i, y, arrays):
                for s, p in zip(slices, flat):
                    s.assign(tf.gather(p, i))
                y = introspection.initialize(self._step(slices), y, condition)
                return i + 1, y, [a.write(i, s) for a, s in zip(arrays, slices)]
            _, y, arrays = _while(self._times, body, (y, arrays))
            for p, array in zip(flat, arrays):
                if isinstance(p, tf.Variable):
                    # After a scatter, reads of the variable would copy it.
                    p.assign(array.stack())
            return y
        # Called as a function, TensorFlow would warn of many traces.
        return initialize.get_concrete_function(y)(y)

    def _in_mode(self, training: bool) -> 'Repeat':
        step = self.step(0)
        if parts.in_mode(step, training) is step:
            return self
        # A step that normalises by its batch cannot be rebuilt: ordinary backprop trains it.
        return self.copy(make_step=lambda p: parts.in_mode(self._make_step(p), training),
                         reversible=self._reversible and not training)

    def _frozen_values(self) -> Any:
        each = [parts.frozen_values(self.step(i)) for i in range(self._times)]
        return tf.nest.map_structure(lambda *values: tf.stack(values), *each)

    def _with_frozen(self, values: Any) -> 'Repeat':
        return Repeat(lambda p: parts.with_frozen(self._make_step(p['step']), p['frozen']),
                      {'step': self._params, 'frozen': values}, self._times, reversible=False,
                      validate_args=self.validate_args, name=self.name)


def _is_trained(parameter: tf.Tensor | tf.Variable) -> bool:
    return parameter.dtype.is_floating and getattr(parameter, 'trainable', True)


def _reader(flat: list[tf.Tensor]) -> Callable[[tf.Tensor], list[tf.Tensor]]:
    """Returns `_slices` for ordinary backprop: the gradient of a gather costs K times the slice."""
    arrays = [tf.TensorArray(p.dtype, p.shape[0], element_shape=p.shape[1:],
                             clear_after_read=False).unstack(p) for p in flat]
    return lambda index: [array.read(index) for array in arrays]


def _slices(flat: list[tf.Tensor], index: tf.Tensor) -> list[tf.Tensor]:
    return [tf.ensure_shape(tf.gather(p, index), p.shape[1:]) for p in flat]


def _while(times: int, body: Callable[..., Any], variables: tuple[Any, ...]) -> tuple[Any, ...]:
    return tf.while_loop(lambda i, *_: i < times, body, (tf.constant(0), *variables),
                         parallel_iterations=1, maximum_iterations=times)
