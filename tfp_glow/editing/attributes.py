"""Attributes as directions in the space of latents: differences of class means."""

import tensorflow as tf

from tfp_glow.editing.latents import (
    check_images,
    decode_series,
    encode,
    finite_vector,
    with_axes,
)


def attribute_direction(flow, with_attribute, without):
    """What images with an attribute have in their latents that those without have not.

    ```none
    direction = mean over with_attribute of inverse(x) - mean over without of inverse(x)
    ```

    Args:
      flow: the flow.
      with_attribute: images `[N, H, W, C]`, or any iterable of batches of them, such as a
        `tf.data.Dataset`, of which one at a time is in memory. A batch is images, or a pair
        (images, condition) for a flow that takes one.
      without: likewise.

    Returns:
      The direction, one tensor per level, the finest first, for `edit`.

    Raises:
      ValueError: images of another dtype or shape or out of range, or none at all.

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
            flow, images, condition)], reduce_retracing=True)
    return [a - b for a, b in zip(_mean(flow, sums, with_attribute, 'with_attribute'),
                                  _mean(flow, sums, without, 'without'))]


def edit(flow, images, direction, strength, condition=None):
    """`images` moved along `direction`: `[B, H, W, C]`, or `[B, S, H, W, C]` for S strengths.

    ```none
    forward(inverse(images) + strength * direction)
    ```

    Args:
      flow: the flow.
      images: `[B, H, W, C]`.
      direction: of `attribute_direction`, or any other list of one tensor per level.
      strength: a number, or a vector of several: 0 for no change, 1 for as much as there is
        between the means, below 0 for the other way.
      condition: of the images, if the flow takes one.

    Raises:
      ValueError: images of another dtype or shape or out of range, a direction that does not fit
        the flow's latents, a strength that is not finite.
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


def _mean(flow, sums, batches, name):
    total, count = None, 0
    for batch in [batches] if hasattr(batches, 'shape') else batches:
        images, condition = batch if isinstance(batch, (tuple, list)) else (batch, None)
        images = check_images(flow, images, name)
        added = sums(images, condition)
        total = added if total is None else [a + b for a, b in zip(total, added)]
        count += images.shape[0]
    if not count:
        raise ValueError(f'{name} must hold at least one image; got none.')
    return [z / count for z in total]
