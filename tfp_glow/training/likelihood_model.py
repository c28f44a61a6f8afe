"""Defines a Keras model around an objective: what training flows and VAEs have in common."""

import contextlib
from collections.abc import Iterable, Iterator, Mapping, MutableMapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfp_glow.internal import averages
from tfp_glow.internal import variables as named_variables
from tfp_glow.training import batches
from tfp_glow.types import Condition, Seed, TensorLike

_INITIAL_IMAGES = 256  # Glow's reference initialises from as many.


class LikelihoodModel(keras.Model):
    """Trains by a likelihood, or by a bound of one: the base of `FlowModel` and `vaes.VAEModel`.

    The objective says what is trained, and by which loss. It has

    * `module`, the module that is trained, and `module_name`, its name in messages; `parts`, all
      modules with variables, the module first; `trainable_variables`, those of all parts;
    * `spec`, a `tf.TensorSpec` of a batch; `conditional`, whether there is a condition beside it;
    * `metrics(images, seed, condition=None, step=None) -> {name: [B] or scalar}`: `loss` and what
      else is reported. `step` is the number of the training step, None in evaluation;
    * `metric_names`, the names of all that `metrics` may return;
    * `event_dims`, the number of dimensions of an example, and `counted_dims`, the number of those
      that bits/dim counts;
    * `log_prob(images, seed, condition=None) -> (log-likelihood or its bound [B], anything)`, and
      `bits(log_prob)`, the same in bits per dimension;
    * `is_initialized`, `initialize(images, seed, condition)`, `has_statistics` and
      `update_statistics(images, seed, condition)`, for data-dependent parameters.

    Args:
        objective: The objective, see above.
        seed: An integer; all that is random depends on it and on the step alone.
        condition_spec: A structure of `tf.TensorSpec`s of the condition, where it is not a batch of
            integer labels.
        name: The name of the model.
    """

    reference_examples = 1024  # The statistics of BatchNorm are those of at most so many.

    def __init__(self, objective: Any, seed: int = 0, condition_spec: Any = None,
                 name: str | None = None) -> None:
        super().__init__(name=name)
        self.objective = objective
        self.noise_seed = seed
        self._condition_spec = condition_spec or tf.TensorSpec([None], tf.int32)
        self._reference: tuple[Any, Condition] | None = None
        self.trackers = {measure: keras.metrics.Mean(name=measure)
                         for measure in objective.metric_names}
        self.batches_seen = tf.Variable(0, trainable=False, dtype=tf.int64, name='batches_seen',
                                        aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA)
        self.built = True

    @property
    def event_dims(self) -> int:
        """D, the number of dimensions of an example."""
        return self.objective.event_dims

    @property
    def counted_dims(self) -> int:
        """The number of dimensions that bits/dim counts."""
        return self.objective.counted_dims

    @property
    def trainable_variables(self) -> list[tf.Variable]:
        return self.objective.trainable_variables

    trainable_weights = trainable_variables

    @property
    def non_trainable_variables(self) -> list[tf.Variable]:
        trainable = {id(v) for v in self.trainable_variables}
        return [v for part in self.objective.parts for v in part.variables
                if id(v) not in trainable]

    non_trainable_weights = non_trainable_variables

    @property
    def variables(self) -> list[tf.Variable]:
        return self.trainable_variables + self.non_trainable_variables

    weights = variables

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        return list(self.trackers.values())

    def compile(self, optimizer: str | keras.optimizers.Optimizer = 'adam',
                jit_compile: bool = False, **kwargs: Any) -> None:
        """Does what `keras.Model.compile` does, with the loss of the objective.

        Raises:
            ValueError: If a loss is given, if there is nothing to train, or if `log_prob` reads a
                weight that the module's `trainable_variables` do not list.
        """
        if kwargs.get('loss') is not None:
            raise ValueError(f'loss must be left out: a {type(self).__name__}\'s loss is the '
                             f'negative log-likelihood; got loss={kwargs["loss"]!r}.')
        module_name = self.objective.module_name
        hidden = named_variables.hidden_variables(
            self._loss, self._specs(), self.trainable_variables)
        if hidden:
            raise ValueError(
                f'{module_name}.trainable_variables must list every weight that log_prob reads; '
                f'missing: {", ".join(hidden)}. A Keras network that a bijector holds must be '
                'wrapped (tfp_glow.bijectors do it), or it is never trained.')
        if not self.objective.module.trainable_variables:
            raise ValueError(f'{module_name} must have trainable variables; it has none.')
        super().compile(optimizer=optimizer, jit_compile=jit_compile, **kwargs)

    def call(self, images: TensorLike, condition: Condition = None) -> tf.Tensor:
        """Returns the bits per dimension of each image, `[B]`, with fresh noise: an upper bound."""
        return self.bits(images, self._evaluation_seed(), condition)

    def bits(self, images: TensorLike, seed: Seed, condition: Condition = None) -> tf.Tensor:
        """Returns the bits per dimension of each image, `[B]`, with the noise of `seed`.

        The seed is two integers. Continuous data give nats per example instead.
        """
        return self.objective.bits(self.objective.log_prob(images, seed, condition)[0])

    def train_step(self, data: Any) -> dict[str, tf.Tensor]:
        images, condition = self._taken_apart(data)
        step = self.optimizer.iterations
        seed = [tf.cast(step, tf.int32), 1009 * self.noise_seed + _replica()]
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        variables = self.trainable_variables
        with tf.GradientTape() as tape:
            metrics = self.objective.metrics(images, seed, condition, step=step)
            scaled = self.optimizer.scale_loss(metrics['loss'] / replicas)
        with averages.warmed_up_ema(self.optimizer):
            self.optimizer.apply(tape.gradient(scaled, variables), variables)
        return self._report(metrics, images)

    def test_step(self, data: Any) -> dict[str, tf.Tensor]:
        images, condition = self._taken_apart(data)
        return self._report(
            self.objective.metrics(images, self._evaluation_seed(), condition), images)

    def predict_step(self, data: Any) -> tf.Tensor:
        return self(*self._taken_apart(data))

    def fit(self, x: Any = None, y: Any = None, *args: Any,
            **kwargs: Any) -> keras.callbacks.History:
        """Does what `keras.Model.fit` does, after `initialize` from the first images of `x`."""
        needs = [] if self.objective.is_initialized else [_INITIAL_IMAGES]
        if self.objective.has_statistics and self._reference is None:
            needs.append(self.reference_examples)
        if needs:
            first, condition = self._taken_apart(batches.first_examples(x, y, max(needs)))
            self.objective.initialize(first[:_INITIAL_IMAGES], [0, self.noise_seed],
                                      batches.first_rows(condition, _INITIAL_IMAGES))
            self.set_reference(first, condition)
        return super().fit(x, y, *args, **kwargs)

    def set_reference(self, images: TensorLike, condition: Condition = None) -> None:
        """Gives the images whose statistics `BatchNorm`s, if there are any, evaluate by."""
        if self.objective.has_statistics:
            self._reference = (images[:self.reference_examples],
                               batches.first_rows(condition, self.reference_examples))

    def evaluate(self, *args: Any, **kwargs: Any) -> Any:
        """Does what `keras.Model.evaluate` does, with the averaged weights."""
        self.batches_seen.assign(0)
        with self.averaged_weights():
            return super().evaluate(*args, **kwargs)

    def predict(self, *args: Any, **kwargs: Any) -> np.ndarray:
        """Returns the bits per dimension of each image, with the averaged weights."""
        self.batches_seen.assign(0)
        with self.averaged_weights():
            return super().predict(*args, **kwargs)

    @contextlib.contextmanager
    def averaged_weights(self) -> Iterator[tf.Module]:
        """Gives the module the weights' moving averages within; afterwards all its own are back.

        The statistics of `BatchNorm`s are computed for the weights that evaluate. Afterwards they
        are what they were before.
        """
        # Before `compile` there is no optimizer.
        averaged = averages.ema_values(getattr(self, 'optimizer', None))
        if not averaged:
            self._update_statistics()
            yield self.objective.module
            return
        variables = self.variables
        own = [v.numpy() for v in variables]
        try:
            _assign(self.trainable_variables, [a.numpy() for a in averaged])
            self._update_statistics()
            yield self.objective.module
        finally:
            _assign(variables, own)

    def _update_statistics(self) -> None:
        if self._reference is not None:
            images, condition = self._reference
            self.objective.update_statistics(images, [0, self.noise_seed], condition)

    def save_own_variables(self, store: MutableMapping[str, np.ndarray]) -> None:
        named_variables.store(self._holder(), store)

    def load_own_variables(self, store: Mapping[str, Any]) -> None:
        named_variables.load(self._holder(), store, self.objective.module_name)

    def _holder(self) -> tf.Module:
        """Returns one module with all parts."""
        if len(self.objective.parts) == 1:
            return self.objective.module
        holder = tf.Module()
        holder.parts = self.objective.parts
        return holder

    def _loss(self, images: TensorLike, condition: Condition = None) -> tf.Tensor:
        return self.objective.metrics(images, [0, 0], condition, step=0)['loss']

    def _specs(self) -> list[Any]:
        spec = self.objective.spec
        specs = [spec]
        if self.objective.conditional:
            specs.append(self._condition_spec)
        return tf.nest.map_structure(lambda s: tf.TensorSpec([2, *s.shape[1:]], s.dtype), specs)

    def _taken_apart(self, data: Any) -> tuple[Any, Condition]:
        """Returns the images, and the condition or None."""
        parts = data if isinstance(data, (tuple, list)) else (data,)
        if not self.objective.conditional:
            return parts[0], None
        if len(parts) < 2 or parts[1] is None:
            raise ValueError('x must be batches (images, condition), as the '
                             f'{self.objective.module_name} depends on a condition; got images '
                             'alone.')
        return parts[0], parts[1]

    def _evaluation_seed(self) -> list[Any]:
        seen = self.batches_seen.assign_add(1)
        return [tf.cast(seen, tf.int32), 1009 * self.noise_seed + 500 + _replica()]

    def _report(self, metrics: Mapping[str, tf.Tensor], images: TensorLike) -> dict[str, tf.Tensor]:
        for measure, value in metrics.items():
            scalar = value.shape.rank == 0
            self.trackers[measure].update_state(
                value, sample_weight=tf.shape(images)[0] if scalar else None)
        return {measure: self.trackers[measure].result() for measure in metrics}


def _replica() -> int | tf.Tensor:
    context = tf.distribute.get_replica_context()
    return context.replica_id_in_sync_group if context is not None else 0


def _assign(variables: Sequence[tf.Variable], values: Iterable[np.ndarray]) -> None:
    for variable, value in zip(variables, values):
        variable.assign(value)
