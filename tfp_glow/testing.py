"""The contract of a bijector, for your own as for ours: `assert_bijector_contract`."""

import copy
import math
import os
import tempfile

import numpy as np
import tensorflow as tf

_BATCH = 6  # Also seen as [2, 3].


def assert_bijector_contract(bijector, event_shape, dtype=None, domain=None, jit_compile=True):
    """Raises an `AssertionError` unless `bijector` keeps what TFP's users rely on.

    * `forward` inverts `inverse` and the reverse, with TFP's cache out of the way;
    * both log-dets equal log|det| of the Jacobian by automatic differentiation;
    * event shapes, static and dynamic; leading dimensions [], [6], [2, 3] and None;
    * eager mode, `tf.function` and XLA agree; no variable is read that is not listed;
    * the gradient of every trainable variable is there, finite, and not all zeros, in both
      directions, also when the same tensor was evaluated before the tape was opened;
    * after an assignment the answer on the same tensor is the new one, eager and traced;
    * `copy()` and `copy.deepcopy` answer alike and a deep copy is independent (where Python can
      make one), `tf.train.Checkpoint` restores, an unknown argument is refused.

    Args:
      bijector: a `tfb.Bijector`; one tensor on the side of the data, one or a list on the latents'.
        Perturb variables that start at zero, or their gradients may be all zeros.
      event_shape: of the data, `forward`'s output. Keep it tiny: Jacobians are taken.
      dtype: of the data; by default the bijector's, else float32. float64 makes the test sharper.
      domain: maps standard Normal tensors to valid data, elementwise; by default the identity.
      jit_compile: whether to compile with XLA as well.

    Raises:
      AssertionError: a check failed; the message says which.

    ```python
    >>> import tensorflow as tf, tfp_glow
    >>> from tfp_glow import testing
    >>> mixing = tfp_glow.bijectors.DenseConv1x1(tf.Variable([[2., 1.], [0., 1.]]))
    >>> testing.assert_bijector_contract(mixing, event_shape=[2, 1, 2], jit_compile=False)

    ```
    """
    dtype = tf.as_dtype(dtype or bijector.dtype or tf.float32)
    noise = np.random.default_rng(0).standard_normal([_BATCH, *event_shape])
    data = tf.constant(noise, dtype)
    case = _Case(bijector, data if domain is None else domain(data))
    case.check_round_trip()
    case.check_log_dets()
    case.check_event_shapes()
    case.check_batch_shape([])
    case.check_batch_shape([2, 3])
    case.check_compiled(jit_compile)
    if bijector.trainable_variables:
        case.check_gradients('inverse', case.inverse, case.y)
        case.check_gradients('forward', case.forward, case.x)
        case.check_assignment()
    case.check_copies()


