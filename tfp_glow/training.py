"""A Keras model around a flow: `compile`, `fit`, `evaluate`, weights, averaged weights."""

import contextlib

import keras
import tensorflow as tf

from tfp_glow import objective
from tfp_glow.internal import averages
from tfp_glow.internal import variables as flow_variables

_INITIAL_IMAGES = 256  # As many as the reference initialises from.
_REFERENCE_IMAGES = 1024  # For the statistics of BatchNorm.


class FlowModel(keras.Model):
    """Trains a flow by maximum likelihood: over images, with dequantization inside, or vectors.

    Takes batches of integer images `[B, H, W, C]` with values 0 .. bins-1, alone or first in a
    tuple; a flow that takes a condition gets it from the tuple's second place. `fit` initialises
    the flow from the first 256 images unless that has been done. `loss` is in nats per dimension,
    see below, `bits_per_dim` in bits; on validation and test data both are computed with the
    averaged weights, if the optimizer keeps them (`use_ema=True`), and `loss` is the likelihood's
    alone. At step t the averages have the momentum min(ema_momentum, (1 + t) / (10 + t)), so that
    they soon forget the initial weights. Gradient clipping and warm-up are the optimizer's
    (`global_clipnorm`, a learning-rate schedule).

    ```none
    loss = - mean(log p(y | condition)) / D
           + classification_weight * cross-entropy of the classifier
           + sum(weights^2) / (2 weight_prior^2 N D)
    ```

    A flow with `BatchNorm` trains by the statistics of each batch; before it evaluates, the
    statistics are computed anew from the first 1,024 images that `fit` saw or that were given to
    `set_reference`, for the weights that evaluate.

    Args:
      flow: a `tfd.TransformedDistribution`, over images with data in [-1/2, 1/2) or over vectors;
        or a `flows.IntegerFlow`, of the images as they are.
      bins: number of grey levels; None for continuous data, which are taken as they are and
        reported as `nats`, -log p of an example, in place of bits.
      counted_dims: dimensions that bits/dim counts, where images were padded; all by default.
      seed: integer; the dequantization noise depends on it and on the step alone.
      round_trip: on validation and test data also report the metric `reconstruction_error`, the
        largest |forward(inverse(y)) - y| of a batch in units of the pixel range, averaged over
        batches: what gradients at constant memory rest on.
      noise: a `distributions.VariationalNoise` that is trained too; uniform noise by default.
      condition_spec: structure of `tf.TensorSpec`s of the condition, where it is no batch of
        integer labels.
      classifier: a module `(latents, labels) -> logits [B, classes]` that finds the label from the
        latents and is trained too, such as `flows.ClassFinder`; reported as `accuracy`.
      classification_weight: see above.
      weight_prior: standard deviation of a Gaussian prior on every trained weight: the estimate is
        then that of the maximum a posteriori. None for maximum likelihood.
      examples: N, the number of training examples; needed with a prior.
      name: name of the model.

    Raises:
      ValueError: an argument out of its range; by `compile`, when `flow.log_prob` reads a trainable
        weight that `flow.trainable_variables` does not list (it would not be trained, silently), or
        when there is nothing to train.

    #### References
    Theis, van den Oord and Bethge, *A note on the evaluation of generative models*, 2016,
    arXiv:1511.01844, section 3.1, for dequantization.
    Kingma and Dhariwal, *Glow*, 2018, arXiv:1807.03039, for the classifier.

    ```python
    >>> import keras, numpy as np, tfp_glow
    >>> flow = tfp_glow.flows.glow((8, 8, 1), levels=2, steps_per_level=1, width=4)
    >>> model = tfp_glow.FlowModel(flow, bins=17)
    >>> model.compile(keras.optimizers.Adam(1e-3))
    >>> images = np.zeros([16, 8, 8, 1], np.uint8)
    >>> history = model.fit(images, batch_size=8, epochs=1, verbose=0)
    >>> sorted(history.history)
    ['bits_per_dim', 'loss']

    ```
    """

    def __init__(self, flow, bins=256, counted_dims=None, seed=0, round_trip=False, *, noise=None,
                 condition_spec=None, classifier=None, classification_weight=.01,
                 weight_prior=None, examples=None, name='flow_model'):
        super().__init__(name=name)
        self.objective = objective.Objective(
            flow, bins, counted_dims, noise, classifier, classification_weight, weight_prior,
            examples)
        self.noise_seed = seed
        self._condition_spec = condition_spec or tf.TensorSpec([None], tf.int32)
        self._reference = None
        self.loss_tracker = keras.metrics.Mean(name='loss')
        self.bits_tracker = keras.metrics.Mean(name='nats' if bins is None else 'bits_per_dim')
        self.accuracy_tracker = keras.metrics.Mean(name='accuracy') if classifier else None
        self.round_trip_tracker = (keras.metrics.Mean(name='reconstruction_error')
                                   if round_trip else None)
        self.batches_seen = tf.Variable(0, trainable=False, dtype=tf.int64, name='batches_seen',
                                        aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA)
        self.built = True

    @property
    def flow(self):
        """The flow, as given."""
        return self.objective.flow

    @property
    def noise(self):
        """The dequantization noise that is trained too, or None."""
        return self.objective.noise

    @property
    def bins(self):
        """The number of grey levels; None for continuous data."""
        return self.objective.bins

    @property
    def event_dims(self):
        """D, the number of dimensions of the flow's events."""
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
        trackers = [self.loss_tracker, self.bits_tracker, self.accuracy_tracker,
                    self.round_trip_tracker]
        return [tracker for tracker in trackers if tracker is not None]

    def compile(self, optimizer='adam', jit_compile=False, **kwargs):
        """`keras.Model.compile`; the loss is the flow's own. See the class for what is refused."""
        if kwargs.get('loss') is not None:
            raise ValueError(f'loss must be left out: a FlowModel\'s loss is the negative '
                             f'log-likelihood; got loss={kwargs["loss"]!r}.')
        hidden = flow_variables.hidden(self._likelihood, self._specs(), self.trainable_variables)
        if hidden:
            raise ValueError(
                f'flow.trainable_variables must list every weight that log_prob reads; missing: '
                f'{", ".join(hidden)}. A Keras network that a bijector holds must be wrapped '
                f'(tfp_glow.bijectors do it), or it is never trained.')
        if not self.flow.trainable_variables:
            raise ValueError('flow must have trainable variables; it has none.')
        super().compile(optimizer=optimizer, jit_compile=jit_compile, **kwargs)

    def call(self, images, condition=None):
        """Bits per dimension of each image, `[B]`, with fresh noise: an upper bound."""
        return self.bits(images, self._evaluation_seed(), condition)

    def bits(self, images, seed, condition=None):
        """Bits per dimension of each image, `[B]`, with the noise of `seed`, two integers.

        Of continuous data, nats per example.
        """
        return self.objective.bits(self.objective.log_prob(images, seed, condition)[0])

    def to_data(self, images, seed):
        """Integer images as data of the flow, in [-1/2, 1/2); `seed` is two integers."""
        return self.objective.to_data(images, seed)

    def to_images(self, data):
        """Data of the flow as uint8 images."""
        return self.objective.to_images(data)

    def train_step(self, data):
        images, condition = self._taken_apart(data)
        seed = [tf.cast(self.optimizer.iterations, tf.int32),
                1009 * self.noise_seed + _replica()]
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        variables = self.trainable_variables
        with tf.GradientTape() as tape:
            log_prob, continuous = self.objective.log_prob(images, seed, condition, training=True)
            loss = self.objective.loss(log_prob) + self.objective.penalty()
            if self.accuracy_tracker is not None:
                cost, found = self.objective.classification(continuous, condition, training=True)
                loss += cost
                self.accuracy_tracker.update_state(found)
            scaled = self.optimizer.scale_loss(loss / replicas)
        with averages.young(self.optimizer):
            self.optimizer.apply(tape.gradient(scaled, variables), variables)
        return self._report(loss, log_prob)

    def test_step(self, data):
        images, condition = self._taken_apart(data)
        seed = self._evaluation_seed()
        log_prob, continuous = self.objective.log_prob(images, seed, condition)
        if self.accuracy_tracker is not None:
            self.accuracy_tracker.update_state(
                self.objective.classification(continuous, condition)[1])
        if self.round_trip_tracker is not None:
            if continuous is None:
                continuous = self.to_data(images, seed)
            self.round_trip_tracker.update_state(self._round_trip_error(continuous, condition))
        return self._report(self.objective.loss(log_prob), log_prob, testing=True)

    def predict_step(self, data):
        return self(*self._taken_apart(data))

    def fit(self, x=None, y=None, *args, **kwargs):
        """`keras.Model.fit`, after initialising the flow from the first images of `x`."""
        needs = [] if self.objective.is_initialized else [_INITIAL_IMAGES]
        if self.objective.has_statistics and self._reference is None:
            needs.append(_REFERENCE_IMAGES)
        if needs:
            first, condition = self._taken_apart(_first(x, y, max(needs)))
            self.objective.initialize(first[:_INITIAL_IMAGES], [0, self.noise_seed],
                                      _head(condition, _INITIAL_IMAGES))
            self.set_reference(first, condition)
        return super().fit(x, y, *args, **kwargs)

    def set_reference(self, images, condition=None):
        """Gives the images from which `BatchNorm`s take the statistics that they evaluate by."""
        self._reference = (images[:_REFERENCE_IMAGES], _head(condition, _REFERENCE_IMAGES))

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
        """Within it the flow has the weights' moving averages; afterwards its own again."""
        found = averages.of(getattr(self, 'optimizer', None))  # None before compile.
        if not found:
            self._update_statistics()
            yield self.flow
            return
        own = [v.numpy() for v in self.trainable_variables]
        _assign(self.trainable_variables, [a.numpy() for a in found])
        self._update_statistics()
        try:
            yield self.flow
        finally:
            _assign(self.trainable_variables, own)
            self._update_statistics()

    def _update_statistics(self):
        if self._reference is not None:
            images, condition = self._reference
            self.objective.update_statistics(images, [0, self.noise_seed], condition)

    def save_own_variables(self, store):
        flow_variables.store(self._holder(), store)

    def load_own_variables(self, store):
        flow_variables.load(self._holder(), store)

    def _holder(self):
        """One module with all parts."""
        if len(self.objective.parts) == 1:
            return self.flow
        holder = tf.Module()
        holder.parts = self.objective.parts
        return holder

    def _likelihood(self, images, condition=None):
        return self.objective.log_prob(images, [0, 0], condition, training=True)[0]

    def _specs(self):
        dtype = self.flow.dtype if self.bins is None else tf.uint8
        images = tf.TensorSpec([2, *self.flow.event_shape], dtype)
        if not self.objective.conditional:
            return [images]
        return [images, tf.nest.map_structure(
            lambda spec: tf.TensorSpec([2, *spec.shape[1:]], spec.dtype), self._condition_spec)]

    def _taken_apart(self, data):
        """Images, and the condition if the flow takes one."""
        parts = data if isinstance(data, (tuple, list)) else (data,)
        if not self.objective.conditional:
            return parts[0], None
        if len(parts) < 2 or parts[1] is None:
            raise ValueError('x must be batches (images, condition), as the flow depends on a '
                             'condition; got images alone.')
        return parts[0], parts[1]

    def _round_trip_error(self, data, condition):
        given = {} if condition is None else {'condition': condition}
        # Traced, from TFP's cache: log_prob's own. But forward must not be cached.
        latents = self.flow.bijector.inverse(data, **given)
        again = self.flow.bijector.forward(tf.nest.map_structure(tf.identity, latents), **given)
        return tf.reduce_max(tf.abs(again - data))

    def _evaluation_seed(self):
        seen = self.batches_seen.assign_add(1)
        return [tf.cast(seen, tf.int32), 1009 * self.noise_seed + 500 + _replica()]

    def _report(self, loss, log_prob, testing=False):
        self.loss_tracker.update_state(loss, sample_weight=tf.shape(log_prob)[0])
        self.bits_tracker.update_state(self.objective.bits(log_prob))
        return {m.name: m.result() for m in self.metrics
                if testing or m is not self.round_trip_tracker}


def _replica():
    context = tf.distribute.get_replica_context()
    return context.replica_id_in_sync_group if context is not None else 0


def _first(x, y, count):
    """The first `count` examples of what `fit` was given."""
    if isinstance(x, tf.data.Dataset):
        return next(iter(x.unbatch().batch(count)))
    if not hasattr(x, 'shape'):
        raise ValueError('x must be images or a tf.data.Dataset for fit to initialise the flow; '
                         f'got {type(x).__name__}: call tfp_glow.initialize(flow, batch) first.')
    return x[:count], _head(y, count)


def _head(condition, count):
    """The first `count` entries of a condition, which may be None."""
    return tf.nest.map_structure(lambda c: None if c is None else c[:count], condition)


def _assign(variables, values):
    for variable, value in zip(variables, values):
        variable.assign(value)
