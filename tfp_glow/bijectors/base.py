"""The one-pass contract: value and log-det of a bijector from a single evaluation."""

import tensorflow as tf
from tensorflow_probability import bijectors as tfb

from tfp_glow.internal import tfp_compat


class OnePassBijector(tfb.Bijector):
    """A TFP bijector written as two methods that return value and log-det together.

    A subclass writes

    * `_forward_and_log_det(x) -> (y, log|det dy/dx|)`, latent to data, and
    * `_inverse_and_log_det(y) -> (x, log|det dx/dy|)`, data to latent.

    Both see tensors with exactly one batch dimension in front of the event's (leading dimensions
    are flattened and restored here; bijectors of scalars see any shape) and return the log-det per
    batch entry or a scalar that holds for all. From these the base derives TFP's `_forward`,
    `_inverse` and both log-det methods and fills TFP's cache, so that a traced `log_prob` evaluates
    every network once. Containers call the pairs of their parts directly.

    Two more methods have defaults:

    * `_inverse_pullback(x, dx, dlog_det, pullback) -> (y, dy)` and its `_forward` twin: the reverse
      vector-Jacobian product from the *output*, used by `Repeat` to train at constant memory. `dx`
      and `dlog_det` are the cotangents of the outputs of `_inverse_and_log_det`; `y` is rebuilt.
    * `_initialize(y) -> x`: sets data-dependent parameters from a batch of data `y` and returns
      what the next bijector sees. Called through `tfp_glow.initialize` only.

    And two more for export: `_frozen_values()` is a structure of all that can be computed from the
    parameters alone, and `_with_frozen(values)` an equal bijector that reads it there instead.

    Args of the constructor are those of `tfb.Bijector`; `parameters` is what the subclass was
    built from (`dict(locals())`).
    """

    _cache = tfp_compat.OnePassCache()

    def __init__(self, *, forward_min_event_ndims=3, dtype=None, parameters=None, name=None,
                 **kwargs):
        super().__init__(
            forward_min_event_ndims=forward_min_event_ndims, dtype=dtype,
            parameters=parameters, name=name, validate_args=False, **kwargs)

    @classmethod
    def _parameter_properties(cls, dtype, num_classes=None):
        return {}

    def _forward_and_log_det(self, x):
        raise NotImplementedError(f'{type(self).__name__} must write _forward_and_log_det.')

    def _inverse_and_log_det(self, y):
        raise NotImplementedError(f'{type(self).__name__} must write _inverse_and_log_det.')

    def _forward(self, x):
        return self._flattened('_forward', x, {})[0]

    def _inverse(self, y):
        return self._flattened('_inverse', y, {})[0]

    def _forward_log_det_jacobian(self, x):
        return self._flattened('_forward', x, {})[1]

    def _inverse_log_det_jacobian(self, y):
        return self._flattened('_inverse', y, {})[1]

    def _flattened(self, direction, value, kwargs):
        """Runs a pair on `value` with its leading dimensions folded into one."""
        if direction == '_forward':
            pair, ndims_in, ndims_out = (self._forward_and_log_det, self.forward_min_event_ndims,
                                         self.inverse_min_event_ndims)
        else:
            pair, ndims_in, ndims_out = (self._inverse_and_log_det, self.inverse_min_event_ndims,
                                         self.forward_min_event_ndims)
        part, ndims = tf.nest.flatten(value)[0], tf.nest.flatten(ndims_in)[0]
        if ndims == 0:
            return pair(value, **kwargs)
        if part.shape.rank is None or part.shape.rank < ndims:
            raise ValueError(f'{self.name}: the input must have at least {ndims} dimensions; '
                             f'got shape={part.shape}.')
        batch_shape = tf.shape(part)[:-ndims]
        static = part.shape[:-ndims]
        if part.shape.rank == ndims + 1:
            output, log_det = pair(value, **kwargs)
            return output, tf.ensure_shape(tf.broadcast_to(log_det, batch_shape), static)
        output, log_det = pair(tf.nest.map_structure(_fold_batch, value, ndims_in), **kwargs)
        output = tf.nest.map_structure(
            lambda t, n: _unfold_batch(t, n, batch_shape, static), output, ndims_out)
        if log_det.shape.rank == 0:
            log_det = tf.broadcast_to(log_det, batch_shape)
        return output, tf.ensure_shape(tf.reshape(log_det, batch_shape), static)

    def _forward_pullback(self, y, dy, dlog_det, pullback):
        return pull_through(self._inverse_and_log_det, self._forward_and_log_det,
                            y, dy, dlog_det, pullback)

    def _inverse_pullback(self, x, dx, dlog_det, pullback):
        return pull_through(self._forward_and_log_det, self._inverse_and_log_det,
                            x, dx, dlog_det, pullback)

    def _initialize(self, y):
        return self._inverse_and_log_det(y)[0]

    def _frozen_values(self):
        return ()

    def _with_frozen(self, values):
        del values
        return self


