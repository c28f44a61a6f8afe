"""Follows paths through the space of latents: between two images, and along one direction."""

import numbers
from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfp_glow.editing.latents import (
    base_parts,
    check_count,
    check_level,
    decode_series,
    encode,
    finite_vector,
    with_axes,
)
from tfp_glow.types import Condition, DType, TensorLike


def interpolate(flow: tfd.Distribution, first: TensorLike, second: TensorLike, steps: int,
                spherical: bool = False, condition: Condition = None) -> tf.Tensor:
    """Returns images on the way from `first` to `second` in the space of latents.

    ```none
    image_t = forward((1 - w) inverse(first) + w inverse(second)),    w = t / (steps - 1)
    ```

    The first and the last reproduce what was given, up to the error of the flow's round trip.

    Args:
        flow: The flow.
        first: Images `[B, H, W, C]`.
        second: As many images.
        steps: The number of images on the way with both ends, at least 2.
        spherical: Whether to go along the great circle instead, in units u of the base's mean and
            standard deviation and over all levels at once, so that the length of u goes evenly from
            one end's to the other's: `sin((1 - w) a)/sin(a) u_first + sin(w a)/sin(a) u_second`
            with a the angle between them. The straight way passes latents that are shorter than
            those of most images.
        condition: The condition of the images, if the flow takes one.

    Returns:
        Images `[B, steps, H, W, C]`.

    Raises:
        ValueError: If images have another dtype or shape, are out of range or not as many, or if
            `steps` is less than 2.

    #### References
    * Kingma and Dhariwal, *Glow*, 2018, arXiv:1807.03039, section 6 and figure 5: straight.
    * White, *Sampling Generative Networks*, 2016, arXiv:1609.04468: spherical.

    ```python
    >>> import tensorflow as tf, tfp_glow
    >>> flow = tfp_glow.flows.glow((4, 4, 1), levels=2, steps_per_level=1, width=4)
    >>> black, white = tf.fill([1, 4, 4, 1], -.4), tf.fill([1, 4, 4, 1], .4)
    >>> way = tfp_glow.editing.interpolate(flow, black, white, steps=3)
    >>> way.shape
    TensorShape([1, 3, 4, 4, 1])
    >>> way[0, :, 0, 0, 0].numpy().round(3)  # An untrained flow is linear.
    array([-0.4,  0. ,  0.4], dtype=float32)

    ```
    """
    check_count('steps', steps, 2)
    start = encode(flow, first, condition, 'first')
    end = encode(flow, second, condition, 'second')
    if not start[0].shape[:1].is_compatible_with(end[0].shape[:1]):
        raise ValueError(f'second must be as many images as first, {start[0].shape[0]}; '
                         f'got {end[0].shape[0]}.')
    weights = tf.linspace(tf.zeros([], flow.dtype), tf.ones([], flow.dtype), steps)
    if spherical:
        start, end = _standardised(flow, start), _standardised(flow, end)
        from_start, from_end = _great_circle(start, end, weights)
    else:
        from_start, from_end = (1 - weights)[:, tf.newaxis], weights[:, tf.newaxis]

    latents = []
    for a, b in zip(start, end):
        wa, wb = (with_axes(w, a.shape.rank - 1) for w in (from_start, from_end))
        latents.append(wa * a + wb * b)
    if spherical:
        latents = [part.mean() + part.stddev() * u
                   for part, u in zip(base_parts(flow), latents)]
    return decode_series(flow, latents, condition)


