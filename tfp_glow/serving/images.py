"""`ImageAnswers`, a flow over data in [-1/2, 1/2) as a model of integer images."""

import math
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfp_glow import dequantization
from tfp_glow.serving import answers
from tfp_glow.serving.frame import Frame
from tfp_glow.types import Seed


class FramedAnswers(answers.Answers):
    """`Answers` about uint8 images, `[B, H, W, C]`, 0 .. bins-1, in a frame.

    Args:
        flow: A distribution over images `[H, W, C]`.
        bins: The number of grey levels, 2 .. 256.
        frame: The `Frame` between these images and the flow's events.
        classes: The number of classes, as for `Answers`.
        towers: The number of shares of a batch, as for `Answers`.
    """

    kind = 'images'

    def __init__(self, flow: tfd.Distribution, bins: int, frame: Frame,
                 classes: int | None = None, towers: int = 1) -> None:
        self.bins, self.frame = bins, frame
        self._modelled = int(np.prod(frame.event_shape))
        self._counted = int(np.prod(frame.image_shape))
        super().__init__(flow, classes, towers)

    @property
    def event_spec(self) -> tf.TensorSpec:
        """The spec of a batch of images."""
        return tf.TensorSpec([None, *self.frame.image_shape], tf.uint8)

    @property
    def about(self) -> dict[str, Any]:
        """What `bundle.json` says of images."""
        return {'bins': self.bins, 'image_shape': self.frame.image_shape}

    def round_trip(self, events: np.ndarray, again: np.ndarray) -> tuple[float, str | None]:
        """Returns `(figure, complaint)` about `again`, which should be `events`.

        The figure is the number of values that differ.
        """
        changed = int(np.sum(again != events))
        return changed, f'changes {changed} of {events.size} values' if changed else None

    def _padded(self, images: tf.Tensor, question: str) -> tf.Tensor:
        return self.frame.pad(checked_levels(images, self.bins, question))


class ImageAnswers(FramedAnswers):
    """`Answers` about uint8 images, `[B, H, W, C]`, 0 .. bins-1, from a flow over reals.

    The flow is a `tfd.TransformedDistribution` over data in [-1/2, 1/2). The arguments are those of
    `FramedAnswers`.
    """

    @property
    def densities(self) -> dict[str, answers.Specs]:
        """The questions about the density, which both draw noise."""
        specs = {'images': self.event_spec, 'seed': answers.seed_spec()}
        return {'log_prob': specs, 'bits_per_dim': specs}

    def log_prob(self, images: tf.Tensor, seed: Seed = 0,
                 label: tf.Tensor | None = None) -> tf.Tensor:
        """Returns a lower bound of log P(image) in nats, `[B]`, from one draw of uniform noise."""
        return (self._log_density(images, seed, label, 'log_prob')
                - self._modelled * math.log(self.bins))

    def bits_per_dim(self, images: tf.Tensor, seed: Seed = 0,
                     label: tf.Tensor | None = None) -> tf.Tensor:
        """Returns an upper bound of -log2 P(image) over the numbers in an original image, `[B]`."""
        return dequantization.bits_per_dim(
            self._log_density(images, seed, label, 'bits_per_dim'), self._modelled, self.bins,
            self._counted)

    def _log_density(self, images: tf.Tensor, seed: Seed, label: tf.Tensor | None,
                     question: str) -> tf.Tensor:
        seed = answers.pair(question, seed)
        noisy = dequantization.dequantize(self._padded(images, question), self.bins, seed)
        labels = self._labels(label, tf.shape(images)[0], question)
        return self._analyse(tf.cast(noisy, self.flow.dtype), *labels)[0]

    def _data(self, events: tf.Tensor, question: str) -> tf.Tensor:
        """Returns the middle of each grey level's interval."""
        middle = tf.cast(self._padded(events, question), self.flow.dtype) + .5
        return middle / self.bins - .5

    def _made(self, data: tf.Tensor) -> tf.Tensor:
        return self.frame.crop(dequantization.quantize(data, self.bins))


def checked_levels(images: tf.Tensor, bins: int, question: str) -> tf.Tensor:
    """Returns uint8 images, and fails unless their grey levels are below `bins`."""
    if bins == 256:
        return images
    levels = tf.cast(images, tf.int32)
    with tf.control_dependencies([
            answers.check(tf.reduce_all(levels < bins),
                          f'{question}: images must have grey levels below {bins}; got',
                          tf.reduce_max(levels))]):
        return tf.identity(images)
