"""Users' own bijectors work with `diagnose` and `initialize` by the documented methods."""

import faulty
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_probability import bijectors as tfb
from tensorflow_probability import distributions as tfd

import tfp_glow
from tfp_glow import bijectors as tgb
from tfp_glow import testing


class Fan(tgb.OnePassBijector):
    """inverse(y) = [y_0, y_1 exp(rate * y_0)] of vectors; `slope` adds a fault."""

    def __init__(self, rate=1., slope=1., name='fan'):
        parameters = dict(locals())
        self._rate, self._slope = rate, slope
        super().__init__(forward_min_event_ndims=1, parameters=parameters, name=name)

    def _inverse_and_log_det(self, y):
        log_slope = self._rate * y[:, 0]
        return tf.stack([y[:, 0], y[:, 1] * tf.exp(log_slope)], 1), log_slope

    def _forward_and_log_det(self, x):
        log_slope = self._rate * x[:, 0]
        return tf.stack([x[:, 0], x[:, 1] * tf.exp(-log_slope)], 1), -log_slope

    def _log_slopes(self, y):
        return self._slope * self._rate * y[:, :1]


class Mirrored(tgb.OnePassBijector):
    """A container: inverse(y) = -part.inverse(y) of vectors; `shift` adds a fault."""

    def __init__(self, part, shift=0., name='mirrored'):
        parameters = dict(locals())
        self._part, self._shift = part, shift
        super().__init__(forward_min_event_ndims=1, parameters=parameters, name=name)

    def _inverse_and_log_det(self, y):
        return -self._part.inverse(y), self._part.inverse_log_det_jacobian(y, 1)

    def _forward_and_log_det(self, x):
        return self._part.forward(-x), self._part.forward_log_det_jacobian(-x, 1)

    def visit_parts(self, y, visit):
        return -visit('/', self._part, y) + self._shift


class Plain(tfb.Bijector):
    """A TFP bijector that is not a `OnePassBijector`: forward(x) = x R of vectors, R a matrix."""

    def __init__(self, matrix, wrong=1.):
        parameters = dict(locals())
        self._matrix, self._wrong = tf.convert_to_tensor(matrix), wrong
        super().__init__(forward_min_event_ndims=1, is_constant_jacobian=True,
                         parameters=parameters, name='plain')

    def _forward(self, x):
        return tf.linalg.matvec(self._matrix, x, transpose_a=True)

    def _inverse(self, y):
        return tf.linalg.matvec(tf.linalg.inv(self._matrix), y, transpose_a=True)

    def _forward_log_det_jacobian(self, x):
        return tf.math.log(tf.abs(tf.linalg.det(self._matrix)))

    def singular_values(self):
        return self._wrong / tf.linalg.svd(self._matrix, compute_uv=False)


MATRIX = np.array([[2., 1.], [0., .5]], np.float32)
DATA = np.random.default_rng(0).standard_normal([64, 2]).astype(np.float32)


def diagnose(bijector):
    normal = tfd.Sample(tfd.Normal(0., 1.), [2])
    return tfp_glow.diagnose(tfd.TransformedDistribution(normal, bijector), DATA)


def test_slopes_of_a_bijector_of_your_own():
    layer, = diagnose(Fan()).layers
    slopes = np.exp(DATA[:, 0])
    assert (layer.path, layer.kind, layer.condition_number) == ('fan', 'Fan', None)
    assert layer.least_scale == pytest.approx(slopes.min(), rel=1e-5)
    assert layer.greatest_scale == pytest.approx(slopes.max(), rel=1e-5)
    least, greatest, *_ = diagnose(Fan(10.)).warnings
    assert least.startswith('fan: least scale') and 'is below 0.001' in least
    assert greatest.startswith('fan: greatest scale') and 'is above 1000' in greatest


def test_singular_values_of_a_bijector_of_your_own():
    layer, = diagnose(Plain(MATRIX)).layers
    singular = 1 / np.linalg.svd(MATRIX, compute_uv=False)
    assert layer.greatest_scale == pytest.approx(singular.max(), rel=1e-5)
    assert layer.condition_number == pytest.approx(np.linalg.cond(MATRIX), rel=1e-5)
    flat = diagnose(Plain(np.diag([1e4, 1.]).astype(np.float32)))
    assert any('plain: condition number 1e+04 is above 1000' in w for w in flat.warnings)


