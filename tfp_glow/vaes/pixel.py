"""Builds the VAE whose decoder ends in a gated PixelCNN.

The latents say what is in the image, and the pixels before each pixel say how it looks.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf

from tfp_glow import distributions, networks
from tfp_glow.internal import configs, keras_bridge
from tfp_glow.types import Seed, Shape, TensorLike
from tfp_glow.vaes import flows, gaussian, vectors


class PixelVAE(gaussian.VAE):
    """Models images by a `VAE` whose likelihood is a `PixelCNN`; see `pixel_vae`.

    Samples are drawn pixel by pixel. Their mean has no closed form. The likeliest value of each
    pixel given those before makes an empty image where most pixels are background. So `picture`,
    and what is made of it, is a draw by noise that is always the same. `sample` always draws anew.
    """

    def sample(self, n: int | tf.Tensor, seed: Seed, temperature: float | tf.Tensor = 1.,
               mean: bool = False) -> tf.Tensor:
        del mean
        return super().sample(n, seed, temperature)

    def picture(self, latents: Sequence[TensorLike]) -> tf.Tensor:
        images = self.decode(latents)
        return images.from_noise(tf.random.stateless_uniform(images.event_shape, seed=[0, 0]))


class PixelCNN(tf.Module):
    """Gives the likelihood of images for a feature map of a decoder, by a gated PixelCNN.

    It is like one of `likelihoods`, but for its distribution, an `AutoregressiveImage` whose
    network is conditioned on the map.

    Args:
        event_shape: The shape `(H, W, C)` of the images.
        bins: The number of grey levels. Pixels are a `BernoulliPixel` for 2, and otherwise a
            `LogisticMixturePixel`.
        features: The channels of the decoder's map.
        components: The number of logistics of each mixture.
        network_options: A dictionary for `networks.gated_pixelcnn`: `width`, `blocks`,
            `kernel_size`, `first_kernel_size`, `seed`, `dtype`.
        caching: See `AutoregressiveImage`.
        name: The prefix of the variables' names.

    Raises:
        ValueError: If the network or the pixels raise it. When the likelihood is called, if the map
            has another shape.

    ```python
    >>> import tensorflow as tf, tfp_glow
    >>> likelihood = tfp_glow.vaes.PixelCNN((4, 4, 3), bins=256, features=6,
    ...                                     network_options={'width': 4, 'blocks': 1})
    >>> images = likelihood(tf.zeros([5, 4, 4, 6]))
    >>> images.batch_shape, images.event_shape
    (TensorShape([5]), TensorShape([4, 4, 3]))

    ```
    """

    def __init__(self, event_shape: Shape, bins: int = 2, features: int = 16,
                 components: int = 5, network_options: Mapping[str, Any] | None = None,
                 caching: bool = True, name: str = 'pixelcnn') -> None:
        super().__init__(name=name.split('/')[-1])  # A module's name has no slash.
        channels = event_shape[-1]
        self.bins, self.features, self._caching = bins, features, caching
        self.pixel = (distributions.BernoulliPixel(channels) if bins == 2 else
                      distributions.LogisticMixturePixel(channels, bins, components))
        with tf.name_scope(name):  # Keras names its weights by the scope.
            self.network = keras_bridge.as_module(networks.gated_pixelcnn(
                event_shape, self.pixel.outputs, condition_channels=features, name='network',
                **(network_options or {})))

    def outputs(self, channels: int) -> int:
        """Returns the number of channels of the decoder's map, for images of any `channels`."""
        del channels
        return self.features

    def __call__(self, raw: tf.Tensor) -> distributions.AutoregressiveImage:
        return distributions.AutoregressiveImage(
            self.network, self.pixel, condition=raw, caching=self._caching)


@configs.recorded
def pixel_vae(event_shape: Shape, bins: int = 2, latent_dims: int = 32, features: int = 16,
              pixel_width: int = 32, pixel_blocks: int = 4, *, kernel_size: int = 3,
              first_kernel_size: int = 7, components: int = 5, network_dtype: str | None = None,
              seed: int = 0, name: str = 'pixel_vae', **options: Any) -> PixelVAE:
    """Builds a PixelVAE: a convolutional VAE whose decoder ends in a few gated PixelCNN blocks.

    ```none
    z -> conv_decoder -> a map [H, W, features] -> the condition of all blocks of the PixelCNN
    log p(x|z) = sum over pixels of log p(x_i | x_<i, z)
    ```

    The PixelCNN sees as far as its blocks reach, and leaves to the latents what is beyond. The
    further it sees, the less the latents tell, until they tell nothing. Few blocks, a warm-up of
    the divergence and free bits act against that.

    Args:
        event_shape: The shape `(H, W, C)`.
        bins: The number of grey levels. Pixels are Bernoulli for 2, and mixtures of discretised
            logistics for more.
        latent_dims: D, the size of the one vector of latents.
        features: The channels of the map that the PixelCNN is conditioned on.
        pixel_width: The channels of each stack of the PixelCNN.
        pixel_blocks: The number of blocks of the PixelCNN.
        kernel_size: The kernel size of these blocks.
        first_kernel_size: The kernel size of the first of them.
        components: The number of logistics of each mixture.
        network_dtype: The Keras dtype or policy of all networks; the default is float32.
        seed: An integer. The same seed gives the same initial weights.
        name: The prefix of the variables' names.
        **options: Options of `conv_vae`, for all but the pixels: `width`, `levels`, `blocks`,
            `hidden`, `posterior`, `prior` and what these take.

    Returns:
        A `PixelVAE`.

    Raises:
        ValueError: If `conv_vae` or `networks.gated_pixelcnn` raises it.

    #### References
    * Gulrajani et al., *PixelVAE*, 2017, arXiv:1611.05013, section 3.1.
    * Van den Oord et al., *Conditional Image Generation with PixelCNN Decoders*, 2016,
      arXiv:1606.05328, section 2.4.

    ```python
    >>> import tfp_glow
    >>> vae = tfp_glow.vaes.pixel_vae((6, 6, 1), latent_dims=2, features=2, pixel_width=4,
    ...                               pixel_blocks=1, width=4, hidden=8, posterior='iaf')
    >>> vae.sample(3, seed=[1, 2]).shape
    TensorShape([3, 6, 6, 1])

    ```
    """
    likelihood = PixelCNN(
        event_shape, bins, features, components, name=f'{name}/pixelcnn', network_options={
            'width': pixel_width, 'blocks': pixel_blocks, 'kernel_size': kernel_size,
            'first_kernel_size': first_kernel_size, 'dtype': network_dtype or 'float32',
            'seed': flows.seed_of(seed, 4)})
    made = vectors.conv_vae(event_shape, bins, latent_dims, likelihood=likelihood, seed=seed,
                            network_dtype=network_dtype, name=name, **options)
    return PixelVAE(event_shape, made.encoder, made.decoder, likelihood, [latent_dims], made.prior,
                    made.posterior_flow, name=name)
