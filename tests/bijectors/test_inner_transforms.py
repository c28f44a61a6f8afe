"""Tests inner transforms and scale maps against SciPy and TFP, also at the limits of float32."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, special
from tensorflow_probability import bijectors as tfb
from tensorflow_probability import distributions as tfd

from tfp_glow import bijectors as tgb

RNG = np.random.default_rng(9)


def normal(*shape):
    return RNG.standard_normal(shape)


def softmax_bins(raw, bins, bound, least):
    return 2 * bound * (least + (1 - bins * least) * special.softmax(raw, -1))


def test_spline_against_tfp(assert_close):
    raw, y = 2 * normal(2, 11), 2.5 * normal(50, 2)  # Some values are outside the bounds.
    theirs = tfb.RationalQuadraticSpline(
        softmax_bins(raw[:, :4], 4, 2., .01), softmax_bins(raw[:, 4:8], 4, 2., .01),
        .02 + np.log1p(np.exp(raw[:, 8:] + np.log(np.expm1(.98)))), range_min=-2.)
    ours = tgb.Spline(raw, bound=2., min_bin=.01, min_slope=.02)
    assert_close(ours.inverse(y), theirs.forward(y), 1e-12)
    assert_close(ours.inverse_log_det_jacobian(y, 1), theirs.forward_log_det_jacobian(y, 1), 1e-12)
    x = tf.constant(y)
    assert_close(ours.forward(x), theirs.inverse(x), 1e-12)
    assert_close(ours.forward_log_det_jacobian(x, 1), theirs.inverse_log_det_jacobian(x, 1), 1e-12)


def test_spline_of_zeros_is_the_identity(assert_close):
    y = tf.constant(normal(20))
    spline = tgb.Spline(np.zeros(23), bound=2.)
    assert_close(spline.inverse(y), y, 1e-12)
    np.testing.assert_allclose(spline.inverse_log_det_jacobian(y), np.zeros(20), atol=1e-12)


@pytest.mark.parametrize('direction', ['forward', 'inverse'])
def test_spline_at_and_beyond_its_bounds(direction):
    """The spline is the identity outside, is smooth at the bounds, and never gives NaN."""
    spline = tgb.Spline(tf.constant(normal(8), tf.float32), bound=2.)
    value = tf.constant([-1e30, -5., -2., 2., 5., 1e30, np.inf])
    raw = tf.constant(normal(7, 8), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch([value, raw])
        output = getattr(tgb.Spline(raw, bound=2.), direction)(value)
    np.testing.assert_array_equal(output, value)
    dvalue, draw = tape.gradient(output, [value, raw])
    np.testing.assert_array_equal(dvalue, np.ones(7))
    np.testing.assert_array_equal(draw, np.zeros([7, 8]))
    near = tf.constant([-2 + 1e-4, 2 - 1e-4])
    log_det = getattr(spline, f'{direction}_log_det_jacobian')(near)
    np.testing.assert_allclose(log_det, [0, 0], atol=.05)


@pytest.mark.parametrize('spread', [1., 4.])
def test_spline_in_float32(spread):
    """Trained networks give uneven bins; both directions and their gradients stay finite."""
    raw = tf.constant(spread * normal(4000, 23), tf.float32)
    y = tf.constant(RNG.uniform(-3., 3., 4000), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(raw)
        spline = tgb.Spline(raw)
        x = tf.identity(spline.inverse(y))
        again = spline.forward(x)
    assert np.all(np.isfinite(x)) and np.all(np.isfinite(tape.gradient(again, raw)))
    slope = np.exp(spline.inverse_log_det_jacobian(y))
    np.testing.assert_array_less(np.abs(again - y) * np.minimum(slope, 1), 1e-4)


def mixture_of(logits, means, log_scales, dtype=tf.float64, **options):
    return tgb.MixtureLogisticCDF(*(tf.constant(p, dtype) for p in (logits, means, log_scales)),
                                  **options)


def logit_cdf(y, logits, means, log_scales):
    """Computes the paper's formula in float64."""
    z = (y[..., np.newaxis] - means) / np.exp(log_scales)
    weights = special.softmax(logits, -1)
    return (special.logsumexp(-np.logaddexp(0, -z), -1, weights)
            - special.logsumexp(-np.logaddexp(0, z), -1, weights))


