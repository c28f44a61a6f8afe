"""Defines `LatentModel`, what every VAE here can do, and `Inference`, what it says of a batch."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import tensorflow as tf
from tensorflow_probability import distributions as tfd
from tensorflow_probability import random as tfp_random

from tfp_glow import initialization
from tfp_glow.types import Seed, Shape, TensorLike


class Inference(NamedTuple):
    """Holds one draw z ~ q(z|x) of all latents of a batch, and what the bounds are made of.

    ```none
    log p(x) >= E[log_likelihood - sum(kl)]         log weight of the draw = the same, without E
    ```

    Attributes:
        latents: A list of tensors `[B, *latent_shape]`, one per group.
        log_likelihood: `[B]`, log p(x|z) in nats: the log of a mass, because images are integers.
        kl: A list of tensors `[B, C]`, one per group, where C is the number of its channels, the
            size of its last axis. It holds log q(z|x) - log p(z) of the draw, in nats, summed over
            all axes but the last. With `closed_form` it holds the mean over the draws instead of
            the value of the draw. It is `[B, 1]` where a density does not fall into summands for
            the channels.
    """

    latents: list[tf.Tensor]
    log_likelihood: tf.Tensor
    kl: list[tf.Tensor]


class LatentModel(tf.Module):
    """Models integer images x by p(x|z) p(z), with an approximate posterior q(z|x).

    Images are `[B, H, W, C]`, integers 0 .. bins-1 of any dtype; there is no dequantization. The
    latents z are a list of groups, one tensor each. A subclass writes these methods:

    * `_features(images) -> structure of tensors`: what inference computes from the images alone,
      so that many draws share it. Axis 0 of each tensor is the batch. The default is nothing.
    * `_infer(images, features, seed, closed_form) -> Inference`.
    * `_encode(features, seed) -> latents`: a draw of q(z|x) or, where `seed` is None, its centre.
    * `_decode(latents) -> tfd.Distribution`: p(x|z), batch `[B]`, event `[H, W, C]`.
    * `_sample_latents(n, seed, temperature) -> latents`: from the prior.
    * `_initialize(images, seed)`: sets data-dependent parameters. The default does nothing.

    All public methods check their arguments first. Networks are held through
    `tfp_glow.internal.keras_bridge`, so that `variables` lists their weights.

    Args:
        event_shape: The shape `(H, W, C)`.
        bins: The number of grey levels; 2 for binary images.
        latent_shapes: A list of the groups' shapes, without the batch.
        name: The name of the module.

    Raises:
        ValueError: If `event_shape` is not three positive numbers, if `bins` is less than 2, or if
            a latent shape is not one to three positive numbers. When the model is called, if images
            or latents have other shapes than these, or if images are out of range.
        tf.errors.InvalidArgumentError: If images are out of range in a graph; not under XLA, which
            drops assertions.
    """

    def __init__(self, event_shape: Shape, bins: int, latent_shapes: Sequence[Shape],
                 name: str = 'vae') -> None:
        super().__init__(name=name)
        self.event_shape = tf.TensorShape(checked_shape('event_shape', event_shape, (3,)))
        if bins < 2:
            raise ValueError(f'bins must be at least 2; got {bins=}.')
        self.bins = int(bins)
        self.latent_shapes = [
            tf.TensorShape(checked_shape('latent_shapes', shape, (1, 2, 3)))
            for shape in latent_shapes]

    @property
    def event_dims(self) -> int:
        """D, the number of dimensions of an image."""
        return self.event_shape.num_elements()

    def features(self, images: TensorLike) -> Any:
        """Returns what inference computes from the images alone; see `infer`."""
        return self._features(self._checked_images(images))

    def infer(self, images: TensorLike, seed: Seed, closed_form: bool = False,
              features: Any = None) -> Inference:
        """Draws the latents of `images` once from q(z|x), and returns an `Inference`.

        Args:
            images: The images, `[B, H, W, C]`.
            seed: Two integers that determine the draw.
            closed_form: Whether to give the divergence of Gaussians itself instead of the draw's
                estimate.
            features: The result of `features(images)`, if it has been computed; the images are then
                not checked again.

        Raises:
            ValueError: If `closed_form` is True and the posterior or the prior has no closed form.
        """
        if features is None:
            images = self._checked_images(images)
            features = self._features(images)
        return self._infer(images, features, tfp_random.sanitize_seed(seed), closed_form)

    def encode(self, images: TensorLike, seed: Seed | None = None) -> list[tf.Tensor]:
        """Returns latents of `images`: a draw of q(z|x) or, without a seed, its centre.

        The centre of a Gaussian posterior is its mean. The centre of a posterior with a flow is the
        flow's image of the Gaussian's mean.
        """
        seed = None if seed is None else tfp_random.sanitize_seed(seed)
        return self._encode(self.features(images), seed)

    def decode(self, latents: Sequence[TensorLike]) -> tfd.Distribution:
        """Returns p(x|z), a `tfd.Distribution` of batch shape `[B]` over images of 0 .. bins-1."""
        return self._decode(self._checked_latents(latents))

    def picture(self, latents: Sequence[TensorLike]) -> tf.Tensor:
        """Returns images without the noise of p(x|z), its mean: `[B, H, W, C]`, in 0 .. bins-1.

        The images are floats. A subclass whose p(x|z) has no mean in closed form says what it
        gives instead.
        """
        return self.decode(latents).mean()

    def reconstruct(self, images: TensorLike, seed: Seed | None = None) -> tf.Tensor:
        """Returns the `picture` of z = encode(images): `[B, H, W, C]`."""
        return self.picture(self.encode(images, seed))

    def sample_latents(self, n: int | tf.Tensor, seed: Seed,
                       temperature: float | tf.Tensor = 1.) -> list[tf.Tensor]:
        """Draws `n` times from the prior; `temperature` multiplies its standard deviations."""
        return self._sample_latents(n, tfp_random.sanitize_seed(seed), temperature)

    def sample(self, n: int | tf.Tensor, seed: Seed, temperature: float | tf.Tensor = 1.,
               mean: bool = False) -> tf.Tensor:
        """Draws images from p(x|z) for z from the prior: `[n, H, W, C]`, floats.

        Args:
            n: The number of images, an integer or scalar tensor.
            seed: Two integers that determine the images.
            temperature: The temperature of the prior, see `sample_latents`.
            mean: Whether to return a `picture`, which is free of the noise of p(x|z), instead of a
                draw.
        """
        for_latents, for_images = tfp_random.split_seed(tfp_random.sanitize_seed(seed), n=2)
        latents = self._sample_latents(n, for_latents, temperature)
        if mean:
            return self.picture(latents)
        return tf.cast(self._decode(latents).sample(seed=for_images), tf.float32)

    def initialize(self, images: TensorLike, seed: Seed) -> None:
        """Sets the data-dependent parameters from a batch, once; see `tfp_glow.initialize`."""
        if not initialization.is_initialized(self):
            self._initialize(self._checked_images(images), tfp_random.sanitize_seed(seed))

    def _features(self, images: tf.Tensor) -> Any:
        del images
        return ()

    def _infer(self, images: tf.Tensor, features: Any, seed: tf.Tensor,
               closed_form: bool) -> Inference:
        raise NotImplementedError(f'{type(self).__name__} must write _infer.')

    def _encode(self, features: Any, seed: tf.Tensor | None) -> list[tf.Tensor]:
        raise NotImplementedError(f'{type(self).__name__} must write _encode.')

    def _decode(self, latents: Sequence[tf.Tensor]) -> tfd.Distribution:
        raise NotImplementedError(f'{type(self).__name__} must write _decode.')

    def _sample_latents(self, n: int | tf.Tensor, seed: tf.Tensor,
                        temperature: float | tf.Tensor) -> list[tf.Tensor]:
        raise NotImplementedError(f'{type(self).__name__} must write _sample_latents.')

    def _initialize(self, images: tf.Tensor, seed: tf.Tensor) -> None:
        pass

    def _checked_images(self, images: TensorLike) -> tf.Tensor:
        """Returns the images as a tensor, if their shape and range are right."""
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

    def _checked_latents(self, latents: Sequence[TensorLike]) -> list[tf.Tensor]:
        """Returns the latents as tensors, if their number and shapes are right."""
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


def centred(images: TensorLike, bins: int) -> tf.Tensor:
    """Returns integer images as networks see them, in (-1/2, 1/2): (x + 1/2) / bins - 1/2.

    ```python
    >>> import tensorflow as tf, tfp_glow
    >>> tfp_glow.vaes.centred(tf.constant([0, 1], tf.uint8), bins=2).numpy()
    array([-0.25,  0.25], dtype=float32)

    ```
    """
    return (tf.cast(images, tf.float32) + .5) / bins - .5


def checked_shape(name: str, shape: Shape, ranks: Sequence[int]) -> list[int]:
    """Returns `shape` as a list of positive numbers; `ranks` holds the lengths that it may have.

    Raises:
        ValueError: If the shape is anything else; `name` is the argument's name.
    """
    sizes = tf.TensorShape(shape).as_list()
    if len(sizes) not in ranks or None in sizes or min(sizes) < 1:
        raise ValueError(f'{name} must be {" or ".join(map(str, ranks))} positive numbers; '
                         f'got {shape}.')
    return sizes


def _text(shape: tf.TensorShape) -> str:
    return ', '.join(map(str, shape.as_list()))
