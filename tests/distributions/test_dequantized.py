"""Tests dequantization against integer probabilities, which are differences of a CDF."""

import math

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_probability import bijectors as tfb
from tensorflow_probability import distributions as tfd

import tfp_glow
from tfp_glow import bijectors as tgb
from tfp_glow import dequantization
from tfp_glow.distributions import Dequantized, VariationalNoise

BINS = 4
SHAPE = (2, 1, 1)
LOC, SCALE = .05, .12
IMAGES = np.stack(np.meshgrid(*2 * [np.arange(BINS)]), -1).reshape(-1, *SHAPE)  # These are all 16.
SEED = tf.constant([1, 2])


def cdf(y):
    return 1 / (1 + np.exp(-(y - LOC) / SCALE))


def density(y):
    return cdf(y) * (1 - cdf(y)) / SCALE


EXACT = np.log(cdf((IMAGES + 1) / BINS - .5) - cdf(IMAGES / BINS - .5)).sum((1, 2, 3))
# Densities of u at the middles of 400 parts of each cell: [16, 2, 1, 1, 400].
DENSITIES = density((IMAGES[..., np.newaxis] + (np.arange(400) + .5) / 400) / BINS - .5) / BINS


class Recorder(tfd.Distribution):
    """Independent Logistics, which record the data that they are given."""

    def __init__(self, dtype=tf.float64):
        super().__init__(dtype, tfd.FULLY_REPARAMETERIZED, False, True, {})
        self.asked = self._no_dependency([])

    @classmethod
    def _parameter_properties(cls, dtype, num_classes=None):
        return {}

    def _event_shape(self):
        return tf.TensorShape(SHAPE)

    def _logistic(self):
        loc, scale = (tf.constant(v, self.dtype) for v in (LOC, SCALE))
        return tfd.Sample(tfd.Logistic(loc, scale), SHAPE)

    def _log_prob(self, y):
        if tf.executing_eagerly():
            self.asked.append(y.numpy())
        return self._logistic().log_prob(y)

    def _sample_n(self, n, seed=None):
        return self._logistic().sample(n, seed)


class Ones(Recorder):
    """Noise at the edge, 1, which a sigmoid gives in float32 for 20."""

    def _sample_and_log_prob(self, shape, seed, condition):
        return tf.ones([*shape, *SHAPE]), tf.zeros(shape)


class Optimal(tfb.Bijector):
    """Maps standard Logistic noise to v; sigmoid(v) has the density p(u|x) of `Recorder`."""

    def __init__(self):
        super().__init__(forward_min_event_ndims=0)

    def _parts(self, z, condition):
        low, high = (tf.sigmoid((condition + s / BINS - LOC) / SCALE) for s in (-.5, .5))
        mass = low + (high - low) * tf.sigmoid(z)
        y = LOC + SCALE * (tf.math.log(mass) - tf.math.log1p(-mass))
        return low, high, mass, (y - condition) * BINS + .5

    def _forward(self, x, condition):
        u = self._parts(x, condition)[-1]
        return tf.math.log(u) - tf.math.log1p(-u)

    def _forward_log_det_jacobian(self, x, condition):
        low, high, mass, u = self._parts(x, condition)
        return (tf.math.log(high - low) + tf.math.log(tf.sigmoid(x) * tf.sigmoid(-x))
                + math.log(SCALE * BINS) - tf.math.log(mass * (1 - mass) * u * (1 - u)))


class ByImage(tfb.Bijector):
    """Computes v = 2 z + 3 x."""

    def __init__(self):
        super().__init__(forward_min_event_ndims=0)

    def _forward(self, x, condition):
        return 2 * x + 3 * condition

    def _inverse(self, y, condition):
        return (y - 3 * condition) / 2

    def _forward_log_det_jacobian(self, x, condition):
        return tf.fill(tf.shape(x), tf.constant(math.log(2), x.dtype))


def noise_of(bijector, base=tfd.Normal):
    zeros = tf.zeros(SHAPE, tf.float64)
    return VariationalNoise(tfp_glow.flows.transformed(
        tfd.Independent(base(zeros, 1.), 3), tgb.Chain([bijector])))


def dequantized(noise=None, **options):
    return Dequantized(Recorder(), BINS, noise and noise_of(noise()), **options)


