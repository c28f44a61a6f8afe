"""Defines what a VAE is trained on: a lower bound of the log-likelihood, as a loss and in bits."""

import numpy as np
import tensorflow as tf

from tfp_glow import dequantization, initialization
from tfp_glow.internal import replicas, towers
from tfp_glow.training import weighting
from tfp_glow.types import Condition, Seed, TensorLike
from tfp_glow.vaes import bounds, latent_model


class VAEObjective:
    """Defines the objective of `VAEModel`; see `training.LikelihoodModel`.

    The arguments are those of `VAEModel`.
    """

    module_name = 'vae'
    metric_names = ('loss', 'bits_per_dim', 'nats', 'kl')
    conditional = has_statistics = False

    def __init__(self, vae: latent_model.LatentModel, samples: int = 1, closed_form: bool = False,
                 free_bits: float = 0., kl_warmup_steps: int = 0,
                 importance_samples: int | None = None, counted_dims: int | None = None) -> None:
        for name, value in (('samples', samples), ('importance_samples', importance_samples)):
            if value is not None and value < 1:
                raise ValueError(f'{name} must be positive; got {name}={value}.')
        if free_bits < 0 or kl_warmup_steps < 0:
            raise ValueError('free_bits and kl_warmup_steps must not be negative; '
                             f'got {free_bits=}, {kl_warmup_steps=}.')
        self.module = vae
        self.parts = [vae]
        self.event_dims = vae.event_dims
        self.counted_dims = counted_dims or vae.event_dims
        self._samples, self._closed_form = samples, closed_form
        self._free_bits, self._kl_warmup_steps = free_bits, kl_warmup_steps
        self._importance_samples = importance_samples
        self.towers = towers.Towers(1)

    @property
    def trainable_variables(self) -> list[tf.Variable]:
        """The trainable variables of the VAE."""
        return list(self.module.trainable_variables)

    @property
    def spec(self) -> tf.TensorSpec:
        """The `tf.TensorSpec` of a batch."""
        return tf.TensorSpec([None, *self.module.event_shape], tf.uint8)

    @property
    def bins(self) -> int:
        """The number of grey levels."""
        return self.module.bins

    @property
    def is_initialized(self) -> bool:
        """Whether `initialize` has nothing to do."""
        return initialization.is_initialized(self.module)

    def initialize(self, images: TensorLike, seed: Seed, condition: Condition = None) -> None:
        """Sets the data-dependent parameters that have not been set."""
        del condition
        self.module.initialize(images, seed)

    def log_prob(self, images: TensorLike, seed: Seed,
                 condition: Condition = None) -> tuple[tf.Tensor, bounds.Bounds]:
        """Returns a bound of log p(images), `[B]` in nats, and its parts, as evaluation has it."""
        del condition
        samples = self._importance_samples
        if samples is None:
            batch_bounds = self._estimate(images, seed, self._samples, self._closed_form)
            return batch_bounds.elbo, batch_bounds
        batch_bounds = self._estimate(images, seed, samples)
        return batch_bounds.importance, batch_bounds

    def importance_bound(self, images: TensorLike, seed: Seed, samples: int) -> tf.Tensor:
        """Returns what `vaes.importance_bound` returns for the VAE."""
        return self._estimate(images, seed, samples).importance

    def bits(self, log_prob: tf.Tensor) -> tf.Tensor:
        """Returns the bits per dimension, `[B]`, of a log-mass in nats."""
        return dequantization.bits_per_dim(log_prob, 0, 1, self.counted_dims)

    def metrics(self, images: TensorLike, seed: Seed, condition: Condition = None,
                step: int | tf.Tensor | None = None,
                weights: weighting.Weights = weighting.EVEN) -> dict[str, tf.Tensor]:
        """Returns what is reported of a batch, by names; see `VAEModel`.

        `weights` says how much each example counts. Under a strategy with several replicas the loss
        is the share of this one, see `training.weighting.Weights`.
        """
        if step is None:
            bound, batch_bounds = self.log_prob(images, seed, condition)
            loss = -weights.mean(bound) / self.event_dims
        else:
            batch_bounds = self._estimate(images, seed, self._samples, self._closed_form)
            bound, loss = batch_bounds.elbo, self._training_loss(batch_bounds, step, weights)
        return {'loss': loss, 'bits_per_dim': self.bits(bound), 'nats': -bound,
                'kl': bounds.total_kl(batch_bounds.kl)}

    def _estimate(self, images: TensorLike, seed: Seed, samples: int,
                  closed_form: bool = False) -> bounds.Bounds:
        def estimate(images: tf.Tensor, seed: Seed) -> bounds.Bounds:
            return bounds.estimate(self.module, images, seed, samples, closed_form)
        return self.towers.run(estimate, images, seed)

    def first_not_finite(self, images: TensorLike, seed: Seed,
                         condition: Condition = None) -> str | None:
        """Names the part of the bound whose values are not finite in training; None if all are."""
        del condition
        estimates = bounds.estimate(self.module, images, seed, self._samples, self._closed_form)
        parts = {f'the divergence of latents[{i}]': kl for i, kl in enumerate(estimates.kl)}
        parts['the log-likelihood of the decoder'] = estimates.log_likelihood
        return next((name for name, v in parts.items() if not np.all(np.isfinite(v))), None)

    def _training_loss(self, batch_bounds: bounds.Bounds, step: int | tf.Tensor,
                       weights: weighting.Weights) -> tf.Tensor:
        """Returns the loss of `VAEModel`: the bound with the warm-up's weight and free bits."""
        weight = 1.
        if self._kl_warmup_steps:
            weight = tf.minimum(1., (tf.cast(step, tf.float32) + 1) / self._kl_warmup_steps)
        divergence = tf.add_n([tf.reduce_sum(self._paid(weights.mean(part), weights))
                               for part in batch_bounds.kl])
        likelihood = weights.mean(batch_bounds.log_likelihood)
        return (weight * divergence - likelihood) / self.event_dims

    def _paid(self, share: tf.Tensor, weights: weighting.Weights) -> tf.Tensor:
        """Returns the share of max(free_bits, mean) from that of the mean, see `free_bits`."""
        if not self._free_bits:
            return share
        # Whether a channel pays is decided by the mean of the whole batch.
        mean = replicas.total(tf.stop_gradient(share))
        return tf.where(mean >= self._free_bits, share, weights.spread(self._free_bits))
