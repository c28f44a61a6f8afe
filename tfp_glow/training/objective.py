"""Defines what a flow is trained on: the log-likelihood of a batch, as a loss and in bits."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfp_glow import dequantization, diagnosis, initialization, modes
from tfp_glow.bijectors import batch_moments, conditions
from tfp_glow.distributions import Dequantized
from tfp_glow.internal import replicas, towers
from tfp_glow.training import weighting
from tfp_glow.training.terms import Terms
from tfp_glow.types import Condition, Seed, TensorLike


class Objective:
    """Defines the likelihood of integer images, or of vectors as they are, under a flow.

    It also defines the loss. A flow that says it is `discrete`, such as `flows.IntegerFlow`, is one
    of the integers themselves: nothing is dequantized, and the likelihood is exact.

    ```none
    loss = - mean(log p(y | condition)) / D                            nats per dimension
           + classification_weight * cross-entropy of the classifier
           + sum(weights^2) / (2 weight_prior^2 N D)
    ```

    The second term trains a classifier of the latents, as Glow's conditional model does. The third
    makes the estimate of the weights that of the maximum a posteriori (MAP) under independent
    priors N(0, weight_prior^2); N is the number of training examples.

    Args:
        flow: A `tfd.TransformedDistribution`, or a discrete distribution.
        bins: The number of grey levels of integer data, which are dequantized inside; None for
            continuous data.
        counted_dims: The number of dimensions that bits/dim counts; the default is all.
        noise: A `distributions.VariationalNoise`, or None for uniform dequantization.
        classifier: A module `(latents, labels) -> logits [B, classes]`, see `flows.ClassFinder`.
        classification_weight: The weight of the second term of the loss above.
        weight_prior: The standard deviation of the prior, or None.
        examples: N, the number of training examples; needed with a prior.
        round_trip: Whether evaluation also measures the error of the round trip, see `metrics`.

    Raises:
        ValueError: If an argument is out of its range, or two of them do not go together.
    """

    module_name = 'flow'

    def __init__(self, flow: tfd.Distribution, bins: int | None, counted_dims: int | None = None,
                 noise: tfd.Distribution | None = None,
                 classifier: Callable[..., tf.Tensor] | None = None,
                 classification_weight: float = .01, weight_prior: float | None = None,
                 examples: int | None = None, round_trip: bool = False) -> None:
        if bins is not None and bins < 2:
            raise ValueError(f'bins must be at least 2; got {bins=}.')
        if noise is not None and (bins is None or classifier is not None):
            raise ValueError('noise must be left out for continuous data and beside a classifier; '
                             f'got {bins=}, {classifier=}.')
        self.discrete = dequantization.is_discrete(flow)
        if self.discrete and (bins is None or noise is not None):
            raise ValueError('bins must be given and noise left out for a discrete flow; '
                             f'got {bins=}, {noise=}.')
        if weight_prior is not None and not (weight_prior > 0 and examples):
            raise ValueError('weight_prior must be positive and come with the number of training '
                             f'examples; got {weight_prior=}, {examples=}.')
        self.flow, self.bins, self.noise, self.classifier = flow, bins, noise, classifier
        self._training_flow = modes.with_training(flow)
        self.event_dims = int(np.prod(flow.event_shape))
        self.counted_dims = counted_dims or self.event_dims
        self._classification_weight = classification_weight
        self._weight_prior, self._examples = weight_prior, examples
        self._round_trip = round_trip
        self.towers = towers.Towers(1)

    @property
    def module(self) -> tfd.Distribution:
        """The flow."""
        return self.flow

    @property
    def spec(self) -> tf.TensorSpec:
        """The `tf.TensorSpec` of a batch."""
        dtype = self.flow.dtype if self.bins is None else tf.uint8
        return tf.TensorSpec([None, *self.flow.event_shape], dtype)

    @property
    def metric_names(self) -> list[str]:
        """The names of what `metrics` returns."""
        wanted_by_name = {'loss': True, self._score: True, 'accuracy': self.classifier is not None,
                 'reconstruction_error': self._round_trip}
        return [name for name, wanted in wanted_by_name.items() if wanted]

    @property
    def _grey_levels(self) -> int:
        """The number of grey levels, for what only integer data have."""
        if self.bins is None:
            raise ValueError('bins must be given for data that are images; got None.')
        return self.bins

    @property
    def _score(self) -> str:
        return 'nats' if self.bins is None else 'bits_per_dim'

    @property
    def parts(self) -> list[tf.Module]:
        """Every module with variables, the flow first."""
        return [part for part in (self.flow, self.noise, self.classifier) if part is not None]

    @property
    def trainable_variables(self) -> list[tf.Variable]:
        """The trainable variables of all parts."""
        return [v for part in self.parts for v in part.trainable_variables]

    @property
    def conditional(self) -> bool:
        """Whether the flow wants a condition."""
        return hasattr(self.flow, 'bijector') and conditions.takes_condition(self.flow.bijector)

    def to_data(self, images: TensorLike, seed: Seed) -> tf.Tensor:
        """Returns a batch as data of the flow; `seed`, two integers, is that of uniform noise."""
        if self.bins is not None and not self.discrete:
            images = dequantization.dequantize(images, self.bins, seed)
        return tf.cast(images, self.flow.dtype)

    def to_middles(self, images: TensorLike) -> tf.Tensor:
        """Returns integer images as data of the flow without noise: the middle of each cell."""
        data = tf.cast(images, self.flow.dtype)
        return data if self.discrete else (data + .5) / self._grey_levels - .5

    def to_images(self, data: TensorLike) -> tf.Tensor:
        """Returns data of the flow as uint8 images."""
        convert = dequantization.to_levels if self.discrete else dequantization.quantize
        return convert(data, self._grey_levels)

    @property
    def grey_level(self) -> float:
        """The distance of two neighbouring grey levels in the data of the flow."""
        return 1. if self.discrete else 1 / self._grey_levels

    def log_prob(self, images: TensorLike, seed: Seed, condition: Condition = None,
                 training: bool = False) -> tuple[tf.Tensor, tf.Tensor | None]:
        """Returns `(log p(data), data)` for one draw of the noise.

        The data are None if the noise is that of a flow of its own.
        """
        terms = self._terms(images, seed, condition, training)
        return terms.log_prob, terms.data

    def _terms(self, images: TensorLike, seed: Seed, condition: Condition, training: bool,
               more: bool = False) -> Terms:
        """Returns what is known of each example; `more` than log p if that is wanted."""
        def terms(rows: Any, seed: Seed) -> Terms:
            images, condition = rows
            log_prob, data = self._log_prob(images, seed, condition, training)
            logits = error = None
            if more and self.classifier is not None:
                logits = self._logits(data, condition, training)
            if more and self._round_trip and not training:
                error = self._round_trip_error(
                    self.to_data(images, seed) if data is None else data, condition)
            return Terms(log_prob, None if more else data, logits, error)
        return self.towers.run(terms, (images, condition), seed)

    def _log_prob(self, images: TensorLike, seed: Seed, condition: Condition,
                  training: bool) -> tuple[tf.Tensor, tf.Tensor | None]:
        flow = self._training_flow if training else self.flow
        given = {} if condition is None else {'condition': condition}
        if self.noise is None:
            data = self.to_data(images, seed)
            return flow.log_prob(data, **given), data
        bins = self._grey_levels
        bound = Dequantized(flow, bins, self.noise).log_prob(images, seed=seed, **given)
        return bound + self.event_dims * math.log(bins), None

    def metrics(self, images: TensorLike, seed: Seed, condition: Condition = None,
                step: int | tf.Tensor | None = None,
                weights: weighting.Weights = weighting.EVEN) -> dict[str, tf.Tensor]:
        """Returns what is reported of a batch, by names: scalars, or `[B]` with one per example.

        * `loss`: the loss of a training step; in evaluation its first term alone.
        * `bits_per_dim` or, for continuous data, `nats`.
        * `accuracy`: whether the classifier predicts each label.
        * `reconstruction_error`: max |forward(inverse(y)) - y|, in evaluation.

        Args:
            images: A batch.
            seed: Two integers, for the noise.
            condition: The condition of the batch, if the flow takes one.
            step: The number of the training step; None evaluates.
            weights: How much each example counts. A scalar is a mean with these weights; under a
                strategy with several replicas it is the share of this one, see `Weights`.
        """
        training = step is not None
        with batch_moments.weighted(weights.each if training else None):
            terms = self._terms(images, seed, condition, training, more=True)
        metrics = {'loss': self.loss(terms.log_prob, weights),
                   self._score: self.bits(terms.log_prob)}
        if terms.logits is not None:
            cost, is_right = self._classification(terms.logits, condition, weights)
            metrics['accuracy'] = tf.cast(is_right, cost.dtype)
        if training:
            metrics['loss'] += weights.spread(self.penalty())
            if terms.logits is not None:
                metrics['loss'] += cost
        elif terms.error is not None:
            metrics['reconstruction_error'] = weights.spread(replicas.greatest(
                weights.unless_empty(tf.reduce_max(terms.error))))
        return metrics

    def loss(self, log_prob: tf.Tensor, weights: weighting.Weights = weighting.EVEN) -> tf.Tensor:
        """Returns the first term of the loss."""
        return -weights.mean(log_prob) / self.event_dims

    def penalty(self) -> float | tf.Tensor:
        """Returns the third term of the loss."""
        if self._weight_prior is None or self._examples is None:
            return 0.
        squares = tf.add_n([tf.reduce_sum(tf.square(tf.cast(v, tf.float32)))
                            for v in self.trainable_variables])
        return squares / (2 * self._weight_prior**2 * self._examples * self.event_dims)

    def classification(self, data: tf.Tensor | None, labels: Condition, training: bool = False,
                       weights: weighting.Weights = weighting.EVEN,
                       ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the second term of the loss, and whether each label is predicted."""
        return self._classification(self._logits(data, labels, training), labels, weights)

    def _logits(self, data: tf.Tensor | None, labels: Condition, training: bool) -> tf.Tensor:
        if self.classifier is None:
            raise ValueError('classifier must be given to classify; got None.')
        flow = self._training_flow if training else self.flow
        # The latents come from TFP's cache: log_prob has computed them.
        return self.classifier(flow.bijector.inverse(data, condition=labels), labels)

    def _classification(self, logits: tf.Tensor, labels: Condition, weights: weighting.Weights,
                        ) -> tuple[tf.Tensor, tf.Tensor]:
        entropy = weights.mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))
        is_right = tf.equal(tf.argmax(logits, -1, tf.int32), tf.cast(labels, tf.int32))
        return self._classification_weight * entropy, is_right

    def _round_trip_error(self, data: tf.Tensor, condition: Condition) -> tf.Tensor:
        given = {} if condition is None else {'condition': condition}
        # When this is traced, the latents are log_prob's own, from TFP's cache. But the result of
        # forward must not come from the cache.
        latents = self.flow.bijector.inverse(data, **given)
        again = self.flow.bijector.forward(tf.nest.map_structure(tf.identity, latents), **given)
        return tf.reduce_max(tf.abs(again - data), list(range(1, data.shape.rank)))

    def first_not_finite(self, images: TensorLike, seed: Seed,
                         condition: Condition = None) -> str | None:
        """Names the first layer whose values are not finite in training; None if all are."""
        if not hasattr(self.flow, 'distribution'):
            log_prob = self.log_prob(images, seed, condition, training=True)[0]
            return None if np.all(np.isfinite(log_prob)) else self.flow.name
        return diagnosis.first_not_finite(
            self._training_flow, self.to_data(images, seed), condition)

    def bits(self, log_prob: tf.Tensor) -> tf.Tensor:
        """Returns the bits per dimension, `[B]`; for continuous data, nats per example, -log p."""
        if self.bins is None:
            return -log_prob
        cells = 1 if self.discrete else self.bins  # Each unit of the data has so many.
        return dequantization.bits_per_dim(
            log_prob, self.event_dims, cells, self.counted_dims)

    def initialize(self, images: TensorLike, seed: Seed, condition: Condition = None) -> None:
        """Sets the data-dependent parameters of all parts that have not been set."""
        initialization.initialize(self.flow, self.to_data(images, seed), condition)
        if self.noise is not None and not initialization.is_initialized(self.noise):
            # The noise starts near to the uniform one, whose logit its flow makes standard Normal.
            uniform = tf.random.stateless_uniform(
                tf.shape(images), seed, 1e-3, 1 - 1e-3, self.noise.dtype)
            middles = (tf.cast(images, self.noise.dtype) + .5) / self.bins - .5
            initialization.initialize(
                self.noise.flow, tf.math.log(uniform) - tf.math.log1p(-uniform),
                self.noise.flow_condition(middles))

    @property
    def has_statistics(self) -> bool:
        """Whether the flow evaluates by statistics that `update_statistics` sets."""
        return self._training_flow is not self.flow

    def update_statistics(self, images: TensorLike, seed: Seed, condition: Condition = None,
                          weights: TensorLike | None = None) -> None:
        """Sets the statistics by which the flow evaluates from a batch, which may have weights."""
        if self.has_statistics:
            each = None if weights is None else tf.reshape(tf.cast(weights, tf.float32), [-1])
            with batch_moments.weighted(each):
                initialization.update_statistics(self.flow, self.to_data(images, seed), condition)

    @property
    def is_initialized(self) -> bool:
        """Whether `initialize` has nothing to do."""
        return all(map(initialization.is_initialized, self.parts))
