"""Tests discretised logistics against decimals of 60 digits, far into the tails."""

import decimal

import numpy as np
import pytest
import tensorflow as tf

from tfp_glow.distributions import DiscretizedLogistic, DiscretizedLogisticMixture

decimal.getcontext().prec = 60
LOC, SCALE = 100.3, .7
CASES = [(loc, scale) for loc in (0., 100.3, 250.5) for scale in (.05, .7, 30.)]
ENDS = [(None, None), (0, 255)]
WEIGHTS, LOCS, SCALES = [.2, .5, .3], [3., 120.4, 300.], [.3, 5., 40.]


def log_mass(k, loc, scale, low=None, high=None):
    """Computes log P(k) in decimals, whose `exp` reaches 10^-999999."""
    loc, scale, half = decimal.Decimal(loc), decimal.Decimal(scale), decimal.Decimal('.5')
    edges = [(k + sign * half - loc) / scale for sign in (-1, 1)]
    if edges[0] > 0:  # The mirrored mass is equal, and 60 digits are enough for it.
        return log_mass(-k, -loc, scale, *([None, None] if low is None else [-high, -low]))

    def cdf(t):
        return 1 / (1 + (-t).exp())
    below = 0 if k == low else cdf(edges[0])
    above = 1 if k == high else cdf(edges[1])
    return (above - below).ln()


def slope(k, loc, scale, step=decimal.Decimal('1e-20')):
    """Computes d log P(k) / d loc."""
    loc = decimal.Decimal(loc)
    return (log_mass(k, loc + step, scale) - log_mass(k, loc - step, scale)) / (2 * step)


def mixture(low=None, high=None, dtype=np.float64):
    return DiscretizedLogisticMixture(
        *(np.array(p, dtype) for p in (np.log(WEIGHTS), LOCS, SCALES)), low=low, high=high)


@pytest.mark.parametrize('low, high', ENDS)
def test_masses_are_exact_far_in_the_tails(low, high):
    ks = [0, 1, 99, 100, 101, 254, 255]
    if low is None:
        ks += [-30000, 30000]
    for dtype, tolerance in ((np.float32, 2e-6), (np.float64, 1e-14)):
        loc, scale = (np.array(v, dtype)[:, np.newaxis] for v in zip(*CASES))
        log_prob = DiscretizedLogistic(loc, scale, low, high).log_prob(np.array(ks, dtype)).numpy()
        expected = [[float(log_mass(k, float(loc), float(scale), low, high)) for k in ks]
                    for loc, scale in zip(loc[:, 0], scale[:, 0])]
        np.testing.assert_allclose(log_prob, expected, rtol=tolerance, atol=tolerance)


def test_gradients_are_finite_and_right_far_away():
    ks = np.array([-20000., 0., 100., 101., 20000.], np.float32)
    loc, k = tf.Variable(LOC), tf.Variable(ks)
    for low, high in ENDS:
        with tf.GradientTape() as tape:
            value = DiscretizedLogistic(loc, SCALE, low, high).log_prob(k)
        by_k, by_loc = tape.gradient(value, [k, loc])
        assert np.isfinite(by_k).all() and np.isfinite(by_loc)
    with tf.GradientTape() as tape:
        value = DiscretizedLogistic(tf.fill([5], LOC) + (loc - loc), SCALE).log_prob(k)
    expected = [float(slope(int(k), float(np.float32(LOC)), float(np.float32(SCALE)))) for k in ks]
    np.testing.assert_allclose(-tape.gradient(value, k), expected, rtol=2e-5, atol=1e-5)


def test_masses_sum_to_one():
    for low, high in ((0, 255), (-3, 4)):
        ks = np.arange(low, high + 1.)[:, np.newaxis]
        loc, scale = (np.array(v) for v in zip(*CASES))
        np.testing.assert_allclose(tf.reduce_sum(
            DiscretizedLogistic(loc, scale, low, high).prob(ks), 0), 1, rtol=1e-12)
        np.testing.assert_allclose(
            tf.reduce_sum(mixture(low, high).prob(ks[:, 0])), 1, rtol=1e-12)
    wide = np.arange(-3000., 3000.)
    np.testing.assert_allclose(tf.reduce_sum(mixture().prob(wide)), 1, rtol=1e-12)


def test_nothing_is_beyond_the_ends():
    for make in (lambda low, high: DiscretizedLogistic(2., 1., low, high), mixture):
        distribution = make(0, 3)
        k = tf.Variable([-1., 4.], dtype=distribution.dtype)
        with tf.GradientTape() as tape:
            value = distribution.log_prob(k)
        np.testing.assert_array_equal(value, [-np.inf, -np.inf])
        assert np.isfinite(tape.gradient(value, k)).all()
        np.testing.assert_array_equal(distribution.cdf([-1, 3, 9]), [0, 1, 1])
        np.testing.assert_array_equal(distribution.survival_function([-1, 3, 9]), [1, 0, 0])


@pytest.mark.parametrize('low, high', ENDS)
def test_cdf_is_the_sum_of_the_masses(low, high):
    ks = np.arange(-2000. if low is None else low, 256.)
    for distribution in (DiscretizedLogistic(np.float64(LOC), 20., low, high), mixture(low, high)):
        cdf = np.cumsum(distribution.prob(ks))
        np.testing.assert_allclose(distribution.cdf(ks), cdf, rtol=1e-10, atol=1e-14)
        np.testing.assert_allclose(distribution.cdf(ks + .9), distribution.cdf(ks), rtol=0)
        np.testing.assert_allclose(
            distribution.survival_function(ks), 1 - cdf, rtol=1e-9, atol=1e-14)
        np.testing.assert_allclose(tf.exp(distribution.log_cdf(ks)), cdf, rtol=1e-10, atol=1e-14)
        np.testing.assert_allclose(
            tf.exp(distribution.log_survival_function(ks)), 1 - cdf, rtol=1e-9, atol=1e-14)


