"""What is measured of a trained model: its likelihood on a split, and the error of its round trip.

Images are measured in bits per dimension, vectors by the log-likelihood in nats.
"""

import numpy as np
import tensorflow as tf


def bits_per_dim(model, data, split, draws=1, batch_size=250, limit=None):
    """`(mean, standard error, images)` of bits/dim over a split, with the averaged weights.

    Each image's bits are the mean over `draws` independent dequantization noises; the standard
    error is that of the mean over images.
    """
    batches = data.evaluation(split, batch_size, limit=limit, labels=model.objective.conditional)
    bits = np.mean([np.concatenate(list(_per_example(model, batches, draw)))
                    for draw in range(draws)], axis=0)
    return bits.mean(), bits.std(ddof=1) / np.sqrt(len(bits)), len(bits)


def log_likelihood(model, data, split, batch_size=1000, limit=None):
    """`(mean, standard error, rows)` of log p in nats, in the units of the data as they came."""
    nats, error, count = bits_per_dim(model, data, split, 1, batch_size, limit)
    return data.log_scale_correction - nats, error, count


def round_trip_errors(model, images, labels=None):
    """`{kind: largest |forward(inverse(y)) - y|}`, in units of the pixel range, by kind of image.

    On the given images, on uniform noise and on constant images, none of them dequantized to
    anything but the middle of the bin. Vectors know the first kind only. None where `forward`
    gives no answer: a searched inverse says so when it does not converge, far from the data.
    """
    trip = RoundTrip(model)
    if model.bins is None:
        return {'test rows': _error(trip, images, labels)}
    rng = np.random.default_rng(0)
    shape = (64, *images.shape[1:])
    levels = np.linspace(0, model.bins - 1, 17).round()
    constant = np.broadcast_to(levels[:, None, None, None], (17, *images.shape[1:]))
    kinds = {'test images': images, 'uniform noise': rng.integers(0, model.bins, shape),
             'constant images': constant}
    return {kind: _error(trip, x, None if labels is None else np.resize(labels, len(x)))
            for kind, x in kinds.items()}


def format_error(error):
    """A value of `round_trip_errors`."""
    return 'forward does not converge' if error is None else f'{error:.1e}'


def _error(trip, examples, labels):
    try:
        return trip.error(examples, labels)
    except tf.errors.InvalidArgumentError:
        return None


class RoundTrip:
    """The error of `forward(inverse(y))`, by two separate graphs, so that no cache can answer."""

    def __init__(self, model):
        self._model = model
        self._inverse = tf.function(model.flow.bijector.inverse, reduce_retracing=True)
        self._forward = tf.function(model.flow.bijector.forward, reduce_retracing=True)

    def error(self, examples, labels=None):
        """The largest error over `examples`, with the averaged weights, in units of the range."""
        given = {} if labels is None else {'condition': tf.constant(labels)}
        objective = self._model.objective
        data, pixel_range = np.asarray(examples, np.float32), 1.
        if objective.bins is not None:
            data = objective.to_middles(data).numpy()
            pixel_range = objective.bins * objective.grey_level
        with self._model.averaged_weights():
            latents = self._inverse(tf.constant(data), **given)
            latents = tf.nest.map_structure(lambda z: tf.constant(z.numpy()), latents)
            again = self._forward(latents, **given)
        return float(np.max(np.abs(again - data))) / pixel_range


def _per_example(model, batches, draw):
    @tf.function(reduce_retracing=True)
    def bits(seed, examples, *labels):
        return model.bits(examples, seed, *labels)
    with model.averaged_weights():
        for index, batch in enumerate(batches):
            batch = batch if isinstance(batch, tuple) else (batch,)
            yield bits(tf.constant([index, 7919 * (draw + 1)]), *batch).numpy()