def traverse(flow: tfd.Distribution, images: TensorLike, level: int,
             index: int | tuple[int, ...] | TensorLike, values: TensorLike,
             condition: Condition = None) -> tf.Tensor:
    """Returns images with one entry of their latents at each of `values`.

    In units u of the base's mean and standard deviation, the part of u along a direction d of
    length 1 is replaced, and all that is orthogonal to it stays:

    ```none
    u_t = u + (values[t] - <u, d>) d
    ```

    Args:
        flow: The flow.
        images: `[B, H, W, C]`.
        level: The number of the latent, the finest being 0.
        index: The entry, by its number in the flattened latent or a tuple of its coordinates
            (h, w, c); or a direction, a tensor of the latent's shape, of which the length does not
            matter.
        values: Numbers; nearly all latents of images are to be expected between -3 and 3.
        condition: The condition of the images, if the flow takes one.

    Returns:
        Images `[B, len(values), H, W, C]`.

    Raises:
        ValueError: If images have another dtype or shape or are out of range, if `level` or `index`
            is not there, or if values are not finite numbers.

    ```python
    >>> import tensorflow as tf, tfp_glow
    >>> flow = tfp_glow.flows.glow((4, 4, 1), levels=2, steps_per_level=1, width=4)
    >>> images = tf.zeros([2, 4, 4, 1])
    >>> tfp_glow.editing.traverse(flow, images, level=1, index=(0, 0, 3), values=[-1, 1]).shape
    TensorShape([2, 2, 4, 4, 1])

    ```
    """
    check_level(flow, 'level', level)
    values = finite_vector('values', values, flow.dtype)
    latents = encode(flow, images, condition)
    part = base_parts(flow)[level]
    direction = _direction(index, part.event_shape, flow.dtype)
    u = _standardised(flow, latents)[level]
    along = tf.reduce_sum(u * direction, range(1, u.shape.rank), keepdims=True)
    moved = u + (with_axes(values, u.shape.rank) - along) * direction
    count = tf.shape(values)[0]
    series = [tf.broadcast_to(z, tf.concat([[count], tf.shape(z)], 0)) for z in latents]
    series[level] = part.mean() + part.stddev() * moved
    return decode_series(flow, series, condition)


def _standardised(flow: tfd.Distribution, latents: Sequence[tf.Tensor]) -> list[tf.Tensor]:
    return [(z - part.mean()) / part.stddev()
            for part, z in zip(base_parts(flow), latents)]


def _great_circle(start: Sequence[tf.Tensor], end: Sequence[tf.Tensor],
                  weights: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the factors `[T, B]` of both ends at each of `weights`."""
    a, b = (tf.concat([tf.reshape(z, [tf.shape(z)[0], -1]) for z in latents], 1)
            for latents in (start, end))
    cosine = tf.reduce_sum(tf.math.l2_normalize(a, 1) * tf.math.l2_normalize(b, 1), 1)
    angle = tf.acos(tf.clip_by_value(cosine, -1, 1))
    weights = weights[:, tf.newaxis]
    # There the circle is not defined, or is a straight line.
    straight = tf.sin(angle) < 1e-3
    sine = tf.where(straight, tf.ones_like(angle), tf.sin(angle))
    return tuple(tf.where(straight, w, tf.sin(w * angle) / sine) for w in (1 - weights, weights))


def _direction(index: int | tuple[int, ...] | TensorLike, shape: tf.TensorShape,
               dtype: DType) -> tf.Tensor:
    """Returns a direction of length 1, of the latent's `shape`."""
    if not isinstance(index, (numbers.Integral, tuple)):
        direction = tf.cast(tf.convert_to_tensor(index), dtype)
        if direction.shape != shape:
            raise ValueError(f'index must be an entry, or a direction of shape {tuple(shape)}; '
                             f'got shape={tuple(direction.shape)}.')
        known = tf.get_static_value(direction)
        if known is not None and not (np.any(known) and np.all(np.isfinite(known))):
            raise ValueError('index must be a direction that is finite and not zero.')
        return direction / tf.norm(direction)
    extents = tuple(shape) if isinstance(index, tuple) else (shape.num_elements(),)
    entry = index if isinstance(index, tuple) else (index,)
    if len(entry) != len(extents) or not all(0 <= i < n for i, n in zip(entry, extents)):
        raise ValueError(f'index must be below {shape.num_elements()}, or coordinates in a latent '
                         f'of shape {tuple(shape)}; got {index=}.')
    flat = int(np.ravel_multi_index(entry, extents))
    return tf.reshape(tf.one_hot(flat, shape.num_elements(), dtype=dtype), shape)
