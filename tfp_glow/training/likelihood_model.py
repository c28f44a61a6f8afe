"""Defines a Keras model around an objective: what training flows and VAEs have in common."""

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfp_glow.internal import applying, averages, replicas, value_checks
from tfp_glow.internal import variables as named_variables
from tfp_glow.training import arguments, batches, blame, inputs, saving, watch
from tfp_glow.types import Condition, TensorLike

_INITIAL_IMAGES = 256  # Glow's reference initialises from as many.


class LikelihoodModel(saving.Saving):
    """Trains by a likelihood, or by a bound of one: the base of `FlowModel` and `vaes.VAEModel`.

    The objective says what is trained, and by which loss. It has

    * `module`, the module that is trained, and `module_name`, its name in messages; `parts`, all
      modules with variables, the module first; `trainable_variables`, those of all parts;
    * `spec`, a `tf.TensorSpec` of a batch; `conditional`, whether there is a condition beside it;
    * `metrics(images, seed, condition=None, step=None, weights) -> {name: [B] or scalar}`: `loss`
      and what else is reported. `step` is the number of the training step, None in evaluation;
      `weights` are `training.weighting.Weights`, by which scalars are means;
    * `metric_names`, the names of all that `metrics` may return;
    * `event_dims`, the number of dimensions of an example, and `counted_dims`, the number of those
      that bits/dim counts;
    * `log_prob(images, seed, condition=None) -> (log-likelihood or its bound [B], anything)`, and
      `bits(log_prob)`, the same in bits per dimension;
    * `is_initialized`, `initialize(images, seed, condition)`, `has_statistics` and
      `update_statistics(images, seed, condition, weights)`, for data-dependent parameters;
    * `first_not_finite(images, seed, condition) -> str or None`, what is wrong if a loss is NaN.

    What a step does, also if it is not finite, if examples have weights, or under a `tf.distribute`
    strategy, says `Stepping`. `fit` warns after each epoch of steps that were not applied, and
    raises after `patience_nan` in a row. `ActNorm` is initialised without weights, from examples
    whose weight is not 0.

    Args:
        objective: The objective, see above.
        seed: An integer; all that is random depends on it and on the step alone.
        condition_spec: A structure of `tf.TensorSpec`s of the condition, where it is not a batch of
            integer labels.
        towers: The number of shares of a batch that are computed beside each other, see
            `FlowModel`; None for 1.
        name: The name of the model.
        config: The arguments of the subclass, from which `get_config` makes JSON.

    Raises:
        ValueError: If `towers` is no positive integer. A training step raises it for several towers
            and a flow with `BatchNorm`, which normalises by the whole batch.
    """

    reference_examples = 1024  # The statistics of BatchNorm are those of at most so many.
    patience_nan = 10  # After so many steps in a row that were not applied, training stops.

    def __init__(self, objective: Any, seed: int = 0, condition_spec: Any = None,
                 towers: int | None = None, name: str | None = None, *,
                 config: Mapping[str, Any] | None = None) -> None:
        super().__init__(objective, seed, name, config)
        self.towers = 1 if towers is None else towers
        self._condition_spec = condition_spec or tf.TensorSpec([None], tf.int32)
        self._reference: tuple[Any, Condition, Any] | None = None

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

    def compile(self, optimizer: str | keras.optimizers.Optimizer = 'adam',
                jit_compile: bool = False, **kwargs: Any) -> None:
        """Does what `keras.Model.compile` does, with the loss of the objective.

        Raises:
            ValueError: If a loss, metrics or weights of losses are given; if there is nothing to
                train; or if `log_prob` reads a weight that the module's `trainable_variables` do
                not list.
        """
        for argument in ('loss', 'loss_weights', 'metrics', 'weighted_metrics'):
            if kwargs.get(argument) is not None:
                raise ValueError(
                    f'{argument} must be left out: the loss of a {type(self).__name__} is the '
                    f'negative log-likelihood, and {", ".join(self.objective.metric_names)} are '
                    f'what it reports; got {argument}={kwargs[argument]!r}.')
        self.objective.towers.check(jit_compile)
        module_name = self.objective.module_name
        with self.objective.towers.as_one():  # They read the same variables.
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
        applying.make_finite(self.optimizer)
        if tf.distribute.has_strategy():
            self._build_optimizer()

    def fit(self, x: Any = None, y: Any = None, *args: Any, patience_nan: int | None = None,
            **kwargs: Any) -> keras.callbacks.History:
        """Does what `keras.Model.fit` does, after `prepare` from the first images of `x`.

        Args:
            x: Images, or a `tf.data.Dataset` of batches.
            y: The condition of the images, if there is one.
            *args: Other arguments of `keras.Model.fit`, in its order.
            patience_nan: The number of steps in a row that are not finite after which `fit` stops;
                the default is `self.patience_nan`.
            **kwargs: Other arguments of `keras.Model.fit`, by name.

        Raises:
            FloatingPointError: After `patience_nan` such steps in a row. It names the layer, or the
                data, that is not finite.
            ValueError: If `x` is empty or, as an array, not finite or, as continuous data, constant
                in a column; or if weights of examples are negative or not finite.
        """
        patience = self.patience_nan if patience_nan is None else patience_nan
        if patience < 1:
            raise ValueError(f'patience_nan must be positive; got {patience_nan=}.')
        x, first = inputs.peeked(x)
        given = arguments.bind(keras.Model.fit, (self, x, y, *args), kwargs, self.objective, True)
        weights = given.get('sample_weight')
        x, y = given['x'], given['y']
        self.prepare(first if isinstance(first, inputs.Batch) else x, y, weights)
        self._build_optimizer()
        averages.start(self.optimizer, self.trainable_variables)
        callbacks = given.pop('callbacks', None) or []
        guard = watch.Watch(patience, lambda: self._reason(x, y, weights, given.get('batch_size')))
        if isinstance(callbacks, keras.callbacks.CallbackList):
            callbacks.append(guard)
        else:
            callbacks = [guard, *tf.nest.flatten(callbacks)]
        with value_checks.raised():
            return super().fit(callbacks=callbacks, **given)

    def train_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None,
                       *args: Any, **kwargs: Any) -> Any:
        """Does what `keras.Model.train_on_batch` does.

        The metrics of a step that is not applied are NaN.

        Raises:
            FloatingPointError: See `fit`.
        """
        x, y, sample_weight = inputs.normalised(x, y, sample_weight)
        arguments.check_class_weight(kwargs.get('class_weight'), y, x)
        with value_checks.raised():
            result = super().train_on_batch(x, y, sample_weight, *args, **kwargs)
        watch.check(self, self.patience_nan, lambda: self._reason(x, y, sample_weight, len(x)))
        return result

    def explain_not_finite(self, batches: Iterable[Any]) -> str:
        """Returns a clause about the first batch whose loss or gradients are not finite.

        It names the data, the layer or the gradient: 'in batch 0 of x, the first values that are
        not finite are those of coupling'.

        Args:
            batches: Batches as `train_step` has them.
        """
        step = self.optimizer.iterations.numpy()
        return blame.reason(self.objective, batches, [step, 1009 * self.noise_seed], step)

    def _reason(self, x: Any, y: Any, sample_weight: Any, batch_size: int | None) -> str:
        return self.explain_not_finite(batches.again(x, y, sample_weight, batch_size))

    def prepare(self, x: Any, y: Any = None, sample_weight: Any = None) -> None:
        """Sets what depends on the first examples and has not been set: the first part of `fit`.

        The examples are those of `fit`. All workers of a strategy get the values of the first one,
        and must call this at the same time.
        """
        needs = [] if self.objective.is_initialized else [_INITIAL_IMAGES]
        if self.objective.has_statistics and self._reference is None:
            needs.append(self.reference_examples)
        if not needs:
            return
        first, condition, weights = self._taken_apart(
            batches.first_examples(x, y, sample_weight, max(needs)))
        batches.check('the first examples of x', np.asarray(first), weights,
                      continuous=self.objective.spec.dtype.is_floating)
        self.objective.initialize(first[:_INITIAL_IMAGES], [0, self.noise_seed],
                                  batches.first_rows(condition, _INITIAL_IMAGES))
        strategy = self.distribute_strategy
        if replicas.over_workers(strategy):
            _assign(self.variables, replicas.of_first(
                strategy, [v.numpy() for v in self.variables]))
        self.set_reference(*replicas.of_first(strategy, (first, condition, weights)))

    def set_reference(self, images: TensorLike, condition: Condition = None,
                      weights: TensorLike | None = None) -> None:
        """Gives the images whose statistics `BatchNorm`s, if there are any, evaluate by.

        All workers of a strategy must give the same.
        """
        if self.objective.has_statistics:
            self._reference = batches.first_rows(
                (images, condition, weights), self.reference_examples)

    def evaluate(self, x: Any = None, y: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Does what `keras.Model.evaluate` does, with the averaged weights.

        Raises:
            ValueError: If `x` has no example or, as an array, is not finite; or if weights of
                examples are negative or not finite.
        """
        if not kwargs.get('_use_cached_eval_dataset'):  # Otherwise fit reads x, and has made it.
            x = inputs.peeked(x)[0]
        given = arguments.bind(
            keras.Model.evaluate, (self, x, y, *args), kwargs, self.objective)
        self.batches_seen.assign(0)
        with self.averaged_weights(), value_checks.raised():
            results = super().evaluate(**given)
        if not self.trackers['loss'].count.numpy():
            raise ValueError('x must hold at least one example; got none.')
        return results

    def predict(self, x: Any, *args: Any, **kwargs: Any) -> np.ndarray:
        """Returns the bits per dimension of each image, with the averaged weights."""
        x = inputs.peeked(inputs.normalised(x, None, None)[0])[0]
        self.batches_seen.assign(0)
        with self.averaged_weights(), value_checks.raised():
            return super().predict(x, *args, **kwargs)

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
            images, condition, weights = self._reference
            self.objective.update_statistics(images, [0, self.noise_seed], condition, weights)

    def _loss(self, images: TensorLike, condition: Condition = None) -> tf.Tensor:
        return self.objective.metrics(images, [0, 0], condition, step=0)['loss']

    def _specs(self) -> list[Any]:
        spec = self.objective.spec
        specs = [spec]
        if self.objective.conditional:
            specs.append(self._condition_spec)
        return tf.nest.map_structure(lambda s: tf.TensorSpec([2, *s.shape[1:]], s.dtype), specs)


def _assign(variables: Sequence[tf.Variable], values: Iterable[np.ndarray]) -> None:
    for variable, value in zip(variables, values):
        variable.assign(value)