def test_mixture_against_scipy_and_tfp(assert_close):
    parameters = normal(3, 2, 4)
    y = 2 * normal(30, 2)
    mixture = mixture_of(*parameters)
    x = mixture.inverse(y)
    assert_close(x, logit_cdf(y, *parameters), 1e-12)
    theirs = tfd.MixtureSameFamily(
        tfd.Categorical(parameters[0]), tfd.Logistic(parameters[1], np.exp(parameters[2])))
    assert_close(tf.sigmoid(x), theirs.cdf(y), 1e-12)
    # The density of the data under a standard logistic latent is the mixture's.
    latent = tfd.Logistic(tf.constant(0., tf.float64), 1.)
    flow = tfd.TransformedDistribution(latent, mixture)
    assert_close(flow.log_prob(y), theirs.log_prob(y), 1e-12)


def test_one_component_is_affine():
    """It is affine in the far tails too, where the CDF itself is 0 or 1 in float32."""
    mixture = mixture_of([0.], [1.], [np.log(.25)], tf.float32)
    y = tf.constant([-1e4, -200., -1., 0., 1., 3., 500., 1e4])
    np.testing.assert_allclose(mixture.inverse(y), (y - 1) * 4, 1e-5)
    np.testing.assert_allclose(mixture.inverse_log_det_jacobian(y), np.full(8, np.log(4)), 1e-2)
    x = tf.identity(mixture.inverse(y))
    np.testing.assert_allclose(mixture.forward(x), y, 1e-5, 1e-6)


# The CDF is flat between narrow components; others have unlike widths or weights near 0.
HARD = {
    'flat': ([0., 0., 0.], [-6., 0., 6.], [-2., -2., -2.]),
    'narrow': ([0., 0.], [0., .5], [1., -6.]),
    'light': ([0., -15.], [-1., 8.], [-1., 0.]),
    'wide': ([0., 0.], [100., -300.], [5., -4.]),
}


@pytest.mark.parametrize('name', HARD)
@pytest.mark.parametrize('dtype', [tf.float32, tf.float64])
def test_mixture_inverse_converges(name, dtype):
    """It is within 1e-6 of the root that SciPy finds in float64, or within 1e-6 in logits."""
    x = np.linspace(-20., 20., 101)
    mixture = mixture_of(*HARD[name], dtype)
    # SciPy gets the parameters as `dtype` rounds them.
    parameters = [np.float64(tf.constant(p, dtype)) for p in HARD[name]]
    x = np.float64(tf.constant(x, dtype))
    y = np.float64(mixture.forward(tf.constant(x, dtype)))
    expected = np.array([optimize.brentq(
        lambda y, target=target: logit_cdf(np.array(y), *parameters) - target, -1e5, 1e5,
        xtol=1e-13) for target in x])
    close = np.abs(y - expected) <= 2e-6 * (1 + np.abs(y))
    solved = np.abs(logit_cdf(y, *parameters) - x) <= 2e-6 * (1 + np.abs(x))
    assert np.all(close | solved)
    if dtype == tf.float64:
        np.testing.assert_allclose(mixture.inverse(tf.constant(y)), x, 1e-9, 1e-9)


def test_mixture_says_when_it_does_not_converge():
    mixture = mixture_of([0., 0.], [-3., 4.], [0., -2.], tf.float32, max_iterations=2)
    x = tf.constant([.3])
    with pytest.raises(tf.errors.InvalidArgumentError, match='did not converge to 1e-06 in 2'):
        mixture.forward(x)
    with pytest.raises(tf.errors.InvalidArgumentError, match='did not converge to 1e-06 in 2'):
        tf.function(mixture.forward)(x)
    assert np.isnan(tf.function(mixture.forward, jit_compile=True)(x))
    assert np.isnan(mixture.forward([np.nan]))  # A NaN in the input raises no error.