def draws(model, copies, samples):
    """Returns bounds `[copies, 16]` of all images, each with its own noise."""
    images = tf.constant(np.broadcast_to(IMAGES, (copies, *IMAGES.shape)))
    return tf.function(lambda: model.log_prob_lower_bound(images, SEED, samples))().numpy()


def mean_and_error(values):
    return values.mean(0), values.std(0) / math.sqrt(len(values))


def test_one_draw_is_a_bound_and_its_exponential_unbiased():
    bounds = draws(dequantized(), 4000, 1)
    mean, error = mean_and_error(bounds)
    expected = np.log(DENSITIES).mean(-1).sum((1, 2, 3))
    assert np.all(np.abs(mean - expected) < 5 * error)
    assert np.all(mean + 5 * error < EXACT)  # The bound is loose: more draws help.
    assert np.exp(mean).sum() < np.exp(EXACT).sum() < 1
    mean, error = mean_and_error(np.exp(bounds))
    assert np.all(np.abs(mean - np.exp(EXACT)) < 5 * error)


@pytest.mark.parametrize('noise', [None, ByImage])
def test_the_bound_rises_to_the_likelihood(noise):
    model = dequantized(noise)
    before = -np.inf
    for samples, copies in ((1, 1000), (10, 400), (1000, 40)):
        mean, error = mean_and_error(draws(model, copies, samples))
        assert np.all(mean < EXACT + 5 * error)
        assert mean.sum() > np.sum(before)
        before = mean
    if noise is None:  # The log of a mean is too low by about var / 2k.
        second = ((DENSITIES**2).mean(-1) / DENSITIES.mean(-1)**2).prod((1, 2, 3))
        bias = (second - 1) / 2000
        assert np.all(np.abs(mean + bias - EXACT) < 5 * error + .1 * bias)
    assert np.all(np.abs(mean - EXACT) < .05)


@pytest.mark.parametrize('samples', [1, 3])
def test_the_best_noise_gives_the_likelihood(samples, assert_close):
    """Every seed gives it, so XLA, which draws other numbers, does too."""
    model = Dequantized(Recorder(), BINS, noise_of(Optimal(), tfd.Logistic), samples)
    for seed in ([1, 2], [3, 4]):
        assert_close(model.log_prob(IMAGES, seed=seed), EXACT, 1e-10)
    compiled = tf.function(lambda x: model.log_prob(x, seed=SEED),
                           [tf.TensorSpec([None, *SHAPE], tf.int32)], jit_compile=True)
    assert_close(compiled(tf.constant(IMAGES, tf.int32)), EXACT, 1e-10)


def test_noise_integrates_to_one():
    u = (np.stack(np.meshgrid(*2 * [np.arange(300)]), -1).reshape(-1, *SHAPE) + .5) / 300
    images = tf.constant([.4, -.3], tf.float64, [1, *SHAPE])
    assert abs(np.mean(noise_of(ByImage()).prob(u, condition=images)) - 1) < 5e-3


@pytest.mark.parametrize('noise', [None, ByImage])
def test_numpy_rederivation(noise, assert_close):
    """NumPy derives the bound from the data that the flow was given."""
    model = dequantized(noise)
    bound = model.log_prob_lower_bound(IMAGES, SEED, importance_samples=3)
    asked = list(model.flow.asked)
    assert len(asked) == 3 and np.all(asked[0] != asked[1])
    weights = []
    for y in asked:
        u = (y + .5) * BINS - IMAGES
        assert np.all((u >= 0) & (u < 1))
        log_q = 0.
        if noise is not None:
            z = (np.log(u / (1 - u)) - 3 * ((IMAGES + .5) / BINS - .5)) / 2
            log_q = (-.5 * z**2 - .5 * math.log(2 * math.pi)
                     - np.log(2 * u * (1 - u))).sum((1, 2, 3))
        weights.append(np.log(density(y)).sum((1, 2, 3)) - log_q)
    assert_close(bound, np.log(np.exp(weights).mean(0)) - 2 * math.log(BINS), 1e-8)
    assert_close(model.log_prob(IMAGES, seed=SEED), weights[0] - 2 * math.log(BINS), 1e-8)


