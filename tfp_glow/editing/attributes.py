"""Treats attributes as directions in the space of latents: differences of class means."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfp_glow.editing.latents import (
    check_images,
    decode_series,
    encode,
    finite_vector,
    with_axes,
)
from tfp_glow.types import Condition, Latents, TensorLike


def attribute_direction(flow: tfd.Distribution, with_attribute: TensorLike | Iterable[Any],
                        without: TensorLike | Iterable[Any]) -> list[tf.Tensor]:
    """Returns what images with an attribute have in their latents that those without have not.

    ```none
    direction = mean over with_attribute of inverse(x) - mean over without of inverse(x)
    ```

    Args:
        flow: The flow.
        with_attribute: Images `[N, H, W, C]`, or any iterable of batches of them, such as a
            `tf.data.Dataset`, of which one at a time is in memory. A batch is images, or a pair
            (images, condition) for a flow that takes one.
        without: Images without the attribute, in the same form.

    Returns:
        The direction, one tensor per level, the finest first, for `edit`.

    Raises:
        ValueError: If images have another dtype or shape or are out of range, or if there are none.

    #### References
    Kingma and Dhariwal, *Glow*, 2018, arXiv:1807.03039, section 6 and figure 6.

    ```python
    >>> import tensorflow as tf, tfp_glow
    >>> flow = tfp_glow.flows.glow((4, 4, 1), levels=2, steps_per_level=1, width=4)
    >>> bright = tf.data.Dataset.from_tensor_slices(tf.fill([5, 4, 4, 1], .25)).batch(2)
    >>> direction = tfp_glow.editing.attribute_direction(flow, bright, tf.zeros([3, 4, 4, 1]))
    >>> brighter = tfp_glow.editing.edit(flow, tf.zeros([1, 4, 4, 1]), direction, strength=.5)
    >>> round(float(brighter[0, 0, 0, 0]), 3)
    0.125

    ```
    """
    sums = tf.function(
        lambda images, condition: [tf.reduce_sum(z, 0) for z in encode(
            flow, images, condition)], reduce_retracing=True, autograph=False)
    return [a - b for a, b in zip(_mean(flow, sums, with_attribute, 'with_attribute'),
                                  _mean(flow, sums, without, 'without'))]


def edit(flow: tfd.Distribution, images: TensorLike, direction: Latents,
         strength: float | Sequence[float] | tf.Tensor, condition: Condition = None) -> tf.Tensor:
    """Moves `images` along `direction`.

    ```none
    forward(inverse(images) + strength * direction)
    ```

    Args:
        flow: The flow.
        images: `[B, H, W, C]`.
        direction: The result of `attribute_direction`, or any other list of one tensor per level.
        strength: A number, or a vector of several: 0 for no change, 1 for as much as there is
            between the means, below 0 for the other way.
        condition: The condition of the images, if the flow takes one.

    Returns:
        Images `[B, H, W, C]`, or `[B, S, H, W, C]` for a vector of S strengths.

    Raises:
        ValueError: If images have another dtype or shape or are out of range, if the direction does
            not fit the flow's latents, or if a strength is not finite.
    """
    strength = tf.convert_to_tensor(strength, dtype_hint=tf.float64)
    one = strength.shape.rank == 0
    strengths = finite_vector('strength', strength[tf.newaxis] if one else strength,
                                     flow.dtype)
    latents = encode(flow, images, condition)
    direction = [tf.cast(d, flow.dtype) for d in tf.nest.flatten(direction)]
    shapes = [tuple(z.shape[1:]) for z in latents]
    given = [tuple(d.shape) for d in direction]
    if given != shapes:
        raise ValueError(f'direction must have one tensor per level, of shapes {shapes}; '
                         f'got {given}.')
    edited = decode_series(flow, [
        z + with_axes(strengths, z.shape.rank) * d for z, d in zip(latents, direction)],
        condition)
    return edited[:, 0] if one else edited


def _mean(flow: tfd.Distribution, sums: Callable[..., Sequence[tf.Tensor]],
          batches: TensorLike | Iterable[Any], name: str) -> list[tf.Tensor]:
    total, count = None, 0
    every: Any = [batches] if hasattr(batches, 'shape') else batches
    for batch in every:
        images, condition = batch if isinstance(batch, (tuple, list)) else (batch, None)
        images = check_images(flow, images, name)
        added = sums(images, condition)
        total = added if total is None else [a + b for a, b in zip(total, added)]
        count += images.shape[0]
    if total is None or not count:
        raise ValueError(f'{name} must hold at least one image; got none.')
    return [z / count for z in total]
