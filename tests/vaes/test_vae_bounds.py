"""Tests the bounds of a linear-Gaussian VAE, whose likelihood has a closed form."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats
from tensorflow_probability import distributions as tfd

from tfp_glow import vaes

BINS, NOISE, SHAPE = 16, 1.5, (2, 2, 1)
RNG = np.random.default_rng(0)
# The columns are orthogonal, so that the exact posterior has a diagonal covariance.
WEIGHTS = np.linalg.qr(RNG.normal(size=[4, 2]))[0] * [4., 2.]
BIAS = RNG.uniform(4, 10, [4])
IMAGES = RNG.integers(0, BINS, [6, *SHAPE])
FLAT = IMAGES.reshape([6, 4])
PRECISION = 1 + np.sum(WEIGHTS**2, 0) / NOISE**2
SEED = [3, 4]


class Gaussian:
    """Gives a density in place of a mass: its integrals are known, and no test samples it."""

    bins = BINS

    def outputs(self, channels):
        return channels

    def __call__(self, raw):
        return tfd.Independent(tfd.Normal(raw, NOISE), 3)


def posterior(images, shift=0., factor=1.):
    """Returns the mean and standard deviation of p(z|x), made wrong by a shift and a factor."""
    mean = (np.reshape(images, [-1, 4]) - BIAS) @ WEIGHTS / NOISE**2 / PRECISION
    return mean + shift, factor / np.sqrt(PRECISION) * np.ones_like(mean)


class Encoder:
    """Computes `posterior` of centred images as a VAE needs it, and counts its calls."""

    def __init__(self, **wrong):
        self.calls, self._wrong = 0, wrong

    def __call__(self, images):
        self.calls += 1
        levels = (images + .5) * BINS - .5
        matrix = tf.constant(WEIGHTS / NOISE**2 / PRECISION, tf.float32)
        loc = (tf.reshape(levels, [-1, 4]) - BIAS.astype(np.float32)) @ matrix
        _, scale = posterior(FLAT[:1], **self._wrong)
        raw = tf.constant(7 * np.arctanh(np.log(scale) / 7), tf.float32)
        return tf.concat([loc + self._wrong.get('shift', 0.), tf.zeros_like(loc) + raw], -1)


def decoder(latents):
    mean = latents @ WEIGHTS.T.astype(np.float32) + BIAS.astype(np.float32)
    return tf.reshape(mean, [-1, *SHAPE])


def model(**wrong):
    return vaes.VAE(SHAPE, Encoder(**wrong), decoder, Gaussian(), [2])


def exact():
    """Returns log p(x), where x ~ N(bias, W W' + noise^2)."""
    return stats.multivariate_normal(
        BIAS, WEIGHTS @ WEIGHTS.T + NOISE**2 * np.eye(4)).logpdf(FLAT)


def closed_elbo(**wrong):
    loc, scale = posterior(FLAT, **wrong)
    fit = stats.norm(loc @ WEIGHTS.T + BIAS, NOISE).logpdf(FLAT).sum(-1)
    fit -= .5 / NOISE**2 * (scale**2 @ np.sum(WEIGHTS**2, 0))
    return fit - .5 * np.sum(loc**2 + scale**2 - 1 - 2 * np.log(scale), -1)


def test_each_draw_of_the_exact_posterior_gives_the_likelihood():
    estimates = vaes.bounds.estimate(model(), IMAGES, SEED, samples=3)
    np.testing.assert_allclose(estimates.elbo, exact(), rtol=1e-4)
    np.testing.assert_allclose(estimates.importance, exact(), rtol=1e-4)
    np.testing.assert_allclose(closed_elbo(), exact(), rtol=1e-9)


@pytest.mark.parametrize('closed_form', [False, True])
def test_elbo_is_its_closed_form(closed_form):
    """They agree on average over 400 copies of each image, with 10 draws each."""
    wrong = {'shift': .2, 'factor': 1.3}
    copies = np.repeat(IMAGES, 400, 0)
    drawn = vaes.elbo(model(**wrong), copies, SEED, samples=10, closed_form=closed_form)
    drawn = drawn.numpy().reshape(6, 400)
    errors = (drawn.mean(1) - closed_elbo(**wrong)) / (drawn.std(1) / 20)
    assert np.abs(errors).max() < 4, errors
    assert np.all(drawn.std(1) > .01)
    assert np.all(closed_elbo(**wrong) < exact() - .1)


def test_importance_bound_rises_to_the_likelihood():
    vae = model(shift=.2, factor=1.3)
    copies = np.repeat(IMAGES, 50, 0)
    means = [closed_elbo(shift=.2, factor=1.3).mean()]
    for k in (4, 32, 256):
        bound = tf.function(lambda x, k=k: vaes.importance_bound(vae, x, SEED, k))
        means.append(float(tf.reduce_mean(bound(copies))))
    assert means == sorted(means)
    assert means[1] > means[0] + .1
    assert means[-1] == pytest.approx(exact().mean(), abs=.01)


def test_first_draw_is_that_of_one_sample():
    vae = model(shift=.2)
    one, same = vaes.elbo(vae, IMAGES, SEED), vaes.importance_bound(vae, IMAGES, SEED, 1)
    np.testing.assert_allclose(one, same, rtol=1e-6)
    log_weights = [vaes.elbo(vae, IMAGES, SEED), None]
    both = vaes.bounds.estimate(vae, IMAGES, SEED, 2)
    log_weights[1] = 2 * both.elbo - log_weights[0]
    np.testing.assert_allclose(both.importance, np.logaddexp(*log_weights) - np.log(2), rtol=1e-4)


def test_graph_does_not_grow_with_the_samples():
    sizes, loops = [], []
    for k in (10, 1000):
        vae = model()
        graph = tf.function(lambda x, vae=vae, k=k: vaes.importance_bound(
            vae, x, SEED, k)).get_concrete_function(
                tf.TensorSpec([None, *SHAPE], tf.uint8)).graph.as_graph_def()
        nodes = [*graph.node, *(n for f in graph.library.function for n in f.node_def)]
        sizes.append(len(nodes))
        loops.append(sum(n.op in ('While', 'StatelessWhile') for n in nodes))
        assert vae.encoder.calls == 1
    assert sizes[0] == sizes[1]
    assert loops == [1, 1]


def test_closed_divergence_is_the_mean_of_the_draws():
    vae = model(shift=.2, factor=1.3)
    copies = np.repeat(IMAGES, 2000, 0)
    drawn = vae.infer(copies, SEED).kl[0].numpy().reshape(6, 2000, 2)
    closed = vae.infer(copies, SEED, closed_form=True).kl[0].numpy().reshape(6, 2000, 2)
    np.testing.assert_allclose(closed, closed[:, :1] + 0 * closed, rtol=1e-5)
    errors = (drawn.mean(1) - closed[:, 0]) / (drawn.std(1) / np.sqrt(2000))
    assert np.abs(errors).max() < 4, errors


@pytest.mark.parametrize('samples', [0, -1, 1.5])
def test_samples_are_positive_integers(samples):
    for bound in (vaes.elbo, vaes.importance_bound):
        with pytest.raises(ValueError, match=f'samples must be a positive integer.*{samples}'):
            bound(model(), IMAGES, SEED, samples=samples)
