"""Tests the formulas of each bijector, not the contract, against NumPy or TFP."""

import catalogue
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorflow_probability import bijectors as tfb

import tfp_glow
from tfp_glow import bijectors as tgb

RNG = np.random.default_rng(3)


def images(*shape):
    return RNG.standard_normal(shape)


def close(a, b, tolerance=1e-10):
    np.testing.assert_allclose(a, b, tolerance, tolerance)


def same(ours, theirs, y, event_ndims=3):
    """Asserts that both directions and log-dets of `ours` equal those of TFP's `theirs`."""
    y = tf.constant(y)
    x = theirs.inverse(y)
    batch = np.zeros(len(y))
    close(ours.inverse(tf.constant(y)), x)
    close(ours.forward(tf.constant(x)), y)
    close(ours.inverse_log_det_jacobian(y, event_ndims),
          batch + theirs.inverse_log_det_jacobian(y, event_ndims))
    close(ours.forward_log_det_jacobian(x, event_ndims),
          batch + theirs.forward_log_det_jacobian(x, event_ndims))


def test_act_norm_against_tfp():
    shift, log_scale = images(4), images(4)
    same(tgb.ActNorm(shift, log_scale), tfb.Shift(shift)(tfb.Scale(log_scale=log_scale)),
         images(2, 3, 2, 4))


def test_act_norm_initialization(tmp_path):
    def make():
        return tgb.ActNorm(tf.Variable(np.zeros(3)), tf.Variable(np.zeros(3)),
                           tf.Variable(False, trainable=False, name='initialized'))
    act_norm = make()
    y = images(16, 4, 4, 3) * [1, 2, 3] + [4, 5, 6]
    assert not tfp_glow.is_initialized(act_norm)
    tfp_glow.initialize(act_norm, y)
    x = act_norm.inverse(y).numpy()
    close(x.mean((0, 1, 2)), np.zeros(3))
    close(x.var((0, 1, 2)), np.ones(3), 1e-5)  # The standard deviation has an epsilon.
    close(act_norm.shift, y.mean((0, 1, 2)))
    tfp_glow.initialize(act_norm, 7 * y)
    close(act_norm.inverse(y), x)
    path = tf.train.Checkpoint(b=act_norm).write(str(tmp_path / 'checkpoint'))
    loaded = make()
    tf.train.Checkpoint(b=loaded).read(path).assert_consumed()
    assert tfp_glow.is_initialized(loaded)
    tfp_glow.initialize(loaded, 7 * y)
    close(loaded.inverse(y), x)


def test_act_norm_of_values_is_left_alone():
    act_norm = tgb.ActNorm([1.], [0.], tf.Variable(False, name='initialized'))
    tfp_glow.initialize(act_norm, images(4, 2, 2, 1).astype(np.float32))
    close(act_norm.shift, [1.])


@settings(max_examples=10, deadline=None)
@given(channels=st.integers(1, 7), seed=st.integers(0, 2**31))
def test_conv1x1_is_its_matrix(channels, seed):
    values = tgb.plu_parameters(channels, seed, np.float64)
    noise = np.random.default_rng(seed).standard_normal([2, channels, channels])
    start = values['permutation'] @ (np.eye(channels) + values['lower']) @ (
        values['upper'] + np.diag(values['sign'] * np.exp(values['log_s'])))
    close(start @ start.T, np.eye(channels))
    values['log_s'] = values['log_s'] + noise[0, 0] / 2
    values['lower'], values['upper'] = noise  # It reads the triangles of these full matrices.
    w = values['permutation'] @ (np.eye(channels) + np.tril(noise[0], -1)) @ (
        np.triu(noise[1], 1) + np.diag(values['sign'] * np.exp(values['log_s'])))
    y = np.random.default_rng(1).standard_normal([2, 3, 2, channels])
    conv, dense = tgb.InvertibleConv1x1(**values), tgb.DenseConv1x1(w)
    log_det = np.full(2, 6 * np.linalg.slogdet(w)[1])
    for bijector in (conv, dense):
        close(bijector.inverse(y), y @ w, 1e-6)
        close(bijector.forward(tf.constant(y @ w)), y, 1e-4)
        close(bijector.inverse_log_det_jacobian(y), log_det, 1e-6)
    close(log_det, np.full(2, 6 * values['log_s'].sum()), 1e-6)


