"""Shows what each level holds: latents drawn anew, left out, or drawn at several temperatures."""

from collections.abc import Iterable

import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfp_glow.distributions import with_temperature
from tfp_glow.editing.latents import (
    base_parts,
    check_count,
    check_levels,
    decode,
    decode_series,
    encode,
    finite_vector,
)
from tfp_glow.types import Condition, Seed, TensorLike


def resample(flow: tfd.Distribution, images: TensorLike, levels: int | Iterable[int], seed: Seed,
             temperature: float = 1., condition: Condition = None) -> tf.Tensor:
    """Draws the latents of `levels` anew and keeps all others: images `[B, H, W, C]`.

    The images change in what these levels hold. In a multi-scale flow the finest levels hold
    texture, the coarsest the shape.

    Args:
        flow: The flow.
        images: `[B, H, W, C]`.
        levels: The number of the level, or several, the finest being 0.
        seed: Two integers; each image of the batch gets its own draw.
        temperature: The temperature of the drawn latents, see `with_temperature`.
        condition: The condition of the images, if the flow takes one.

    Raises:
        ValueError: If images have another dtype or shape or are out of range, if a level is not
            there, or if the temperature is negative.

    #### References
    Dinh, Sohl-Dickstein and Bengio, *RealNVP*, 2017, arXiv:1605.08803, appendix D.

    ```python
    >>> import tensorflow as tf, tfp_glow
    >>> flow = tfp_glow.flows.glow((4, 4, 1), levels=2, steps_per_level=1, width=4)
    >>> images = tf.zeros([2, 4, 4, 1])
    >>> changed = tfp_glow.editing.resample(flow, images, levels=0, seed=[1, 2])
    >>> [bool(tf.norm(z) > 1e-3) for z in flow.bijector.inverse(changed)]
    [True, False]

    ```
    """
    drawn_levels = check_levels(flow, 'levels', levels)
    latents = encode(flow, images, condition)
    base = with_temperature(flow, temperature).distribution
    drawn = tf.nest.flatten(base.sample(tf.shape(latents[0])[0], seed=seed))
    return decode(flow, [d if level in drawn_levels else z for level, (z, d) in enumerate(
        zip(latents, drawn))], condition)


def reconstruct(flow: tfd.Distribution, images: TensorLike, kept_levels: int | Iterable[int],
                condition: Condition = None) -> tf.Tensor:
    """Rebuilds `images` from part of their latents: `[B, H, W, C]`.

    The latents of all levels but `kept_levels` are set to the mode of the base. If all are kept,
    this is the round trip of the flow.

    Args:
        flow: The flow.
        images: `[B, H, W, C]`.
        kept_levels: The number of the level, or several (or none), the finest being 0.
        condition: The condition of the images, if the flow takes one.

    Raises:
        ValueError: If images have another dtype or shape or are out of range, or if a level is not
            there.

    #### References
    Dinh, Sohl-Dickstein and Bengio, *RealNVP*, 2017, arXiv:1605.08803, section 3.6: latents that
    leave early hold the fine detail.

    ```python
    >>> import tensorflow as tf, tfp_glow
    >>> flow = tfp_glow.flows.glow((4, 4, 1), levels=2, steps_per_level=1, width=4)
    >>> images = tf.fill([2, 4, 4, 1], .25)
    >>> coarse = tfp_glow.editing.reconstruct(flow, images, kept_levels=[1])
    >>> [bool(tf.norm(z) > 1e-3) for z in flow.bijector.inverse(coarse)]
    [False, True]

    ```
    """
    kept = check_levels(flow, 'kept_levels', kept_levels)
    latents = encode(flow, images, condition)
    parts = base_parts(flow)
    return decode(flow, [
        z if level in kept else tf.broadcast_to(part.mode(), tf.shape(z))
        for level, (part, z) in enumerate(zip(parts, latents))], condition)


def temperature_sweep(flow: tfd.Distribution, temperatures: TensorLike, n: int, seed: Seed,
                      condition: Condition = None) -> tf.Tensor:
    """Draws `n` samples, each at every one of `temperatures`.

    All temperatures scale the same noise, so that each row is one sample that grows more varied.

    Args:
        flow: The flow.
        temperatures: Numbers >= 0; 0 is the mode of the base.
        n: The number of samples, at least 1.
        seed: Two integers.
        condition: The condition of the samples, `[n, ...]`, if the flow takes one.

    Returns:
        Images `[n, len(temperatures), H, W, C]`.

    Raises:
        ValueError: If `n` is less than 1, or if temperatures are not finite numbers >= 0.

    #### References
    Kingma and Dhariwal, *Glow*, 2018, arXiv:1807.03039, figure 8.

    ```python
    >>> import tfp_glow
    >>> flow = tfp_glow.flows.glow((4, 4, 1), levels=2, steps_per_level=1, width=4)
    >>> tfp_glow.editing.temperature_sweep(flow, [0, .7, 1], n=4, seed=[1, 2]).shape
    TensorShape([4, 3, 4, 4, 1])

    ```
    """
    check_count('n', n, 1)
    temperatures = finite_vector('temperatures', temperatures, flow.dtype)
    draws = [tf.nest.flatten(with_temperature(flow, t).distribution.sample(n, seed=seed))
             for t in tf.unstack(temperatures)]
    return decode_series(flow, [tf.stack(z) for z in zip(*draws)], condition)
