"""Fills in hidden pixels by ascending the density of the whole image."""

import math
import typing

import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfp_glow.editing import latents
from tfp_glow.types import Condition, Seed, TensorLike

# These are the images, log p and its gradient, and the step size of each image.
_State = tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]

_GROWTH, _SHRINKAGE = 1.2, .5


class Inpainting(typing.NamedTuple):
    """Holds the result of `inpaint`.

    Args:
        images: The filled images, `[B, H, W, C]`, in [-1/2, 1/2].
        log_prob: The log-density of the start and after each step, `[B, steps + 1]`, in nats.
        frames: Images on the way, `[B, frames, H, W, C]`, the last being `images`.
    """

    images: tf.Tensor
    log_prob: tf.Tensor
    frames: tf.Tensor


def inpaint(flow: tfd.Distribution, images: TensorLike, mask: TensorLike, steps: int,
            step_size: float, seed: Seed, *, noise: float = 1., backtrack: bool = True,
            frames: int = 1, condition: Condition = None) -> Inpainting:
    """Fills in the pixels under `mask` by projected stochastic gradient ascent on log p.

    ```none
    x <- clip(x + a (d log p(x) / d x + noise * e), -1/2, 1/2) under the mask,    e ~ N(0, 1)
    ```

    All other pixels stay as they are. The hidden ones start as uniform noise, whatever `images`
    holds there. The reference has noise 1 and a = step_size * 100 / (100 + i) in step i, with
    step_size = .1 on data in [0, 1]; this is `backtrack=False`. How large a step may be depends on
    how sharp the density is, that is on the flow, the data and the image. So by default a step that
    would lower an image's log p is not taken, and halves this image's a, while each step that
    raises it makes a larger by a fifth. Then log p never falls, and `step_size` is only the first
    attempt. With more steps x comes to rest at a mode, which for most flows is smoother than images
    are.

    Args:
        flow: The flow.
        images: `[B, H, W, C]`.
        mask: Booleans, True for the pixels to fill in, that broadcast to the images.
        steps: The number of steps, at least 1; all run in one loop inside TensorFlow.
        step_size: The size of the first step, a number > 0.
        seed: Two integers, for the start and the noise.
        noise: The standard deviation of what is added to the gradient, at least 0.
        backtrack: Whether to adapt the step size and refuse steps down, see above.
        frames: How many images of the way to return, evenly spaced; 1 .. steps.
        condition: The condition of the images, if the flow takes one.

    Returns:
        An `Inpainting`, `(images, log_prob, frames)`.

    Raises:
        ValueError: If images have another dtype or shape or are out of range, if the mask is not
            boolean or does not fit or hides nothing, or if a number is out of its range.

    #### References
    Dinh, Krueger and Bengio, *NICE*, 2015, arXiv:1410.8516, section 5.2.

    ```python
    >>> import tensorflow as tf, tfp_glow
    >>> flow = tfp_glow.flows.glow((4, 4, 1), levels=1, steps_per_level=1, width=4)
    >>> upper = tf.range(4)[:, tf.newaxis, tf.newaxis] < 2
    >>> images = tf.fill([1, 4, 4, 1], .25)
    >>> filled = tfp_glow.editing.inpaint(
    ...     flow, images, upper, steps=50, step_size=.1, seed=[1, 2], noise=0.).images
    >>> filled[0, :, 0, 0].numpy().round(2) + 0  # An untrained flow has its mode at 0.
    array([0.  , 0.  , 0.25, 0.25], dtype=float32)

    ```
    """
    images = latents.check_images(flow, images)
    mask = _checked_mask(mask, images.shape)
    latents.check_count('steps', steps, 1)
    latents.check_count('frames', frames, 1)
    if frames > steps:
        raise ValueError(f'frames must be at most steps, {steps}; got {frames=}.')
    if not 0 < step_size < math.inf:
        raise ValueError(f'step_size must be finite and positive; got {step_size=}.')
    if not 0 <= noise < math.inf:
        raise ValueError(f'noise must be finite and at least 0; got {noise=}.')
    ascent = _Ascent(flow, mask, seed, step_size, noise, backtrack, condition)
    return Inpainting(*tf.function(ascent.run, autograph=False)(images, steps, frames))


