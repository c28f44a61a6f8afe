"""Builders of the VAEs with a vector of latents: dense and convolutional."""

import functools

import tensorflow as tf

from tfp_glow import networks
from tfp_glow.flows import building
from tfp_glow.vaes import flows, gaussian, latent_model, likelihoods

POSTERIORS = ('gaussian', 'iaf')


def dense_vae(event_shape, bins=2, latent_dims=32, hidden=(512, 512), *, posterior='gaussian',
              iaf_steps=2, iaf_hidden=(128,), context_size=64, prior='normal', prior_layers=2,
              prior_hidden=(128,), likelihood=None, likelihood_options=None, activation='relu',
              network_dtype=None, seed=0, name='dense_vae'):
    """A VAE whose encoder and decoder are dense networks.

    Args:
      event_shape: `(H, W, C)`.
      bins: number of grey levels; 2 for binary images.
      latent_dims: D, size of the one vector of latents.
      hidden: units of the encoder's hidden layers, and of the decoder's in the other order.
      posterior: 'gaussian', or 'iaf' for a Gaussian followed by `iaf_posterior`, whose steps see a
        context of the encoder.
      iaf_steps: number of these steps.
      iaf_hidden: units of their networks' hidden layers.
      context_size: size of the context.
      prior: 'normal', 'maf', 'real_nvp' or 'made', see `learned_prior`.
      prior_layers: of a learned prior.
      prior_hidden: units of its networks' hidden layers.
      likelihood: 'bernoulli', 'normal', 'logistic', 'mixture' or one of `likelihoods`; by default
        the first for binary images and the last for others.
      likelihood_options: dictionary of the options of a named likelihood, such as `scale`.
      activation: of the hidden layers.
      network_dtype: Keras dtype or policy of all networks; float32 by default.
      seed: integer; the same seed gives the same initial weights.
      name: prefix of the variables' names.

    Returns:
      A `VAE`.

    Raises:
      ValueError: an argument out of its range, or a likelihood that does not fit `bins`; the
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


def conv_vae(event_shape, bins=2, latent_dims=32, width=16, levels=2, blocks=1, hidden=256, *,
             posterior='gaussian', iaf_steps=2, iaf_hidden=(128,), context_size=64, prior='normal',
             prior_layers=2, prior_hidden=(128,), likelihood=None, likelihood_options=None,
             network_dtype=None, seed=0, name='conv_vae'):
    """A VAE whose encoder and decoder are residual convolutional networks.

    Args:
      event_shape: `(H, W, C)`, of any sides.
      bins: see `dense_vae`, as all that is not named here.
      latent_dims: likewise.
      width: channels of the first level.
      levels: how often the sides are halved and the channels doubled.
      blocks: residual blocks of each level.
      hidden: units of the dense layers between maps and latents.
      posterior: see `dense_vae`.
      iaf_steps: likewise.
      iaf_hidden: likewise.
      context_size: likewise.
      prior: likewise.
      prior_layers: likewise.
      prior_hidden: likewise.
      likelihood: likewise.
      likelihood_options: likewise.
      network_dtype: likewise.
      seed: likewise.
      name: likewise.

    Returns:
      A `VAE`.

    Raises:
      ValueError: as `dense_vae`.

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
    sizes = {'width': width, 'levels': levels, 'blocks': blocks, 'hidden': hidden}
    make_encoder = functools.partial(networks.conv_encoder, event_shape, **sizes)
    make_decoder = functools.partial(networks.conv_decoder, latent_dims, **sizes)
    return _vector_vae(
        event_shape, bins, latent_dims, make_encoder, make_decoder, posterior, iaf_steps,
        iaf_hidden, context_size, prior, prior_layers, prior_hidden, likelihood,
        likelihood_options, network_dtype, seed, name)


def _vector_vae(event_shape, bins, latent_dims, make_encoder, make_decoder, posterior, iaf_steps,
                iaf_hidden, context_size, prior, prior_layers, prior_hidden, likelihood,
                likelihood_options, network_dtype, seed, name):
    """The VAE of two networks made by `make_encoder(outputs=)` and `make_decoder(shape)`."""
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
