"""What `zoo.latents` does with a trained VAE: each tool gives rows of images, `[B, T, H, W, C]`.

A tool is called as `tool(subject, images, options)`, the options being the program's flags. What
it makes are pictures (`LatentModel.picture`), of the centre of q(z|x) where they are of an image.
"""

import tensorflow as tf
from tensorflow_probability import distributions as tfd

from zoo.cli import errors
from zoo.evaluation import vae_results
from zoo.latent_tools import flows as flow_tools


class Subject(flow_tools.Subject):
    """A trained VAE and its data: what the tools work on. Images are integers, as floats."""

    picture_bins = 256  # Of `pictures`: the mean of black and white is grey.

    @property
    def vae(self):
        """The VAE of the model."""
        return self.model.vae

    def pictures(self, data):
        """Pictures as 256 levels of grey, without padding."""
        return vae_results.greys(self.data.crop(data), self.model.bins)

    def decoded(self, latents):
        """Rows of images from latents `[B, T, *shape]` of each group."""
        rows, columns = latents[0].shape[:2]
        flat = [tf.reshape(tf.cast(z, tf.float32), [rows * columns, *z.shape[2:]])
                for z in latents]
        return tf.reshape(self.vae.picture(flat), [rows, columns, *self.data.image_shape])

    def _to_data(self, images):
        return tf.cast(self.prepare(images), tf.float32)


def interpolate(subject, images, options):
    """From each image to the next, straight between their latents; the images at the ends."""
    if options.spherical:
        raise errors.UsageError('--spherical must be left out for a VAE, whose latents of images '
                                'are no draws of the prior; got it.')
    if len(images) < 2:
        raise errors.UsageError('--images must hold at least two to interpolate between; got one.')
    weight = tf.linspace(0., 1., options.steps)
    mixed = []
    for z in subject.vae.encode(images):
        w = tf.reshape(weight, [-1, *[1] * (z.shape.rank - 1)])
        mixed.append((1 - w) * z[:-1, tf.newaxis] + w * z[1:, tf.newaxis])
    return tf.concat([images[:-1, tf.newaxis], subject.decoded(mixed), images[1:, tf.newaxis]], 1)


def traverse(subject, images, options):
    """One entry of one group of latents over a range of values, the prior's being about 0 +- 1."""
    latents = subject.vae.encode(images)
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
    return subject.decoded(rows)


def temperature(subject, images, options):
    """The same samples at several temperatures."""
    del images
    return tf.stack([
        subject.vae.sample(options.num, [subject.seed, 0], float(t), mean=True)
        for t in options.temperatures], 1)


def reconstruct(subject, images, options):
    """The images and their reconstructions."""
    del options
    return tf.stack([images, subject.vae.reconstruct(images)], 1)


def manifold(subject, images, options):
    """The plane of two latents, at the middles of equally likely cells of a standard Normal."""
    del images
    shapes = [tuple(shape) for shape in subject.vae.latent_shapes]
    if shapes != [(2,)]:
        raise errors.UsageError('--tool=manifold needs a model with --latent_dims=2; its latents '
                                f'have the shapes {shapes}.')
    shares = (tf.range(options.steps, dtype=tf.float32) + .5) / options.steps
    values = tfd.Normal(0., 1.).quantile(shares)
    across, down = tf.meshgrid(values, -values)  # Up is more.
    return subject.decoded([tf.stack([across, down], -1)])