class _Ascent:
    """Runs the loop; its state is `(x, log p, gradient, step size of each image)`."""

    def __init__(self, flow: tfd.Distribution, mask: tf.Tensor, seed: Seed, step_size: float,
                 noise: float, backtrack: bool, condition: Condition) -> None:
        self._flow, self._mask, self._condition = flow, mask, condition
        self._seed = tf.convert_to_tensor(seed)
        self._step_size, self._noise, self._backtrack = step_size, noise, backtrack

    def run(self, images: tf.Tensor, steps: int, frames: int,
            ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Returns the parts of an `Inpainting`."""
        start = tf.random.stateless_uniform(
            tf.shape(images), self._folded(0), -.5, .5, images.dtype)
        x = tf.where(self._mask, start, images)
        state = (x, *self._density(x), tf.fill(
            tf.shape(images)[:1], tf.constant(self._step_size, images.dtype)))
        ends = {(f + 1) * steps // frames - 1: f for f in range(frames)}
        # This is the frame that ends with each step, or -1.
        frame = tf.constant([ends.get(i, -1) for i in range(steps)])
        trace = tf.TensorArray(images.dtype, steps + 1, element_shape=images.shape[:1])
        way = tf.TensorArray(images.dtype, frames, element_shape=images.shape)

        def step(i, state, trace, way):
            state = self._step(i, *state)
            way = tf.cond(frame[i] >= 0, lambda: way.write(frame[i], state[0]), lambda: way)
            return i + 1, state, trace.write(i + 1, state[1]), way
        _, state, trace, way = tf.while_loop(
            lambda i, *_: i < steps, step, (0, state, trace.write(0, state[1]), way),
            parallel_iterations=1)
        way = way.stack()
        return (state[0], tf.transpose(trace.stack()),
                tf.transpose(way, [1, 0, *range(2, way.shape.rank)]))

    def _step(self, i: tf.Tensor, x: tf.Tensor, log_prob: tf.Tensor, gradient: tf.Tensor,
              size: tf.Tensor) -> _State:
        axes = x.shape.rank - 1
        noise = self._noise * tf.random.stateless_normal(
            tf.shape(x), self._folded(i + 1), dtype=x.dtype)
        now = size if self._backtrack else size * tf.cast(100 / (100 + i), x.dtype)
        moved = tf.clip_by_value(x + latents.with_axes(now, axes) * (gradient + noise), -.5, .5)
        moved = tf.where(self._mask, moved, x)
        new = (moved, *self._density(moved))
        if not self._backtrack:
            return *new, size
        better = new[1] >= log_prob
        kept = [tf.where(latents.with_axes(better, a.shape.rank - 1), a, b)
                for a, b in zip(new, (x, log_prob, gradient))]
        return *kept, size * tf.where(better, tf.constant(_GROWTH, x.dtype),
                                     tf.constant(_SHRINKAGE, x.dtype))

    def _density(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns `log p` of each image, and its gradient."""
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(x)
            log_prob = latents.log_prob(self._flow, x, self._condition)
        return log_prob, tape.gradient(log_prob, x)

    def _folded(self, number: int | tf.Tensor) -> tf.Tensor:
        return tf.random.experimental.stateless_fold_in(self._seed, number)


def _checked_mask(mask: TensorLike, shape: tf.TensorShape) -> tf.Tensor:
    mask = tf.convert_to_tensor(mask)
    if mask.dtype != tf.bool:
        raise ValueError('mask must be boolean, True for the pixels to fill in; '
                         f'got dtype={mask.dtype.name}.')
    try:
        fits = tf.broadcast_static_shape(mask.shape, shape).is_compatible_with(shape)
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(f'mask must broadcast to the images, {tuple(shape)}; '
                         f'got shape={tuple(mask.shape)}.')
    known = tf.get_static_value(mask)
    if known is not None and not np.any(known):
        raise ValueError('mask must hide at least one pixel; it is False everywhere.')
    return mask
