"""`Answers`: what a flow says about integer images, as TensorFlow computations."""

import math

import numpy as np
import tensorflow as tf

from tfp_glow import dequantization
from tfp_glow.distributions import with_temperature


class Answers:
    """A flow over data in [-1/2, 1/2) as a model of uint8 images, `[B, H, W, C]`, 0 .. bins-1.

    A bad value fails the computation with one line that names the question and the argument.

    Args:
      flow: a `tfd.TransformedDistribution`.
      bins: number of grey levels, 2 .. 256.
      frame: the `Frame` between these images and the flow's events.
    """

    def __init__(self, flow, bins, frame):
        self.flow, self.bins, self.frame = flow, bins, frame
        self._modelled = int(np.prod(frame.event_shape))
        self._counted = int(np.prod(frame.image_shape))
        # Concrete, or saving would trace them anew for every question that calls them.
        data = tf.TensorSpec([None, *frame.event_shape], flow.dtype)
        latents = [tf.TensorSpec([None, *s], flow.dtype) for s in self.latent_shapes]
        self._analyse = tf.function(
            lambda x: (flow.log_prob(x), tf.nest.flatten(flow.bijector.inverse(x)))
        ).get_concrete_function(data)
        self._synthesise = tf.function(
            lambda *z: flow.bijector.forward(self._packed(z))).get_concrete_function(*latents)

    @property
    def latent_shapes(self):
        """The levels' `[H, W, C]`, the finest first."""
        shapes = self.flow.bijector.inverse_event_shape(self.frame.event_shape)
        return [s.as_list() for s in (shapes if isinstance(shapes, list) else [shapes])]

    def sample(self, n, temperature=1., seed=0):
        """`n` images; the same ones for the same seed, which is one integer or two."""
        with tf.control_dependencies([
                _check(n > 0, 'sample: n must be at least 1; got', n),
                _check((temperature >= 0) & tf.math.is_finite(temperature),
                       'sample: temperature must be finite and at least 0; got', temperature)]):
            n, temperature = tf.identity(n), tf.identity(temperature)
        base = with_temperature(self.flow, temperature).distribution
        latents = tf.nest.flatten(base.sample(n, seed=_pair('sample', seed)))
        return self._images(latents, 'sample')

    def log_prob(self, images, seed=0):
        """A lower bound of log P(image) in nats, `[B]`, from one draw of uniform noise."""
        return self._log_density(images, seed, 'log_prob') - self._modelled * math.log(self.bins)

    def bits_per_dim(self, images, seed=0):
        """An upper bound of -log2 P(image) over the numbers in an original image, `[B]`."""
        return dequantization.bits_per_dim(self._log_density(images, seed, 'bits_per_dim'),
                                           self._modelled, self.bins, self._counted)

    def encode(self, images):
        """One latent per level, the finest first; of the middle of each grey level's interval."""
        return self._encode(images, 'encode')

    def decode(self, latents):
        """The images of latents; undoes `encode`."""
        return self._decode(latents, 'decode')

    def interpolate(self, first, second, steps):
        """`[B, steps, H, W, C]`: from `first` to `second`, straight in the space of latents."""
        with tf.control_dependencies([
                _check(steps > 1, 'interpolate: steps must be at least 2; got', steps),
                _check(tf.shape(first)[0] == tf.shape(second)[0],
                       'interpolate: first and second must be as many images; got',
                       tf.shape(first)[0], tf.shape(second)[0])]):
            first, steps = tf.identity(first), tf.identity(steps)
        latents = self._encode(tf.concat([first, second], 0), 'interpolate')
        weight = tf.cast(tf.range(steps) / (steps - 1), self.flow.dtype)
        weight = weight[:, tf.newaxis, tf.newaxis, tf.newaxis]
        mixed = []
        for z, shape in zip(latents, self.latent_shapes):
            start, end = (half[:, tf.newaxis] for half in tf.split(z, 2))
            mixed.append(tf.reshape((1 - weight) * start + weight * end, [-1, *shape]))
        images = self._decode(mixed, 'interpolate')
        return tf.reshape(images, [-1, steps, *self.frame.image_shape])

    def _log_density(self, images, seed, question):
        seed = _pair(question, seed)
        noisy = dequantization.dequantize(self._padded(images, question), self.bins, seed)
        return self._analyse(tf.cast(noisy, self.flow.dtype))[0]

    def _encode(self, images, question):
        middle = tf.cast(self._padded(images, question), self.flow.dtype) + .5
        return self._analyse(middle / self.bins - .5)[1]

    def _decode(self, latents, question):
        latents = [tf.debugging.assert_all_finite(
            z, f'{question}: level_{i} must be finite; it holds NaN or infinity')
            for i, z in enumerate(latents)]
        with tf.control_dependencies([
                _check(tf.reduce_all(tf.equal([tf.shape(z)[0] for z in latents],
                                              tf.shape(latents[0])[0])),
                       f'{question}: all levels must hold as many latents; got',
                       *[tf.shape(z)[0] for z in latents])]):
            latents = [tf.identity(z) for z in latents]
        return self._images(latents, question)

    def _padded(self, images, question):
        if self.bins < 256:
            levels = tf.cast(images, tf.int32)
            with tf.control_dependencies([
                    _check(tf.reduce_all(levels < self.bins),
                           f'{question}: images must have grey levels below {self.bins}; got',
                           tf.reduce_max(levels))]):
                images = tf.identity(images)
        return self.frame.pad(images)

    def _images(self, latents, question):
        data = tf.debugging.assert_all_finite(
            self._synthesise(*latents),
            f'{question}: the flow gave no finite image; a lower temperature, or latents nearer to '
            'those of images, may help')
        return self.frame.crop(dequantization.quantize(data, self.bins))

    def _packed(self, latents):
        structure = self.flow.bijector.inverse_dtype(self.flow.dtype)
        return tf.nest.pack_sequence_as(structure, latents)


def _pair(question, seed):
    """One integer or two as the two of a stateless seed."""
    seed = tf.reshape(seed, [-1])
    with tf.control_dependencies([
            _check((tf.size(seed) == 1) | (tf.size(seed) == 2),
                   f'{question}: seed must be one integer or two; got', tf.size(seed))]):
        return tf.ensure_shape(tf.concat([seed, [0]], 0)[:2], [2])


def _check(condition, message, *values):
    return tf.debugging.Assert(condition, [message, *values])
