"""What is measured of a trained model: bits/dim on a split, and the error of its round trip."""

import numpy as np
import tensorflow as tf


def bits_per_dim(model, data, split, draws=1, batch_size=250, limit=None, prepare=lambda x: x):
    """`(mean, standard error, images)` of bits/dim over a split, with the averaged weights.

    Each image's bits are the mean over `draws` independent dequantization noises; the standard
    error is that of the mean over images.
    """
    batches = data.evaluation(split, batch_size, limit=limit).map(prepare)
    bits = np.mean([np.concatenate(list(_per_image(model, batches, draw)))
                    for draw in range(draws)], axis=0)
    return bits.mean(), bits.std(ddof=1) / np.sqrt(len(bits)), len(bits)


def round_trip_errors(model, images):
    """`{kind: largest |forward(inverse(y)) - y|}`, in units of the pixel range, by kind of image.

    On the given images, on uniform noise and on constant images, none of them dequantized to
    anything but the middle of the bin.
    """
    rng = np.random.default_rng(0)
    shape = (64, *images.shape[1:])
    levels = np.linspace(0, model.bins - 1, 17).round()
    constant = np.broadcast_to(levels[:, None, None, None], (17, *images.shape[1:]))
    kinds = {'test images': images, 'uniform noise': rng.integers(0, model.bins, shape),
             'constant images': constant}
    trip = RoundTrip(model)
    return {kind: trip.error(x) for kind, x in kinds.items()}


class RoundTrip:
    """The error of `forward(inverse(y))`, by two separate graphs, so that no cache can answer."""

    def __init__(self, model):
        self._model = model
        self._inverse = tf.function(model.flow.bijector.inverse, reduce_retracing=True)
        self._forward = tf.function(model.flow.bijector.forward, reduce_retracing=True)

    def error(self, images):
        """The largest error over `images`, with the averaged weights, in units of the range."""
        data = (np.asarray(images, np.float32) + .5) / self._model.bins - .5
        with self._model.averaged_weights():
            latents = self._inverse(tf.constant(data))
            again = self._forward([tf.constant(z.numpy()) for z in latents])
        return float(np.max(np.abs(again - data)))


def _per_image(model, batches, draw):
    @tf.function(reduce_retracing=True)
    def bits(images, seed):
        return model.bits(images, seed)
    with model.averaged_weights():
        for index, images in enumerate(batches):
            yield bits(images, tf.constant([index, 7919 * (draw + 1)])).numpy()
