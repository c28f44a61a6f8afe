"""Composition that keeps the one-pass contract and folds neighbouring channel maps."""

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

import tensorflow as tf
from tensorflow_probability import bijectors as tfb

from tfp_glow.bijectors import base, channel_affine, checks, conditions, introspection, parts
from tfp_glow.bijectors.parts import common_dtype, common_event_ndims
from tfp_glow.bijectors.pullback import Pullback
from tfp_glow.internal import tfp_compat
from tfp_glow.types import Condition


class Chain(base.OnePassBijector):
    """`tfb.Chain` with one evaluation for value and log-det: `forward` applies the last part first.

    ```none
    forward(x) = parts[0](parts[1](... parts[-1](x)))
    log|det J_forward| = the sum of the parts', each at its own input
    ```

    Neighbours that are affine maps of each pixel's channels (`ActNorm`, `InvertibleConv1x1`,
    `Shuffle`, `Reverse`) are folded into a single 1x1 convolution, and each part is asked for value
    and log-det together. Any TFP bijector over images can be a part.

    Args:
        parts: The bijectors, over events of three dimensions; at least one.
        validate_args: Whether to check values as well, also in graphs; see `OnePassBijector`.
        name: The name of the bijector.

    See also: `tfb.Chain`, which works with our bijectors too and folds nothing.

    Raises:
        ValueError: If `parts` is empty, its bijectors do not have one dtype, or neighbours that are
            maps of channels do not have one number of channels.
        TypeError: If one of `parts` is no bijector.

    ```python
    >>> import tensorflow as tf, tfp_glow
    >>> chain = tfp_glow.bijectors.Chain([
    ...     tfp_glow.bijectors.Squeeze(2),
    ...     tfp_glow.bijectors.ActNorm(shift=tf.ones([4]), log_scale=tf.zeros([4]))])
    >>> chain.inverse(tf.ones([1, 2, 2, 1])).numpy()
    array([[[[0., 0., 0., 0.]]]], dtype=float32)

    ```
    """

    def __init__(self, parts: Iterable[tfb.Bijector], validate_args: bool = False,
                 name: str = 'chain') -> None:
        parameters = dict(locals())
        self._parts = list(parts)
        if not self._parts:
            raise ValueError(f'parts must hold at least one bijector; got {parts=}.')
        checks.check_bijectors('each of parts', self._parts)
        self._ndims = common_event_ndims(self._parts)
        super().__init__(
            forward_min_event_ndims=self._ndims, dtype=common_dtype(parts=self._parts),
            validate_args=validate_args, parameters=parameters, name=name)
        self._folded = tfp_compat.untracked(self, _fold(self._parts))

    @property
    def parts(self) -> tuple[tfb.Bijector, ...]:
        """Returns the bijectors, in the order of `tfb.Chain`."""
        return tuple(self._parts)

    @property
    def takes_condition(self) -> bool:
        return any(map(conditions.takes_condition, self._parts))

    def _forward_and_log_det(self, x: tf.Tensor, condition: Condition = None,
                             ) -> tuple[tf.Tensor, tf.Tensor]:
        total = tf.zeros([], x.dtype)
        for part in reversed(self._folded):
            x, log_det = parts.forward_and_log_det(part, x, self._ndims, condition)
            total += log_det
        return x, total

    def _inverse_and_log_det(self, y: tf.Tensor, condition: Condition = None,
                             ) -> tuple[tf.Tensor, tf.Tensor]:
        total = tf.zeros([], y.dtype)
        for part in self._folded:
            y, log_det = parts.inverse_and_log_det(part, y, self._ndims, condition)
            total += log_det
        return y, total

    def _forward_pullback(self, y: tf.Tensor, dy: tf.Tensor, dlog_det: tf.Tensor,
                          pullback: Pullback, condition: Condition = None,
                          ) -> tuple[tf.Tensor, tf.Tensor]:
        for part in self._folded:
            y, dy = parts.forward_pullback(
                part, y, dy, dlog_det, pullback, condition, self._ndims)
        return y, dy

    def _inverse_pullback(self, x: tf.Tensor, dx: tf.Tensor, dlog_det: tf.Tensor,
                          pullback: Pullback, condition: Condition = None,
                          ) -> tuple[tf.Tensor, tf.Tensor]:
        for part in reversed(self._folded):
            x, dx = parts.inverse_pullback(
                part, x, dx, dlog_det, pullback, condition, self._ndims)
        return x, dx

    def visit_parts(self, y: tf.Tensor, visit: introspection.Visit) -> Any:
        return introspection.visit_in_turn(self._parts, y, visit)

    def _in_mode(self, training: bool) -> 'Chain':
        changed = [parts.in_mode(part, training) for part in self._parts]
        unchanged = all(new is old for new, old in zip(changed, self._parts))
        return self if unchanged else self.copy(parts=changed)

    def _frozen_values(self) -> Any:
        return [parts.frozen_values(part) for part in self._folded]

    def _with_frozen(self, values: Any) -> 'Chain':
        return Chain([parts.with_frozen(part, v) for part, v in zip(self._folded, values)],
                     validate_args=self.validate_args, name=self.name)

    def _forward_event_shape(self, shape: tf.TensorShape) -> tf.TensorShape:
        for part in reversed(self._parts):
            shape = part.forward_event_shape(shape)
        return shape

    def _inverse_event_shape(self, shape: tf.TensorShape) -> tf.TensorShape:
        for part in self._parts:
            shape = part.inverse_event_shape(shape)
        return shape

    def _forward_event_shape_tensor(self, shape: tf.Tensor) -> tf.Tensor:
        for part in reversed(self._parts):
            shape = part.forward_event_shape_tensor(shape)
        return shape

    def _inverse_event_shape_tensor(self, shape: tf.Tensor) -> tf.Tensor:
        for part in self._parts:
            shape = part.inverse_event_shape_tensor(shape)
        return shape


def _fold(parts: Sequence[tfb.Bijector]) -> list[tfb.Bijector]:
    folded: list[tfb.Bijector] = []
    for event_ndims, group in itertools.groupby(parts, _foldable):
        group = list(group)
        folded += [channel_affine.Folded(group)] if event_ndims and len(group) > 1 else group
    return folded


def _foldable(part: tfb.Bijector) -> int:
    """Returns the dimensions of the events whose channels the part maps; 0 for any other part."""
    if not isinstance(part, channel_affine.ChannelAffine) or part.validate_args:
        return 0  # If it were folded, its own checks would be lost.
    return part.inverse_min_event_ndims
