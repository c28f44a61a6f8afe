"""A Keras model around an objective: what training flows and training VAEs have in common."""

import contextlib

import keras
import tensorflow as tf

from tfp_glow.internal import averages
from tfp_glow.internal import variables as named_variables
from tfp_glow.training import batches

_INITIAL_IMAGES = 256  # As many as Glow's reference initialises from.


class LikelihoodModel(keras.Model):
    """Trains by a likelihood, or by a bound of one: the base of `FlowModel` and `vaes.VAEModel`.

    What is trained, and by which loss, the objective says:

    * `module`, the module that is trained, and `module_name`, for messages; `parts`, all modules
      with variables, the module first; `trainable_variables`, theirs.
    * `spec`: a `tf.TensorSpec` of a batch; `conditional`: whether there is a condition beside it.
    * `metrics(images, seed, condition=None, step=None) -> {name: [B] or scalar}`: `loss` and what
      else is reported. `step` is the number of the training step, None in evaluation.
    * `metric_names`: the names of all that `metrics` may return.
    * `log_prob(images, seed, condition=None) -> (log-likelihood or its bound [B], anything)`, and
      `bits(log_prob)`, the same in bits per dimension.
    * `is_initialized`, `initialize(images, seed, condition)`, `has_statistics` and
      `update_statistics(images, seed, condition)`: data-dependent parameters.

    Args:
      objective: see above.
      seed: integer; all that is random depends on it and on the step alone.
      condition_spec: structure of `tf.TensorSpec`s of the condition, where it is no batch of
        integer labels.
      name: name of the model.
    """

    reference_examples = 1024  # At most so many give the statistics of BatchNorm.

    def __init__(self, objective, seed=0, condition_spec=None, name=None):
        super().__init__(name=name)
        self.objective = objective
        self.noise_seed = seed
        self._condition_spec = condition_spec or tf.TensorSpec([None], tf.int32)
        self._reference = None
        self.trackers = {measure: keras.metrics.Mean(name=measure)
                         for measure in objective.metric_names}
        self.batches_seen = tf.Variable(0, trainable=False, dtype=tf.int64, name='batches_seen',
                                        aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA)
        self.built = True

    @property
    def event_dims(self):
        """D, the number of dimensions of an example."""
        return self.objective.event_dims

    @property
    def counted_dims(self):
        """The number of dimensions that bits/dim counts."""
        return self.objective.counted_dims

    @property
    def trainable_variables(self):
        return self.objective.trainable_variables

    trainable_weights = trainable_variables

    @property
    def non_trainable_variables(self):
        trainable = {id(v) for v in self.trainable_variables}
        return [v for part in self.objective.parts for v in part.variables
                if id(v) not in trainable]

    non_trainable_weights = non_trainable_variables

    @property
    def variables(self):
        return self.trainable_variables + self.non_trainable_variables

    weights = variables

    @property
    def metrics(self):
        return list(self.trackers.values())

    def compile(self, optimizer='adam', jit_compile=False, **kwargs):
        """`keras.Model.compile`; the loss is the objective's. See the class for what is refused."""
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

    def call(self, images, condition=None):
        """Bits per dimension of each image, `[B]`, with fresh noise: an upper bound."""
        return self.bits(images, self._evaluation_seed(), condition)

    def bits(self, images, seed, condition=None):
        """Bits per dimension of each image, `[B]`, with the noise of `seed`, two integers.

        Of continuous data, nats per example.
        """
        return self.objective.bits(self.objective.log_prob(images, seed, condition)[0])

    def train_step(self, data):
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

    def test_step(self, data):
        images, condition = self._taken_apart(data)
        return self._report(
            self.objective.metrics(images, self._evaluation_seed(), condition), images)

    def predict_step(self, data):
        return self(*self._taken_apart(data))

    def fit(self, x=None, y=None, *args, **kwargs):
        """`keras.Model.fit`, after `initialize` from the first images of `x`."""
        needs = [] if self.objective.is_initialized else [_INITIAL_IMAGES]
        if self.objective.has_statistics and self._reference is None:
            needs.append(self.reference_examples)
        if needs:
            first, condition = self._taken_apart(batches.first_examples(x, y, max(needs)))
            self.objective.initialize(first[:_INITIAL_IMAGES], [0, self.noise_seed],
                                      batches.first_rows(condition, _INITIAL_IMAGES))
            self.set_reference(first, condition)
        return super().fit(x, y, *args, **kwargs)

    def set_reference(self, images, condition=None):
        """Gives the images from which `BatchNorm`s, if any, take what they evaluate by."""
        if self.objective.has_statistics:
            self._reference = (images[:self.reference_examples],
                               batches.first_rows(condition, self.reference_examples))

    def evaluate(self, *args, **kwargs):
        """`keras.Model.evaluate` with the averaged weights."""
        self.batches_seen.assign(0)
        with self.averaged_weights():
            return super().evaluate(*args, **kwargs)

    def predict(self, *args, **kwargs):
        """Bits per dimension of each image, with the averaged weights."""
        self.batches_seen.assign(0)
        with self.averaged_weights():
            return super().predict(*args, **kwargs)

    @contextlib.contextmanager
    def averaged_weights(self):
        """Within it the module has the weights' moving averages; afterwards all its own again.

        The statistics of `BatchNorm`s are computed for the weights that evaluate, and afterwards
        are what they were before.
        """
        averaged = averages.ema_values(getattr(self, 'optimizer', None))  # None before compile.
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

    def _update_statistics(self):
        if self._reference is not None:
            images, condition = self._reference
            self.objective.update_statistics(images, [0, self.noise_seed], condition)

    def save_own_variables(self, store):
        named_variables.store(self._holder(), store)

    def load_own_variables(self, store):
        named_variables.load(self._holder(), store, self.objective.module_name)

    def _holder(self):
        """One module with all parts."""
        if len(self.objective.parts) == 1:
            return self.objective.module
        holder = tf.Module()
        holder.parts = self.objective.parts
        return holder

    def _loss(self, images, condition=None):
        return self.objective.metrics(images, [0, 0], condition, step=0)['loss']

    def _specs(self):
        spec = self.objective.spec
        specs = [spec]
        if self.objective.conditional:
            specs.append(self._condition_spec)
        return tf.nest.map_structure(lambda s: tf.TensorSpec([2, *s.shape[1:]], s.dtype), specs)

    def _taken_apart(self, data):
        """Images, and the condition if there is one."""
        parts = data if isinstance(data, (tuple, list)) else (data,)
        if not self.objective.conditional:
            return parts[0], None
        if len(parts) < 2 or parts[1] is None:
            raise ValueError('x must be batches (images, condition), as the '
                             f'{self.objective.module_name} depends on a condition; got images '
                             'alone.')
        return parts[0], parts[1]

    def _evaluation_seed(self):
        seen = self.batches_seen.assign_add(1)
        return [tf.cast(seen, tf.int32), 1009 * self.noise_seed + 500 + _replica()]

    def _report(self, metrics, images):
        for measure, value in metrics.items():
            scalar = value.shape.rank == 0
            self.trackers[measure].update_state(
                value, sample_weight=tf.shape(images)[0] if scalar else None)
        return {measure: self.trackers[measure].result() for measure in metrics}


def _replica():
    context = tf.distribute.get_replica_context()
    return context.replica_id_in_sync_group if context is not None else 0


def _assign(variables, values):
    for variable, value in zip(variables, values):
        variable.assign(value)