def test_conv1x1_against_scale_matvec_lu():
    values = tgb.plu_parameters(4, 5, np.float64)
    values['log_s'] += .3 * images(4)
    lower_upper = (np.tril(values['lower'], -1) + np.triu(values['upper'], 1)
                   + np.diag(values['sign'] * np.exp(values['log_s'])))
    # TFP's permutation is that of tf.linalg.lu: W[permutation] = L U. TFP computes W x, ours y @ W.
    theirs = tfb.ScaleMatvecLU(
        tf.constant(lower_upper), np.argmax(values['permutation'], axis=0))
    transposed = theirs.forward(tf.eye(4, dtype=tf.float64))  # Row i is W e_i, column i of W.
    same(tgb.InvertibleConv1x1(**values), tfb.Invert(tfb.ScaleMatvecLinearOperator(
        tf.linalg.LinearOperatorFullMatrix(transposed))), images(2, 3, 1, 4))


@settings(max_examples=10, deadline=None)
@given(st.permutations(range(5)))
def test_shuffle_against_tfp(permutation):
    y = np.random.default_rng(0).standard_normal([2, 1, 2, 5])
    same(tgb.Shuffle(permutation, tf.float64), tfb.Invert(tfb.Permute(permutation)), y)
    close(tgb.Shuffle(permutation, tf.float64).inverse(y), y[..., permutation])


def test_reverse_against_tfp():
    same(tgb.Reverse(5, tf.float64), tfb.Permute([4, 3, 2, 1, 0]), images(2, 1, 2, 5))


@settings(max_examples=10, deadline=None)
@given(factor=st.integers(2, 3), height=st.integers(1, 3), width=st.integers(1, 3),
       channels=st.integers(1, 3))
def test_squeeze_against_numpy(factor, height, width, channels):
    y = np.arange(2. * height * width * channels * factor**2).reshape(
        [2, height * factor, width * factor, channels])
    expected = y.reshape(2, height, factor, width, factor, channels).transpose(
        0, 1, 3, 2, 4, 5).reshape(2, height, width, factor**2 * channels)
    close(tgb.Squeeze(factor).inverse(y), expected)
    close(tgb.Squeeze(factor).forward(tf.constant(expected)), y)


@pytest.mark.parametrize('bijector', [
    tgb.Squeeze(2), tgb.ActNorm(np.ones(3), np.ones(3)), tgb.Reverse(3, tf.float64)],
    ids=lambda b: b.name)
def test_unknown_sides(bijector):
    y = images(2, 4, 2, 3)
    signature = [tf.TensorSpec([None, None, None, 3], tf.float64)]
    for method in (bijector.inverse, bijector.inverse_log_det_jacobian):
        close(tf.function(method, signature)(y), method(y))


def sigmoid(raw):
    return 1 / (1 + np.exp(-raw))


@pytest.mark.parametrize('channels', [2, 3, 5])
@pytest.mark.parametrize('inner, log_scale', [
    (tgb.Additive(), None),
    (tgb.AffineInner(), lambda s: np.log(sigmoid(s + 2))),
    (tgb.AffineInner(tgb.scale_maps.sigmoid(1., minimum=.25, maximum=3.)),
     lambda s: np.log(.25 + 2.75 * sigmoid(s + 1))),
    (tgb.AffineInner(tgb.scale_maps.exponential()), lambda s: s),
    (tgb.AffineInner(tgb.scale_maps.exponential(.7)), lambda s: .7 * np.tanh(s / .7))])
