"""Defines a VAE with one group of latents; its posterior is Gaussian or a flow of a Gaussian."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow_probability import bijectors as tfb
from tensorflow_probability import distributions as tfd
from tensorflow_probability import random as tfp_random

from tfp_glow import distributions, initialization
from tfp_glow.bijectors import conditions, scale_maps
from tfp_glow.internal import draws, keras_bridge
from tfp_glow.types import Shape
from tfp_glow.vaes import latent_model, likelihoods, pushing

_LOG_SCALE = scale_maps.exponential(bound=7.)  # The soft bound of the posterior's log-scale.
_LOG_ROOT = .5 * np.log(2 * np.pi)


class VAE(latent_model.LatentModel):
    """Combines an encoder, decoder, likelihood and prior, all injected, of one group of latents.

    ```none
    [loc, s, c] = encoder(centred(x))       u = loc + exp(7 tanh(s / 7)) eps,    eps ~ N(0, 1)
    z = posterior_flow.forward(u, condition=c), or u without a flow
    log q(z|x) = log N(u; loc, scale) - log|det J_forward|
    p(x|z) = likelihood(decoder(z))
    ```

    Args:
        event_shape: The shape `(H, W, C)` of the images.
        encoder: A built Keras network or any callable, `[B, H, W, C] -> [B, ..., 2 c + k]`. Its
            output has the latents' shape but for the last axis, which holds loc, s and what the
            flow is conditioned on, in this order; k = 0 unless the flow takes a condition.
        decoder: Likewise, `[B, *latent_shape] -> [B, H, W, likelihood.outputs(C)]`.
        likelihood: A likelihood, see `likelihoods`; its `bins` are the model's.
        latent_shape: The shape `(D,)` or `(h, w, c)` of the latents.
        prior: A `tfd.Distribution` of batch shape `[]` over `latent_shape`, such as a flow; None
            for the standard Normal.
        posterior_flow: A bijector whose `forward` is parallel, such as `iaf_posterior`; None for
            the Gaussian.
        name: The name of the module.

    The divergence falls into summands for the channels if the prior is None and the flow, if there
    is one, is an `InverseAutoregressive` or a `Chain` of them; see `Inference`. It has a closed
    form if there is neither a flow nor a prior.

    Raises:
        ValueError: If shapes do not fit each other.

    #### References
    * Kingma and Welling, *Auto-Encoding Variational Bayes*, 2014, arXiv:1312.6114.
    * Rezende and Mohamed, *Variational Inference with Normalizing Flows*, 2015, arXiv:1505.05770.

    ```python
    >>> import numpy as np, tensorflow as tf, tfp_glow
    >>> vae = tfp_glow.vaes.VAE(
    ...     (2, 2, 1), encoder=tfp_glow.networks.dense_encoder((2, 2, 1), outputs=6, hidden=[8]),
    ...     decoder=tfp_glow.networks.dense_decoder(3, (2, 2, 1), hidden=[8]),
    ...     likelihood=tfp_glow.vaes.likelihoods.Bernoulli(), latent_shape=[3])
    >>> vae.decode([tf.zeros([5, 3])]).batch_shape
    TensorShape([5])
    >>> vae.infer(np.ones([5, 2, 2, 1]), seed=[1, 2]).kl[0].shape
    TensorShape([5, 3])

    ```
    """

    def __init__(self, event_shape: Shape, encoder: Any, decoder: Any,
                 likelihood: likelihoods.Likelihood, latent_shape: Shape,
                 prior: tfd.Distribution | None = None, posterior_flow: tfb.Bijector | None = None,
                 name: str = 'vae') -> None:
        super().__init__(event_shape, likelihood.bins, [latent_shape], name)
        self._latent_shape, = self.latent_shapes
        if prior is not None and not (
                prior.batch_shape.rank == 0 and prior.event_shape == self._latent_shape):
            raise ValueError(f'prior must be over {tuple(self._latent_shape)}, the latent_shape, '
                             f'with batch shape (); got event_shape={prior.event_shape}, '
                             f'batch_shape={prior.batch_shape}.')
        self.encoder = keras_bridge.as_module(encoder, 'encoder')
        self.decoder = keras_bridge.as_module(decoder, 'decoder')
        self.likelihood, self.prior, self.posterior_flow = likelihood, prior, posterior_flow

    def _features(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        raw = tf.cast(self.encoder(latent_model.centred(images, self.bins)), tf.float32)
        channels = self._latent_shape[-1]
        extra = None if raw.shape[-1] is None else raw.shape[-1] - 2 * channels
        if (raw.shape.rank != 1 + self._latent_shape.rank or extra is None
                or not raw.shape[1:-1].is_compatible_with(self._latent_shape[:-1])
                or (extra > 0) != self._conditional or extra < 0):
            wanted = ', '.join(map(str, [*self._latent_shape[:-1], 2 * channels]))
            more = ' and more for the flow,' if self._conditional else ','
            raise ValueError(f'encoder must return the shape [B, {wanted}],{more} for latents of '
                             f'{tuple(self._latent_shape)}; got shape={raw.shape}.')
        loc, s, context = tf.split(raw, [channels, channels, extra], axis=-1)
        return {'loc': loc, 'log_scale': _LOG_SCALE(s), 'context': context}

    @property
    def _conditional(self) -> bool:
        """Whether the flow takes a condition."""
        return self.posterior_flow is not None and conditions.takes_condition(self.posterior_flow)

    def _infer(self, images: tf.Tensor, features: dict[str, tf.Tensor], seed: tf.Tensor,
               closed_form: bool) -> latent_model.Inference:
        loc, log_scale = features['loc'], features['log_scale']
        noise = draws.normal_like(loc, seed)
        latent, log_det = self._pushed(loc + tf.exp(log_scale) * noise, features)
        if closed_form:
            if self.posterior_flow is not None or self.prior is not None:
                raise ValueError('closed_form must be False with a posterior_flow or a prior, for '
                                 'whose divergence there is no closed form; got True.')
            kl = .5 * (tf.square(loc) + tf.exp(2 * log_scale) - 1) - log_scale
        else:
            log_q = -.5 * tf.square(noise) - _LOG_ROOT - log_scale
            log_p = (-.5 * tf.square(latent) - _LOG_ROOT if self.prior is None
                     else self.prior.log_prob(latent))
            kl = _difference(log_q, [log_det, log_p])
        # Latents that are maps, too, report one number for each channel.
        kl = tf.reduce_sum(kl, list(range(1, kl.shape.rank - 1)))
        log_likelihood = self._decode([latent]).log_prob(tf.cast(images, tf.float32))
        return latent_model.Inference([latent], log_likelihood, [kl])

    def _encode(self, features: dict[str, tf.Tensor], seed: tf.Tensor | None) -> list[tf.Tensor]:
        start = features['loc']
        if seed is not None:
            start += tf.exp(features['log_scale']) * tf.random.stateless_normal(
                tf.shape(start), seed)
        return [self._pushed(start, features)[0]]

    def _pushed(self, start: tf.Tensor,
                features: dict[str, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the flow's image of a draw of the Gaussian, and its log-det."""
        if self.posterior_flow is None:
            return start, tf.zeros_like(start)
        return pushing.forward(self.posterior_flow, start, features['context'])

    def _decode(self, latents: Sequence[tf.Tensor]) -> tfd.Distribution:
        distribution = self.likelihood(tf.cast(self.decoder(latents[0]), tf.float32))
        if not distribution.event_shape.is_compatible_with(self.event_shape):
            raise ValueError('decoder must return '
                             f'{self.likelihood.outputs(self.event_shape[-1])} channels for images '
                             f'of {tuple(self.event_shape)}, as the likelihood wants; it makes '
                             f'images of {distribution.event_shape}.')
        return distribution

    def _sample_latents(self, n: int | tf.Tensor, seed: tf.Tensor,
                        temperature: float | tf.Tensor) -> list[tf.Tensor]:
        if self.prior is None:
            normal = tf.random.stateless_normal([n, *self._latent_shape], seed)
            return [temperature * normal]
        prior = self.prior
        if hasattr(prior, 'bijector'):
            prior = distributions.with_temperature(prior, temperature)
        elif temperature != 1:
            raise ValueError('temperature must be 1 of a prior that is no flow; '
                             f'got {temperature=}.')
        return [prior.sample(n, seed=seed)]

    def _initialize(self, images: tf.Tensor, seed: tf.Tensor) -> None:
        """Initializes the encoder from the images, and decoder and prior from the latents."""
        centred = latent_model.centred(images, self.bins)
        if hasattr(self.encoder, 'initialize'):
            self.encoder.initialize(centred)
        features = self._features(images)
        for_start, _ = tfp_random.split_seed(seed)
        latent, = self._encode(features, for_start)
        if hasattr(self.decoder, 'initialize'):
            self.decoder.initialize(latent)
        if isinstance(getattr(self.prior, 'bijector', None), tfb.Bijector):
            initialization.initialize(self.prior, latent)


def _difference(log_q: tf.Tensor, minus: Sequence[tf.Tensor]) -> tf.Tensor:
    """Returns `log_q` minus the others.

    Each is `[B, *shape]` or `[B]`. If one is `[B]`, all are summed and the result is `[B, 1]`.
    """
    terms = [log_q, *(-term for term in minus)]
    if all(term.shape.rank == log_q.shape.rank for term in terms):
        return tf.add_n(terms)
    totals = [tf.reduce_sum(term, list(range(1, term.shape.rank))) for term in terms]
    return tf.add_n(totals)[:, tf.newaxis]
