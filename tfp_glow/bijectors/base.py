"""The one-pass contract: value and log-det of a bijector from a single evaluation."""

import functools
from collections.abc import Sequence
from typing import Any

import tensorflow as tf
from tensorflow_probability import bijectors as tfb

from tfp_glow.bijectors import checks, conditions, folding
from tfp_glow.bijectors.introspection import Introspection
from tfp_glow.bijectors.pullback import Pullback, vjp_by_reconstruction
from tfp_glow.internal import keras_tracking, tfp_compat
from tfp_glow.types import Condition, DType, Latents


class OnePassBijector(Introspection):
    """A TFP bijector written as two methods that return value and log-det together.

    A subclass writes

    * `_forward_and_log_det(x) -> (y, log|det dy/dx|)`, latent to data, and
    * `_inverse_and_log_det(y) -> (x, log|det dx/dy|)`, data to latent.

    Both methods see tensors with exactly one batch dimension before the dimensions of the event:
    this class flattens the leading dimensions and restores them. A bijector of scalars sees any
    shape. Both methods return a log-det for each batch entry, or a scalar that holds for all
    entries. From these the base derives TFP's `_forward`, `_inverse` and both log-det methods and
    fills TFP's cache, so that a traced `log_prob` evaluates every network once. Containers call the
    pairs of their parts directly.

    Two more methods have defaults:

    * `_inverse_pullback(x, dx, dlog_det, pullback) -> (y, dy)` and its `_forward` twin: the reverse
      vector-Jacobian product from the *output*, which `Repeat` uses to train at constant memory.
      `dx` and `dlog_det` are the cotangents of the outputs of `_inverse_and_log_det`; `y` is
      rebuilt.
    * `_initialize(y) -> x`: sets data-dependent parameters from a batch of data `y` and returns
      what the next bijector sees; the default sets those of the parts. `tfp_glow.initialize` calls
      it.

    Three more methods say what a layer does, for `tfp_glow.diagnose`: `_log_slopes(y)`, which gives
    the answer of `log_slopes`, `singular_values()`, and, of a container, `visit_parts(y, visit)`.
    Their defaults and their documentation are inherited from `Introspection`.

    A bijector that depends on a condition, such as class labels or a feature map, says so by
    `takes_condition`. Its methods above then have one more argument, `condition`: the tensor or the
    structure of tensors that the caller gave as `forward(x, condition=...)`, `inverse`, `log_prob`
    or `sample`. Axis 0 of each of these tensors is the batch; its size is 1 or that of the input's
    innermost batch dimension. Containers hand the condition to the parts that take one.

    `_in_mode(training)` returns an equal bijector with the same variables that trains or evaluates;
    it returns the bijector itself if that makes no difference, see `tfp_glow.with_training`.

    Two more methods serve export: `_frozen_values()` returns a structure of all that can be
    computed from the parameters alone, and `_with_frozen(values)` returns an equal bijector that
    reads it there instead.

    Shapes and dtypes are always checked. With `validate_args=True` values are checked as well, by
    `_parameter_rules()` and `_input_rule(name, value)`; the default rules say that all parameters
    and inputs are finite. A parameter that is known at construction raises there. Variables, and
    what is made in a `tf.function`, are checked by each evaluation, in graphs too, but not under
    XLA, which drops all assertions. Containers check what they are given, and each part does so if
    its own `validate_args` says it. A channel map with `validate_args` is not folded with its
    neighbours in a `Chain`.

    The arguments of the constructor are those of `tfb.Bijector`; `parameters` is what the subclass
    was built from (`dict(locals())`).

    Raises (when called):
        ValueError: If an input has too few dimensions or no floating dtype.
        tf.errors.InvalidArgumentError: If `validate_args` is set and a value breaks a rule.
    """

    _cache = tfp_compat.OnePassCache()

    def __init__(self, *, forward_min_event_ndims: int | Sequence[int] = 3,
                 dtype: DType | None = None, parameters: dict[str, Any] | None = None,
                 validate_args: bool = False, name: str | None = None, **kwargs: Any) -> None:
        super().__init__(
            forward_min_event_ndims=forward_min_event_ndims, dtype=dtype,
            parameters=parameters, validate_args=validate_args, name=name, **kwargs)

    @classmethod
    def _parameter_properties(cls, dtype: DType | None, num_classes: int | None = None,
                              ) -> dict[str, tfp_compat.ParameterProperties]:
        return {}

    @property
    def takes_condition(self) -> bool:
        """Returns whether `condition=` must be given to `forward`, `inverse` and the log-dets."""
        return False

    def _forward_and_log_det(self, x: Latents) -> tuple[tf.Tensor, tf.Tensor]:
        raise NotImplementedError(f'{type(self).__name__} must write _forward_and_log_det.')

    def _inverse_and_log_det(self, y: tf.Tensor) -> tuple[Latents, tf.Tensor]:
        raise NotImplementedError(f'{type(self).__name__} must write _inverse_and_log_det.')

    def _forward(self, x: Latents) -> tf.Tensor:
        return self._flattened('_forward', x, {})[0]

    def _inverse(self, y: tf.Tensor) -> Latents:
        return self._flattened('_inverse', y, {})[0]

    def _forward_log_det_jacobian(self, x: Latents) -> tf.Tensor:
        return self._flattened('_forward', x, {})[1]

    def _inverse_log_det_jacobian(self, y: tf.Tensor) -> tf.Tensor:
        return self._flattened('_inverse', y, {})[1]

    def _flattened(self, direction: str, value: Latents, kwargs: dict[str, Any],
                   ) -> tuple[Latents, tf.Tensor]:
        """Runs a pair on `value` with its leading dimensions folded into one."""
        keras_tracking.warn_of_untracked(self)
        pair = functools.partial(self._pair, direction)
        ndims_in, ndims_out = self.forward_min_event_ndims, self.inverse_min_event_ndims
        if direction != '_forward':
            ndims_in, ndims_out = ndims_out, ndims_in
        part, ndims = tf.nest.flatten(value)[0], tf.nest.flatten(ndims_in)[0]
        folding.check_input(self.name, value, ndims)
        if ndims == 0:
            return pair(value, **self._checked(kwargs))
        kwargs = self._checked(kwargs, part, ndims)
        batch_shape = tf.shape(part)[:-ndims]
        static = part.shape[:-ndims]
        if part.shape.rank == ndims + 1:
            output, log_det = pair(value, **kwargs)
            return output, tf.ensure_shape(tf.broadcast_to(log_det, batch_shape), static)
        output, log_det = pair(tf.nest.map_structure(folding.fold_batch, value, ndims_in), **kwargs)
        output = tf.nest.map_structure(
            lambda t, n: folding.unfold_batch(t, n, batch_shape, static), output, ndims_out)
        if log_det.shape.rank == 0:
            log_det = tf.broadcast_to(log_det, batch_shape)
        return output, tf.ensure_shape(tf.reshape(log_det, batch_shape), static)

    def _pair(self, direction: str, value: Latents, **condition: Any) -> tuple[Latents, tf.Tensor]:
        """Evaluates one of the two methods on a value, which is checked as `validate_args` says.

        This is `_forward_and_log_det` for the direction `_forward`, otherwise
        `_inverse_and_log_det`.
        """
        if self.validate_args:
            rules = [r for r in self._parameter_rules() if checks.is_reference(r.value)]
            rules += self._input_rules('x' if direction == '_forward' else 'y', value)
            value = checks.with_assertions(
                value, rules, tfp_compat.checks_at_construction(self))
        if direction == '_forward':
            return self._forward_and_log_det(value, **condition)
        return self._inverse_and_log_det(value, **condition)

    def _parameter_control_dependencies(self, is_init: bool) -> list[tf.Operation]:
        """Checks parameters at construction, as TFP asks; `_pair` checks those that may change."""
        if not (is_init and self.validate_args):
            return []
        return [checks.assertion(rule) for rule in self._parameter_rules()
                if not checks.check_known(rule) and not checks.is_reference(rule.value)]

    def _parameter_rules(self) -> list[checks.Rule]:
        """Returns the `checks.Rule`s of the parameters."""
        given_ = ((name, self.parameters[name]) for name in self._parameter_properties(self.dtype))
        return [checks.finite(name, value) for name, value in given_ if value is not None]

    def _input_rules(self, name: str, value: Latents) -> list[checks.Rule]:
        parts = tf.nest.flatten(value)
        if not tf.nest.is_nested(value):
            return [self._input_rule(name, value)]
        return [self._input_rule(f'{name}[{i}]', part) for i, part in enumerate(parts)]

    def _input_rule(self, name: str, value: tf.Tensor) -> checks.Rule:
        """Returns the `checks.Rule` of the input `name`: x of `forward` or y of `inverse`."""
        return checks.finite(name, value)

    def _output_of(self, name: str, raw: tf.Tensor) -> tf.Tensor:
        """Returns `raw`, the output of the argument `name`, checked as `validate_args` says."""
        if not self.validate_args:
            return raw
        return checks.with_assertions(raw, [checks.finite(f'the output of {name}', raw)])

    def _checked(self, kwargs: dict[str, Any], part: tf.Tensor | None = None,
                 ndims: int = 0) -> dict[str, Any]:
        """Returns the checked keywords of a public call; `conditions.checked_kwargs` says more.

        The batch of the condition becomes that of the folded input `part`.
        """
        return conditions.checked_kwargs(self, kwargs, part, ndims)

    def _forward_pullback(self, y: tf.Tensor, dy: tf.Tensor, dlog_det: tf.Tensor,
                          pullback: Pullback, *, condition: Condition = None,
                          ) -> tuple[Latents, Latents]:
        kwargs = conditions.condition_kwargs(self, condition)
        return vjp_by_reconstruction(
            functools.partial(self._inverse_and_log_det, **kwargs),
            functools.partial(self._forward_and_log_det, **kwargs), y, dy, dlog_det, pullback)

    def _inverse_pullback(self, x: Latents, dx: Latents, dlog_det: tf.Tensor, pullback: Pullback, *,
                          condition: Condition = None) -> tuple[Latents, Latents]:
        kwargs = conditions.condition_kwargs(self, condition)
        return vjp_by_reconstruction(
            functools.partial(self._forward_and_log_det, **kwargs),
            functools.partial(self._inverse_and_log_det, **kwargs), x, dx, dlog_det, pullback)

    def _in_mode(self, training: bool) -> tfb.Bijector:
        return self

    def _frozen_values(self) -> Any:
        return ()

    def _with_frozen(self, values: Any) -> tfb.Bijector:
        del values
        return self