class _Case:
    """One bijector, data `y`, and the latents `x` that belong to them."""

    def __init__(self, bijector, y):
        self.bijector, self.y = bijector, y
        self.variables = bijector.trainable_variables
        self.ndims = y.shape.rank - 1
        self.latent_ndims = tf.nest.map_structure(
            lambda n: n + self.ndims - bijector.inverse_min_event_ndims,
            bijector.forward_min_event_ndims)
        self.x, self.ildj = self.inverse(y)
        self.tolerance = 1e-8 if y.dtype == tf.float64 else 2e-3

    def inverse(self, y, bijector=None):
        bijector = bijector or self.bijector
        log_det = bijector.inverse_log_det_jacobian(y, event_ndims=self.ndims)
        return bijector.inverse(y), _per_event(log_det, y, self.ndims)

    def forward(self, x):
        log_det = self.bijector.forward_log_det_jacobian(x, event_ndims=self.latent_ndims)
        return self.bijector.forward(x), _per_event(log_det, x, self.latent_ndims)

    def close(self, what, actual, expected):
        for a, e in zip(tf.nest.flatten(actual), tf.nest.flatten(expected), strict=True):
            np.testing.assert_allclose(a, e, self.tolerance, self.tolerance, err_msg=what)

    def check_round_trip(self):
        y, fldj = self.forward(_fresh(self.x))
        self.close('forward(inverse(y)) must be y.', y, self.y)
        self.close('the two log-dets must be opposite.', -fldj, self.ildj)
        x, _ = self.inverse(_fresh(y))
        self.close('inverse(forward(x)) must be x.', x, self.x)

    def check_log_dets(self):
        for name, function, value, log_det in (
                ('inverse', self.bijector.inverse, self.y, self.ildj),
                ('forward', self.bijector.forward, self.x, -self.ildj)):
            expected = np.linalg.slogdet(_jacobian(function, value))[1]
            self.close(f'the {name} log-det must be that of the Jacobian.', log_det[0], expected)

    def check_event_shapes(self):
        event_shape = tf.nest.map_structure(lambda z: z.shape[1:], (self.x, self.y))
        sizes = tf.nest.map_structure(lambda z: tf.shape(z)[1:], (self.x, self.y))
        for name, here, there in (('forward', 0, 1), ('inverse', 1, 0)):
            found = getattr(self.bijector, f'{name}_event_shape')(event_shape[here])
            assert found == event_shape[there], (
                f'{name}_event_shape must be {event_shape[there]}; got {found}.')
            found = getattr(self.bijector, f'{name}_event_shape_tensor')(sizes[here])
            self.close(f'{name}_event_shape_tensor', found, sizes[there])

    def check_batch_shape(self, batch):
        def shaped(z):
            return tf.reshape(z[:math.prod(batch)], [*batch, *z.shape[1:]])
        y, x, ildj = tf.nest.map_structure(shaped, (self.y, self.x, self.ildj))
        self.close(f'inverse with leading dimensions {batch}', self.inverse(y), (x, ildj))
        self.close(f'forward with leading dimensions {batch}', self.forward(_fresh(x)), (y, -ildj))

    def check_compiled(self, jit_compile):
        def both(y):
            x, ildj = self.inverse(y)
            return x, ildj, self.forward(_fresh(x))
        expected = (self.x, self.ildj, (self.y, -self.ildj))
        signature = [tf.TensorSpec([None, *self.y.shape[1:]], self.y.dtype)]
        traced = tf.function(both, signature).get_concrete_function()
        self.close('tf.function with a None batch', traced(self.y), expected)
        listed = {id(v) for v in self.variables}
        hidden = [v.name for v in traced.graph.trainable_variables if id(v) not in listed]
        assert not hidden, f'trainable_variables must list what is read; missing: {hidden}.'
        if jit_compile:
            self.close('XLA', tf.function(both, signature, jit_compile=True)(self.y), expected)

    def check_gradients(self, name, function, value):
        def gradients(value, what):
            with tf.GradientTape() as tape:
                outputs = tf.nest.flatten(function(value))
                loss = sum(tf.reduce_sum(tf.sin(o + i)) for i, o in enumerate(outputs))
            found = tape.gradient(loss, self.variables)
            for v, g in zip(self.variables, found, strict=True):
                assert g is not None, f'the gradient of {what} by {v.name} is None.'
            return [tf.convert_to_tensor(g) for g in found]  # Some may be `tf.IndexedSlices`.

        @tf.function
        def evaluated_before(value):
            function(value)
            return gradients(value, f'{name} after a traced evaluation')

        expected = gradients(_fresh(value), name)
        for v, g in zip(self.variables, expected, strict=True):
            assert np.all(np.isfinite(g)), f'the gradient of {name} by {v.name} must be finite.'
            assert np.any(g), f'the gradient of {name} by {v.name} is all zeros.'
        function(value)
        for _ in range(2):
            what = f'{name} after an evaluation'
            self.close(f'gradients of {what}', gradients(value, what), expected)
        self.close(f'gradients of {name}, traced', evaluated_before(value), expected)

    def check_assignment(self):
        old = [v.numpy() for v in self.variables]
        other = [.9 * value + .05 for value in old]

        @tf.function
        def assign_between(y):
            self.inverse(y)
            _assign(self.variables, other)
            between = self.inverse(y)
            _assign(self.variables, old)
            return between

        _assign(self.variables, other)
        new, same = self.inverse(_fresh(self.y)), self.inverse(self.y)
        forward, same_forward = self.forward(_fresh(self.x)), self.forward(self.x)
        _assign(self.variables, old)
        self.close('inverse of the same tensor after an assignment', same, new)
        self.close('forward of the same tensor after an assignment', same_forward, forward)
        self.close('inverse after an assignment in one tf.function', assign_between(self.y), new)
        changed = [not np.allclose(a, e) for a, e in zip(
            tf.nest.flatten(new), tf.nest.flatten((self.x, self.ildj)), strict=True)]
        assert any(changed), 'assigning to the variables changes nothing.'

    def check_copies(self):
        expected = (self.x, self.ildj)
        self.close('copy()', self.inverse(self.y, self.bijector.copy()), expected)
        try:
            self.bijector.copy(no_such_argument=1)
        except TypeError:
            pass
        else:
            raise AssertionError('an unknown keyword argument must be refused.')
        with tempfile.TemporaryDirectory() as folder:
            path = tf.train.Checkpoint(b=self.bijector).write(os.path.join(folder, 'checkpoint'))
            _assign(self.variables, [v + 1 for v in self.variables])
            tf.train.Checkpoint(b=self.bijector).read(path).assert_consumed()
        self.close('a restored checkpoint', self.inverse(self.y), expected)
        try:
            twin = copy.deepcopy(self.bijector)
        except TypeError:  # tfb.Invert, for one, forbids it.
            return
        self.close('deepcopy', self.inverse(self.y, twin), expected)
        _assign(twin.trainable_variables, [v + 1 for v in twin.trainable_variables])
        self.close('the original of a changed deepcopy', self.inverse(self.y), expected)


def _fresh(structure):
    """Equal tensors that TFP's cache has not seen."""
    return tf.nest.map_structure(tf.identity, structure)


def _assign(variables, values):
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def _per_event(log_det, value, event_ndims):
    """`log_det` with all leading dimensions of `value`, which TFP may leave to broadcasting."""
    part, ndims = tf.nest.flatten(value)[0], tf.nest.flatten(event_ndims)[0]
    return tf.broadcast_to(log_det, tf.shape(part)[:part.shape.rank - ndims])


def _jacobian(function, value):
    """`[n, n]`: the Jacobian at the first row of `value`, from one batch of n equal rows."""
    size = sum(math.prod(part.shape[1:]) for part in tf.nest.flatten(value))
    value = tf.nest.map_structure(lambda z: tf.repeat(z[:1], size, 0), value)
    with tf.GradientTape() as tape:
        tape.watch(value)
        diagonal = tf.reduce_sum(tf.linalg.diag_part(_rows(function(value))))  # Output i of row i.
    return _rows(tape.gradient(diagonal, value, unconnected_gradients='zero')).numpy()


def _rows(structure):
    return tf.concat([tf.reshape(z, [z.shape[0], -1]) for z in tf.nest.flatten(structure)], 1)