@pytest.mark.parametrize('output', [0, 1], ids=['value', 'log_det'])
def test_mixture_gradients(output):
    """Gradients of the search, by the parameters and the input, equal finite differences."""
    parameters = [tf.constant(v) for v in normal(3, 2, 3)]

    def forward(x, *parameters):
        mixture = tgb.MixtureLogisticCDF(*parameters)
        return (mixture.forward(x), mixture.forward_log_det_jacobian(x))[output]
    theory, numeric = tf.test.compute_gradient(
        forward, [tf.constant([.3, -1.2], tf.float64), *parameters], delta=1e-5)
    for t, n in zip(theory, numeric, strict=True):
        assert np.any(t)
        np.testing.assert_allclose(t, n, 1e-6, 1e-8)


def test_mixture_inner_is_the_papers(assert_close):
    """The network's output has a block per parameter: shift, scale, logits, means, log-scales."""
    raw, y = normal(5, 2 * 11), 2 * normal(5, 2)
    inner = tgb.MixtureCDFInner(3, tgb.scale_maps.exponential())
    assert inner.outputs_per_channel == 11
    shift, s, *rest = np.split(raw, 11, -1)
    logits, means, log_scales = (np.stack(rest[i:i + 3], -1) for i in (0, 3, 6))
    means += .4 * np.sqrt(1.5) * np.array([-1, 0, 1])  # Their standard deviation is 0.4.
    expected = (logit_cdf(y, logits, means, 7 * np.tanh(log_scales / 7)) + shift) * np.exp(s)
    x = inner(tf.constant(raw)).inverse(y)
    assert_close(x, expected, 1e-10)


def test_mixture_starts_with_unlike_components():
    """Like components would get the same gradient from a network whose last layer is zero."""
    raw = tf.zeros([1, 1 * 11])
    with tf.GradientTape() as tape:
        tape.watch(raw)
        mixture = tgb.MixtureCDFInner(3)(raw)
        loss = tf.reduce_sum(mixture.inverse(tf.constant([[.4]]))**2)
    gradient = tape.gradient(loss, raw).numpy()[0, 5:8]
    assert len(set(np.round(gradient, 4))) == 3


@pytest.mark.parametrize('components', [2, 8])
def test_mixture_starts_near_the_identity(components):
    """A deep flow would otherwise contract its data, at first, to less than float32 resolves."""
    y = np.linspace(-9., 9., 181)
    mixture = tgb.MixtureCDFInner(components)(tf.zeros([181, 2 + 3 * components], tf.float64))
    log_slope = mixture.inverse_log_det_jacobian(tf.constant(y[:, np.newaxis]), 0)
    np.testing.assert_allclose(log_slope[90], np.log(.96), 0, 3e-3)
    np.testing.assert_array_less(np.log(.96) - 1e-3, log_slope)
    np.testing.assert_array_less(log_slope, 1e-9)
    np.testing.assert_allclose(mixture.inverse(y[:, np.newaxis])[:, 0], y, 0, .1)


@pytest.mark.parametrize('dtype', [tf.float32, tf.float64])
def test_mixture_rebuilds_to_rounding(dtype):
    """The error is the rounding of the latent, divided by the slope, not the 1e-6 of the search."""
    parameters = normal(3, 2, 4)
    y = tf.constant(2 * normal(100, 2), dtype)
    mixture = mixture_of(*parameters, dtype)
    x = tf.identity(mixture.inverse(y))
    slope = np.exp(mixture.inverse_log_det_jacobian(y, 0))
    error = np.abs(mixture.forward(x) - y)
    unit = np.finfo(dtype.as_numpy_dtype).eps * (1 + np.abs(y) + (1 + np.abs(x)) / slope)
    np.testing.assert_array_less(error, 4 * unit)


def test_spline_inner_takes_blocks_by_parameter(assert_close):
    raw, y = normal(5, 2 * 5), normal(5, 2)
    ours = tgb.SplineInner(2, bound=2.)(tf.constant(raw)).inverse(y)
    for channel in range(2):
        assert_close(ours[:, channel], tgb.Spline(raw[:, channel::2], 2.).inverse(y[:, channel]))


