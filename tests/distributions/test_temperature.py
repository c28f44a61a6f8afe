"""Tests temperature per level of conditional flows, vectors and unstructured bases."""

import math

import catalogue
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_probability import distributions as tfd

import tfp_glow
from tfp_glow import bijectors as tgb

SEED = tf.constant([1, 2])
LABELS = tf.constant([0, 2, 1])


def conditional_glow(**options):
    options = dict({'classes': 3, 'seed': 4}, **options)
    return catalogue.perturb(tfp_glow.flows.glow(
        (4, 4, 1), 2, 2, width=4, dtype=tf.float64, **options), scale=.1)


@pytest.fixture(scope='module')
def flow():
    return conditional_glow()


def top(flow, name):
    return next(v for v in flow.variables if v.name.startswith(f'glow/top_prior/{name}'))


def test_latents_vary_as_each_level_is_told(flow):
    """The flow itself inverts the samples of the tempered flow."""
    labels = tf.repeat(LABELS, 500)
    tempered = tfp_glow.with_temperature(flow, [.5, .25])
    x = tempered.sample(1500, seed=SEED, condition=labels)
    z = [part.numpy() for part in flow.bijector.inverse(tf.identity(x), condition=labels)]
    z[1] = (z[1] - top(flow, 'loc').numpy()) / np.exp(top(flow, 'log_scale').numpy())
    for part, temperature in zip(z, (.5, .25)):
        error = temperature / math.sqrt(part.size)
        assert abs(part.mean()) < 5 * error
        assert abs(part.std() - temperature) < 5 * error / math.sqrt(2)


def test_density_of_a_tempered_flow(flow, assert_close):
    y = tf.constant(np.random.default_rng(0).standard_normal([3, 4, 4, 1]))
    z = [part.numpy() for part in flow.bijector.inverse(y, condition=LABELS)]
    loc, log_scale = top(flow, 'loc').numpy(), top(flow, 'log_scale').numpy()
    expected = flow.bijector.inverse_log_det_jacobian(y, 3, condition=LABELS).numpy()
    for part, mean, scale in ((z[0], 0., .5), (z[1], loc, .25 * np.exp(log_scale))):
        expected += (-.5 * ((part - mean) / scale)**2
                     - np.log(scale * np.ones_like(part)) - .5 * math.log(2 * math.pi)
                     ).sum((1, 2, 3))
    log_prob = tfp_glow.with_temperature(flow, [.5, .25]).log_prob(y, condition=LABELS)
    assert_close(log_prob, expected, 1e-10)


@pytest.mark.parametrize('options, condition', [
    ({}, LABELS), ({'classes': None, 'condition_channels': 2}, tf.ones([3, 4, 4, 2], tf.float64))],
    ids=['classes', 'maps'])
def test_the_condition_still_arrives(options, condition, assert_close):
    flow = conditional_glow(**options)
    tempered = tfp_glow.with_temperature(flow, [.5, 1.])
    z = tempered.distribution.sample(3, seed=SEED)
    x = tempered.sample(3, seed=SEED, condition=condition)
    assert_close(x, flow.bijector.forward(z, condition=condition), 1e-10)
    with pytest.raises(ValueError, match='condition must be given'):
        tempered.sample(3, seed=SEED)
    with pytest.raises(TypeError, match="unknown keyword 'labels'"):
        tempered.sample(3, seed=SEED, labels=condition)


def test_zero_is_the_mode(flow, assert_close):
    """Temperature zero gives the mode of the base for each class, whatever the seed."""
    frozen = tfp_glow.with_temperature(flow, 0)
    x = frozen.sample(3, seed=SEED, condition=LABELS)
    assert_close(frozen.sample(3, seed=[5, 6], condition=LABELS), x, 1e-12)
    assert np.min(np.abs(x[0] - x[1])) > 1e-6  # Each class has its own mode.
    z = flow.bijector.inverse(tf.identity(x), condition=LABELS)
    with tf.GradientTape() as tape:
        tape.watch(z)
        density = flow.distribution.log_prob(z)
    assert all(np.max(np.abs(g)) < 1e-9 for g in tape.gradient(density, z))
    higher = flow.distribution.log_prob([part + .01 for part in z])
    assert np.all(higher < density)