def test_coupling_against_numpy(channels, inner, log_scale):
    kept, moved = (channels + 1) // 2, channels // 2
    weights = images(kept, moved * inner.outputs_per_channel)
    coupling = tgb.Coupling(lambda y1: tf.sin(y1 @ weights), inner)
    y = images(2, 2, 3, channels)
    raw = np.sin(y[..., :kept] @ weights)
    log_s = np.zeros(raw.shape) if log_scale is None else log_scale(raw[..., moved:])
    x2 = (y[..., kept:] + raw[..., :moved]) * (1 if log_scale is None else np.exp(log_s))
    x = np.concatenate([y[..., :kept], x2], -1)
    close(coupling.inverse(y), x)
    close(coupling.inverse_log_det_jacobian(y), log_s.sum((1, 2, 3)))
    close(coupling.forward(tf.constant(x)), y, 1e-8)
    close(coupling.forward_log_det_jacobian(tf.constant(x)), -log_s.sum((1, 2, 3)), 1e-8)


@given(raw=st.floats(-1e3, 1e3), minimum=st.floats(0., .9), bound=st.floats(.1, 5.))
@settings(max_examples=30, deadline=None)
def test_scale_maps_stay_in_bounds(raw, minimum, bound):
    scale = np.exp(tgb.scale_maps.sigmoid(minimum=minimum)(tf.constant(raw, tf.float64)))
    assert minimum - 1e-12 <= scale <= 1 + 1e-12
    assert abs(tgb.scale_maps.exponential(bound)(tf.constant(raw, tf.float64))) <= bound


def test_multi_scale_structure():
    """Two levels equal NumPy's: halves leave, the exit sees what stays, log-dets add up."""
    level, last = tgb.ActNorm(images(4), images(4)), tgb.ActNorm(images(2), images(2))
    exit_ = tgb.Coupling(tf.sin, tgb.Additive())
    multi_scale = tgb.MultiScale([tgb.Chain([tgb.Squeeze(2), level]), last], [exit_])
    y = images(3, 4, 4, 1)
    h = level.inverse(tgb.Squeeze(2).inverse(y)).numpy()
    z0, z1 = multi_scale.inverse(y)
    close(z0, h[..., 2:] + np.sin(h[..., :2]))
    close(z1, last.inverse(h[..., :2]))
    close(multi_scale.inverse_log_det_jacobian(y, 3),
          np.full(3, -4 * (np.sum(level.log_scale) + np.sum(last.log_scale))))
    assert multi_scale.levels[1] is last and multi_scale.exits == (exit_,)


@pytest.mark.parametrize('name', [
    'chain', 'chain_nested', 'chain_tfp', 'chain_vector', 'chain_mixed'])
def test_chain_equals_its_parts(name):
    """Folding changes nothing: `tfb.Chain` of the same parts gives the same results."""
    chain, event_shape = catalogue.build(name)
    same(chain, tfb.Chain(list(chain.parts)), images(2, *event_shape), len(event_shape))


@pytest.mark.parametrize('name', ['act_norm', 'affine_odd', 'repeat'])
def test_inside_tfp_bijectors(name):
    ours, event_shape = catalogue.build(name)
    y = images(2, *event_shape)
    same(tfb.Chain([ours, tfb.Invert(ours)]), tfb.Identity(), y)
    expected = ours.inverse(y), ours.inverse_log_det_jacobian(y)
    inverted = tfb.Invert(ours)
    close(inverted.forward(tf.constant(y)), expected[0])
    close(inverted.forward_log_det_jacobian(tf.constant(y), 3), expected[1])
    doubled = tfb.Chain([tfb.Scale(tf.constant(2., tf.float64)), ours])
    close(doubled.inverse(2 * y), expected[0])
    close(doubled.inverse_log_det_jacobian(tf.constant(2 * y), 3),
          expected[1] - np.prod(event_shape) * np.log(2))


