"""Builds the VAEs with a vector of latents: dense and convolutional."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow as tf

from tfp_glow import networks
from tfp_glow.flows import building
from tfp_glow.internal import configs
from tfp_glow.types import Shape
from tfp_glow.vaes import flows, gaussian, latent_model, likelihoods

POSTERIORS = ('gaussian', 'iaf')


@configs.recorded
def dense_vae(event_shape: Shape, bins: int = 2, latent_dims: int = 32,
              hidden: Sequence[int] = (512, 512), *, posterior: str = 'gaussian',
              iaf_steps: int = 2, iaf_hidden: Sequence[int] = (128,), context_size: int = 64,
              prior: str = 'normal', prior_layers: int = 2, prior_hidden: Sequence[int] = (128,),
              likelihood: str | likelihoods.Likelihood | None = None,
              likelihood_options: Mapping[str, Any] | None = None, activation: str = 'relu',
              network_dtype: str | None = None, seed: int = 0,
              name: str = 'dense_vae') -> gaussian.VAE:
    """Builds a VAE whose encoder and decoder are dense networks.

    Args:
        event_shape: The shape `(H, W, C)`.
        bins: The number of grey levels; 2 for binary images.
        latent_dims: D, the size of the one vector of latents.
        hidden: The units of the encoder's hidden layers; the decoder has them in reverse order.
        posterior: 'gaussian', or 'iaf' for a Gaussian followed by `iaf_posterior`, whose steps see
            a context of the encoder.
        iaf_steps: The number of these steps.
        iaf_hidden: The units of the hidden layers of the steps' networks.
        context_size: The size of the context.
        prior: 'normal', 'maf', 'real_nvp' or 'made', see `learned_prior`.
        prior_layers: The number of layers of a learned prior.
        prior_hidden: The units of the hidden layers of the prior's networks.
        likelihood: 'bernoulli', 'normal', 'logistic', 'mixture' or one of `likelihoods`. The
            default is the first for binary images and the last for others.
        likelihood_options: A dictionary of the options of a named likelihood, such as `scale`.
        activation: The activation of the hidden layers.
        network_dtype: The Keras dtype or policy of all networks; the default is float32.
        seed: An integer. The same seed gives the same initial weights.
        name: The prefix of the variables' names.

    Returns:
        A `VAE`.

    Raises:
        ValueError: If an argument is out of its range, or if a likelihood does not fit `bins`; the
            message names it.

    #### References
    Kingma and Welling, *Auto-Encoding Variational Bayes*, 2014, arXiv:1312.6114, appendix C.

    ```python
    >>> import tfp_glow
    >>> vae = tfp_glow.vaes.dense_vae((4, 4, 1), latent_dims=2, hidden=[8], posterior='iaf')
    >>> vae.sample(3, seed=[1, 2]).shape
    TensorShape([3, 4, 4, 1])

    ```
    """
    make_encoder = functools.partial(networks.dense_encoder, event_shape, hidden=hidden,
                                     activation=activation)
    make_decoder = functools.partial(networks.dense_decoder, latent_dims, hidden=hidden[::-1],
                                     activation=activation)
    return _vector_vae(
        event_shape, bins, latent_dims, make_encoder, make_decoder, posterior, iaf_steps,
        iaf_hidden, context_size, prior, prior_layers, prior_hidden, likelihood,
        likelihood_options, network_dtype, seed, name)


@configs.recorded
def conv_vae(event_shape: Shape, bins: int = 2, latent_dims: int = 32, width: int = 16,
             levels: int = 2, blocks: int = 1, hidden: int = 256, *, posterior: str = 'gaussian',
             iaf_steps: int = 2, iaf_hidden: Sequence[int] = (128,), context_size: int = 64,
             prior: str = 'normal', prior_layers: int = 2, prior_hidden: Sequence[int] = (128,),
             likelihood: str | likelihoods.Likelihood | None = None,
             likelihood_options: Mapping[str, Any] | None = None,
             network_dtype: str | None = None, seed: int = 0,
             name: str = 'conv_vae') -> gaussian.VAE:
    """Builds a VAE whose encoder and decoder are residual convolutional networks.

    The arguments that are not named here are those of `dense_vae`.

    Args:
        event_shape: The shape `(H, W, C)`; the sides may be of any length.
        width: The channels of the first level.
        levels: How often the sides are halved and the channels doubled.
        blocks: The number of residual blocks of each level.
        hidden: The units of the dense layers between maps and latents.

    Returns:
        A `VAE`.

    Raises:
        ValueError: If `dense_vae` would raise it.

    #### References
    Kingma et al., *Improving Variational Inference with Inverse Autoregressive Flow*, 2016,
    arXiv:1606.04934, section 6.1: the VAEs of MNIST.

    ```python
    >>> import tfp_glow
    >>> vae = tfp_glow.vaes.conv_vae((6, 6, 3), bins=256, latent_dims=2, width=4, hidden=8,
    ...                              prior='maf')
    >>> vae.sample(3, seed=[1, 2]).shape
    TensorShape([3, 6, 6, 3])

    ```
    """
    sizes: dict[str, Any] = {'width': width, 'levels': levels, 'blocks': blocks, 'hidden': hidden}
    make_encoder = functools.partial(networks.conv_encoder, event_shape, **sizes)
    make_decoder = functools.partial(networks.conv_decoder, latent_dims, **sizes)
    return _vector_vae(
        event_shape, bins, latent_dims, make_encoder, make_decoder, posterior, iaf_steps,
        iaf_hidden, context_size, prior, prior_layers, prior_hidden, likelihood,
        likelihood_options, network_dtype, seed, name)


def _vector_vae(
        event_shape: Shape, bins: int, latent_dims: int, make_encoder: Callable[..., Any],
        make_decoder: Callable[..., Any], posterior: str, iaf_steps: int,
        iaf_hidden: Sequence[int], context_size: int, prior: str, prior_layers: int,
        prior_hidden: Sequence[int], likelihood: str | likelihoods.Likelihood | None,
        likelihood_options: Mapping[str, Any] | None, network_dtype: str | None, seed: int,
        name: str) -> gaussian.VAE:
    """Builds the VAE of two networks made by `make_encoder(outputs=)` and `make_decoder(shape)`."""
    building.check_choice('posterior', posterior, POSTERIORS)
    if latent_dims < 1:
        raise ValueError(f'latent_dims must be positive; got {latent_dims=}.')
    likelihood = likelihoods.make(likelihood, bins, **(likelihood_options or {}))
    height, width, channels = latent_model.checked_shape('event_shape', event_shape, (3,))
    flow = None
    if posterior == 'iaf':
        flow = flows.iaf_posterior(
            latent_dims, context_size, iaf_steps, iaf_hidden, network_dtype=network_dtype,
            seed=flows.seed_of(seed, 2), name=f'{name}/iaf')
    outputs = 2 * latent_dims + (0 if flow is None else context_size)
    dtype = network_dtype or 'float32'
    with tf.name_scope(name):  # Keras names its weights by the scope.
        encoder = make_encoder(outputs=outputs, seed=flows.seed_of(seed, 0), dtype=dtype,
                               name='encoder')
        decoder = make_decoder((height, width, likelihood.outputs(channels)), dtype=dtype,
                               seed=flows.seed_of(seed, 1), name='decoder')
    learned = flows.learned_prior(
        prior, latent_dims, prior_layers, prior_hidden, network_dtype=network_dtype,
        seed=flows.seed_of(seed, 3), name=f'{name}/prior')
    return gaussian.VAE(event_shape, encoder, decoder, likelihood, [latent_dims], learned, flow,
                        name=name)
