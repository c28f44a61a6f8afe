"""The bits that a model spends on each image, and where in the image it spends them."""

import math
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf
from scipy import special
from tensorflow_probability import distributions as tfd

import tfp_glow
from tfp_glow import dequantization, types

_BATCH = 250


class ImageLikelihood:
    """The likelihood of single images under a model of images, with its averaged weights.

    A model that is given labels becomes one of images as the mixture over its classes, which are
    all equally likely: p(x) = mean over y of p(x|y). This costs one evaluation for each class.

    Args:
        model: A `FlowModel` of integer images.
        classes: The number of classes of a model that is given labels, else None.
        seed: The seed of the dequantization noise.
    """

    def __init__(self, model: tfp_glow.FlowModel, classes: int | None = None,
                 seed: int = 0) -> None:
        self._model, self._seed = model, seed
        self._labels: Sequence[int | None] = range(classes) if classes else [None]
        spec = [tf.TensorSpec([2], tf.int32),
                tf.TensorSpec([None, *model.flow.event_shape], tf.uint8)]
        spec += [tf.TensorSpec([None], tf.int32)] * bool(classes)
        self._bits = tf.function(lambda seed, images, label=None: model.bits(images, seed, label),
                                 input_signature=spec, autograph=False)
        self._pixels = tf.function(
            lambda seed, images, label=None: bits_per_pixel(model, images, seed, label),
            input_signature=spec, autograph=False)

    def bits_per_dim(self, images: np.ndarray) -> np.ndarray:
        """Returns bits/dim of uint8 images [N, H, W, C], float64 [N], with one draw of noise each.

        An image whose density is no finite number gets infinitely many bits.
        """
        unit = self._model.counted_dims * math.log(2)
        by_label = self._by_label(images)
        bits = (math.log(len(by_label)) - special.logsumexp(-unit * by_label, axis=0)) / unit
        return np.where(np.isfinite(bits), bits, np.inf)

    def bits_per_pixel(self, images: np.ndarray) -> np.ndarray:
        """Returns the maps of the function `bits_per_pixel` of uint8 images, float64 [N, H, W].

        The model is given the likeliest label of each image.
        """
        best = np.argmin(self._by_label(images), axis=0)
        return self._over(self._pixels, images, [self._labels[i] for i in best])

    def _by_label(self, images: np.ndarray) -> np.ndarray:
        return np.stack([self._over(self._bits, images, [label] * len(images))
                         for label in self._labels])

    def _over(self, function: Callable[..., tf.Tensor], images: np.ndarray,
              labels: Sequence[int | None]) -> np.ndarray:
        batches = []
        with self._model.averaged_weights():
            for start in range(0, len(images), _BATCH):
                part = slice(start, start + _BATCH)
                given = [] if labels[0] is None else [tf.constant(labels[part], tf.int32)]
                batches.append(function(tf.constant([start // _BATCH, self._seed]),
                                        tf.constant(images[part]), *given).numpy())
        return np.concatenate(batches).astype(np.float64)


def bits_per_pixel(model: tfp_glow.FlowModel, images: types.TensorLike, seed: types.Seed,
                   label: types.TensorLike | None = None) -> tf.Tensor:
    """Returns maps of where the bits of images are spent, [B, H, W]; a map sums to all bits.

    ```none
    map[p] = 1/log 2 (  sum over latents z_j whose cell holds p of -log p(z_j) / pixels of the cell
                      + (D log(bins) - log|det J|) / pixels of the image )
    ```

    **This is no likelihood of pixels**, which a flow does not have: each latent depends on many
    pixels and the log-determinant on all. It is a choice of how to share out what does exist. The
    cell of an entry of a latent [h, w, c] is the H/h x W/w block at its place in the grid. The
    log-determinant is spread evenly, so that what varies over the map is the surprise of the
    latents alone; a coupling that expands space around an edge is not seen. If a bijector moves
    entries about (a permutation of all numbers of an image), their places mean nothing.

    Args:
        model: A `FlowModel` of integer images. Its base is a `tfd.Independent` or `tfd.Sample` of
            scalars, or a joint of such, with latents [h, w, c] whose h and w divide the sides of
            the image. Or its flow is an `IntegerFlow`, which has no log-determinant to share out.
        images: Integers [B, H, W, C].
        seed: Two integers, the seed of uniform dequantization noise, which is used even for a model
            with noise of its own.
        label: Integers [B] for a model that is given labels.

    Raises:
        ValueError: If the flow has another base, or latents of other shapes.
    """
    flow, given = model.flow, {} if label is None else {'condition': label}
    if model.bins is None:
        raise ValueError('model must be one of integer images; got one of vectors.')
    discrete = dequantization.is_discrete(flow)
    parts = [] if discrete else _parts(flow)
    data = model.to_data(images, seed)
    nats = tf.zeros_like(data[..., 0])
    if discrete:
        surprises = _surprises_of_integers(flow, data)
    else:
        latents = tf.nest.flatten(flow.bijector.inverse(data, **given))
        surprises = [-tf.reduce_sum(part.distribution.log_prob(z), axis=-1)
                     for part, z in zip(parts, latents)]
        log_det = flow.bijector.inverse_log_det_jacobian(data, event_ndims=3, **given)
        even = model.event_dims * math.log(model.bins) - log_det
        nats += even[:, tf.newaxis, tf.newaxis] / (data.shape[1] * data.shape[2])
    for surprise in surprises:
        rows, columns = (data.shape[i] // surprise.shape[i] for i in (1, 2))
        nats += tf.repeat(tf.repeat(surprise, rows, 1), columns, 2) / (rows * columns)
    return nats / math.log(2)


def _parts(flow: tfd.Distribution) -> list[tfd.Distribution]:
    """Returns the base's distribution of each latent; raises what `bits_per_pixel` does."""
    base = flow.distribution
    parts = list(base.model) if isinstance(base, tfd.JointDistribution) else [base]
    height, width = flow.event_shape[:2]
    for part in parts:
        shape = part.event_shape
        scalars = (isinstance(part, (tfd.Independent, tfd.Sample))
                   and part.distribution.event_shape.rank == 0)
        if not scalars or shape.rank != 3 or height % shape[0] or width % shape[1]:
            raise ValueError('the base of the flow must be independent scalars over [h, w, c], h '
                             f'and w dividing {height} and {width}; got {part}.')
    return parts


def _surprises_of_integers(flow: tfd.Distribution, data: tf.Tensor) -> list[tf.Tensor]:
    """Returns -log P of each level's latents given the coarser ones, summed over channels.

    There is one tensor [B, h, w] for each level, the coarsest first.
    """
    latents, stays, surprises = flow.decompose(data), None, []
    for level in reversed(range(flow.num_levels)):
        mass = flow.prior(level, stays).log_prob(latents[level])
        surprises.append(-tf.reduce_sum(mass, axis=-1))
        stays = flow.merge(level, latents[level], stays)
    return surprises