def test_variables_are_shared_and_stay_live():
    flow = conditional_glow()
    tempered = tfp_glow.with_temperature(flow, .5)
    assert {id(v) for v in tempered.variables} == {id(v) for v in flow.variables}
    before = tempered.distribution.model[1].stddev()
    top(flow, 'log_scale').assign_add(math.log(2) * tf.ones_like(top(flow, 'log_scale')))
    np.testing.assert_allclose(tempered.distribution.model[1].stddev(), 2 * before)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tempered.sample(3, seed=SEED, condition=LABELS)**2)
    gradients = tape.gradient(loss, tempered.trainable_variables)
    assert all(g is not None and np.any(g) for g in gradients)


def test_temperatures_multiply(flow, assert_close):
    twice = tfp_glow.with_temperature(tfp_glow.with_temperature(flow, [.5, 1.]), .5)
    once = tfp_glow.with_temperature(flow, [.25, .5])
    assert_close(twice.sample(3, seed=SEED, condition=LABELS),
                 once.sample(3, seed=SEED, condition=LABELS), 1e-12)


@pytest.mark.parametrize('temperature', [
    tf.Variable([.5, .25]), tf.constant([.5, .25]), np.array([.5, .25]), (tf.Variable(.5), .25)],
    ids=['variable', 'tensor', 'array', 'mixed'])
def test_forms_of_a_vector(flow, temperature):
    tempered = tfp_glow.with_temperature(flow, temperature)
    scales = [float(tf.reduce_max(part.stddev() / base.stddev())) for part, base in zip(
        tempered.distribution.model, flow.distribution.model)]
    np.testing.assert_allclose(scales, [.5, .25])


def test_a_vector_of_unknown_length(flow, assert_close):
    sample = tf.function(
        lambda t: tfp_glow.with_temperature(flow, t).sample(3, seed=SEED, condition=LABELS),
        [tf.TensorSpec([None])])
    expected = tfp_glow.with_temperature(flow, [.5, .25]).sample(3, seed=SEED, condition=LABELS)
    assert_close(sample(tf.constant([.5, .25])), expected, 1e-10)


@pytest.mark.parametrize('base', [
    tfd.Independent(tfd.Normal(tf.zeros([2, 1, 3]), 2.), 3),
    tfd.Sample(tfd.Normal(0., 2.), [2, 1, 3])],
    ids=['independent', 'sampled'])
def test_flows_without_levels(base, assert_close):
    flow = tfp_glow.flows.transformed(base, tgb.ActNorm(tf.constant([1., 2., 3.]), tf.zeros([3])))
    center = flow.bijector.forward(tf.zeros([1, 2, 1, 3]))
    for temperature in (.1, [.1]):
        x = tfp_glow.with_temperature(flow, temperature).sample(5, seed=SEED)
        assert_close(x - center, .1 * (flow.sample(5, seed=SEED) - center), 1e-4)


@pytest.mark.parametrize('temperature, message', [
    ([.5, -1.], 'temperature must be at least 0; got temperature=-1.0'),
    (tf.constant(-.5), 'must be at least 0; got temperature=-0.5'),
    (tf.Variable(-.5), 'must be at least 0; got temperature=-0.5'),
    ((float('nan'), 1.), 'got temperature=nan'),
    (np.ones([2, 2]), r'one value or one per level; got shape=\(2, 2\)'),
    ([1., [1.]], r'one value or one per level; got shape=\(1,\)'),
    (tf.ones([3]), 'one value or one per level, 2; got 3')])
def test_bad_temperatures_are_named(flow, temperature, message):
    with pytest.raises(ValueError, match=message):
        tfp_glow.with_temperature(flow, temperature)
