"""Provides a tiny integer flow with fixed weights, and images to code."""

import numpy as np
import tensorflow as tf

from tfp_glow import distributions


class TinyIntegerFlow(tf.Module):
    """Two levels of squeeze, a rounded shift and a factor-out, over integers [8, 8, channels].

    No weight is zero, so that all parts matter: shifts, a prior that depends on the kept part,
    and a mixture for each position at the top. Photographs take about 7 bits a number.
    """

    num_levels = 2

    def __init__(self, channels=3, seed=0, scale=.0004):
        super().__init__()
        self.event_shape = tf.TensorShape([8, 8, channels])
        generator = np.random.default_rng(seed)

        def variable(*shape, factor=scale):
            return tf.Variable(factor * generator.normal(size=shape).astype(np.float32))
        self.shifts, self.networks = [], []
        for level in range(2):
            width = 4 * channels * 2**level
            self.shifts.append(variable(3, 3, width // 2, width // 2))
            self.networks.append(variable(3, 3, width // 2, width))
        self.top = variable(2, 2, 8 * channels, 5, 3, factor=.3)

    def decompose(self, x):
        """Returns the integers of both levels, the finer one first."""
        parts = []
        for level in range(2):
            stays, rest = tf.split(tf.nn.space_to_depth(x, 2), 2, axis=-1)
            rest = rest - self._shift(level, stays)
            parts.append(rest if level == 0 else tf.concat([stays, rest], -1))
            x = stays
        return parts

    def prior(self, level, stays, batch_size):
        """Returns the prior of the integers of a level."""
        del batch_size
        if stays is None:
            logits, loc, scale = tf.unstack(self.top, axis=-1)
            middle, width = (tf.repeat(ends, 4 * self.event_shape[-1])[:, tf.newaxis]
                             for ends in ([128., 0.], [50., 12.]))
            return distributions.DiscretizedLogisticMixture(
                logits, middle + width * loc, width * tf.exp(scale))
        loc, scale = tf.split(self._convolve(stays, self.networks[0]), 2, axis=-1)
        return distributions.DiscretizedLogistic(loc, 8 * tf.exp(scale))

    def merge(self, level, z, stays):
        """Merges the integers of a level with those of the levels above it."""
        if level == 1:
            stays, z = tf.split(z, 2, axis=-1)
        return tf.nn.depth_to_space(
            tf.concat([stays, z + self._shift(level, stays)], -1), 2)

    def _shift(self, level, stays):
        return tf.round(self._convolve(stays, self.shifts[level]) + stays)

    @staticmethod
    def _convolve(x, kernel):
        return tf.nn.conv2d(x - 128., kernel, 1, 'SAME')


def images(channels=3, size=(8, 8), count=4, seed=0):
    """Returns five kinds of images: `{kind: uint8 [count, height, width, channels]}`."""
    from sklearn import datasets
    generator, shape = np.random.default_rng(seed), (count, *size, channels)
    across = np.linspace(0, 255, size[0])[:, np.newaxis] + np.linspace(0, 64, size[1])
    photo = datasets.load_sample_image('china.jpg')
    corners = generator.integers(0, [photo.shape[0] - size[0], photo.shape[1] - size[1]],
                                 [count, 2])
    constant = generator.integers(0, 256, [count, 1, 1, channels])
    constant[:2] = [[[[0]]], [[[255]]]][:count]
    kinds = {
        'noise': generator.integers(0, 256, shape),
        'constant': np.broadcast_to(constant, shape),
        'gradient': np.broadcast_to((across % 256)[..., np.newaxis], shape),
        'text': 255 * (generator.random(shape) < .2),
        'photo': np.stack([photo[y:y + size[0], x:x + size[1], :channels] for y, x in corners])}
    return {kind: np.ascontiguousarray(values, dtype=np.uint8) for kind, values in kinds.items()}