def test_a_container_of_your_own_is_walked():
    def act_norm():
        return tgb.ActNorm(tf.Variable([0., 0.]), tf.Variable([0., 0.]), tf.Variable(
            False, trainable=False, name='initialized'), event_ndims=1)
    inside = act_norm()
    chain = tgb.Chain([Mirrored(tgb.Chain([Fan(), inside])), Mirrored(act_norm()), Fan()])
    tfp_glow.initialize(chain, DATA)
    assert tfp_glow.is_initialized(chain)
    reached = Fan().inverse(DATA).numpy()
    np.testing.assert_allclose(inside.shift, reached.mean(0), atol=1e-5)
    diagnosis = diagnose(chain)
    assert [layer.path for layer in diagnosis.layers] == [
        'mirrored[0]/fan', 'mirrored[0]/act_norm', 'mirrored[1]/act_norm', 'fan']
    assert sum(layer.log_det for layer in diagnosis.layers) == pytest.approx(
        diagnosis.log_det, abs=1e-5)
    assert [layer.path for layer in diagnose(Mirrored(Fan())).layers] == ['fan']


def test_parts_of_tfp_chains_and_of_flattened_bijectors_are_initialised():
    def act_norm(size):
        return tgb.ActNorm(tf.Variable(tf.zeros(size)), tf.Variable(tf.zeros(size)), tf.Variable(
            False, trainable=False, name='initialized'), event_ndims=1)
    images = np.random.default_rng(1).standard_normal([16, 2, 1, 2]).astype(np.float32) + 1
    within = tfb.Chain([act_norm(2), tfb.Shift(3.)])
    flattened = tgb.Flattened(act_norm(4), (2, 1, 2))
    tfp_glow.initialize(tgb.Chain([within, flattened]), images)
    np.testing.assert_allclose(within.bijectors[0].shift, images.mean((0, 1, 2)), atol=1e-5)
    np.testing.assert_allclose(flattened.bijector.shift, np.full(4, -3.), atol=1.)
    normal = tfd.Sample(tfd.Normal(0., 1.), [2, 1, 2])
    diagnosis = tfp_glow.diagnose(
        tfd.TransformedDistribution(normal, tgb.Chain([within, flattened])), images)
    assert [layer.path for layer in diagnosis.layers] == [
        'chain_of_act_norm_of_shift/act_norm', 'chain_of_act_norm_of_shift/shift',
        'flattened/act_norm']


@pytest.mark.parametrize('make, complaint', [
    (lambda: Fan(slope=1.1), "log_slopes must be those of the Jacobian's diagonal"),
    (lambda: Plain(MATRIX, wrong=1.1), 'singular_values must be those of the Jacobian'),
    (lambda: Mirrored(Fan(), shift=1.), 'what visit_parts returns must be the inverse')])
def test_the_contract_checks_the_answers(make, complaint):
    with pytest.raises(AssertionError, match=complaint):
        testing.assert_bijector_contract(make(), [2], jit_compile=False, saved_model=False)


@pytest.mark.parametrize('make', [Fan, lambda: Plain(MATRIX), lambda: Mirrored(Fan())])
def test_without_the_fault(make):
    testing.assert_bijector_contract(make(), [2], jit_compile=False, saved_model=False)


def test_answers_of_a_wrong_size_are_named():
    class Many(Fan):
        def _log_slopes(self, y):
            return tf.concat([y, y], 1)
    with pytest.raises(AssertionError, match='at most one number per entry, 2 .*; got 4'):
        testing.assert_invertible(Many(), [2])

    class Odd(faulty.Scale):
        def singular_values(self):
            return tf.ones([2, 2])
    with pytest.raises(AssertionError, match=r'for each of the 2 entries.*shape=\(2, 2\)'):
        testing.assert_invertible(Odd(tf.constant([2., 3.])), [2])


def test_leading_dimensions_and_conditions():
    """Slopes keep the leading dimensions; a condition of one row applies to all rows."""
    y = np.random.default_rng(2).standard_normal([3, 4, 2]).astype(np.float32)
    assert Fan().log_slopes(y).numpy().tolist() == y[..., :1].tolist()
    coupling = tgb.Coupling(lambda kept, condition: kept * condition[:, tf.newaxis],
                            tgb.Multiplicative(lambda raw: raw), event_ndims=1)
    rows = tf.constant([1., 2., 3., 4.])
    np.testing.assert_allclose(coupling.log_slopes(y, rows)[..., 0], y[..., 0] * rows, rtol=1e-6)
    np.testing.assert_allclose(
        coupling.log_slopes(y, rows[1:2])[..., 0], 2 * y[..., 0], rtol=1e-6)
    with pytest.raises(ValueError, match='condition must be given to coupling'):
        coupling.log_slopes(y)
    with pytest.raises(ValueError, match='fan: the input must have at least 1 dimensions'):
        Fan().log_slopes(1.)
