"""The contract of a bijector, for your own as for ours: `assert_bijector_contract`."""

import copy
import os
import tempfile

import numpy as np
import tensorflow as tf

_BATCH = 6  # Also seen as [2, 3].


def assert_bijector_contract(bijector, event_shape, dtype=None, domain=None, jit_compile=True):
    """Raises an `AssertionError` unless `bijector` is right by every check that can be automated.

    * `forward` inverts `inverse` and the reverse, with TFP's cache out of the way;
    * both log-dets equal log|det| of the Jacobian by automatic differentiation;
    * event shapes, static and dynamic; leading dimensions [], [6], [2, 3] and None;
    * eager mode, `tf.function` and XLA agree;
    * the gradient of every trainable variable is there, finite, and not all zeros, in both
      directions, also when the same tensor was evaluated before the tape was opened;
    * after an assignment the answer on the same tensor is the new one, eager and traced;
    * `copy()` answers alike, `copy.deepcopy` is independent, `tf.train.Checkpoint` restores, an
      unknown argument is refused.

    Args:
      bijector: a `tfb.Bijector`; one tensor on the side of the data, one or a list on the latents'.
        Perturb variables that start at zero, or their gradients may be all zeros.
      event_shape: of the data, `forward`'s output. Keep it tiny: Jacobians are taken.
      dtype: of the data; by default the bijector's, else float32. float64 makes the test sharper.
      domain: maps standard Normal tensors to valid data, elementwise; by default the identity.
      jit_compile: whether to compile with XLA as well.

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
    case.check_batch_shapes()
    case.check_compiled(jit_compile)
    if bijector.trainable_variables:
        case.check_gradients()
        case.check_assignment()
    case.check_copies()


class _Case:
    """One bijector with data and the latents that belong to them."""

    def __init__(self, bijector, y):
        self.bijector, self.y = bijector, y
        self.ndims = y.shape.rank - 1
        self.latent_ndims = tf.nest.map_structure(  # By part, the same number of extra dimensions.
            lambda n: n + self.ndims - bijector.inverse_min_event_ndims,
            bijector.forward_min_event_ndims)
        self.x, self.ildj = self.inverse(y)
        self.tolerance = 1e-8 if y.dtype == tf.float64 else 2e-3

    def inverse(self, y, bijector=None):
        bijector = bijector or self.bijector
        return bijector.inverse(y), bijector.inverse_log_det_jacobian(y, event_ndims=self.ndims)

    def forward(self, x, bijector=None):
        bijector = bijector or self.bijector
        return (bijector.forward(x),
                bijector.forward_log_det_jacobian(x, event_ndims=self.latent_ndims))

    def close(self, what, actual, expected):
        for a, e in zip(tf.nest.flatten(actual), tf.nest.flatten(expected)):
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
            log_det = np.broadcast_to(log_det, [_BATCH])[0]
            self.close(f'the {name} log-det must be that of the Jacobian.', log_det, expected)

    def check_event_shapes(self):
        for shape, output, static, dynamic in (
                (self.y.shape[1:], self.x, self.bijector.inverse_event_shape,
                 self.bijector.inverse_event_shape_tensor),
                (tf.nest.map_structure(lambda z: z.shape[1:], self.x), self.y,
                 self.bijector.forward_event_shape, self.bijector.forward_event_shape_tensor)):
            expected = [z.shape[1:].as_list() for z in tf.nest.flatten(output)]
            found = _flat_shapes(static(shape))
            assert [s.as_list() for s in found] == expected, f'{found} must be {expected}.'
            shape = tf.nest.map_structure(lambda s: tf.constant(s, tf.int32), _as_lists(shape))
            found = [s.numpy().tolist() for s in tf.nest.flatten(dynamic(shape))]
            assert found == expected, f'{found} (dynamic) must be {expected}.'

    def check_batch_shapes(self):
        for batch in ([], [2, 3]):
            def shaped(z):
                rows = z if batch else z[:1]
                return tf.reshape(rows, [*batch, *z.shape[1:]])  # pylint: disable=cell-var-from-loop
            expected = tf.nest.map_structure(shaped, self.x)
            x, ildj = self.inverse(shaped(self.y))
            self.close(f'inverse of data with leading {batch}', x, expected)
            self.close(f'log-det with leading {batch}', tf.broadcast_to(ildj, batch),
                       tf.reshape(tf.broadcast_to(self.ildj, [_BATCH])[:len(batch) * 3 or 1], batch))
            self.close(f'forward of latents with leading {batch}',
                       self.forward(expected)[0], shaped(self.y))

    def check_compiled(self, jit_compile):
        def both(y):
            x, ildj = self.inverse(y)
            again, fldj = self.forward(_fresh(x))
            return x, ildj, again, fldj
        expected = (self.x, self.ildj, self.y, -self.ildj)
        signature = [tf.TensorSpec([None, *self.y.shape[1:]], self.y.dtype)]
        self.close('tf.function with a None batch', tf.function(both, signature)(self.y), expected)
        if jit_compile:
            compiled = tf.function(both, signature, jit_compile=True)
            self.close('XLA', compiled(self.y), expected)

    def check_gradients(self):
        for name, function, value in (('inverse', self.inverse, self.y),
                                      ('forward', self.forward, self.x)):
            expected = self._gradients(function, _fresh(value))
            for v, g in zip(self.bijector.trainable_variables, expected):
                what = f'the gradient of {name} with respect to {v.name}'
                assert g is not None, f'{what} is None.'
                assert np.all(np.isfinite(g)), f'{what} must be finite.'
                assert np.any(g), f'{what} is all zeros.'
            function(value)
            for _ in range(2):
                self._same_gradients('opened after an evaluation', function, value, expected)
            traced = tf.function(lambda z: (function(z), self._gradients(function, z))[1])  # pylint: disable=cell-var-from-loop
            self._same_gradients('traced', None, value, expected, traced)

    def _gradients(self, function, value):
        with tf.GradientTape() as tape:
            outputs = tf.nest.flatten(function(value))
            loss = sum(tf.reduce_sum(tf.sin(o + i)) for i, o in enumerate(outputs))
        return tape.gradient(loss, self.bijector.trainable_variables)

    def _same_gradients(self, what, function, value, expected, traced=None):
        found = traced(value) if traced else self._gradients(function, value)
        for v, a, e in zip(self.bijector.trainable_variables, found, expected):
            assert a is not None, f'a tape {what} gives no gradient of {v.name}.'
            self.close(f'gradient of {v.name}, tape {what}', a, e)

    def check_assignment(self):
        variables = self.bijector.trainable_variables
        old, other = [v.numpy() for v in variables], [v.numpy() * .9 + .05 for v in variables]
        _assign(variables, other)
        try:
            new = self.inverse(_fresh(self.y))
            self.close('inverse of the same tensor after an assignment', self.inverse(self.y), new)
            self.close('forward of the same tensor after an assignment', self.forward(self.x),
                       self.forward(_fresh(self.x)))
        finally:
            _assign(variables, old)
        changed = [not np.allclose(a, e) for a, e in zip(
            tf.nest.flatten(new), tf.nest.flatten((self.x, self.ildj)))]
        assert any(changed), 'assigning to the variables changes nothing.'

        @tf.function
        def assign_between(y):
            self.inverse(y)
            _assign(variables, other)
            between = self.inverse(y)
            _assign(variables, old)
            return between
        self.close('inverse after an assignment in the same tf.function', assign_between(self.y), new)

    def check_copies(self):
        expected = (self.x, self.ildj)
        self.close('copy()', self.inverse(self.y, self.bijector.copy()), expected)
        try:
            self.bijector.copy(no_such_argument=1)
        except TypeError:
            pass
        else:
            raise AssertionError('an unknown keyword argument must be refused.')
        twin = copy.deepcopy(self.bijector)
        self.close('deepcopy', self.inverse(self.y, twin), expected)
        _assign(twin.trainable_variables, [v * .9 + .05 for v in twin.trainable_variables])
        self.close('the original of a changed deepcopy', self.inverse(self.y), expected)
        if twin.trainable_variables:
            with tempfile.TemporaryDirectory() as folder:
                path = os.path.join(folder, 'checkpoint')
                tf.train.Checkpoint(bijector=self.bijector).write(path)
                tf.train.Checkpoint(bijector=twin).read(path).assert_existing_objects_matched()
            self.close('a restored checkpoint', self.inverse(self.y, twin), expected)


def _fresh(structure):
    """Equal tensors that TFP's cache has not seen."""
    return tf.nest.map_structure(tf.identity, structure)


def _assign(variables, values):
    for variable, value in zip(variables, values):
        variable.assign(value)


def _jacobian(function, value):
    """`[n, n]`: the Jacobian at the first row of `value`, from a batch of n equal rows."""
    parts = tf.nest.flatten(value)
    size = sum(int(np.prod(part.shape[1:])) for part in parts)
    value = tf.nest.map_structure(
        lambda z: tf.repeat(z[:1], size, 0), value)
    with tf.GradientTape() as tape:
        tape.watch(value)
        output = _rows(function(value))
        diagonal = tf.reduce_sum(tf.linalg.diag_part(output))  # Output i of row i.
    return _rows(tape.gradient(diagonal, value, unconnected_gradients='zero')).numpy()


def _rows(structure):
    return tf.concat([tf.reshape(z, [z.shape[0], -1]) for z in tf.nest.flatten(structure)], 1)


def _flat_shapes(shapes):
    return [shapes] if isinstance(shapes, tf.TensorShape) else [tf.TensorShape(s) for s in shapes]


def _as_lists(shapes):
    if isinstance(shapes, tf.TensorShape):
        return np.array(shapes.as_list(), np.int32)
    return [np.array(s.as_list(), np.int32) for s in shapes]