@pytest.mark.parametrize('inner', [
    tgb.SplineInner(3), tgb.MixtureCDFInner(2),
    tgb.AffineInner(tgb.scale_maps.clamped_exp(1.))], ids=lambda i: type(i).__name__)
@pytest.mark.parametrize('direction', ['forward', 'inverse'])
def test_gradients_in_repeat(inner, direction, assert_close):
    """Constant memory, with slices in a loop, gives the gradients of backprop."""
    kernel = tf.Variable(normal(3, 1, inner.outputs_per_channel))
    value = tf.constant(normal(4, 1, 2, 2))

    def gradients(reversible):
        @tf.function
        def run(value):
            repeat = tgb.Repeat(lambda kernel: tgb.Chain([
                tgb.Reverse(2, tf.float64), tgb.Coupling(
                    lambda kept: tf.sin(kept @ kernel), inner)]), kernel, 3, reversible)
            with tf.GradientTape() as tape:
                tape.watch(value)
                output = getattr(repeat, direction)(value)
                log_det = getattr(repeat, f'{direction}_log_det_jacobian')(value)
                loss = tf.reduce_sum(tf.sin(output)) + tf.reduce_sum(tf.cos(log_det))
            return tape.gradient(loss, [value, kernel])
        return [tf.convert_to_tensor(g) for g in run(value)]
    assert_close(gradients(True), gradients(False), 1e-9)


@given(raw=st.floats(-1e4, 1e4), limit=st.floats(.1, 5.))
@settings(max_examples=30, deadline=None)
def test_scale_maps_stay_in_bounds(raw, limit):
    raw = tf.constant(raw, tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(raw)
        log_scale = tgb.scale_maps.clamped_exp(limit)(raw)
    assert abs(log_scale) < limit and 0 < tape.gradient(log_scale, raw) <= 2 / np.pi + 1e-12
    np.testing.assert_allclose(log_scale, 2 * limit / np.pi * np.arctan(raw / limit), 1e-12,
                               1e-300)
    np.testing.assert_allclose(tgb.scale_maps.bounded_tanh(limit)(raw), limit * np.tanh(raw), 1e-12,
                               1e-300)


def test_multiplicative_only_scales(assert_close):
    raw, y = normal(4, 3), normal(4, 3)
    bijector = tgb.Multiplicative(tgb.scale_maps.exponential())(tf.constant(raw))
    assert_close(bijector.inverse(y), y * np.exp(raw), 1e-12)
    assert_close(bijector.forward(y), y * np.exp(-raw), 1e-12)
    assert_close(bijector.inverse_log_det_jacobian(y, 1), raw.sum(-1), 1e-12)


@pytest.mark.parametrize('make, message', [
    (lambda: tgb.ShiftScale(), 'shift or log_scale must be given'),
    (lambda: tgb.SplineInner(1), 'bins must be at least 2; got bins=1'),
    (lambda: tgb.SplineInner(4, bound=0.), 'bound must be positive; got bound=0.0'),
    (lambda: tgb.SplineInner(4, min_bin=.25), 'between 0 and 1 / 4; got min_bin=0.25'),
    (lambda: tgb.SplineInner(4, min_slope=1.), 'between 0 and 1; got min_slope=1.0'),
    (lambda: tgb.Spline(np.zeros([2, 6])), r'3 \* bins - 1 entries.*shape=\(2, 6\)'),
    (lambda: tgb.Spline(0.), r'3 \* bins - 1 entries.*shape=\(\)'),
    (lambda: tgb.MixtureCDFInner(0), 'components must be positive; got components=0'),
    (lambda: tgb.MixtureLogisticCDF([0.], [0.], [0., 1.]), 'one entry for each component'),
    (lambda: tgb.MixtureLogisticCDF([0.], [0.], [0.], 0), 'positive; got max_iterations=0'),
    (lambda: tgb.scale_maps.clamped_exp(0.), 'limit must be positive; got limit=0.0'),
    (lambda: tgb.scale_maps.bounded_tanh(0.), 'factor must not be 0; got factor=0.0')])
def test_bad_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
