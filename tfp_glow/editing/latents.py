"""From images to one latent per level and back; what the latent tools check of their arguments."""

import numbers

import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd


def encode(flow, images, condition=None, name='images'):
    """The latents of `images`, a list with one tensor per level, the finest first."""
    latents = flow.bijector.inverse(check_images(flow, images, name), **_given(condition))
    # Or the bijector's cache would answer `decode` with the images themselves.
    return [tf.identity(z) for z in tf.nest.flatten(latents)]


def decode(flow, latents, condition=None):
    """The images of a list of latents, with any leading dimensions."""
    structure = flow.bijector.inverse_dtype(flow.dtype)
    return flow.bijector.forward(tf.nest.pack_sequence_as(structure, latents), **_given(condition))


def decode_series(flow, latents, condition=None):
    """Latents `[T, B, ...]`, B innermost as a condition wants it, to images `[B, T, H, W, C]`."""
    images = decode(flow, latents, condition)
    return tf.transpose(images, [1, 0, *range(2, images.shape.rank)])


def log_prob(flow, images, condition=None):
    """`flow.log_prob`, with the condition if there is one."""
    return flow.log_prob(images, **_given(condition))


def base_parts(flow):
    """The distributions of the levels' latents, the finest first."""
    base = flow.distribution
    return list(base.model) if isinstance(base, tfd.JointDistribution) else [base]


def check_images(flow, images, name='images'):
    """`images` as a tensor, if they are a batch of data of the flow.

    Raises:
      ValueError: they have another dtype or shape, or (where they are known, which they are not
        while a `tf.function` is traced) values outside of [-1/2, 1/2].
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
    if known is not None and not np.all(np.abs(known) <= .5):  # As NaN is not.
        raise ValueError(f'{name} must be in [-1/2, 1/2); got values from {np.min(known):g} to '
                         f'{np.max(known):g}.')
    return images


def check_count(name, value, least):
    """Raises a `ValueError` unless `value` is an integer of at least `least`."""
    if not _is_integer(value) or value < least:
        raise ValueError(f'{name} must be an integer of at least {least}; got {name}={value!r}.')


def check_level(flow, name, level):
    """Raises a `ValueError` unless `level` is the number of a level of the flow."""
    count = len(base_parts(flow))
    if not _is_integer(level) or not 0 <= level < count:
        raise ValueError(f'{name} must be in 0 .. {count - 1}, the finest level being 0; '
                         f'got {name}={level!r}.')


def check_levels(flow, name, levels):
    """`levels`, one number or several, as a set of numbers of levels."""
    levels = [levels] if isinstance(levels, numbers.Number) else list(levels)
    for level in levels:
        check_level(flow, name, level)
    return set(levels)


def finite_vector(name, values, dtype):
    """`values` as a tensor `[T]` of `dtype`, finite where they are known."""
    values = tf.cast(tf.convert_to_tensor(values, dtype_hint=tf.float64), dtype)
    if values.shape.rank != 1:
        raise ValueError(f'{name} must be a list of numbers; got shape={tuple(values.shape)}.')
    known = tf.get_static_value(values)
    if known is not None and not (known.size and np.all(np.isfinite(known))):
        raise ValueError(f'{name} must be finite and at least one; got {name}={known.tolist()}.')
    return values


def with_axes(values, count):
    """`values` with `count` axes of size 1 after its own."""
    return values[(..., *[tf.newaxis] * count)]


def _is_integer(value):
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def _given(condition):
    return {} if condition is None else {'condition': condition}
