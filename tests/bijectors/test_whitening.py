"""Tests `Whitening` and `fit_whitening` against NumPy, SciPy and scikit-learn."""

import numpy as np
import pytest
import scipy.linalg
import tensorflow as tf
from sklearn import decomposition

from tfp_glow import bijectors as tgb

RNG = np.random.default_rng(31)
MIXING = RNG.standard_normal([4, 4]) * [3., 1., .5, .1]
DATA = RNG.standard_normal([60, 4]) @ MIXING + [5., -7., 0., 1.]
COVARIANCE = np.cov(DATA, rowvar=False, bias=True)


def fit(data=DATA, kind='pca', **options):
    return tgb.fit_whitening(data, kind, **dict({'epsilon': 0., 'dtype': tf.float64}, **options))


@pytest.mark.parametrize('kind', ['pca', 'zca'])
def test_whitened_covariance_is_the_identity(kind, assert_close):
    bijector = fit(kind=kind)
    x = bijector.inverse(DATA).numpy()
    assert_close(x.mean(0) + 1, np.ones(4), 1e-9)
    assert_close(np.cov(x, rowvar=False, bias=True), np.eye(4), 1e-8)
    assert_close(bijector.forward(tf.constant(x)), DATA, 1e-10)
    log_det = -.5 * np.linalg.slogdet(COVARIANCE)[1]
    assert_close(bijector.inverse_log_det_jacobian(DATA), np.full(60, log_det), 1e-9)
    assert_close(bijector.forward_log_det_jacobian(x), np.full(60, -log_det), 1e-9)


def test_pca_against_scikit_learn(assert_close):
    """The order is the same too: the components have falling variances."""
    theirs = decomposition.PCA(whiten=True).fit(DATA)
    bijector = fit()
    signs = np.sign(np.sum(theirs.components_.T * bijector.axes.numpy(), 0))
    assert_close(bijector.axes * signs, theirs.components_.T, 1e-8)
    assert_close(bijector.inverse(DATA) * signs, theirs.transform(DATA) * np.sqrt(60 / 59), 1e-8)
    variances = ((DATA - DATA.mean(0)) @ bijector.axes.numpy()).var(0)
    assert np.all(np.diff(variances) < 0)
    assert_close(np.exp(2 * bijector.log_scale), variances, 1e-8)
    largest = np.argmax(np.abs(bijector.axes.numpy()), 0)
    assert np.all(bijector.axes.numpy()[largest, range(4)] > 0)


def test_zca_is_the_inverse_root_of_the_covariance(assert_close):
    root = np.linalg.inv(scipy.linalg.sqrtm(COVARIANCE))
    assert_close(fit(kind='zca').inverse(DATA), (DATA - DATA.mean(0)) @ root, 1e-8)


@pytest.mark.parametrize('kind', ['pca', 'zca'])
def test_epsilon_is_added_to_the_variances(kind, assert_close):
    x = fit(kind=kind, epsilon=.5).inverse(DATA).numpy()
    variances = np.linalg.eigvalsh(COVARIANCE)
    assert_close(np.linalg.eigvalsh(np.cov(x, rowvar=False, bias=True)),
                 variances / (variances + .5), 1e-8)


def test_constant_directions_and_few_samples():
    """An epsilon allows them."""
    bijector = tgb.fit_whitening(DATA[:3] * [1., 1., 1., 0.])
    x = bijector.inverse(DATA[:3] * [1., 1., 1., 0.])
    assert x.dtype == tf.float32 and np.all(np.isfinite(x))
    assert np.all(np.isfinite(bijector.log_scale))


def test_streamed(assert_close):
    """Batches of any size, far from zero, from any iterable, give the result of one array."""
    shifted = DATA + 1e6
    expected = fit(shifted)
    batches = [shifted[:1], shifted[1:1], shifted[1:20], shifted[20:]]
    for given in (batches, iter(batches), tf.data.Dataset.from_tensor_slices(shifted).batch(7)):
        fitted = fit(given)
        assert_close(fitted.mean, shifted.mean(0), 1e-12)
        assert_close(fitted.axes, expected.axes, 1e-5)
        assert_close(fitted.log_scale, expected.log_scale, 1e-5)
    assert_close(expected.log_scale, fit().log_scale, 1e-5)


@pytest.mark.parametrize('kind', ['pca', 'zca'])
def test_images_are_vectors(kind, assert_close):
    images = DATA.reshape(60, 2, 1, 2)
    x = fit(images, kind).inverse(images)
    assert x.shape == images.shape
    assert_close(x, tf.reshape(fit(kind=kind).inverse(DATA), images.shape), 1e-10)
    assert fit(images, kind).inverse_log_det_jacobian(images).shape == [60]


def test_parameters_are_saved(tmp_path, assert_close):
    path = tf.train.Checkpoint(b=fit()).write(str(tmp_path / 'checkpoint'))
    other = fit(DATA[:20], 'zca').copy(kind='pca')
    tf.train.Checkpoint(b=other).read(path).assert_consumed()
    assert_close(other.inverse(DATA), fit().inverse(DATA), 1e-12)
    assert not other.trainable_variables


def plain(**options):
    return tgb.Whitening(**dict(
        {'mean': [0., 0.], 'axes': [[0., 1.], [1., 0.]], 'log_scale': [0., 0.]}, **options))


@pytest.mark.parametrize('make, message', [
    (lambda: plain(kind='lda'), "kind must be 'pca' or 'zca'; got kind='lda'"),
    (lambda: plain(mean=0.), r'mean must be of shape \[D\].*\(\)'),
    (lambda: plain(axes=[[1., 0.]]), r'axes must be of shape \[D, D\], D = 2; .*\(1, 2\)'),
    (lambda: plain(log_scale=[0.]), r'log_scale must be of shape \[D\], D = 2; .*\(1,\)'),
    (lambda: plain(axes=[[1., 1.], [0., 1.]]), r'axes must be orthogonal; got axes=\[\[1'),
    (lambda: plain(axes=tf.Variable([[1., 0.], [0., 1.]])), 'axes must not be trained'),
    (lambda: plain(event_shape=[2, 2]), r'event_shape must have 2 entries .*\[2, 2\]'),
    (lambda: plain(mean=np.zeros(2)), 'one floating dtype; got mean=float64, axes=float32'),
    (lambda: plain().inverse([[0., 1., 2.]]), r'event shape \(2,\); got shape=\(1, 3\)'),
    (lambda: fit(kind='lda'), "kind must be 'pca' or 'zca'; got kind='lda'"),
    (lambda: fit(epsilon=-1.), 'epsilon must not be negative; got epsilon=-1.0'),
    (lambda: fit(DATA[:4]), 'data must hold at least 5 samples for epsilon=0.0; got 4'),
    (lambda: fit(DATA[:1], epsilon=.1), 'at least 2 samples for epsilon=0.1; got 1'),
    (lambda: fit([]), 'at least 2 samples for epsilon=0.0; got 0'),
    (lambda: fit(DATA * [1., 1., 0., 1.]), 'covariance of full rank where epsilon is 0; got'),
    (lambda: fit(np.where(DATA > 8, np.nan, DATA)), 'data must be finite; got NaN'),
    (lambda: fit(DATA[0]), r'data must have at least 2 dimensions.*\(4,\)'),
    (lambda: fit([DATA, DATA[:, 1:]]), r'events of one shape, \(4,\) as .* got \(3,\)')])
def test_bad_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
