"""The tools of `zoo.latents` for a trained VAE. A tool returns rows of images, [B, T, H, W, C].

A tool is called as `tool(source, images, options)`. `source` is a `VaeImages`; `images` are integer
images as floats, [B, H, W, C], or None for a tool that takes no images; `options` is a
`ToolOptions`. A tool makes pictures (`LatentModel.picture`); a picture of an image is that of the
centre of q(z|x).
"""

import tensorflow as tf
from tensorflow_probability import distributions as tfd

from zoo.cli import errors
from zoo.latent_tools.conversion import VaeImages
from zoo.latent_tools.options import ToolOptions


def interpolate(source: VaeImages, images: tf.Tensor, options: ToolOptions) -> tf.Tensor:
    """Returns the straight way from the latents of each image to the next, between the images."""
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


def traverse(source: VaeImages, images: tf.Tensor, options: ToolOptions) -> tf.Tensor:
    """Returns the images with one entry of one group of latents at a range of values.

    Under the prior, an entry is about 0 +- 1.
    """
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


def temperature(source: VaeImages, images: tf.Tensor, options: ToolOptions) -> tf.Tensor:
    """Returns the same samples at several temperatures."""
    del images
    return tf.stack([
        source.vae.sample(options.num, [source.seed, 0], t, mean=True)
        for t in options.temperatures], 1)


def reconstruct(source: VaeImages, images: tf.Tensor, options: ToolOptions) -> tf.Tensor:
    """Returns the images and their reconstructions."""
    del options
    return tf.stack([images, source.vae.reconstruct(images)], 1)


def manifold(source: VaeImages, images: tf.Tensor, options: ToolOptions) -> tf.Tensor:
    """Returns the plane of two latents, at the middles of equally likely cells of N(0, 1)."""
    del images
    shapes = [tuple(shape) for shape in source.vae.latent_shapes]
    if shapes != [(2,)]:
        raise errors.UsageError('--tool=manifold needs a model with --latent_dims=2; its latents '
                                f'have the shapes {shapes}.')
    shares = (tf.range(options.steps, dtype=tf.float32) + .5) / options.steps
    values = tfd.Normal(0., 1.).quantile(shares)
    across, down = tf.meshgrid(values, -values)  # Values increase upwards.
    return source.decoded([tf.stack([across, down], -1)])