def forward_and_log_det(bijector, x, event_ndims):
    """`(forward(x), log-det)` of any TFP bijector over events of `event_ndims` dimensions."""
    if not isinstance(bijector, OnePassBijector):
        x = tf.identity(x)  # TFP's cache answers an old tensor with old values, unrecorded.
        log_det = bijector.forward_log_det_jacobian(x, event_ndims=event_ndims)
        return bijector.forward(x), tf.broadcast_to(log_det, tf.shape(x)[:-event_ndims])
    y, log_det = bijector._forward_and_log_det(x)
    return y, _sum_event(log_det, event_ndims - bijector.forward_min_event_ndims)


def inverse_and_log_det(bijector, y, event_ndims):
    """`(inverse(y), log-det)` of any TFP bijector over events of `event_ndims` dimensions."""
    if not isinstance(bijector, OnePassBijector):
        y = tf.identity(y)
        log_det = bijector.inverse_log_det_jacobian(y, event_ndims=event_ndims)
        return bijector.inverse(y), tf.broadcast_to(log_det, tf.shape(y)[:-event_ndims])
    x, log_det = bijector._inverse_and_log_det(y)
    return x, _sum_event(log_det, event_ndims - bijector.inverse_min_event_ndims)


def forward_pullback(bijector, y, dy, dlog_det, pullback):
    """`_forward_pullback` of any TFP bijector over images."""
    if isinstance(bijector, OnePassBijector):
        return bijector._forward_pullback(y, dy, dlog_det, pullback)
    return pull_through(lambda v: inverse_and_log_det(bijector, v, 3),
                        lambda v: forward_and_log_det(bijector, v, 3), y, dy, dlog_det, pullback)


def inverse_pullback(bijector, x, dx, dlog_det, pullback):
    """`_inverse_pullback` of any TFP bijector over images."""
    if isinstance(bijector, OnePassBijector):
        return bijector._inverse_pullback(x, dx, dlog_det, pullback)
    return pull_through(lambda v: forward_and_log_det(bijector, v, 3),
                        lambda v: inverse_and_log_det(bijector, v, 3), x, dx, dlog_det, pullback)


def initialize_part(bijector, y):
    """Initialises `bijector`, if it knows how, from data `y`; returns what comes before it."""
    if isinstance(bijector, OnePassBijector):
        return bijector._initialize(y)
    return bijector.inverse(y)


def frozen_values(bijector):
    """What `bijector` computes from its parameters alone, such as inverse matrices."""
    return bijector._frozen_values() if isinstance(bijector, OnePassBijector) else ()


def with_frozen(bijector, values):
    """`bijector` reading `values`, its `frozen_values` as tensors or variables."""
    return bijector._with_frozen(values) if isinstance(bijector, OnePassBijector) else bijector


def _sum_event(log_det, ndims):
    if ndims == 0 or log_det.shape.rank == 0:
        return log_det
    return tf.reduce_sum(log_det, axis=list(range(-ndims, 0)))


def pull_through(rebuild, function, output, doutput, dlog_det, pullback):
    """The default reverse product: rebuilds the input, evaluates again, asks the tape."""
    with pullback.paused():
        inputs = rebuild(output)[0]
    pullback.watch(inputs)
    again, log_det = function(inputs)
    dinputs, = pullback.pull([again, log_det], [inputs], [doutput, like(dlog_det, log_det)])
    return inputs, dinputs


def like(dlog_det, log_det):
    """The cotangent of `log_det`, which may be one scalar for the whole batch."""
    return tf.reduce_sum(dlog_det) if log_det.shape.rank == 0 else dlog_det


def _fold_batch(tensor, ndims):
    folded = tf.reshape(tensor, tf.concat([[-1], tf.shape(tensor)[-ndims:]], 0))
    return tf.ensure_shape(folded, [None, *tensor.shape[-ndims:]])


def _unfold_batch(tensor, ndims, batch_shape, static):
    shape = tf.concat([batch_shape, tf.shape(tensor)[-ndims:]], 0)
    return tf.ensure_shape(tf.reshape(tensor, shape), static + tensor.shape[-ndims:])
