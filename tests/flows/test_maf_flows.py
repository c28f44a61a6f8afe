"""Tests MADE, MAF and IAF flows against autodiff and TFP's densities, and their recipes."""

import dataclasses
import math

import catalogue
import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_probability import distributions as tfd

import tfp_glow
from tfp_glow import bijectors as tgb
from tfp_glow import networks
from tfp_glow.flows import iaf, made, maf
from zoo.models import iaf as zoo_iaf
from zoo.models import made as zoo_made
from zoo.models import maf as zoo_maf

RNG = np.random.default_rng(17)
SEED = tf.constant([1, 2])


def build(builder, event_shape, *args, **options):
    """Returns a perturbed flow in float64; its batch norms have other statistics than the data."""
    flow = catalogue.perturb(builder(event_shape, *args, **dict(
        {'hidden': [8], 'dtype': tf.float64}, **options)))
    for v in flow.variables:
        if v.name.endswith(('/mean:0', '/variance:0')):
            v.assign(RNG.uniform(.5, 2., v.shape))
    return flow


def jacobian(function, y):
    """Returns `[B, D, D]`, one gradient for each output."""
    y = tf.constant(y)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(y)
        outputs = tf.unstack(tf.reshape(function(y), [len(y), -1]), axis=1)
    rows = [tf.reshape(tape.gradient(o, y), [len(y), -1]) for o in outputs]
    return np.stack(rows, axis=1)


def normal(z):
    return (-.5 * z**2 - .5 * math.log(2 * math.pi)).sum(-1)


@pytest.mark.parametrize('inner', ['affine', 'spline', 'mixture'])
def test_density_is_that_of_the_triangle(inner, assert_close):
    """Layers of one order have a triangular Jacobian, whose diagonal gives the log-det."""
    flow = build(maf, (4,), 2, order='natural', inner=inner, components=2, bins=3)
    y = RNG.uniform(-1., 1., [3, 4])
    jacobians = jacobian(flow.bijector.inverse, y)
    assert np.all(np.triu(jacobians, 1) == 0) and np.any(np.tril(jacobians, -1))
    diagonal = np.diagonal(jacobians, axis1=1, axis2=2)
    assert np.all(diagonal > 0)
    z = flow.bijector.inverse(y).numpy()
    assert_close(flow.log_prob(y), normal(z) + np.log(diagonal).sum(-1), 1e-9)


def test_orders_alternate(assert_close):
    flow = build(maf, (3,), 3, batch_norm=False)
    first, second, third = flow.bijector.parts
    y = RNG.standard_normal([2, 3])
    for layer, triangle in ((first, np.triu), (second, np.tril), (third, np.triu)):
        jacobians = jacobian(layer.inverse, y)
        assert np.all(triangle(jacobians, 1 if triangle is np.triu else -1) == 0)
    jacobians = jacobian(flow.bijector.inverse, y)
    assert np.all(jacobians != 0)
    assert_close(flow.log_prob(y), normal(flow.bijector.inverse(y).numpy())
                 + np.linalg.slogdet(jacobians)[1], 1e-9)
    orders = [part.network.layer.order.tolist()
              for part in maf((9,), 3, [4], order='random', batch_norm=False).bijector.parts]
    assert len(set(map(tuple, orders))) == 3 and all(sorted(o) == list(range(9)) for o in orders)


def test_a_layer_is_made_and_batch_norm(assert_close):
    """It is u = (x - mu) exp(-alpha) of the network's own outputs, then batch norm."""
    flow = build(maf, (3,), 1)
    values = {v.name.split('/')[-1]: v.numpy() for v in flow.variables if 'batch_norm' in v.name}
    y = RNG.standard_normal([5, 3])
    shift, s = np.moveaxis(flow.bijector.parts[0].network(y).numpy(), -1, 0)
    scale = .01 + 999.99 / (1 + np.exp(-s) * 999 / .99)
    u = (y + shift) * scale
    z = ((u - values['mean:0']) / np.sqrt(values['variance:0'] + 1e-4)
         * np.exp(values['log_scale:0']) + values['shift:0'])
    assert_close(flow.bijector.inverse(y), z, 1e-9)


