"""A Keras model around a flow: `compile`, `fit`, `evaluate`, weights, averaged weights."""

import contextlib

import keras
import numpy as np
import tensorflow as tf

from tfp_glow import dequantization, initialization
from tfp_glow.internal import variables as flow_variables

_INITIAL_IMAGES = 256  # As many as the reference initialises from.


class FlowModel(keras.Model):
    """Trains a flow over images by maximum likelihood, with uniform dequantization inside.

    Takes batches of integer images `[B, H, W, C]` with values 0 .. bins-1 (alone, or first in a
    tuple). `fit` initialises the flow from the first 256 images unless that has been done.
    `loss` is in nats per dimension, `bits_per_dim` in bits; on validation and test data both are
    computed with the averaged weights, if the optimizer keeps them (`use_ema=True`). Gradient
    clipping and warm-up are the optimizer's (`global_clipnorm`, a learning-rate schedule).

    Args:
      flow: a `tfd.TransformedDistribution` over `[H, W, C]`, data in [-1/2, 1/2).
      bins: number of grey levels.
      counted_dims: dimensions that bits/dim counts, where images were padded; all by default.
      seed: integer; the dequantization noise depends on it and on the step alone.
      round_trip: on validation and test data also report the metric `reconstruction_error`, the
        largest |forward(inverse(y)) - y| of a batch in units of the pixel range, averaged over
        batches: what gradients at constant memory rest on.
      name: name of the model.

    Raises:
      ValueError: by `compile`, when `flow.log_prob` reads a trainable weight that
        `flow.trainable_variables` does not list (it would not be trained, silently), or when
        there is nothing to train.

    #### References
    Theis, van den Oord and Bethge, *A note on the evaluation of generative models*, 2016,
    arXiv:1511.01844, section 3.1, for dequantization.

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

    def __init__(self, flow, bins=256, counted_dims=None, seed=0, round_trip=False,
                 name='flow_model'):
        super().__init__(name=name)
        if bins < 2:
            raise ValueError(f'bins must be at least 2; got {bins=}.')
        self.flow = flow
        self.bins = bins
        self.noise_seed = seed
        self.event_dims = int(np.prod(flow.event_shape))
        self.counted_dims = counted_dims or self.event_dims
        self.loss_tracker = keras.metrics.Mean(name='loss')
        self.bits_tracker = keras.metrics.Mean(name='bits_per_dim')
        self.round_trip_tracker = (keras.metrics.Mean(name='reconstruction_error')
                                   if round_trip else None)
        self.batches_seen = tf.Variable(0, trainable=False, dtype=tf.int64, name='batches_seen',
                                        aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA)
        self.built = True

    @property
    def trainable_variables(self):
        return list(self.flow.trainable_variables)

    trainable_weights = trainable_variables

    @property
    def non_trainable_variables(self):
        trainable = {id(v) for v in self.flow.trainable_variables}
        return [v for v in self.flow.variables if id(v) not in trainable]

    non_trainable_weights = non_trainable_variables

    @property
    def variables(self):
        return self.trainable_variables + self.non_trainable_variables

    weights = variables

    @property
    def metrics(self):
        trackers = [self.loss_tracker, self.bits_tracker, self.round_trip_tracker]
        return [tracker for tracker in trackers if tracker is not None]

    def compile(self, optimizer='adam', jit_compile=False, **kwargs):
        """`keras.Model.compile`; the loss is the flow's own. See the class for what is refused."""
        if kwargs.get('loss') is not None:
            raise ValueError(f'loss must be left out: a FlowModel\'s loss is the negative '
                             f'log-likelihood; got loss={kwargs["loss"]!r}.')
        hidden = flow_variables.hidden(self.flow, self.flow.event_shape)
        if hidden:
            raise ValueError(
                f'flow.trainable_variables must list every weight that log_prob reads; missing: '
                f'{", ".join(hidden)}. A Keras network that a bijector holds must be wrapped '
                f'(tfp_glow.bijectors do it), or it is never trained.')
        if not self.flow.trainable_variables:
            raise ValueError('flow must have trainable variables; it has none.')
        super().compile(optimizer=optimizer, jit_compile=jit_compile, **kwargs)

    def call(self, images):
        """Bits per dimension of each image, `[B]`, with fresh noise: an upper bound."""
        return self.bits(images, self._evaluation_seed())

    def bits(self, images, seed):
        """Bits per dimension of each image, `[B]`, with the noise of `seed`, two integers."""
        return self._bits(self._log_prob(images, seed))

    def to_data(self, images, seed):
        """Integer images as data of the flow, in [-1/2, 1/2); `seed` is two integers."""
        return tf.cast(dequantization.dequantize(images, self.bins, seed), self.flow.dtype)

    def to_images(self, data):
        """Data of the flow as uint8 images."""
        return dequantization.quantize(data, self.bins)

    def train_step(self, data):
        images = _images(data)
        seed = [tf.cast(self.optimizer.iterations, tf.int32),
                1009 * self.noise_seed + _replica()]
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        variables = self.trainable_variables
        with tf.GradientTape() as tape:
            log_prob = self._log_prob(images, seed)
            loss = self._loss(log_prob)
            scaled = self.optimizer.scale_loss(loss / replicas)
        self.optimizer.apply(tape.gradient(scaled, variables), variables)
        return self._report(loss, log_prob)

    def test_step(self, data):
        data = self.to_data(_images(data), self._evaluation_seed())
        log_prob = self.flow.log_prob(data)
        report = self._report(self._loss(log_prob), log_prob)
        if self.round_trip_tracker is not None:
            self.round_trip_tracker.update_state(self._round_trip_error(data))
            report[self.round_trip_tracker.name] = self.round_trip_tracker.result()
        return report

    def fit(self, x=None, *args, **kwargs):
        """`keras.Model.fit`, after initialising the flow from the first images of `x`."""
        if not initialization.is_initialized(self.flow):
            images = _first(x)
            initialization.initialize(self.flow, self.to_data(images, [0, self.noise_seed]))
        return super().fit(x, *args, **kwargs)

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
        optimizer = getattr(self, 'optimizer', None)  # None before compile.
        averages = getattr(optimizer, '_model_variables_moving_average', None)
        if not averages or not int(optimizer.iterations):
            yield self.flow
            return
        own = [v.numpy() for v in self.trainable_variables]
        _assign(self.trainable_variables, [a.numpy() for a in averages])
        try:
            yield self.flow
        finally:
            _assign(self.trainable_variables, own)

    def save_own_variables(self, store):
        for path, variable in flow_variables.by_path(self.flow).items():
            store[path.replace('/', '.')] = variable.numpy()

    def load_own_variables(self, store):
        variables = {path.replace('/', '.'): v
                     for path, v in flow_variables.by_path(self.flow).items()}
        missing, unknown = set(variables) - set(store.keys()), set(store.keys()) - set(variables)
        if missing or unknown:
            raise ValueError(f'the weights must be those of this flow; the file lacks '
                             f'{sorted(missing)[:3]} and has {sorted(unknown)[:3]} besides.')
        for path, variable in variables.items():
            value = np.asarray(store[path])
            if value.shape != tuple(variable.shape):
                raise ValueError(f'{path} must have shape {tuple(variable.shape)}; '
                                 f'the file has {value.shape}.')
            variable.assign(value)

    def _log_prob(self, images, seed):
        return self.flow.log_prob(self.to_data(images, seed))

    def _round_trip_error(self, data):
        latents = self.flow.bijector.inverse(data)  # Traced, from TFP's cache: log_prob's own.
        latents = tf.nest.map_structure(tf.identity, latents)  # But forward must not be cached.
        return tf.reduce_max(tf.abs(self.flow.bijector.forward(latents) - data))

    def _loss(self, log_prob):
        return -tf.reduce_mean(log_prob) / self.event_dims

    def _bits(self, log_prob):
        return dequantization.bits_per_dim(
            log_prob, self.event_dims, self.bins, self.counted_dims)

    def _evaluation_seed(self):
        seen = self.batches_seen.assign_add(1)
        return [tf.cast(seen, tf.int32), 1009 * self.noise_seed + 500 + _replica()]

    def _report(self, loss, log_prob):
        count = tf.shape(log_prob)[0]
        self.loss_tracker.update_state(loss, sample_weight=count)
        self.bits_tracker.update_state(self._bits(log_prob))
        return {m.name: m.result() for m in (self.loss_tracker, self.bits_tracker)}


def _images(data):
    return data[0] if isinstance(data, (tuple, list)) else data


def _replica():
    context = tf.distribute.get_replica_context()
    return context.replica_id_in_sync_group if context is not None else 0


def _first(x):
    """The first images of what `fit` was given."""
    if isinstance(x, tf.data.Dataset):
        x = _images(next(iter(x.unbatch().batch(_INITIAL_IMAGES))))
    elif not hasattr(x, 'shape'):
        raise ValueError('x must be images or a tf.data.Dataset for fit to initialise the flow; '
                         f'got {type(x).__name__}: call tfp_glow.initialize(flow, batch) first.')
    return x[:_INITIAL_IMAGES]


def _assign(variables, values):
    for variable, value in zip(variables, values):
        variable.assign(value)
