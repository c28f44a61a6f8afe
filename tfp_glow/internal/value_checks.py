"""Checks of the values that a model is given: eagerly as errors, in graphs as assertions."""

import contextlib
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

_ASSERTED = re.compile(r'assertion failed: ((?:\[[^\]]*\] ?)+)')

_SHAPED = re.compile(r'Shape of tensor \S+ (\[[^\]]*\]) is not compatible with expected shape '
                     r'(\[[^\]]*\])')


def levels(name: str, images: tf.Tensor, bins: int) -> tf.Tensor:
    """Returns integer images after checking that their levels are in 0 .. bins-1.

    Raises:
        TypeError: If they are not integers. Grey levels as floats are mostly in [0, 1].
        ValueError: If their values are known and out of range. In a graph an assertion fails.
    """
    integers(name, images.dtype, bins)
    if images.dtype == tf.uint8 and bins >= 256:
        return images
    return within(name, images, bins)


def integers(name: str, dtype: tf.DType, bins: int) -> None:
    """Checks that a dtype is one of integers.

    Raises:
        TypeError: If it is not.
    """
    if not dtype.is_integer:
        raise TypeError(f'{name} must be integers, grey levels 0 .. {bins - 1}; got '
                        f'dtype={dtype.name}. Levels that are held as floats need '
                        'tf.cast(images, tf.uint8).')


def within(name: str, values: tf.Tensor, end: int) -> tf.Tensor:
    """Returns integers after checking that they are in 0 .. end-1, also within graphs.

    Raises:
        ValueError: If their values are known and out of range.
    """
    rule = f'{name} must be in 0 .. {end - 1}'
    known = tf.get_static_value(values)
    if known is not None:
        if known.size and (known.min() < 0 or known.max() >= end):
            raise ValueError(f'{rule}; got values from {known.min()} to {known.max()}.')
        return values
    wide = tf.cast(values, tf.int32) if values.dtype.size < 4 else values
    least, most = tf.reduce_min(wide), tf.reduce_max(wide)
    inside = (least >= 0) & (most < end) | tf.equal(tf.size(wide), 0)
    with tf.control_dependencies([tf.debugging.Assert(
            inside, [f'{rule}; got values from', least, 'to', most])]):
        return tf.identity(values)


def shape(name: str, own: tf.TensorShape, event_shape: tf.TensorShape) -> None:
    """Checks that a shape is that of a batch of events.

    Raises:
        ValueError: If they are not; the message says so if channels come first.
    """
    if own.rank is None or (own.rank == len(event_shape) + 1 and own[1:].is_compatible_with(
            event_shape)):
        return
    hint = ''
    if len(event_shape) == 3 and own.rank == 4 and own[1:] == [event_shape[2], *event_shape[:2]]:
        hint = ': channels must come last'
    sizes = ', '.join(map(str, event_shape))
    raise ValueError(f'{name} must have the shape [B, {sizes}]; got shape={own}{hint}.')


def events(name: str, values: tf.Tensor, event_shape: tf.TensorShape) -> tf.Tensor:
    """Returns a batch of events after checking its shape, in graphs that do not know it as well.

    Raises:
        ValueError: If it is known to have another shape.
    """
    shape(name, values.shape, event_shape)
    wanted = [None, *event_shape]
    if values.shape.rank is not None and values.shape[1:].is_fully_defined():
        return values
    return tf.ensure_shape(values, wanted)


def labels(name: str, values: Any) -> tf.Tensor:
    """Returns labels `[B]` or `[B, 1]` as `[B]`, after checking that they are such.

    Args:
        name: The name of the argument.
        values: The labels.

    Raises:
        ValueError: If they are no integers, or have another shape.
    """
    values = tf.convert_to_tensor(values)
    if not values.dtype.is_integer:
        raise ValueError(f'{name} must be integer labels; got dtype={values.dtype.name}.')
    if values.shape.rank == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.shape.rank is None or (values.shape.rank == 2 and values.shape[1] is None):
        one = tf.equal(tf.size(values), tf.shape(values)[0])
        with tf.control_dependencies([tf.debugging.Assert(
                one, [f'{name} must be one label for each example, (B,); got shape',
                      tf.shape(values)])]):
            values = tf.reshape(values, [-1])
    if values.shape.rank != 1:
        raise ValueError(f'{name} must be one label for each example, [B]; got '
                         f'shape={values.shape}.')
    return values


def known_range(name: str, values: np.ndarray, end: int) -> None:
    """Checks a whole array of integers, of which a graph would see one batch after the other.

    Raises:
        ValueError: If one is not in 0 .. end-1.
    """
    if values.size and values.dtype.kind in 'iu' and not (
            values.dtype == np.uint8 and end >= 256):
        least, most = int(values.min()), int(values.max())
        if least < 0 or most >= end:
            raise ValueError(f'{name} must be in 0 .. {end - 1}; got values from {least} to '
                             f'{most}.')


@contextlib.contextmanager
def raised() -> Iterator[None]:
    """Returns a context in which an assertion of this module that fails is a `ValueError`."""
    try:
        yield
    except tf.errors.InvalidArgumentError as error:
        match = _SHAPED.search(str(error))
        if match is not None:
            raise ValueError(f'x must have the shape {match[2].replace("?", "B")}; got '
                             f'shape={match[1]}.') from None
        match = _ASSERTED.search(str(error))
        if match is None or ' must ' not in match[1]:
            raise
        text = ' '.join(part.strip() for part in re.findall(r'\[([^\]]*)\]', match[1]))
        raise ValueError(f'{text}.') from None
