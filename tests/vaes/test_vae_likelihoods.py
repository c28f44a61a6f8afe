"""Tests the likelihoods of VAEs: masses by SciPy's distribution functions, tails, mixtures."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats
from tensorflow_probability import distributions as tfd

import tfp_glow
from tfp_glow import vaes

CASES = {
    'normal': (vaes.likelihoods.Normal(8), lambda loc, s: stats.norm(loc, s)),
    'logistic': (vaes.likelihoods.Logistic(8), lambda loc, s: stats.logistic(loc, s))}


@pytest.mark.parametrize('name', CASES)
def test_predicted_scales_and_ends(name):
    """The masses of all eight levels are those of SciPy's distribution functions."""
    likelihood, continuous = CASES[name]
    loc, s = np.array([-.8, -.1, .3, .45]), np.array([-2., 0., .5, 1.])
    raw = np.stack([loc, s], -1).reshape(4, 1, 1, 2).astype(np.float32)
    edges = np.concatenate([[-np.inf], np.arange(7) + .5, [np.inf]])
    scale = .8 * np.exp(7 * np.tanh(s / 7))
    cdf = continuous((loc + .5) * 8 - .5, scale).cdf(edges[:, None])
    levels = tf.reshape(tf.range(8.), [8, 1, 1, 1, 1]) * tf.ones([4, 1, 1, 1])
    distribution = likelihood(tf.constant(raw))
    np.testing.assert_allclose(distribution.prob(levels), np.diff(cdf, axis=0), atol=2e-6)
    np.testing.assert_allclose(np.ravel(distribution.mean()), np.arange(8) @ np.diff(cdf, axis=0),
                               rtol=1e-4, atol=1e-6)
    assert likelihood.outputs(3) == 6


def test_normal_in_its_tails_is_that_of_tfp():
    """Both agree far away in float64; in float32 our gradients are finite."""
    loc = np.array([-300., 3.2, 700.])[:, None]
    k = np.arange(0., 256., 15.)
    with np.errstate(divide='ignore'):
        ours = tfp_glow.distributions.DiscretizedNormal(loc, 20., 0, 255)
        theirs = tfd.QuantizedDistribution(tfd.Normal(loc - .5, np.float64(20.)), 0., 255.)
        np.testing.assert_allclose(ours.log_prob(k), theirs.log_prob(k), rtol=1e-9)
    np.testing.assert_allclose(ours.cdf(k), theirs.cdf(k), rtol=1e-9)
    place, scale = tf.constant(loc, tf.float32), tf.constant([[.02], [1.], [50.]])
    with tf.GradientTape() as tape:
        tape.watch([place, scale])
        log_prob = tfp_glow.distributions.DiscretizedNormal(
            place, scale, 0, 255).log_prob(k.astype(np.float32))
    assert np.isfinite(log_prob).all()
    assert all(np.isfinite(g).all() for g in tape.gradient(log_prob, [place, scale]))
    drawn = tfp_glow.distributions.DiscretizedNormal(3.2, 2., 0, 255).sample(2000, seed=[1, 2])
    assert float(tf.reduce_min(drawn)) == 0 and np.abs(np.mean(drawn) - 3.2) < .2


def test_mixture_is_made_of_its_parts():
    likelihood = vaes.likelihoods.LogisticMixture(16, components=2)
    raw = np.random.default_rng(0).normal(size=[3, 1, 1, 6]).astype(np.float32)
    weights = np.exp(raw[..., :2]) / np.exp(raw[..., :2]).sum(-1, keepdims=True)
    expected = 0.
    for i, spread in enumerate((-.25, .25)):
        loc = (raw[..., 2 + i] + spread + .5) * 16 - .5
        scale = 1.6 / np.sqrt(2) * np.exp(7 * np.tanh(raw[..., 4 + i] / 7))
        part = stats.logistic(loc, scale)
        expected += weights[..., i] * (part.cdf(5.5) - part.cdf(4.5))
    masses = likelihood(tf.constant(raw)).prob(tf.fill([3, 1, 1, 1], 5.))
    np.testing.assert_allclose(masses, np.ravel(expected), rtol=1e-4)