def test_quantile_is_the_least_that_reaches_p():
    p = np.linspace(1e-6, 1 - 1e-6, 1001).astype(np.float32)
    for low, high in ((None, None), (99, 103)):
        narrow = DiscretizedLogistic(LOC, SCALE, low, high)
        k = narrow.quantile(p)
        assert np.all(narrow.cdf(k) >= p) and np.all(narrow.cdf(k - 1) < p)
    np.testing.assert_array_equal(narrow.quantile([0., 1.]), [99, 103])
    np.testing.assert_array_equal(narrow.quantile(narrow.cdf([99., 100., 101.])), [99, 100, 101])


def test_samples_come_as_often_as_their_mass():
    count, ks = 40000, np.arange(99., 104.)
    batch = DiscretizedLogistic([LOC, 1000.], [SCALE, .01], [99., 999.], [103., 1001.])
    samples = batch.sample(count, seed=[1, 2]).numpy()
    assert samples.shape == (count, 2) and (samples[:, 1] == 1000).all()
    distribution = DiscretizedLogistic(LOC, SCALE, 99, 103)
    for drawn, mass in ((samples[:, 0], distribution.prob(ks)),
                        (mixture(99, 103).sample(count, seed=[3, 4]), mixture(99, 103).prob(ks))):
        shares = np.mean(np.asarray(drawn)[:, np.newaxis] == ks, 0)
        assert shares.sum() == 1  # All are integers from 99 to 103.
        np.testing.assert_allclose(shares, mass, atol=5 * np.sqrt(.25 / count))


def test_mixtures_of_a_batch_choose_for_each_entry():
    both = DiscretizedLogisticMixture([0., 0.], tf.constant([[0., 9.]] * 2), [.01, .01])
    assert both.batch_shape == [2] and both.event_shape == []
    a, b = both.sample(500, seed=5).numpy().T
    assert .15 < np.mean((a == 0) & (b == 9)) < .35


@pytest.mark.parametrize('low, high', [*ENDS, (99, 102)])
def test_mean(low, high):
    ks = np.arange(-4000., 4001.) if low is None else np.arange(low, high + 1.)
    loc, scale = np.transpose([*CASES, (7.2, .49), (7.2, .51), (-3.4, 1.), (.5, 1e-3)])
    distribution = DiscretizedLogistic(loc, scale, low, high)
    expected = np.sum(ks[:, np.newaxis] * distribution.prob(ks[:, np.newaxis]), 0)
    np.testing.assert_allclose(distribution.mean(), expected, rtol=1e-7, atol=1e-7)
    distribution = mixture(low, high)
    np.testing.assert_allclose(
        distribution.mean(), np.sum(ks * distribution.prob(ks)), rtol=1e-7, atol=1e-7)


def test_mixture_is_the_weighted_sum():
    ks = np.array([-5000., 0., 120., 900.])
    for dtype, tolerance in ((np.float32, 2e-6), (np.float64, 1e-13)):
        logits = [float(w) for w in np.log(WEIGHTS).astype(dtype)]
        total = sum(decimal.Decimal(v).exp() for v in logits)
        parts = list(zip(logits, *(map(float, np.array(p, dtype)) for p in (LOCS, SCALES))))
        expected = [float((sum((decimal.Decimal(w) + log_mass(int(k), loc, scale)).exp()
                               for w, loc, scale in parts) / total).ln()) for k in ks]
        np.testing.assert_allclose(
            mixture(dtype=dtype).log_prob(ks.astype(dtype)), expected, rtol=tolerance)


@pytest.mark.parametrize('make, message', [
    (lambda: DiscretizedLogistic(0., 1., low=0), 'low and high must be given together'),
    (lambda: DiscretizedLogistic(0., 1., 3, 3), 'low must be less than high; got low=3, high=3'),
    (lambda: DiscretizedLogistic(tf.zeros([], tf.int32), 1), 'must have one floating dtype'),
    (lambda: DiscretizedLogistic(np.float64(1), np.float32(1)), 'got float32, float64'),
    (lambda: DiscretizedLogisticMixture([0.], [0., 1.], [1.]), 'one entry for each component'),
    (lambda: DiscretizedLogisticMixture(0., [0.], [1.]), 'one entry for each component')])
def test_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_values_are_checked_if_asked_for():
    with pytest.raises(tf.errors.InvalidArgumentError, match='scale of .* must be positive'):
        DiscretizedLogistic(0., [1., 0.], validate_args=True)
    variable = tf.Variable(1.)
    distribution = DiscretizedLogistic(0., variable, validate_args=True)
    with pytest.raises(tf.errors.InvalidArgumentError, match='values must be integers'):
        distribution.log_prob(.5)
    variable.assign(-1.)
    with pytest.raises(tf.errors.InvalidArgumentError, match='must be positive'):
        distribution.log_prob(1.)


def test_copies_and_batches_of_variables():
    loc = tf.Variable([[1.], [2.]])
    distribution = DiscretizedLogistic(loc, tf.constant([1., 2., 3.]))
    assert distribution.batch_shape == [2, 3] and distribution.trainable_variables == (loc,)
    assert distribution[1, 2].batch_shape == []
    np.testing.assert_array_equal(
        distribution.copy(low=0, high=1).log_prob(7.), np.full([2, 3], -np.inf))
