"""The two passes of autoregressive flows: a parallel one, and one dimension by dimension."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow_probability import bijectors as tfb

from tfp_glow.bijectors import affine, base, parts
from tfp_glow.bijectors.types import Inner, Network
from tfp_glow.internal import keras_bridge
from tfp_glow.types import Shape

_TRACED = 64  # From this number of steps on, eager mode takes longer to run them than to trace.


class AutoregressiveBase(base.OnePassBijector):
    """The two passes of a triangular transform; a subclass says which of them is forward."""

    def __init__(self, network: Network, inner: Inner | None = None, event_ndims: int | None = None,
                 validate_args: bool = False, name: str | None = None) -> None:
        parameters = dict(locals())
        self._network = keras_bridge.as_module(network, 'network')
        self._inner = inner or affine.AffineInner()
        described = getattr(self._network, 'layer', self._network)
        self._shape = getattr(described, 'event_shape', None)
        if event_ndims is None:
            event_ndims = 1 if self._shape is None else len(self._shape)
        if event_ndims < 1 or (self._shape is not None and len(self._shape) != event_ndims):
            raise ValueError('event_ndims must be positive and, if the network has an event_shape, '
                             f'its length; got {event_ndims=}, event_shape={self._shape}.')
        self._order = _checked_order(getattr(described, 'order', None), self._shape)
        self._outputs = getattr(self._inner, 'outputs_per_channel', None)
        outputs = getattr(described, 'outputs_per_dim', None)
        if None not in (outputs, self._outputs) and outputs != self._outputs:
            raise ValueError(f'network must have the {self._outputs} outputs per dimension that '
                             f'inner takes; got outputs_per_dim={outputs}.')
        super().__init__(forward_min_event_ndims=event_ndims, validate_args=validate_args,
                         parameters=parameters, name=name)

    @property
    def network(self) -> Network:
        """Returns the network, as it was given or wrapped."""
        return self._network

    @property
    def takes_condition(self) -> bool:
        return keras_bridge.takes_condition(self._network)

    def _parallel(self, value: tf.Tensor, condition: dict[str, Any]) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns `inner(network(value)).inverse(value)` and its log-det, from one evaluation."""
        values, log_dets = self._parallel_each(value, condition)
        return values, tf.reduce_sum(log_dets, list(range(-self.forward_min_event_ndims, 0)))

    def _parallel_each(self, value: tf.Tensor, condition: dict[str, Any],
                       ) -> tuple[tf.Tensor, tf.Tensor]:
        """Does the same as `_parallel`; the log-det of each dimension has the shape of `value`."""
        inner = self._bound(self._raw(value, condition))
        values, log_dets = parts.inverse_and_log_det(inner, value[..., tf.newaxis], 1)
        return tf.squeeze(values, -1), tf.broadcast_to(log_dets, tf.shape(value))

    def _serial(self, value: tf.Tensor, condition: dict[str, Any]) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the inverse of `_parallel`, computed one dimension at a time."""
        self._check_event(value)
        if tf.executing_eagerly() and value.shape[1:].num_elements() >= _TRACED:
            return tf.function(self._steps, autograph=False)(value, condition)
        return self._steps(value, condition)

    def _steps(self, value: tf.Tensor, condition: dict[str, Any]) -> tuple[tf.Tensor, tf.Tensor]:
        if self._order is not None and hasattr(self._network, 'incremental'):
            batch = tf.shape(value)[0] if value.shape[0] is None else value.shape[0]
            run = self._network.incremental(batch, **condition)
            if run is not None:
                return self._by_increments(value, self._order, *run)
        return self._by_runs(value, condition)

    def _by_increments(self, value: tf.Tensor, order: np.ndarray, state: Any,
                       outputs: Callable[..., tuple[Any, tf.Tensor]],
                       ) -> tuple[tf.Tensor, tf.Tensor]:
        """Does the work of `_serial` with the `(state, outputs)` of the network's `incremental`."""
        size = len(order)
        flat = tf.gather(tf.reshape(value, [-1, size]), order, axis=1)
        due, batch_shape = tf.transpose(flat), flat.shape[:1]

        def body(step, state, before, values, total):
            state, raw = outputs(state, step, before)
            raw = self._output_of('network', tf.cast(raw, value.dtype))
            inner = self._bound(raw[:, tf.newaxis])
            new, log_det = parts.forward_and_log_det(inner, due[step][:, tf.newaxis, tf.newaxis], 2)
            new = tf.ensure_shape(tf.reshape(new, [-1]), batch_shape)
            return (step + 1, state, new, values.write(step, new),
                    tf.ensure_shape(total + log_det, batch_shape))
        zeros = tf.zeros_like(flat[:, 0])
        values = tf.TensorArray(value.dtype, size, element_shape=batch_shape)
        *_, values, total = tf.while_loop(
            lambda step, *_: step < size, body, (tf.constant(0), state, zeros, values, zeros),
            parallel_iterations=1, maximum_iterations=size)
        values = tf.gather(tf.transpose(values.stack()), np.argsort(order), axis=1)
        return tf.ensure_shape(tf.reshape(values, tf.shape(value)), value.shape), total

    def _by_runs(self, value: tf.Tensor, condition: dict[str, Any]) -> tuple[tf.Tensor, tf.Tensor]:
        """Does the work of `_serial` with one run of the whole network for each step."""
        size = value.shape[1:].num_elements()
        if size is None:
            size = tf.reduce_prod(tf.shape(value)[1:])
        order = tf.range(size) if self._order is None else tf.constant(self._order)
        flat = tf.reshape(value, [-1, size])

        def body(step, values, total):
            index = order[step]
            known = tf.ensure_shape(tf.reshape(values, tf.shape(value)), value.shape)
            raw = self._raw(known, condition)
            raw = tf.gather(tf.reshape(raw, [-1, size, raw.shape[-1]]), [index], axis=1)
            new, log_det = parts.forward_and_log_det(
                self._bound(raw), tf.gather(flat, [index], axis=1)[..., tf.newaxis], 2)
            # What is not due yet stays zero: its value from half the inputs might be infinite.
            values = tf.where(tf.range(size) == index, tf.squeeze(new, -1), values)
            return (step + 1, tf.ensure_shape(values, flat.shape),
                    tf.ensure_shape(total + log_det, flat.shape[:1]))
        _, values, total = tf.while_loop(
            lambda step, *_: step < size, body,
            (tf.constant(0), tf.zeros_like(flat), tf.zeros_like(flat[:, 0])),
            parallel_iterations=1, maximum_iterations=size)
        return tf.ensure_shape(tf.reshape(values, tf.shape(value)), value.shape), total

    def _raw(self, value: tf.Tensor, condition: dict[str, Any]) -> tf.Tensor:
        """Returns what the network says of each dimension of `value [B, ...]`: `[B, ..., k]`."""
        self._check_event(value)
        raw = self._output_of('network', tf.cast(self._network(value, **condition), value.dtype))
        wanted = value.shape[1:].concatenate([self._outputs])
        if (not raw.shape[1:].is_compatible_with(wanted) or raw.shape.rank is None
                or raw.shape[-1] is None):
            shape = ', '.join(map(str, wanted))
            raise ValueError(f'network must return the shape [batch, {shape}], of which inner '
                             f'takes the last; got shape={raw.shape}.')
        return raw

    def _bound(self, raw: tf.Tensor) -> tfb.Bijector:
        """Returns the inner transform of values `[..., 1]`.

        To it, each value is the only channel of a pixel.
        """
        inner = self._inner(raw)
        if inner.forward_min_event_ndims != 0:
            raise ValueError('inner must return an elementwise bijector, whose '
                             'forward_min_event_ndims is 0; got one with '
                             f'{inner.forward_min_event_ndims}.')
        return inner

    def _check_event(self, value: tf.Tensor) -> None:
        given = value.shape[1:]
        if self._shape is not None and not given.is_compatible_with(self._shape):
            raise ValueError(f'{self.name}: the event must have the shape {tuple(self._shape)} of '
                             f"the network's; got event_shape={given}.")
        if self._order is not None and given.num_elements() not in (None, len(self._order)):
            raise ValueError(f'{self.name}: the event must have {len(self._order)} dimensions, '
                             f'as the order of the network; got event_shape={given}.')


def _checked_order(order: Sequence[int] | np.ndarray | None, shape: Shape | None,
                   ) -> np.ndarray | None:
    """Returns the order as an int32 vector; None if nothing is known of it."""
    if order is None:
        return None
    order = np.asarray(order)
    size = order.size if shape is None else math.prod(shape)
    if order.ndim != 1 or sorted(order.tolist()) != list(range(size)):
        raise ValueError(f'order of the network must hold each of 0 .. {size - 1} once; '
                         f'got order={order.tolist()}.')
    return order.astype(np.int32)