def test_consistent_with_uniform_dequantization(assert_close):
    model = dequantized()
    bits = model.bits_per_dim(IMAGES, SEED, counted=1)
    y, = model.flow.asked
    np.testing.assert_array_equal(dequantization.quantize(y, BINS), IMAGES)
    expected = dequantization.bits_per_dim(model.flow.log_prob(y), 2, BINS, counted=1)
    assert_close(bits, expected, 1e-10)


@pytest.mark.parametrize('bins', [17, 256, 2**16])
def test_noise_of_one_stays_in_its_cell(bins):
    flow = Recorder(tf.float32)
    images = np.random.default_rng(0).integers(0, bins, [100, *SHAPE])
    images[:2] = np.array([0, bins - 1])[:, None, None, None]
    Dequantized(flow, bins, Ones()).log_prob(images, seed=SEED)
    y, = flow.asked
    assert y.dtype == np.float32
    np.testing.assert_array_equal(np.floor((y + np.float32(.5)) * np.float32(bins)), images)


def test_samples_follow_the_probabilities():
    """Inner grey levels have their own mass; the outer ones also get the mass beyond them."""
    x = dequantized().sample(20_000, seed=SEED).numpy()
    inner = cdf(.25) - cdf(0)
    error = .5 / math.sqrt(x.size)
    assert abs(np.mean(x == 2) - inner) < 5 * error
    assert abs(np.mean(x == 3) - (1 - cdf(.25))) < 5 * error


def test_bad_arguments_are_named():
    flow = Recorder()
    for bins in (1, 2.5, '4'):
        with pytest.raises(ValueError, match=f'bins must be an integer of at least 2; got.*{bins}'):
            Dequantized(flow, bins)
    with pytest.raises(ValueError, match='importance_samples must be .* at least 1; got .*=0'):
        dequantized(importance_samples=0)
    with pytest.raises(ValueError, match='importance_samples must be .* at least 1; got .*=-1'):
        dequantized().log_prob_lower_bound(IMAGES, SEED, importance_samples=-1)
    other = tfp_glow.flows.glow((2, 2, 1), 1, 1, 4, condition_channels=1)
    with pytest.raises(ValueError, match=r'noise must have the event shape of flow, \(2, 1, 1\)'):
        Dequantized(flow, 4, VariationalNoise(other))
    with pytest.raises(ValueError, match='flow must take condition=, the images; .* takes none'):
        VariationalNoise(tfp_glow.flows.glow((2, 2, 1), 1, 1, 4))
    with pytest.raises(ValueError, match='flow must be over one tensor of known shape'):
        Dequantized(tfp_glow.distributions.latents([(2, 2, 1), (1, 1, 2)]), 4)
    with pytest.raises(ValueError, match='condition must be given to variational_noise'):
        VariationalNoise(other).sample(2)


@pytest.mark.parametrize('x, error, message', [
    (IMAGES.astype(np.float32), TypeError, 'x must be integers; got dtype=float32'),
    (IMAGES + 1, ValueError, r'x must be in 0 \.\. 3; got values from 1 to 4'),
    (IMAGES - 1, ValueError, 'got values from -1 to 2'),
    (IMAGES[0, 0], ValueError, r'x must end in the event shape \(2, 1, 1\); got shape=\(1, 1\)'),
    (IMAGES[:, :1], ValueError, r'got shape=\(16, 1, 1, 1\)')])
def test_bad_images_are_named(x, error, message):
    with pytest.raises(error, match=message):
        dequantized().log_prob_lower_bound(x, SEED)
    with pytest.raises(error, match=message):
        dequantized().log_prob(x, seed=SEED)


def test_log_prob_wants_a_seed():
    model = dequantized()
    with pytest.raises(ValueError, match='seed must be given to log_prob of dequantized'):
        model.log_prob(IMAGES)
    with pytest.raises(TypeError, match='labels'):
        model.log_prob(IMAGES, seed=SEED, labels=1)
    fresh = [model.log_prob_lower_bound(IMAGES, seed=None) for _ in range(2)]
    assert np.all(np.abs(fresh[0] - fresh[1]) > 0)


def test_validate_args_checks_traced_images():
    model = dequantized(validate_args=True)
    bound = tf.function(lambda x: model.log_prob(x, seed=SEED))
    assert bound(tf.constant(IMAGES, tf.uint8)).shape == [16]
    with pytest.raises(tf.errors.InvalidArgumentError, match=r'x must be in 0 \.\. 3'):
        bound(tf.constant(IMAGES + 1, tf.uint8))
