"""Turns images into one latent per level and back, and checks arguments of the latent tools."""

import numbers
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfp_glow.types import Condition, DType, TensorLike


def encode(flow: tfd.Distribution, images: TensorLike, condition: Condition = None,
           name: str = 'images') -> list[tf.Tensor]:
    """Returns the latents of `images`, a list with one tensor per level, the finest first."""
    latents = flow.bijector.inverse(check_images(flow, images, name), **_given(condition))
    # Otherwise the bijector's cache would answer `decode` with the images themselves.
    return [tf.identity(z) for z in tf.nest.flatten(latents)]


def decode(flow: tfd.Distribution, latents: Sequence[tf.Tensor],
           condition: Condition = None) -> tf.Tensor:
    """Returns the images of a list of latents, with any leading dimensions."""
    structure = flow.bijector.inverse_dtype(flow.dtype)
    return flow.bijector.forward(tf.nest.pack_sequence_as(structure, latents), **_given(condition))


def decode_series(flow: tfd.Distribution, latents: Sequence[tf.Tensor],
                  condition: Condition = None) -> tf.Tensor:
    """Returns the images `[B, T, H, W, C]` of latents `[T, B, ...]`.

    The latents have B innermost, as a condition wants it.
    """
    images = decode(flow, latents, condition)
    return tf.transpose(images, [1, 0, *range(2, images.shape.rank)])


def log_prob(flow: tfd.Distribution, images: TensorLike, condition: Condition = None) -> tf.Tensor:
    """Returns `flow.log_prob` of images, under the condition if there is one."""
    return flow.log_prob(images, **_given(condition))


def base_parts(flow: tfd.Distribution) -> list[tfd.Distribution]:
    """Returns the distributions of the levels' latents, the finest first."""
    base = flow.distribution
    return list(base.model) if isinstance(base, tfd.JointDistribution) else [base]


def check_images(flow: tfd.Distribution, images: TensorLike, name: str = 'images') -> tf.Tensor:
    """Returns `images` as a tensor, if they are a batch of data of the flow.

    Raises:
        ValueError: If they have another dtype or shape, or values outside of [-1/2, 1/2]. The
            values are checked where they are known, which they are not while a `tf.function` is
            traced.
    """
    images = tf.convert_to_tensor(images, name=name)
    event_shape = flow.event_shape
    if images.dtype != flow.dtype:
        raise ValueError(
            f'{name} must be data of the flow, {flow.dtype.name} in [-1/2, 1/2), as '
            f'dequantization.dequantize makes of integers; got dtype={images.dtype.name}.')
    if (images.shape.rank != event_shape.rank + 1
            or not images.shape[1:].is_compatible_with(event_shape)):
        raise ValueError(f'{name} must have shape [B, {", ".join(map(str, event_shape))}]; '
                         f'got shape={tuple(images.shape)}.')
    known = tf.get_static_value(images)
    if known is not None and not np.all(np.abs(known) <= .5):  # NaN fails this check too.
        raise ValueError(f'{name} must be in [-1/2, 1/2); got values from {np.min(known):g} to '
                         f'{np.max(known):g}.')
    return images


def check_count(name: str, value: Any, least: int) -> None:
    """Raises a `ValueError` unless `value` is an integer of at least `least`."""
    if not _is_integer(value) or value < least:
        raise ValueError(f'{name} must be an integer of at least {least}; got {name}={value!r}.')


def check_level(flow: tfd.Distribution, name: str, level: Any) -> None:
    """Raises a `ValueError` unless `level` is the number of a level of the flow."""
    count = len(base_parts(flow))
    if not _is_integer(level) or not 0 <= level < count:
        raise ValueError(f'{name} must be in 0 .. {count - 1}, the finest level being 0; '
                         f'got {name}={level!r}.')


def check_levels(flow: tfd.Distribution, name: str, levels: Any) -> set[int]:
    """Returns `levels`, one number or several, as a set of numbers of levels.

    Raises:
        ValueError: If one of them is not the number of a level of the flow.
    """
    levels = [levels] if isinstance(levels, numbers.Number) else list(levels)
    for level in levels:
        check_level(flow, name, level)
    return set(levels)


def finite_vector(name: str, values: TensorLike, dtype: DType) -> tf.Tensor:
    """Returns `values` as a tensor `[T]` of `dtype`.

    Raises:
        ValueError: If they are not a vector or, where they are known, not finite or none.
    """
    values = tf.cast(tf.convert_to_tensor(values, dtype_hint=tf.float64), dtype)
    if values.shape.rank != 1:
        raise ValueError(f'{name} must be a list of numbers; got shape={tuple(values.shape)}.')
    known = tf.get_static_value(values)
    if known is not None and not (known.size and np.all(np.isfinite(known))):
        raise ValueError(f'{name} must be finite and at least one; got {name}={known.tolist()}.')
    return values


def with_axes(values: tf.Tensor, count: int) -> tf.Tensor:
    """Returns `values` with `count` axes of size 1 after its own."""
    return values[(..., *[tf.newaxis] * count)]


def _is_integer(value: Any) -> bool:
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def _given(condition: Condition) -> dict[str, Any]:
    return {} if condition is None else {'condition': condition}
