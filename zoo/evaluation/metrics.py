"""Figures of a trained model: its likelihood on a split, and the error of its round trip.

Images have bits per dimension, vectors have a log-likelihood in nats.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

import tfp_glow
from zoo.data.splits import Batches
from zoo.data.vector_data import VectorData
from zoo.models.assembly import Model


def bits_per_dim(model: Model, data: Batches, split: str, draws: int = 1, batch_size: int = 250,
                 limit: int | None = None) -> tuple[float, float, int]:
    """Returns mean, standard error and number of images of bits/dim over a split.

    The bits of an image are the mean over independent draws; the standard error is that of the mean
    over images. The model has its averaged weights.

    Args:
        model: The model.
        data: Its data.
        split: 'train', 'validation' or 'test'.
        draws: The number of draws of dequantization noise, or of latents, for each image.
        batch_size: The number of images that are evaluated at once.
        limit: The number of images, the first of the split; None for all.
    """
    batches = data.evaluation(split, batch_size, limit=limit, labels=model.objective.conditional)
    bits = np.mean([np.concatenate(list(_per_example(model, batches, draw)))
                    for draw in range(draws)], axis=0)
    return bits.mean(), bits.std(ddof=1) / np.sqrt(len(bits)), len(bits)


def log_likelihood(model: Model, data: VectorData, split: str, batch_size: int = 1000,
                   limit: int | None = None) -> tuple[float, float, int]:
    """Returns mean, standard error and number of rows of log p in nats over a split.

    The density is that in the units of the data as they came.

    Args:
        model: The model.
        data: Its data.
        split: 'train', 'validation' or 'test'.
        batch_size: The number of rows that are evaluated at once.
        limit: The number of rows, the first of the split; None for all.
    """
    nats, error, count = bits_per_dim(model, data, split, 1, batch_size, limit)
    return data.log_scale_correction - nats, error, count


def round_trip_errors(model: tfp_glow.FlowModel, kinds: dict[str, np.ndarray],
                      labels: np.ndarray | None = None) -> dict[str, float | None]:
    """Returns `{kind: largest |forward(inverse(y)) - y|}` by kind of example.

    Images are dequantized to the middle of the bin, and their errors are in units of the pixel
    range. The error is None if `forward` gives no answer: a searched inverse says so if it does not
    converge, far from the data.

    Args:
        model: The model.
        kinds: Images or vectors, as the data set gives them, by kind.
        labels: Labels, for a model that is given labels; they are repeated as often as needed.
    """
    trip = RoundTrip(model)
    return {kind: _error(trip, x, None if labels is None else np.resize(labels, len(x)))
            for kind, x in kinds.items()}


def with_strange_images(images: np.ndarray, bins: int) -> dict[str, np.ndarray]:
    """Returns test images, uniform noise and constant images of the same shape, by kind."""
    rng = np.random.default_rng(0)
    levels = np.linspace(0, bins - 1, 17).round()
    constant = np.broadcast_to(levels[:, None, None, None], (17, *images.shape[1:]))
    return {'test images': images,
            'uniform noise': rng.integers(0, bins, (64, *images.shape[1:])),
            'constant images': constant}


def format_error(error: float | None) -> str:
    """Returns a value of `round_trip_errors` as a text."""
    return 'forward does not converge' if error is None else f'{error:.1e}'


def _error(trip: 'RoundTrip', examples: np.ndarray, labels: np.ndarray | None) -> float | None:
    try:
        return trip.error(examples, labels)
    except tf.errors.InvalidArgumentError:
        return None


class RoundTrip:
    """The error of `forward(inverse(y))`, by two separate graphs, so that no cache can answer.

    Args:
        model: The model.

    Attributes:
        latents: The latents of the examples that `error` was last called with.
    """

    def __init__(self, model: tfp_glow.FlowModel) -> None:
        self._model = model
        self.latents: Any = []
        self._inverse, self._forward = (
            tf.function(direction, reduce_retracing=True, autograph=False)
            for direction in (model.flow.bijector.inverse, model.flow.bijector.forward))

    def error(self, examples: np.ndarray, labels: np.ndarray | None = None) -> float:
        """Returns the largest error over examples, in units of the pixel range.

        The model has its averaged weights.

        Args:
            examples: Images or vectors, as the data set gives them.
            labels: Their labels, for a model that is given labels.
        """
        given = {} if labels is None else {'condition': tf.constant(labels)}
        objective = self._model.objective
        data, pixel_range = np.asarray(examples, np.float32), 1.
        if objective.bins is not None:
            data = objective.to_middles(data).numpy()
            pixel_range = objective.bins * objective.grey_level
        with self._model.averaged_weights():
            latents = self._inverse(tf.constant(data), **given)
            self.latents = tf.nest.map_structure(lambda z: z.numpy(), latents)
            again = self._forward(tf.nest.map_structure(tf.constant, self.latents), **given)
        return float(np.max(np.abs(again - data))) / pixel_range


def _per_example(model: Model, batches: tf.data.Dataset, draw: int) -> Iterator[np.ndarray]:
    """Yields the bits of each example, batch by batch, for the draw of this number."""
    @tf.function(reduce_retracing=True, autograph=False)
    def bits(seed: tf.Tensor, examples: tf.Tensor, *labels: tf.Tensor) -> tf.Tensor:
        return model.bits(examples, seed, *labels)
    with model.averaged_weights():
        for index, batch in enumerate(batches):
            batch = batch if isinstance(batch, tuple) else (batch,)
            yield bits(tf.constant([index, 7919 * (draw + 1)]), *batch).numpy()
