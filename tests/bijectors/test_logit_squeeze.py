"""Tests `Logit` against NumPy and TFP's `Sigmoid`, and the orders of `Squeeze`."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorflow_probability import bijectors as tfb

from tfp_glow import bijectors as tgb
from tfp_glow import testing

RNG = np.random.default_rng(41)
ORDERS = ['space_to_depth', 'glow', 'realnvp']


@pytest.mark.parametrize('alpha', [0., .05, .3])
def test_logit_contract(alpha):
    testing.assert_bijector_contract(tgb.Logit(alpha), [3], tf.float64, domain=tf.sigmoid)


@pytest.mark.parametrize('alpha', [0., 1e-6, .05])
def test_logit_against_numpy(alpha, assert_close):
    """It has the precision of float32 beside the ends of [0, 1] too."""
    near = np.float32(10.)**-np.arange(1, 31, dtype=np.float32)
    y = np.concatenate([near, .5 - near[:6], .5 + near[:6], 1 - near[:7]])
    if alpha:
        y = np.concatenate([y, np.float32([0., 1.])])
    exact = y.astype(np.float64)
    p, q = (alpha + (1 - 2 * alpha) * v for v in (exact, 1 - exact))
    x, log_det = np.log(p) - np.log(q), np.log(1 - 2 * alpha) - np.log(p) - np.log(q)
    bijector = tgb.Logit(alpha)
    np.testing.assert_allclose(bijector.inverse(y), x, 1e-6, 1e-6)
    np.testing.assert_allclose(bijector.inverse_log_det_jacobian(y, 0), log_det, 1e-6, 1e-6)
    x = x.astype(np.float32)
    np.testing.assert_allclose(bijector.forward(tf.constant(x)), y, 1e-5, 1e-7)
    forward_log_det = bijector.forward_log_det_jacobian(tf.constant(x), 0)
    np.testing.assert_allclose(forward_log_det, -log_det, 1e-5, 1e-5)


def test_logit_of_images_without_alpha_is_tfp_sigmoid(assert_close):
    x = tf.constant(4 * RNG.standard_normal([2, 3, 2, 1]))
    ours, theirs = tgb.Logit(0.), tfb.Sigmoid()
    y = theirs.forward(x)
    assert_close(ours.forward(x), y, 1e-10)
    assert_close(ours.inverse(y), x, 1e-10)
    for ndims in (0, 1, 3):
        assert_close(ours.forward_log_det_jacobian(x, ndims),
                     theirs.forward_log_det_jacobian(x, ndims), 1e-10)
        assert_close(ours.inverse_log_det_jacobian(y, ndims),
                     theirs.inverse_log_det_jacobian(y, ndims), 1e-10)


def test_logit_of_realnvp():
    """The published map, y -> logit(.05 + .9 y), is finite for all grey levels."""
    y = np.arange(257) / 256
    np.testing.assert_allclose(tgb.Logit(.05).inverse(y), np.log(.05 + .9 * y)
                               - np.log(.95 - .9 * y), 1e-5, 1e-6)


def glow_order(y, f):
    """Reshapes and transposes as the reference does."""
    n, height, width, channels = y.shape
    y = y.reshape(n, height // f, f, width // f, f, channels).transpose(0, 1, 3, 5, 2, 4)
    return y.reshape(n, height // f, width // f, channels * f * f)


def realnvp_order(y, f):
    """Sorts by a mask: the even colour of the checkerboard first, each colour row by row."""
    even = np.add.outer(np.arange(f), np.arange(f)) % 2 == 0
    n, height, width, channels = y.shape
    blocks = y.reshape(n, height // f, f, width // f, f, channels).transpose(0, 1, 3, 2, 4, 5)
    halves = [blocks[:, :, :, colour].reshape(n, height // f, width // f, -1)
              for colour in (even, ~even)]
    return np.concatenate(halves, -1)


@settings(max_examples=10, deadline=None)
@given(factor=st.integers(2, 4), height=st.integers(1, 2), width=st.integers(1, 3),
       channels=st.integers(1, 3))
@pytest.mark.parametrize('order, oracle', [('glow', glow_order), ('realnvp', realnvp_order)])
def test_orders_against_numpy(order, oracle, factor, height, width, channels):
    if order == 'realnvp':
        factor = 2 if factor < 4 else 4
    y = np.arange(2. * height * width * channels * factor**2).reshape(
        [2, height * factor, width * factor, channels])
    squeeze = tgb.Squeeze(factor, order)
    np.testing.assert_array_equal(squeeze.inverse(y), oracle(y, factor))
    np.testing.assert_array_equal(squeeze.forward(tf.constant(oracle(y, factor))), y)


def test_realnvp_order_by_hand():
    """The reference puts pixels 1 and 4 first, then 2 and 3, here for two channels."""
    block = np.array([[[1., 10.], [2., 20.]], [[3., 30.], [4., 40.]]])
    np.testing.assert_array_equal(
        np.ravel(tgb.Squeeze(2, 'realnvp').inverse(block[np.newaxis])),
        [1., 10., 4., 40., 2., 20., 3., 30.])


@pytest.mark.parametrize('factor', [2, 4])
def test_realnvp_halves_are_the_colours_of_the_checkerboard(factor):
    side = 2 * factor
    colours = np.indices([side, side]).sum(0)[np.newaxis, ..., np.newaxis] % 2
    squeezed = tgb.Squeeze(factor, 'realnvp').inverse(colours.astype(np.float32))
    halves = np.split(squeezed.numpy(), 2, -1)
    assert np.all(halves[0] == 0) and np.all(halves[1] == 1)


def test_glow_order_is_that_of_tfb_glow():
    """The order equals its `Expand`, made of TFP's public parts."""
    expand = tfb.Chain([tfb.Reshape([4, 6, 2], [2, 2, 3, 2, 2]), tfb.Transpose([0, 3, 1, 4, 2]),
                        tfb.Reshape([2, 3, 2, 2, 2], [2, 3, 8])])
    x = tf.constant(RNG.standard_normal([5, 2, 3, 8]))
    np.testing.assert_array_equal(tgb.Squeeze(2, 'glow').forward(x), expand.forward(x))


