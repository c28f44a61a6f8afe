"""`condition=` reaches each network, has gradients, and is required where it is needed."""

import catalogue
import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_probability import bijectors as tfb

import tfp_glow
from tfp_glow import bijectors as tgb

RNG = np.random.default_rng(3)
LABELS = tf.constant([0, 2, 1])
MAPS = tf.constant(RNG.standard_normal([3, 8, 8, 2]))
KINDS = {'classes': ({'classes': 3}, LABELS), 'maps': ({'condition_channels': 2}, MAPS)}


def images(count=3):
    return tf.constant(RNG.standard_normal([count, 4, 4, 1]))


def flow_of(kind, **options):
    arguments, condition = KINDS[kind]
    flow = tfp_glow.flows.glow((4, 4, 1), 2, 2, width=4, dtype=tf.float64, **arguments, **options)
    return catalogue.perturb(flow), condition


@pytest.mark.parametrize('kind', KINDS)
def test_each_row_sees_its_own_condition(kind, assert_close):
    flow, condition = flow_of(kind)
    y = images()
    together = flow.log_prob(y, condition=condition)
    alone = [flow.log_prob(y[i:i + 1], condition=condition[i:i + 1])[0] for i in range(3)]
    assert_close(together, np.stack(alone), 1e-10)
    moved = flow.log_prob(y, condition=tf.roll(condition, 1, 0))
    assert np.all(np.abs(moved - together) > 1e-6)


@pytest.mark.parametrize('kind', KINDS)
def test_round_trip_and_log_det(kind, assert_close):
    flow, condition = flow_of(kind)
    y = images()
    z = flow.bijector.inverse(y, condition=condition)
    again = flow.bijector.forward([tf.identity(part) for part in z], condition=condition)
    assert_close(again, y, 1e-8)
    copies = tf.repeat(y, 16, 0)
    with tf.GradientTape() as tape:  # Each of the 16 copies gives a row of its Jacobian.
        tape.watch(copies)
        z = flow.bijector.inverse(copies, condition=tf.repeat(condition, 16, 0))
        flat = tf.concat([tf.reshape(part, [3, 16, -1]) for part in z], 2)
        rows = tf.reduce_sum(tf.linalg.trace(flat))
    expected = np.linalg.slogdet(tf.reshape(tape.gradient(rows, copies), [3, 16, 16]))[1]
    log_det = flow.bijector.inverse_log_det_jacobian(y, 3, condition=condition)
    assert_close(log_det, expected, 1e-10)


def test_every_network_is_reached():
    """Each level's networks and the prior of the class get gradients in their condition weights."""
    flow, labels = flow_of('classes')
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(flow.log_prob(images(), condition=labels))
    kernels = [v for v in flow.trainable_variables
               if 'condition_bias' in v.name or 'class_prior' in v.name]
    assert len(kernels) == 3
    for gradient in tape.gradient(loss, kernels):
        assert np.all(np.any(gradient, -1))  # Every step and class has a gradient.


@pytest.mark.parametrize('direction', ['log_prob', 'forward'])
def test_gradient_of_the_condition(direction, assert_close):
    """A traced function at constant memory gives the gradient of backprop."""
    y = images()
    both_gradients = []
    for reversible in (True, False):
        flow, maps = flow_of('maps', reversible=reversible)
        z = flow.bijector.inverse(y, condition=maps)

        def gradients(flow=flow, maps=maps, z=z):
            with tf.GradientTape() as tape:
                tape.watch(maps)
                if direction == 'log_prob':
                    loss = tf.reduce_sum(flow.log_prob(y, condition=maps))
                else:
                    loss = tf.reduce_sum(flow.bijector.forward(z, condition=maps)**2)
            return tape.gradient(loss, [maps, *flow.trainable_variables],
                                 unconnected_gradients='zero')
        both_gradients.append((tf.function(gradients) if reversible else gradients)())
    assert np.any(both_gradients[0][0])
    for a, b in zip(*both_gradients, strict=True):
        assert_close(a, b, 1e-8)


