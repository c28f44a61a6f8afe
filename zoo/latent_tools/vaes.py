"""What `zoo.latents` does with a trained VAE: each tool gives rows of images, `[B, T, H, W, C]`.

A tool is called as `tool(source, images, options)`: a `VaeImages`, integer images as floats, and a
`ToolOptions`. It makes pictures (`LatentModel.picture`), of the centre of q(z|x) where they are of
an image.
"""

from typing import Any

import tensorflow as tf
from tensorflow_probability import distributions as tfd

from zoo.cli import errors


def interpolate(source: Any, images: Any, options: Any) -> tf.Tensor:
    """From each image to the next, straight between their latents; the images at the ends."""
    if options.spherical:
        raise errors.UsageError('--spherical must be left out for a VAE, whose latents of images '
                                'are no draws of the prior; got it.')
    if len(images) < 2:
        raise errors.UsageError('--images must hold at least two to interpolate between; got one.')
    weight = tf.linspace(0., 1., options.steps)
    mixed = []
    for z in source.vae.encode(images):
        w = tf.reshape(weight, [-1, *[1] * (z.shape.rank - 1)])
        mixed.append((1 - w) * z[:-1, tf.newaxis] + w * z[1:, tf.newaxis])
    return tf.concat([images[:-1, tf.newaxis], source.decoded(mixed), images[1:, tf.newaxis]], 1)


def traverse(source: Any, images: Any, options: Any) -> tf.Tensor:
    """One entry of one group of latents over a range of values, the prior's being about 0 +- 1."""
    latents = source.vae.encode(images)
    level = len(latents) - 1 if options.level is None else options.level
    if not 0 <= level < len(latents):
        raise errors.UsageError(f'--level must be in 0 .. {len(latents) - 1}; got {level}.')
    size = latents[level][0].shape.num_elements()
    if not 0 <= options.index < size:
        raise errors.UsageError(f'--index must be in 0 .. {size - 1}; got {options.index}.')
    reach = 3. if options.strength is None else options.strength
    values = tf.linspace(-reach, reach, options.steps)
    rows = [tf.repeat(z[:, tf.newaxis], options.steps, 1) for z in latents]
    flat = tf.reshape(rows[level], [len(images), options.steps, size])
    chosen = tf.one_hot(options.index, size, True, False)
    flat = tf.where(chosen, values[:, tf.newaxis], flat)
    rows[level] = tf.reshape(flat, rows[level].shape)
    return source.decoded(rows)


def temperature(source: Any, images: Any, options: Any) -> tf.Tensor:
    """The same samples at several temperatures."""
    del images
    return tf.stack([
        source.vae.sample(options.num, [source.seed, 0], t, mean=True)
        for t in options.temperatures], 1)


def reconstruct(source: Any, images: Any, options: Any) -> tf.Tensor:
    """The images and their reconstructions."""
    del options
    return tf.stack([images, source.vae.reconstruct(images)], 1)


def manifold(source: Any, images: Any, options: Any) -> tf.Tensor:
    """The plane of two latents, at the middles of equally likely cells of a standard Normal."""
    del images
    shapes = [tuple(shape) for shape in source.vae.latent_shapes]
    if shapes != [(2,)]:
        raise errors.UsageError('--tool=manifold needs a model with --latent_dims=2; its latents '
                                f'have the shapes {shapes}.')
    shares = (tf.range(options.steps, dtype=tf.float32) + .5) / options.steps
    values = tfd.Normal(0., 1.).quantile(shares)
    across, down = tf.meshgrid(values, -values)  # Up is more.
    return source.decoded([tf.stack([across, down], -1)])