@pytest.mark.parametrize('order', ORDERS)
def test_unknown_sides(order):
    squeeze = tgb.Squeeze(2, order)
    y = RNG.standard_normal([2, 4, 2, 3])
    inverse = tf.function(squeeze.inverse, [tf.TensorSpec([None, None, None, 3], tf.float64)])
    np.testing.assert_array_equal(inverse(y), squeeze.inverse(y))
    forward = tf.function(squeeze.forward, [tf.TensorSpec([None, None, None, 12], tf.float64)])
    np.testing.assert_array_equal(forward(inverse(y)), y)
    known = tf.function(squeeze.inverse).get_concrete_function(tf.TensorSpec([None, 4, 2, 3]))
    assert known.output_shapes.as_list() == [None, 2, 1, 12]


@pytest.mark.parametrize('make, message', [
    (lambda: tgb.Logit(-.1), r'alpha must be in \[0, 1/2\); got alpha=-0.1'),
    (lambda: tgb.Logit(.5), r'alpha must be in \[0, 1/2\); got alpha=0.5'),
    (lambda: tgb.Logit(np.nan), r'alpha must be in \[0, 1/2\); got alpha=nan'),
    (lambda: tgb.Squeeze(1, 'glow'), 'factor must be at least 2; got factor=1'),
    (lambda: tgb.Squeeze(2, 'nhwc'), "order must be one of .*realnvp; got order='nhwc'"),
    (lambda: tgb.Squeeze(3, 'realnvp'), "factor must be even for order='realnvp'.*factor=3"),
    (lambda: tgb.Squeeze(2, 'glow').forward(tf.ones([1, 2, 2, 3])), 'divisible by 4.*channels=3'),
    (lambda: tgb.Shuffle(tf.Variable([1., 0.])), 'must hold integers; got dtype=float32')])
def test_bad_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