def test_leading_dimensions(assert_close):
    flow, labels = flow_of('classes')
    y = tf.reshape(images(6), [2, 3, 4, 4, 1])
    log_probs = flow.log_prob(y, condition=labels)
    for s in range(2):
        assert_close(log_probs[s], flow.log_prob(y[s], condition=labels), 1e-10)
    one = flow.log_prob(y[0], condition=labels[1])  # One label applies to all.
    assert_close(one, flow.log_prob(y[0], condition=tf.fill([3], labels[1])), 1e-10)
    assert_close(flow.log_prob(y[0, 0], condition=labels[0]), log_probs[0, 0], 1e-10)
    unknown = tf.function(lambda y, c: flow.log_prob(y, condition=c), [
        tf.TensorSpec([None, None, 4, 4, 1], tf.float64), tf.TensorSpec([None], tf.int32)])
    assert_close(unknown(y, labels), log_probs, 1e-10)
    assert flow.sample([2, 3], seed=1, condition=labels).shape == [2, 3, 4, 4, 1]


def test_the_same_tensor_under_two_conditions():
    """TFP's cache must not return the result of one condition for another."""
    flow, labels = flow_of('classes')
    y = images()

    def both(y):
        return flow.log_prob(y, condition=labels), flow.log_prob(y, condition=labels[::-1])
    for first, second in (both(y), tf.function(both)(y)):
        assert np.all(np.abs(first - second)[[0, 2]] > 1e-6) and first[1] == second[1]


def test_initialize_takes_the_condition(assert_close):
    flow, labels = flow_of('classes')
    tfp_glow.initialize(flow, images(), condition=labels)
    assert tfp_glow.is_initialized(flow)


def functional_network():
    kept, label = keras.Input([2, 2, 1], dtype='float64'), keras.Input([1], dtype='float64')
    outputs = keras.layers.Conv2D(1, 1, dtype='float64')(kept)
    return keras.Model([kept, label], outputs + keras.ops.reshape(label, [-1, 1, 1, 1]))


@pytest.mark.parametrize('make', [
    lambda: lambda kept, condition: kept + condition[:, None, None, None], functional_network],
    ids=['function', 'functional'])
def test_kinds_of_networks(make):
    coupling = tgb.Coupling(make(), tgb.Additive())
    y = tf.constant(RNG.standard_normal([3, 2, 2, 2]))
    latents = [coupling.inverse(y, condition=tf.constant(c, tf.float64, [3])) for c in (0., 1.)]
    np.testing.assert_allclose((latents[1] - latents[0])[..., 1], 1, 1e-6)


class UsersOwn(tfb.Bijector):
    """A TFP bijector that takes a condition and knows nothing of this library."""

    def __init__(self):
        super().__init__(forward_min_event_ndims=0, is_constant_jacobian=True)

    def _forward(self, x, condition):
        return x + condition[:, None, None, None]

    def _inverse(self, y, condition):
        return y - condition[:, None, None, None]

    def _forward_log_det_jacobian(self, x, condition):
        return tf.zeros([], x.dtype)


def test_a_users_own_bijector_in_our_chain(assert_close):
    chain = tgb.Chain([tgb.Reverse(1), UsersOwn()])
    x = tf.ones([2, 1, 1, 1])
    y = chain.forward(x, condition=tf.constant([1., 2.]))
    assert_close(y[:, 0, 0, 0], np.array([2., 3.]))
    assert_close(chain.inverse(tf.identity(y), condition=tf.constant([1., 2.])), x)


@pytest.mark.parametrize('call, error, message', [
    (lambda f, y: f.log_prob(y), ValueError, 'condition must be given'),
    (lambda f, y: f.log_prob(y, labels=LABELS), TypeError, "unknown keyword 'labels'"),
    (lambda f, y: f.bijector.forward(f.bijector.inverse(y, condition=LABELS), c=1), TypeError,
     "unknown keyword 'c'"),
    (lambda f, y: f.log_prob(y, condition=LABELS[:2]), ValueError, r'1 or 3 entries.*shape=\(2,\)'),
    (lambda f, y: f.log_prob(y, condition=LABELS[:, None]), ValueError, 'one label per image'),
    (lambda f, y: f.sample(2, condition=LABELS), ValueError, '1 or 2 entries')])
def test_bad_conditions_are_named(call, error, message):
    flow, _ = flow_of('classes')
    with pytest.raises(error, match=message):
        call(flow, images())


def test_a_flow_without_condition_refuses_one():
    with pytest.raises(ValueError, match='condition must not be given'):
        catalogue.glow().log_prob(images(), condition=LABELS)
    with pytest.raises(ValueError, match='at most one of classes and condition_channels'):
        tfp_glow.flows.glow((4, 4, 1), 1, 1, 4, classes=2, condition_channels=2)
