"""Tests training, evaluation and statistics of flows that normalise by the batch."""

import catalogue
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_probability import distributions as tfd

import tfp_glow
from tfp_glow import bijectors as tgb

RNG = np.random.default_rng(31)


def flow(container):
    """Builds two batch norms, one in a container, and a coupling between them."""
    first, second = (tgb.BatchNorm(**catalogue.statistics(2), event_ndims=3) for _ in range(2))
    coupling = tgb.Coupling(catalogue.dense(1, 1), tgb.Additive())
    catalogue.perturb(coupling)
    chain = tgb.Chain([container(first), coupling, second])
    base = tfd.Independent(tfd.Normal(tf.zeros([1, 2, 2], catalogue.DTYPE), 1.), 3)
    return tfp_glow.flows.transformed(base, chain), first, coupling, second


CONTAINERS = {
    'bare': lambda part: part,
    'chain': lambda part: tgb.Chain([part]),
    'reversible': tgb.Reversible,
}


@pytest.mark.parametrize('container', CONTAINERS)
def test_statistics_are_those_of_what_reaches_each_part(container):
    model, first, coupling, second = flow(CONTAINERS[container])
    y = RNG.normal(3., 2., [50, 1, 2, 2])
    tfp_glow.update_statistics(model, y)
    np.testing.assert_allclose(first.mean, y.mean((0, 1, 2)), rtol=1e-10)
    np.testing.assert_allclose(first.variance, y.var((0, 1, 2)), rtol=1e-10)
    h = (y - y.mean((0, 1, 2))) / np.sqrt(y.var((0, 1, 2)) + 1e-4)
    h = coupling.inverse(tf.constant(h)).numpy()
    np.testing.assert_allclose(second.mean, h.mean((0, 1, 2)), atol=1e-10)
    np.testing.assert_allclose(second.variance, h.var((0, 1, 2)), rtol=1e-10)


@pytest.mark.parametrize('container', CONTAINERS)
def test_modes_agree_on_the_batch_of_the_statistics(container):
    """Both modes give a batch the same values once the statistics are its own."""
    model = flow(CONTAINERS[container])[0]
    training = tfp_glow.with_training(model)
    y = tf.constant(RNG.normal(3., 2., [20, 1, 2, 2]))
    before = training.log_prob(y)
    assert np.abs(before - model.log_prob(tf.identity(y))).max() > .1
    tfp_glow.update_statistics(model, y)
    np.testing.assert_allclose(model.log_prob(tf.identity(y)), before, rtol=1e-10)
    assert tfp_glow.with_training(training, False).sample(2, seed=1).shape == [2, 1, 2, 2]
    with pytest.raises(ValueError, match='training must be False'):
        training.sample(2, seed=1)


def test_variables_are_shared_and_gradients_are_ordinary():
    model = flow(tgb.Reversible)[0]
    training = tfp_glow.with_training(model)
    assert {id(v) for v in training.variables} == {id(v) for v in model.variables}
    y = tf.constant(RNG.normal(3., 2., [20, 1, 2, 2]))
    with tf.GradientTape() as tape:
        loss = -tf.reduce_mean(training.log_prob(y))
    assert all(g is not None for g in tape.gradient(loss, training.trainable_variables))


def test_repeat_in_both_modes():
    repeat = tgb.Repeat(lambda p: tgb.BatchNorm(**p), catalogue.statistics(3, 2), 3)
    y = tf.constant(RNG.normal(3., 2., [30, 1, 2, 2]))
    training = tfp_glow.with_training(repeat)
    assert not training.reversible and not tfp_glow.with_training(training, False).step(0).training
    before = training.inverse(y)
    tfp_glow.update_statistics(repeat, y)
    np.testing.assert_allclose(repeat.inverse(tf.identity(y)), before, atol=1e-10)


def test_nothing_to_change():
    glow = catalogue.glow()
    assert tfp_glow.with_training(glow) is glow
    assert tfp_glow.with_training(glow.bijector) is glow.bijector


def test_multi_scale_levels_and_exits():
    level, exit_ = (tgb.BatchNorm(**catalogue.statistics(2)) for _ in range(2))
    last = tgb.BatchNorm(**catalogue.statistics(1))
    bijector = tgb.MultiScale([level, last], [exit_])
    training = tfp_glow.with_training(bijector)
    assert training.levels[0].training and training.exits[0].training
    y = RNG.normal(2., 3., [40, 2, 1, 2])
    tfp_glow.update_statistics(bijector, y)
    np.testing.assert_allclose(level.mean, y.mean((0, 1, 2)), rtol=1e-10)
    np.testing.assert_allclose(exit_.mean, [0, 0], atol=1e-10)
    h = exit_.inverse(level.inverse(y)).numpy()[..., :1]
    np.testing.assert_allclose(last.variance, h.var(keepdims=True).ravel(), rtol=1e-10)