def test_old_answers_of_a_tfp_part_are_not_reused():
    scale = tf.Variable([2., 3.])
    chain = tgb.Chain([tfb.Scale(scale)])
    y = tf.ones([1, 1, 1, 2])
    first = chain.inverse(y)
    scale.assign([4., 5.])
    close(chain.inverse(y), [[[[1 / 4, 1 / 5]]]], 1e-6)
    close(first, [[[[1 / 2, 1 / 3]]]], 1e-6)


@pytest.mark.parametrize('channels', [1, 3, 4])
@pytest.mark.parametrize('make', [
    lambda: tgb.ActNorm([0., 1.], [1., 2.]), lambda: tgb.DenseConv1x1([[1., 1.], [0., 1.]]),
    lambda: tgb.Shuffle([1, 0]), lambda: tgb.Reverse(2),
    lambda: tgb.Chain([tgb.ActNorm([0., 1.], [1., 2.]), tgb.Reverse(2)]),
    lambda: tgb.Chain([tgb.ActNorm([0., 1.], [1., 2.], event_ndims=1),
                       tgb.Reverse(2, event_ndims=1)])])
def test_other_channels_are_refused(make, channels):
    """They are not broadcast, not dropped and not taken for a grouped convolution."""
    for direction in (make().forward, make().inverse):
        with pytest.raises(ValueError, match=rf'must have 2 channels; .*, {channels}\)'):
            direction(tf.ones([1, 2, 2, channels]))


@pytest.mark.parametrize('make, message', [
    (lambda: tgb.ActNorm([[1.]], [0.]), r'shift must be a vector.*\(1, 1\)'),
    (lambda: tgb.ActNorm([1.], 0.), r'log_scale must be a vector.*\(\)'),
    (lambda: tgb.DenseConv1x1(np.ones([2, 3])), r'kernel must be a square.*\(2, 3\)'),
    (lambda: tgb.InvertibleConv1x1(**dict(
        tgb.plu_parameters(3, 0), lower=np.ones([2, 2], np.float32))),
     r'lower must be a square.*\(2, 2\)'),
    (lambda: tgb.Shuffle([0, 0]), r'permutation must hold.*\[0, 0\]'),
    (lambda: tgb.Reverse(0), 'channels must be positive; got channels=0'),
    (lambda: tgb.Squeeze(1), 'factor must be at least 2; got factor=1'),
    (lambda: tgb.Squeeze(2).inverse(tf.ones([1, 3, 2, 1])), 'height must be divisible by 2.*3'),
    (lambda: tgb.Squeeze(2).forward(tf.ones([1, 2, 2, 3])), 'channels must be divisible by 4.*3'),
    (lambda: tgb.Coupling(5), 'conditioner must be callable; got int'),
    (lambda: tgb.Coupling(tf.identity).inverse(tf.ones([1, 2, 2, 1])), r'2 channels.*2, 1\)'),
    (lambda: tgb.ActNorm([1.], [0.]).inverse(tf.ones([2, 1])), r'at least 3 dim.*\(2, 1\)'),
    (lambda: tgb.Chain([]), r'parts must hold at least one.*\[\]'),
    (lambda: tgb.MultiScale([]), r'levels must hold at least one.*\[\]'),
    (lambda: tgb.MultiScale([tgb.Squeeze()], share=2.), r'share must be in \(0, 1\); got share=2'),
    (lambda: tgb.MultiScale([tgb.Squeeze()] * 2, share=[.5, .5]),
     r'share must be one number or one per level but the last, 1; got share=\[0.5, 0.5\]'),
    (lambda: tgb.MultiScale([tgb.Squeeze()] * 3, share=(.5, 0.)), 'share must be in .0, 1.; got'),
    (lambda: tgb.MultiScale([tgb.Squeeze()], [tfb.Identity()]), 'exits must hold.*0; got 1'),
    (lambda: tgb.scale_maps.sigmoid(minimum=2.), 'minimum must be in.*2.0'),
    (lambda: tgb.scale_maps.exponential(0.), 'bound must be positive; got bound=0.0')])
def test_bad_arguments_are_named(make, message):
    with pytest.raises((ValueError, TypeError), match=message):
        make()
