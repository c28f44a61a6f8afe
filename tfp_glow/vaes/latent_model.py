"""What every VAE here can do: `LatentModel`, and what it says of a batch: `Inference`."""

from typing import NamedTuple

import tensorflow as tf
from tensorflow_probability import random as tfp_random

from tfp_glow import initialization


class Inference(NamedTuple):
    """One draw z ~ q(z|x) of all latents of a batch, and what the bounds are made of.

    ```none
    log p(x) >= E[log_likelihood - sum(kl)]         log weight of the draw = the same, without E
    ```

    Attributes:
      latents: list of tensors `[B, *latent_shape]`, one per group.
      log_likelihood: `[B]`, log p(x|z) in nats: the log of a mass, as images are integers.
      kl: list of tensors `[B, C]`, one per group, C its channels, the size of its last axis:
        log q(z|x) - log p(z) of the draw, in nats, summed over all axes but the last. With
        `closed_form`, its mean over the draws in place of that of the draw. `[B, 1]` where a
        density does not fall into summands for the channels.
    """

    latents: list
    log_likelihood: tf.Tensor
    kl: list


class LatentModel(tf.Module):
    """A model p(x|z) p(z) of integer images x, with an approximate posterior q(z|x).

    Images are `[B, H, W, C]`, integers 0 .. bins-1 of any dtype; there is no dequantization. The
    latents z are a list of groups, one tensor each. A subclass writes

    * `_features(images) -> structure of tensors`: what inference computes from the images alone,
      so that many draws share it. Axis 0 of each tensor is the batch. Nothing by default.
    * `_infer(images, features, seed, closed_form) -> Inference`.
    * `_encode(features, seed) -> latents`: a draw of q(z|x) or, where `seed` is None, its centre.
    * `_decode(latents) -> tfd.Distribution`: p(x|z), batch `[B]`, event `[H, W, C]`.
    * `_sample_latents(n, seed, temperature) -> latents`: from the prior.
    * `_initialize(images, seed)`: sets data-dependent parameters; does nothing by default.

    All that is public checks its arguments first. Networks are held through
    `tfp_glow.internal.keras_bridge`, so that `variables` lists their weights.

    Args:
      event_shape: `(H, W, C)`.
      bins: number of grey levels; 2 for binary images.
      latent_shapes: list of the groups' shapes, without the batch.
      name: name of the module.

    Raises:
      ValueError: `event_shape` is not three positive numbers; `bins` < 2; a latent shape is not
        one to three positive numbers. When called: images or latents of other shapes than these,
        images out of range.
      tf.errors.InvalidArgumentError: images out of range, in graphs; not under XLA, which drops
        assertions.
    """

    def __init__(self, event_shape, bins, latent_shapes, name='vae'):
        super().__init__(name=name)
        self.event_shape = tf.TensorShape(checked_shape('event_shape', event_shape, (3,)))
        if bins < 2:
            raise ValueError(f'bins must be at least 2; got {bins=}.')
        self.bins = int(bins)
        self.latent_shapes = [
            tf.TensorShape(checked_shape('latent_shapes', shape, (1, 2, 3)))
            for shape in latent_shapes]

    @property
    def event_dims(self):
        """D, the number of dimensions of an image."""
        return self.event_shape.num_elements()

    def features(self, images):
        """What inference computes from the images alone; see `infer`."""
        return self._features(self._checked_images(images))

    def infer(self, images, seed, closed_form=False, features=None):
        """One draw of the latents of `images` from q(z|x), as an `Inference`.

        Args:
          images: `[B, H, W, C]`.
          seed: two integers, of which the draw is a function.
          closed_form: give the divergence of Gaussians itself in place of the draw's estimate.
          features: `features(images)`, where that has been computed; the images are then not
            checked again.

        Raises:
          ValueError: `closed_form` of a posterior or a prior for which there is none.
        """
        if features is None:
            images = self._checked_images(images)
            features = self._features(images)
        return self._infer(images, features, tfp_random.sanitize_seed(seed), closed_form)

    def encode(self, images, seed=None):
        """Latents of `images`: a draw of q(z|x) or, without a seed, its centre.

        The centre is the mean of a Gaussian posterior; of one with a flow, the flow's image of the
        Gaussian's mean.
        """
        seed = None if seed is None else tfp_random.sanitize_seed(seed)
        return self._encode(self.features(images), seed)

    def decode(self, latents):
        """p(x|z), a `tfd.Distribution` with batch shape `[B]` over images of 0 .. bins-1."""
        return self._decode(self._checked_latents(latents))

    def picture(self, latents):
        """Images `[B, H, W, C]`, floats in 0 .. bins-1, without the noise of p(x|z): its mean.

        A subclass whose p(x|z) has no mean in closed form says what it gives in its place.
        """
        return self.decode(latents).mean()

    def reconstruct(self, images, seed=None):
        """The `picture` of z = encode(images): `[B, H, W, C]`."""
        return self.picture(self.encode(images, seed))

    def sample_latents(self, n, seed, temperature=1.):
        """`n` draws from the prior, standard deviations of its Gaussians times `temperature`."""
        return self._sample_latents(n, tfp_random.sanitize_seed(seed), temperature)

    def sample(self, n, seed, temperature=1., mean=False):
        """Images `[n, H, W, C]`, floats: of p(x|z) for z from the prior.

        Args:
          n: how many, an integer or scalar tensor.
          seed: two integers, of which the images are a function.
          temperature: of the prior, see `sample_latents`.
          mean: return a `picture`, which is free of the noise of p(x|z), in place of a draw.
        """
        for_latents, for_images = tfp_random.split_seed(tfp_random.sanitize_seed(seed), n=2)
        latents = self._sample_latents(n, for_latents, temperature)
        if mean:
            return self.picture(latents)
        return tf.cast(self._decode(latents).sample(seed=for_images), tf.float32)

    def initialize(self, images, seed):
        """Sets the data-dependent parameters from a batch, once; see `tfp_glow.initialize`."""
        if not initialization.is_initialized(self):
            self._initialize(self._checked_images(images), tfp_random.sanitize_seed(seed))

    def _features(self, images):
        del images
        return ()

    def _infer(self, images, features, seed, closed_form):
        raise NotImplementedError(f'{type(self).__name__} must write _infer.')

    def _encode(self, features, seed):
        raise NotImplementedError(f'{type(self).__name__} must write _encode.')

    def _decode(self, latents):
        raise NotImplementedError(f'{type(self).__name__} must write _decode.')

    def _sample_latents(self, n, seed, temperature):
        raise NotImplementedError(f'{type(self).__name__} must write _sample_latents.')

    def _initialize(self, images, seed):
        pass

    def _checked_images(self, images):
        images = tf.convert_to_tensor(images)
        if images.shape.rank != 4 or not images.shape[1:].is_compatible_with(self.event_shape):
            raise ValueError(f'images must have the shape [B, {_text(self.event_shape)}]; '
                             f'got shape={images.shape}.')
        low, high = tf.reduce_min(images), tf.reduce_max(images)
        inside = (low >= 0) & (high <= self.bins - 1) | (tf.size(images) == 0)
        message = f'images must be in 0 .. {self.bins - 1}'
        if not tf.executing_eagerly():
            with tf.control_dependencies([tf.debugging.Assert(inside, [message, low, high])]):
                return tf.identity(images)
        if not inside:
            raise ValueError(f'{message}; got values from {float(low):g} to {float(high):g}.')
        return images

    def _checked_latents(self, latents):
        if not isinstance(latents, (list, tuple)) or len(latents) != len(self.latent_shapes):
            raise ValueError(f'latents must be a list of {len(self.latent_shapes)} tensors; got '
                             f'{len(latents) if isinstance(latents, (list, tuple)) else latents}.')
        checked = []
        for i, (latent, shape) in enumerate(zip(latents, self.latent_shapes)):
            latent = tf.convert_to_tensor(latent)
            if not latent.shape[1:].is_compatible_with(shape) or latent.shape.rank == 0:
                raise ValueError(f'latents[{i}] must have the shape [B, {_text(shape)}]; '
                                 f'got shape={latent.shape}.')
            checked.append(latent)
        return checked


def centred(images, bins):
    """Integer images as networks see them, in (-1/2, 1/2): (x + 1/2) / bins - 1/2.

    ```python
    >>> import tensorflow as tf, tfp_glow
    >>> tfp_glow.vaes.centred(tf.constant([0, 1], tf.uint8), bins=2).numpy()
    array([-0.25,  0.25], dtype=float32)

    ```
    """
    return (tf.cast(images, tf.float32) + .5) / bins - .5


def checked_shape(name, shape, ranks):
    """`shape` as a list of as many positive numbers as `ranks` has among its entries.

    Raises:
      ValueError: it is none such; `name` is the argument's.
    """
    sizes = tf.TensorShape(shape).as_list()
    if len(sizes) not in ranks or None in sizes or min(sizes) < 1:
        raise ValueError(f'{name} must be {" or ".join(map(str, ranks))} positive numbers; '
                         f'got {shape}.')
    return sizes


def _text(shape):
    return ', '.join(map(str, shape.as_list()))
