"""What a VAE is trained on: a lower bound of the log-likelihood, as a loss and in bits."""

import tensorflow as tf

from tfp_glow import dequantization, initialization
from tfp_glow.vaes import bounds


class VAEObjective:
    """The objective of `VAEModel`, whose arguments these are; see `training.LikelihoodModel`."""

    module_name = 'vae'
    metric_names = ('loss', 'bits_per_dim', 'nats', 'kl')
    conditional = has_statistics = False

    def __init__(self, vae, samples=1, closed_form=False, free_bits=0., kl_warmup_steps=0,
                 importance_samples=None, counted_dims=None):
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

    @property
    def trainable_variables(self):
        """The VAE's."""
        return list(self.module.trainable_variables)

    @property
    def spec(self):
        """A `tf.TensorSpec` of a batch."""
        return tf.TensorSpec([None, *self.module.event_shape], tf.uint8)

    @property
    def is_initialized(self):
        """Whether `initialize` has nothing to do."""
        return initialization.is_initialized(self.module)

    def initialize(self, images, seed, condition=None):
        """Sets the data-dependent parameters that have not been set."""
        del condition
        self.module.initialize(images, seed)

    def log_prob(self, images, seed, condition=None):
        """`(bound of log p(images) [B] in nats, the parts of it)`, as evaluation has it."""
        del condition
        samples = self._importance_samples
        if samples is None:
            found = bounds.estimate(self.module, images, seed, self._samples, self._closed_form)
            return found.elbo, found
        found = bounds.estimate(self.module, images, seed, samples)
        return found.importance, found

    def bits(self, log_prob):
        """Bits per dimension, `[B]`, of a log-mass in nats."""
        return dequantization.bits_per_dim(log_prob, 0, 1, self.counted_dims)

    def metrics(self, images, seed, condition=None, step=None):
        """What is reported of a batch, by names; see `VAEModel`."""
        if step is None:
            bound, found = self.log_prob(images, seed, condition)
            loss = -tf.reduce_mean(bound) / self.event_dims
        else:
            found = bounds.estimate(self.module, images, seed, self._samples, self._closed_form)
            bound, loss = found.elbo, self._training_loss(found, step)
        return {'loss': loss, 'bits_per_dim': self.bits(bound), 'nats': -bound,
                'kl': bounds.total_kl(found.kl)}

    def _training_loss(self, found, step):
        weight = 1.
        if self._kl_warmup_steps:
            weight = tf.minimum(1., (tf.cast(step, tf.float32) + 1) / self._kl_warmup_steps)
        divergence = bounds.free_bits(found.kl, self._free_bits)
        return (weight * divergence - tf.reduce_mean(found.log_likelihood)) / self.event_dims
