"""A bijector of vectors, applied to images whose entries are taken as one vector."""

from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow_probability import bijectors as tfb

from tfp_glow.bijectors import base, checks, conditions, parts
from tfp_glow.bijectors.introspection import Visit
from tfp_glow.bijectors.pullback import Pullback
from tfp_glow.types import Condition, Shape


class Flattened(base.OnePassBijector):
    """Applies a bijector over `[D]` to events of `event_shape`: `[..., H, W, C] -> [..., H, W, C]`.

    ```none
    inverse(y) = reshape(bijector.inverse(flatten(y)))
    forward(x) = reshape(bijector.forward(flatten(x)))
    log|det J| = the bijector's
    ```

    Entries go into the vector in the order of memory: row by row, the channels of a pixel together.

    Args:
        bijector: Any bijector over vectors `[..., D]`, such as `Coupling(..., event_ndims=1)`,
            `MaskedAutoregressive` or a `Chain` of them; D = H * W * C.
        event_shape: The shape of an event, `(H, W, C)`; it must be known and may have any rank.
        validate_args: Whether to check values as well, also in graphs; see `OnePassBijector`.
        name: The name of the bijector.

    See also: `tfb.Reshape`, which changes the shape of the event and is no container.

    Raises:
        ValueError: If `event_shape` is not known, or the events of the bijector are no vectors;
            when called, if the event has another shape.

    ```python
    >>> import tensorflow as tf, tfp_glow
    >>> from tfp_glow import bijectors as tgb
    >>> nice = tgb.Coupling(lambda x: 3. * x, tgb.Additive(), tgb.splits.even_odd(), event_ndims=1)
    >>> tgb.Flattened(nice, (2, 2, 1)).inverse(tf.reshape([1., 2., 3., 4.], [2, 2, 1]))[..., 0]
    <tf.Tensor: shape=(2, 2), dtype=float32, numpy=
    array([[ 1.,  5.],
           [ 3., 13.]], dtype=float32)>

    ```
    """

    def __init__(self, bijector: tfb.Bijector, event_shape: Shape, validate_args: bool = False,
                 name: str = 'flattened') -> None:
        parameters = dict(locals())
        shape = tf.TensorShape(event_shape)
        if not shape.is_fully_defined() or shape.rank < 1:
            raise ValueError(f'event_shape must be known, of rank 1 or more; got {event_shape}.')
        checks.check_bijectors('bijector', [bijector])
        ndims = bijector.inverse_min_event_ndims
        if ndims not in (0, 1) or bijector.forward_min_event_ndims != ndims:
            raise ValueError(f'bijector must be one of vectors or scalars; {bijector.name} has '
                             f'events of {ndims} dimensions.')
        self._bijector = bijector
        self._shape = tuple(shape.as_list())
        super().__init__(forward_min_event_ndims=shape.rank, dtype=bijector.dtype,
                         validate_args=validate_args, parameters=parameters, name=name)

    @property
    def bijector(self) -> tfb.Bijector:
        """Returns the bijector over vectors."""
        return self._bijector

    @property
    def takes_condition(self) -> bool:
        return conditions.takes_condition(self._bijector)

    def _forward_and_log_det(self, x: tf.Tensor, condition: Condition = None,
                             ) -> tuple[tf.Tensor, tf.Tensor]:
        y, log_det = parts.forward_and_log_det(self._bijector, self._vectors(x), 1, condition)
        return self._events(y), log_det

    def _inverse_and_log_det(self, y: tf.Tensor, condition: Condition = None,
                             ) -> tuple[tf.Tensor, tf.Tensor]:
        x, log_det = parts.inverse_and_log_det(self._bijector, self._vectors(y), 1, condition)
        return self._events(x), log_det

    def _forward_pullback(self, y: tf.Tensor, dy: tf.Tensor, dlog_det: tf.Tensor,
                          pullback: Pullback, condition: Condition = None,
                          ) -> tuple[tf.Tensor, tf.Tensor]:
        x, dx = parts.forward_pullback(self._bijector, self._vectors(y), self._vectors(dy),
                                      dlog_det, pullback, condition, 1)
        return self._events(x), self._events(dx)

    def _inverse_pullback(self, x: tf.Tensor, dx: tf.Tensor, dlog_det: tf.Tensor,
                          pullback: Pullback, condition: Condition = None,
                          ) -> tuple[tf.Tensor, tf.Tensor]:
        y, dy = parts.inverse_pullback(self._bijector, self._vectors(x), self._vectors(dx),
                                      dlog_det, pullback, condition, 1)
        return self._events(y), self._events(dy)

    def visit_parts(self, y: tf.Tensor, visit: Visit) -> Any:
        return self._events(visit('/', self._bijector, self._vectors(y)))

    def _in_mode(self, training: bool) -> tfb.Bijector:
        inner = parts.in_mode(self._bijector, training)
        return self if inner is self._bijector else self.copy(bijector=inner)

    def _frozen_values(self) -> Any:
        return parts.frozen_values(self._bijector)

    def _with_frozen(self, values: Any) -> tfb.Bijector:
        return self.copy(bijector=parts.with_frozen(self._bijector, values))

    def _vectors(self, events: tf.Tensor) -> tf.Tensor:
        if not events.shape[1:].is_compatible_with(self._shape):
            raise ValueError(f'the input of {self.name} must end in the shape {self._shape}; '
                             f'got shape={events.shape}.')
        return tf.reshape(events, [-1, int(np.prod(self._shape))])

    def _events(self, vectors: tf.Tensor) -> tf.Tensor:
        return tf.reshape(vectors, [-1, *self._shape])
