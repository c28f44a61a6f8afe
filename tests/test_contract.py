"""Every bijector of the catalogue keeps the contract; the contract catches what breaks it."""

import catalogue
import keras
import pytest
import tensorflow as tf
from tensorflow_probability import bijectors as tfb

from tfp_glow import bijectors as tgb
from tfp_glow import testing


@pytest.mark.parametrize('name', list(catalogue.CATALOGUE))
def test_contract(name):
    bijector, event_shape = catalogue.build(name)
    # XLA of a whole flow has its own test, in test_flows.py.
    testing.assert_bijector_contract(
        bijector, event_shape, catalogue.DTYPE, jit_compile='glow' not in name)


def test_float32():
    params = tgb.plu_parameters(channels=3, seed=0)
    testing.assert_bijector_contract(tgb.InvertibleConv1x1(**params), [2, 2, 3])


def test_catalogue_is_complete():
    classes = {v for v in vars(tgb).values() if isinstance(v, type)}
    wanted = {c for c in classes if issubclass(c, tgb.OnePassBijector)} - {tgb.OnePassBijector}
    found = set()
    for make, _ in (entry() for entry in catalogue.CATALOGUE.values()):
        found |= {type(part) for part in (make, *make.submodules)}
    assert wanted <= found


def test_domain_and_tfp_bijectors():
    testing.assert_bijector_contract(tfb.Exp(), [2], domain=tf.exp, jit_compile=False)
    testing.assert_bijector_contract(
        tfb.Scale(tf.constant([2., 3.])), [2], domain=lambda v: 2 * v, jit_compile=False)


class Scale(tgb.OnePassBijector):
    """forward(x) = scale * x, with faults to order."""

    def __init__(self, scale, log_det=1., inverse=1., name='scale'):
        parameters = dict(locals())
        self._scale, self._log_det, self._wrong = scale, log_det, inverse
        super().__init__(forward_min_event_ndims=1, parameters=parameters, name=name)

    def _forward_and_log_det(self, x):
        scale = tf.convert_to_tensor(self._scale)
        return x * scale, self._log_det * tf.reduce_sum(tf.math.log(scale))

    def _inverse_and_log_det(self, y):
        scale = tf.convert_to_tensor(self._scale)
        return y / scale * self._wrong, -self._log_det * tf.reduce_sum(tf.math.log(scale))


class Unread(Scale):
    """Has a variable that it never reads."""

    def __init__(self, scale, name='unread'):
        super().__init__(scale, name=name)
        self.unread = tf.Variable(1.)


class Loose(Scale):
    """Swallows unknown arguments."""

    def __init__(self, scale, name='loose', **kwargs):
        del kwargs
        super().__init__(scale, name=name)


def scale():
    return tf.Variable([2., 3.])


@pytest.mark.parametrize('make, complaint', [
    (lambda: Scale(scale(), inverse=1.1), 'forward.inverse.y.. must be y'),
    (lambda: Scale(scale(), log_det=1.1), 'log-det must be that of the Jacobian'),
    (lambda: Unread(scale()), 'gradient of inverse by Variable:0 is None'),
    (lambda: Loose(scale()), 'an unknown keyword argument must be refused'),
    (lambda: tfb.Scale(scale()), 'gradient of inverse after an evaluation by .* is None')])
def test_contract_catches(make, complaint):
    with pytest.raises(AssertionError, match=complaint):
        testing.assert_bijector_contract(make(), [2], jit_compile=False)


def test_contract_catches_a_lost_keras_network():
    layer = keras.layers.Dense(1)
    layer.build((None, 1))
    def shift(kept, _):
        return tf.squeeze(layer(kept[..., tf.newaxis]), -1), None
    lost = tfb.RealNVP(num_masked=1, shift_and_log_scale_fn=shift)
    with pytest.raises(AssertionError, match='trainable_variables must list .*kernel'):
        testing.assert_bijector_contract(lost, [2], jit_compile=False)
