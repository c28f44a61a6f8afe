"""The tools of `zoo.latents` for a trained flow. A tool returns rows of images, [B, T, H, W, C].

A tool is called as `tool(source, images, options)`. `source` is a `FlowImages`; `images` are data
of the flow, [B, H, W, C], or None for a tool that takes no images; `options` is a `ToolOptions`.
"""

import numpy as np
import tensorflow as tf

from tfp_glow import editing
from zoo.cli import errors
from zoo.data.image_data import ImageData
from zoo.latent_tools.conversion import FlowImages
from zoo.latent_tools.options import ToolOptions


def interpolate(source: FlowImages, images: tf.Tensor, options: ToolOptions) -> tf.Tensor:
    """Returns the way from each image to the next, between their latents."""
    if len(images) < 2:
        raise errors.UsageError('--images must hold at least two to interpolate between; got one.')
    return editing.interpolate(source.flow, images[:-1], images[1:], options.steps,
                               options.spherical)


def traverse(source: FlowImages, images: tf.Tensor, options: ToolOptions) -> tf.Tensor:
    """Returns the images with one entry of one latent at a range of values."""
    level = _levels(source) - 1 if options.level is None else options.level
    reach = 3. if options.strength is None else options.strength
    return editing.traverse(source.flow, images, level, options.index,
                            np.linspace(-reach, reach, options.steps))


def resample(source: FlowImages, images: tf.Tensor, options: ToolOptions) -> tf.Tensor:
    """Returns the images; then those with each level drawn anew, or several draws of one level."""
    if options.level is None:
        draws = [(level, 0) for level in range(_levels(source))]
    else:
        draws = [(options.level, i) for i in range(options.steps - 1)]
    return _beside(images, *[
        editing.resample(source.flow, images, level, [source.seed, i], options.temperature)
        for level, i in draws])


def temperature(source: FlowImages, images: tf.Tensor, options: ToolOptions) -> tf.Tensor:
    """Returns the same samples at several temperatures."""
    del images
    return editing.temperature_sweep(
        source.flow, list(options.temperatures), options.num, [source.seed, 0])


def attribute(source: FlowImages, images: tf.Tensor, options: ToolOptions) -> tf.Tensor:
    """Returns the images with more and more of what one class has and another has not."""
    direction = editing.attribute_direction(
        source.flow, source.class_batches(options.positive, 'positive', options.class_images),
        source.class_batches(options.negative, 'negative', options.class_images))
    strength = 1. if options.strength is None else options.strength
    return editing.edit(source.flow, images, direction, np.linspace(0, strength, options.steps))


def reconstruct(source: FlowImages, images: tf.Tensor, options: ToolOptions) -> tf.Tensor:
    """Returns the images; then what more and more of their latents give, the coarsest first."""
    del options
    count = _levels(source)
    return _beside(images, *[
        editing.reconstruct(source.flow, images, range(count - kept, count))
        for kept in range(count + 1)])


def inpaint(source: FlowImages, images: tf.Tensor, options: ToolOptions) -> tf.Tensor:
    """Returns the images; then what is known of them; then the way to the result."""
    mask = hidden(options.mask, source.data)
    filled = editing.inpaint(
        source.flow, images, mask, options.ascent_steps, options.step_size, [source.seed, 0],
        frames=min(options.steps, options.ascent_steps))
    return tf.concat([_beside(images, tf.where(mask, 0., images)), filled.frames], 1)


def hidden(part: str, data: ImageData) -> np.ndarray:
    """Returns a mask over the padded image, booleans [H, W, 1]: True where it is hidden.

    Padding repeats the pixel beside it, so it is hidden if that pixel is.

    Args:
        part: The part of the original image to hide: 'top', 'bottom', 'left', 'right' or 'middle'.
        data: The data set of the image.
    """
    height, width = data.original_shape[:2]
    rows, columns = np.arange(height)[:, None], np.arange(width)
    mask = {'top': rows < height // 2, 'bottom': rows >= height // 2,
            'left': columns < width // 2, 'right': columns >= width // 2,
            'middle': ((abs(2 * rows + 1 - height) <= height // 2)
                       & (abs(2 * columns + 1 - width) <= width // 2))}[part]
    extra = [a - b for a, b in zip(data.image_shape, (height, width))]
    return np.pad(np.broadcast_to(mask, (height, width)),
                  [(e // 2, e - e // 2) for e in extra], mode='edge')[..., np.newaxis]


def _levels(source: FlowImages) -> int:
    return len(tf.nest.flatten(source.flow.bijector.inverse_event_shape(
        source.data.image_shape)))


def _beside(*columns: tf.Tensor) -> tf.Tensor:
    return tf.stack(columns, 1)
