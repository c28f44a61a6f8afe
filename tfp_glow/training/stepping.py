"""Defines the training, test and prediction steps of a Keras model around an objective."""

from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from tfp_glow.internal import applying, keras_tracking, keras_training, replicas, value_checks
from tfp_glow.internal.towers import Towers
from tfp_glow.training import inputs, running_mean, weighting
from tfp_glow.types import Condition, Seed, TensorLike


class Stepping(keras.Model):
    """Takes steps on batches by a likelihood; the base of `LikelihoodModel`, which see.

    **Steps that are not finite.** A training step whose loss or gradients are not finite is not
    applied: weights, optimizer, averages and metrics stay as they were. `unapplied_steps` counts
    such steps, `unapplied_in_row` those since the last one that was applied. Keras saves neither.
    Only an optimizer that scales the loss lowers its scale, if the loss itself is finite.

    **Keras networks** of bijectors and VAEs are told that they train, so that `Dropout` drops and
    `BatchNormalization` takes the statistics of the batch, and the regularisers of their weights
    are added to the loss. A regulariser of activities is refused.

    **Weights.** Examples may have weights w, third in a batch `(x, condition or None, w)` or as
    `sample_weight`. The loss and all that is reported are then sum(w l) / sum(w), and so are the
    statistics of a batch by which `BatchNorm` normalises. An example of weight 0 changes nothing,
    whatever it holds. A batch of which all weights are 0 is passed over.

    **Replicas.** Under a `tf.distribute` strategy a batch is spread over the replicas, and a step
    does what one device would do with the whole batch, but for the noise, which differs from
    replica to replica. A replica may be without examples. Gradients are clipped after they have
    been summed.

    Args:
        objective: The objective, see `LikelihoodModel`.
        seed: An integer; all that is random depends on it and on the step alone.
        name: The name of the model.
    """

    def __init__(self, objective: Any, seed: int = 0, name: str | None = None) -> None:
        super().__init__(name=name)
        self.objective = objective
        self.noise_seed = seed
        self.trackers = {measure: running_mean.RunningMean(measure)
                         for measure in objective.metric_names}
        self.batches_seen, self.unapplied_steps, self.unapplied_in_row = (
            tf.Variable(0, trainable=False, dtype=tf.int64, name=counter,
                        aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA)
            for counter in ('batches_seen', 'unapplied_steps', 'unapplied_in_row'))
        self._optimized = keras_tracking.OptimizedVariables()
        self.built = True

    @property
    def towers(self) -> int:
        """The number of shares of a batch that are computed beside each other.

        It may be set; graphs that were traced before stay as they are.
        """
        return self.objective.towers.count

    @towers.setter
    def towers(self, count: int) -> None:
        self.objective.towers = Towers(count)

    @property
    def optimized_variables(self) -> list[keras.Variable]:
        """The trainable variables with the paths and names by which optimizers tell them apart.

        Both have one value. `optimizer.exclude_from_weight_decay(var_names=['bias'])` leaves out
        those whose name, such as 'glow.level_0.exit.prior.bias', matches.
        """
        return self._optimized.of(self.trainable_variables)

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        return list(self.trackers.values())

    @property
    def trainable(self) -> bool:
        """True: a flow is frozen as a `FlowLayer`, or by weights that are not trainable."""
        return True

    @trainable.setter
    def trainable(self, value: bool) -> None:
        if not value:
            raise ValueError(f'trainable must be True for {self.name}, which has nothing but what '
                             'it trains; tfp_glow.FlowLayer(flow) can be frozen. Got False.')

    def call(self, images: TensorLike, condition: Condition = None) -> tf.Tensor:
        """Returns the bits per dimension of each image, `[B]`, with fresh noise: an upper bound.

        Raises:
            ValueError: If another layer of Keras calls the model.
        """
        outermost = keras_tracking.outermost_layer()
        if outermost not in (None, self):
            raise ValueError(f'{self.name} must not be a part of {outermost.name!r}, which cannot '
                             'train it; a flow within a model is tfp_glow.FlowLayer(flow).')
        return self.bits(images, self._evaluation_seed(), condition)

    def bits(self, images: TensorLike, seed: Seed, condition: Condition = None) -> tf.Tensor:
        """Returns the bits per dimension of each image, `[B]`, with the noise of `seed`.

        The seed is two integers. Continuous data give nats per example instead.
        """
        images, condition, _ = self._taken_apart((images, condition))
        images, condition = self._checked(images, condition)
        return self.objective.bits(self.objective.log_prob(images, seed, condition)[0])

    def train_step(self, data: Any) -> dict[str, tf.Tensor]:
        """Takes a step on a batch, or on this replica's share of one.

        Returns:
            The means, since metrics were reset, of what is reported: the same on all replicas, as
            scalars, or of the shape `[1]` if there are several workers.
        """
        self._build_optimizer()
        if self.objective.has_statistics and self.objective.towers.count > 1:
            raise ValueError('towers must be 1 to train a flow with BatchNorm, which normalises by '
                             f'the whole batch; got towers={self.objective.towers.count}.')
        keras_training.check_trained(self.objective.parts, self.objective.towers.count)
        images, condition, weights = self._weighed(data)
        step, variables = self.optimizer.iterations, self.trainable_variables
        seed = [tf.cast(step, tf.int32), 1009 * self.noise_seed + replicas.index()]
        with tf.GradientTape() as tape, keras_training.training():
            metrics = self.objective.metrics(images, seed, condition, step=step, weights=weights)
            metrics['loss'] += weights.spread(keras_training.penalty(self.objective.parts))
            scaled = self.optimizer.scale_loss(metrics['loss'])
        gradients, sums = replicas.total_gradients(
            tape.gradient(scaled, variables), _sums(metrics, weights))
        loss, counts = sums[list(metrics).index('loss')], tf.not_equal(weights.total, 0)
        finite = applying.all_finite([loss, *gradients])
        wanted = tf.math.is_finite(loss) if applying.scales_loss(self.optimizer) else finite
        applying.apply_if(wanted & counts, self.optimizer, gradients, self.optimized_variables)
        unapplied = tf.cast(counts & ~finite, tf.int64)
        self.unapplied_steps.assign_add(unapplied)
        self.unapplied_in_row.assign(tf.where(
            finite & counts, tf.zeros_like(unapplied), self.unapplied_in_row + unapplied))
        return self._report(metrics, sums, weights.total, finite & counts)

    def test_step(self, data: Any) -> dict[str, tf.Tensor]:
        images, condition, weights = self._weighed(data)
        metrics = self.objective.metrics(
            images, self._evaluation_seed(), condition, weights=weights)
        return self._report(metrics, replicas.total(_sums(metrics, weights)), weights.total,
                            tf.not_equal(weights.total, 0))

    def predict_step(self, data: Any) -> tf.Tensor:
        given, condition, _ = self._taken_apart(data)
        images, condition, _ = weighting.weigh(given, condition, None)
        return self(images, condition)[:tf.shape(given)[0]]  # An empty share was filled.

    def _weighed(self, data: Any) -> tuple[tf.Tensor, Condition, weighting.Weights]:
        """Returns what a step computes with, after checking the values that count."""
        images, condition, weights = weighting.weigh(*self._taken_apart(data))
        return *self._checked(images, condition), weights

    def _taken_apart(self, data: Any) -> tuple[Any, Condition, Any]:
        """Returns the images, the condition or None, and the weights or None."""
        images, condition, weights = weighting.take_apart(
            data, self.objective.conditional, self.objective.module_name)
        if isinstance(images, (list, tuple)):
            raise ValueError(f'x must be one tensor; got a {type(images).__name__}.')
        images = value_checks.events(
            'x', tf.convert_to_tensor(images), self.objective.spec.shape[1:])
        return images, self._labels_checked(condition), weights

    def _checked(self, images: tf.Tensor, condition: Condition) -> tuple[tf.Tensor, Condition]:
        """Returns images and labels after checking that the model has their levels and classes."""
        bins, classes = self.objective.bins, inputs.classes(self.objective)
        if bins is not None:
            images = value_checks.levels('x', images, bins)
        elif not images.dtype.is_floating:
            raise TypeError('x must be floats, as bins=None is for continuous data; got '
                            f'dtype={images.dtype.name}.')
        if condition is not None and classes is not None:
            condition = value_checks.within('y', condition, classes)
        return images, condition

    def _labels_checked(self, condition: Condition) -> Condition:
        """Returns labels as `[B]`; any other condition as it is."""
        if condition is None or inputs.classes(self.objective) is None:
            return condition
        return value_checks.labels('y', condition)

    def _evaluation_seed(self) -> list[Any]:
        seen = self.batches_seen.assign_add(1)
        return [tf.cast(seen, tf.int32), 1009 * self.noise_seed + 500 + replicas.index()]

    def _build_optimizer(self) -> None:
        if not self.optimizer.built:
            self.optimizer.build(self.optimized_variables)

    def _report(self, metrics: Mapping[str, tf.Tensor], sums: tf.Tensor, total: tf.Tensor,
                counts: tf.Tensor) -> dict[str, tf.Tensor]:
        zero = tf.zeros([], sums.dtype)
        for i, measure in enumerate(metrics):
            self.trackers[measure].update_state(
                tf.where(counts, sums[i], zero), tf.where(counts, tf.cast(total, zero.dtype), zero))
        # Keras takes means over workers along an axis.
        shape = [1] if replicas.over_workers() else []
        return {measure: tf.reshape(self.trackers[measure].result(), shape) for measure in metrics}

    def _get_metrics_result_or_logs(self, logs: Mapping[str, Any]) -> dict[str, Any]:
        return {measure: self.trackers[measure].result() for measure in logs}

    def _maybe_symbolic_build(self, *args: Any, **kwargs: Any) -> None:
        """Does nothing, as all is built; Keras would average images over workers for this."""


def _sums(metrics: Mapping[str, tf.Tensor], weights: weighting.Weights) -> tf.Tensor:
    return tf.stack([weights.sum_of(value) for value in metrics.values()])
