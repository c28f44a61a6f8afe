"""`ImageAnswers`: a flow over data in [-1/2, 1/2) as a model of integer images."""

import math

import numpy as np
import tensorflow as tf

from tfp_glow import dequantization
from tfp_glow.serving import answers


class ImageAnswers(answers.Answers):
    """`Answers` about uint8 images, `[B, H, W, C]`, 0 .. bins-1.

    Args:
      flow: a `tfd.TransformedDistribution` over data in [-1/2, 1/2).
      bins: number of grey levels, 2 .. 256.
      frame: the `Frame` between these images and the flow's events.
      classes: as in `Answers`.
    """

    kind = 'images'

    def __init__(self, flow, bins, frame, classes=None):
        self.bins, self.frame = bins, frame
        self._modelled = int(np.prod(frame.event_shape))
        self._counted = int(np.prod(frame.image_shape))
        super().__init__(flow, classes)

    @property
    def event_spec(self):
        """A batch of images."""
        return tf.TensorSpec([None, *self.frame.image_shape], tf.uint8)

    @property
    def densities(self):
        """The questions about the density; both draw noise."""
        specs = {'images': self.event_spec, 'seed': answers.seed_spec()}
        return {'log_prob': specs, 'bits_per_dim': specs}

    @property
    def about(self):
        """What `bundle.json` says of images."""
        return {'bins': self.bins, 'image_shape': self.frame.image_shape}

    def log_prob(self, images, seed=0, label=None):
        """A lower bound of log P(image) in nats, `[B]`, from one draw of uniform noise."""
        return (self._log_density(images, seed, label, 'log_prob')
                - self._modelled * math.log(self.bins))

    def bits_per_dim(self, images, seed=0, label=None):
        """An upper bound of -log2 P(image) over the numbers in an original image, `[B]`."""
        return dequantization.bits_per_dim(
            self._log_density(images, seed, label, 'bits_per_dim'), self._modelled, self.bins,
            self._counted)

    def round_trip(self, images, again):
        """`(figure, complaint)` of `again`, which shall be `images`: how many values differ."""
        changed = int(np.sum(again != images))
        return changed, changed and f'changes {changed} of {images.size} values'

    def _log_density(self, images, seed, label, question):
        seed = answers.pair(question, seed)
        noisy = dequantization.dequantize(self._padded(images, question), self.bins, seed)
        labels = self._labels(label, tf.shape(images)[0], question)
        return self._analyse(tf.cast(noisy, self.flow.dtype), *labels)[0]

    def _data(self, events, question):
        """The middle of each grey level's interval."""
        middle = tf.cast(self._padded(events, question), self.flow.dtype) + .5
        return middle / self.bins - .5

    def _made(self, data):
        return self.frame.crop(dequantization.quantize(data, self.bins))

    def _padded(self, images, question):
        return self.frame.pad(checked_levels(images, self.bins, question))


def checked_levels(images, bins, question):
    """uint8 images, if their grey levels are below `bins`."""
    if bins == 256:
        return images
    levels = tf.cast(images, tf.int32)
    with tf.control_dependencies([
            answers.check(tf.reduce_all(levels < bins),
                          f'{question}: images must have grey levels below {bins}; got',
                          tf.reduce_max(levels))]):
        return tf.identity(images)