@pytest.mark.parametrize('builder, least, most', [(maf, .01, 1000.), (iaf, .001, 100.)])
def test_the_affine_scale_is_bounded(builder, least, most):
    inner = builder((2,), 1, [2], batch_norm=False).bijector.parts[0].copy()._inner
    scales = [inner(tf.constant([0., s])).inverse([1.])[0] for s in (-50., 0., 1., 50.)]
    np.testing.assert_allclose(scales, [least, 1., math.e, most], rtol=.02)


def test_mixture_and_logistic_prior_are_a_mixture_density(assert_close):
    """The density is that of doubled images; scales start at 1, even means have deviation 0.4."""
    flow = made((2, 1, 2), [4], inner='mixture', components=3, prior='logistic', dtype=tf.float64)
    mixture = tfd.MixtureSameFamily(
        tfd.Categorical(probs=tf.constant([1 / 3] * 3, tf.float64)),
        tfd.Logistic(.4 * math.sqrt(1.5) * tf.constant([-1., 0., 1.], tf.float64),
                     tf.constant(1., tf.float64)))
    y = RNG.uniform(-.5, .5, [3, 2, 1, 2])
    expected = tf.reduce_sum(mixture.log_prob(2 * y), [1, 2, 3]) + 4 * math.log(2)
    assert_close(flow.log_prob(y), expected, 1e-9)


def test_iaf_is_maf_turned_round(assert_close):
    inner = tgb.AffineInner()
    there = build(maf, (3,), 1, inner=inner, batch_norm=False)
    back = build(iaf, (3,), 1, inner=inner)
    x = RNG.standard_normal([4, 3])
    assert_close(back.bijector.forward(x), there.bijector.inverse(x), 1e-12)
    assert_close(there.bijector.forward(x), back.bijector.inverse(x), 1e-12)
    assert_close(back.log_prob(x), normal(there.bijector.forward(x).numpy())
                 - jacobian_log_det(back, x), 1e-9)


def jacobian_log_det(flow, x):
    z = flow.bijector.inverse(x).numpy()
    return np.linalg.slogdet(jacobian(flow.bijector.forward, z))[1]


def no_run(self, inputs, condition=None):
    raise AssertionError('a whole run of the network')


@pytest.mark.parametrize('inner', ['affine', 'mixture'])
def test_images_are_sampled_step_by_step(inner, assert_close, monkeypatch):
    flow = build(maf, (2, 1, 2), 2, inner=inner, components=2, classes=3, prior='logistic',
                 network_options={'direct': True})
    labels = tf.constant([0, 2, 1, 1, 0])
    z = flow.distribution.sample(5, seed=SEED)
    with monkeypatch.context() as patch:  # Hidden units run once, the network never.
        patch.setattr(networks.MaskedDenseNetwork, 'call', no_run)
        y = flow.sample(5, seed=SEED, condition=labels)
    assert y.shape == [5, 2, 1, 2]
    assert_close(flow.bijector.inverse(tf.identity(y), condition=labels), z, 1e-6)
    cold = tfp_glow.with_temperature(flow, .5).sample(5, seed=SEED, condition=labels)
    assert_close(cold, flow.bijector.forward(.5 * z, condition=labels), 1e-6)
    assert np.min(np.abs(cold - y).max((1, 2, 3))) > 1e-3


def test_convolutions_see_images_as_they_are(assert_close):
    flow = build(maf, (3, 2, 2), 2, hidden=None, network=networks.masked_conv,
                 network_options={'width': 4, 'blocks': 1})
    assert flow.bijector.parts[2].mean.shape == [2]  # Batch norm is by channel.
    y = RNG.uniform(-.5, .5, [3, 3, 2, 2])
    jacobians = jacobian(flow.bijector.inverse, y)
    z = flow.bijector.inverse(y)
    expected = normal(z.numpy().reshape(3, 12)) + np.linalg.slogdet(jacobians)[1]
    assert_close(flow.log_prob(y), expected, 1e-9)
    assert_close(flow.bijector.forward(tf.identity(z)), y, 1e-9)


def test_the_twin_normalises_by_the_batch(assert_close):
    flow = build(maf, (2, 1, 1), 2)
    twin = tfp_glow.with_training(flow)
    y = RNG.uniform(-.5, .5, [20, 2, 1, 1])
    before = twin.log_prob(y)
    assert np.max(np.abs(before - flow.log_prob(y))) > .1
    tfp_glow.update_statistics(flow, y)
    assert_close(flow.log_prob(tf.identity(y)), before, 1e-9)


def test_weights_are_named_alike_in_each_build():
    names = [[v.name for v in maf((3,), 2, [4]).variables] for _ in range(2)]
    assert names[0] == names[1] and len(set(names[0])) == len(names[0])


@pytest.mark.parametrize('arguments, message', [
    ({'event_shape': (0,)}, r'event_shape must be a known .*; got \(0,\)'),
    ({'event_shape': (2, None, 1)}, 'event_shape must be a known'),
    ({'layers': 0}, 'layers must be positive; got layers=0'),
    ({'hidden': []}, r'hidden must hold at least one number.*; got hidden=\(\)'),
    ({'inner': 'cubic'}, "inner must be one of affine, spline, mixture; got 'cubic'"),
    ({'inner': 'mixture', 'components': 0}, 'components must be positive; got components=0'),
    ({'inner': 'spline', 'bins': 1}, 'bins must be at least 2; got bins=1'),
    ({'order': 'odd'}, "order must be one of alternate, natural, reversed, random; got 'odd'"),
    ({'prior': 'flat'}, "prior must be one of normal, logistic; got 'flat'"),
    ({'network': networks.masked_conv, 'order': 'random'}, "order must be one of natural, rev"),
    ({'network': networks.masked_conv, 'event_shape': (3,)}, 'known .H, W, C.; got event_shape')])
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        maf(**{'event_shape': (2, 2, 1), 'hidden': [4], **arguments})


@pytest.mark.parametrize('model, name', [
    (model, name) for model in (zoo_made, zoo_maf, zoo_iaf) for name in model.RECIPES],
    ids=lambda value: getattr(value, '__name__', value))
def test_recipes_take_a_step(model, name):
    """The recipe's flow, with narrow networks, takes a step on vectors or tiny images."""
    config, training = model.RECIPES[name].config, model.RECIPES[name].training
    assert model.SPEC.divisor(config) == 1
    layers = getattr(config, 'layers', 1)
    if name.startswith('paper'):
        assert layers == (1 if model is zoo_made else 10 if name == 'paper_10' else 5)
    config = dataclasses.replace(config, hidden='4,4', **({'layers': 2} if layers > 2 else {}))
    vectors = name == 'vectors' or name.startswith('paper')
    flow = model.build(config, (2,) if vectors else (2, 1, 1), seed=0)
    if model is zoo_maf and name == 'digits':
        trained = tfp_glow.FlowModel(flow, bins=17)
        trained.compile(keras.optimizers.Adam(training.learning_rate), run_eagerly=True)
        before = flow.trainable_variables[-1].numpy()
        trained.fit(RNG.integers(0, 17, [8, 2, 1, 1]), batch_size=8, verbose=0)
        assert np.any(flow.trainable_variables[-1].numpy() != before)
        return
    twin, optimizer = tfp_glow.with_training(flow), keras.optimizers.Adam(training.learning_rate)
    y = RNG.uniform(-.5, .5, [8, *flow.event_shape]).astype(np.float32)
    losses = []
    for _ in range(3):
        with tf.GradientTape() as tape:
            losses.append(-tf.reduce_mean(twin.log_prob(y)))
        gradients = tape.gradient(losses[-1], flow.trainable_variables)
        assert all(g is not None and np.all(np.isfinite(g)) for g in gradients)
        optimizer.apply(gradients, flow.trainable_variables)
    assert losses[-1] < losses[0]
