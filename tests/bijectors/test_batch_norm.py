"""Tests both modes of `BatchNorm` against NumPy and TFP, its statistics and its errors."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_probability import bijectors as tfb

from tfp_glow import bijectors as tgb
from tfp_glow import testing

RNG = np.random.default_rng(21)
EPSILON = .01


def make(*shape, dtype=tf.float64, **options):
    values = RNG.uniform(.5, 2., [4, *shape])
    names = ('shift', 'log_scale', 'mean', 'variance')
    return tgb.BatchNorm(
        *(tf.Variable(v, dtype=dtype, trainable=i < 2, name=n)
          for i, (n, v) in enumerate(zip(names, values))),
        **dict({'epsilon': EPSILON, 'event_ndims': 1}, **options))


def normalised(bijector, y, mean, variance):
    """Returns the value and the log-det per position, computed by NumPy."""
    log_scale = bijector.parameters['log_scale'].numpy() - .5 * np.log(variance + EPSILON)
    return (y - mean) * np.exp(log_scale) + bijector.parameters['shift'].numpy(), log_scale.sum()


def moments(y):
    axes = tuple(range(y.ndim - 1))
    return y.mean(axes), y.var(axes)


@pytest.mark.parametrize('event_shape', [(3,), (2, 4, 3)], ids=str)
@pytest.mark.parametrize('training', [False, True])
def test_against_numpy(training, event_shape, assert_close):
    bijector = make(3, training=training, event_ndims=len(event_shape))
    y = 3 * RNG.standard_normal([5, *event_shape]) + 1
    statistics = (bijector.mean.numpy(), bijector.variance.numpy())
    x, log_det = normalised(bijector, y, *(moments(y) if training else statistics))
    expected = np.full(5, log_det * np.prod(event_shape[:-1]))
    assert_close(bijector.inverse(y), x, 1e-10)
    assert_close(bijector.inverse_log_det_jacobian(y), expected, 1e-10)
    assert_close((bijector.mean, bijector.variance), statistics, 0.)  # Evaluation changes nothing.
    if not training:
        assert_close(bijector.forward(tf.constant(x)), y, 1e-10)
        assert_close(bijector.forward_log_det_jacobian(tf.constant(x)), -expected, 1e-10)
    signature = [tf.TensorSpec([None] * y.ndim, y.dtype)]
    for jit in (False, True):
        for f in (bijector.inverse, bijector.inverse_log_det_jacobian):
            assert_close(tf.function(f, signature, jit_compile=jit)(y), f(y), 1e-10)


def test_leading_dimensions_are_one_batch(assert_close):
    bijector = make(2, training=True)
    y = RNG.standard_normal([3, 4, 2])
    assert_close(bijector.inverse(y),
                 tf.reshape(bijector.inverse(y.reshape(12, 2)), [3, 4, 2]), 1e-10)


def test_against_tfp(assert_close):
    """Both modes and the moving averages equal those of the layer in `tfb.BatchNormalization`."""
    theirs = tfb.BatchNormalization(training=True)
    evaluation = tfb.BatchNormalization(theirs.batchnorm, training=False)
    y = (3 * RNG.standard_normal([50, 2]) + 1).astype(np.float32)
    ours = tgb.BatchNorm(
        np.zeros(2, np.float32), np.zeros(2, np.float32),
        tf.Variable(tf.zeros(2), trainable=False), tf.Variable(tf.ones(2), trainable=False),
        momentum=.99, epsilon=1e-3, event_ndims=1)
    training = ours.with_training(True)
    for _ in range(2):
        assert_close(training.inverse(y), theirs.inverse(tf.constant(y)), 1e-4)
        ours.update(y)
        assert_close((ours.mean, ours.variance),
                     (theirs.batchnorm.moving_mean, theirs.batchnorm.moving_variance), 1e-4)
    for a, b in ((training, theirs), (ours, evaluation)):
        assert_close(a.inverse_log_det_jacobian(y),
                     tf.fill([50], b.inverse_log_det_jacobian(tf.constant(y), 1)), 1e-4)
    x = y[::-1].copy()
    assert_close(ours.forward(x), evaluation.forward(tf.constant(x)), 1e-4)


def test_training_is_evaluation_with_the_statistics_of_the_batch(assert_close):
    """The log-det is that of the Jacobian with the statistics held fixed."""
    training = make(2, training=True, event_ndims=3)
    y = RNG.standard_normal([6, 1, 2, 2])
    mean, variance = moments(y)
    training.mean.assign(mean)
    training.variance.assign(variance)
    evaluation = training.with_training(False)
    testing.assert_bijector_contract(evaluation, [1, 2, 2], jit_compile=False)
    assert_close(training.inverse(y), evaluation.inverse(y), 1e-10)
    assert_close(training.inverse_log_det_jacobian(y), evaluation.inverse_log_det_jacobian(y),
                 1e-10)


@pytest.mark.parametrize('event_shape', [(2,), (1, 2, 2)], ids=str)
def test_gradient_goes_through_the_statistics(event_shape, assert_close):
    bijector = make(2, training=True, event_ndims=len(event_shape))
    y = RNG.standard_normal([3, *event_shape])

    def loss(y):
        x = bijector.inverse(y)
        return (tf.reduce_sum(x**3)
                + tf.reduce_sum(tf.sin(bijector.inverse_log_det_jacobian(y))))
    theory, numeric = tf.test.compute_gradient(loss, [tf.constant(y)], delta=1e-5)
    assert_close(theory[0], numeric[0], 1e-6)
    # A constant added to all rows cancels. It would not if the statistics were fixed.
    assert_close(loss(y + 5), loss(y), 1e-9)
    with tf.GradientTape() as tape:
        total = loss(tf.constant(y))
    assert all(np.any(g) for g in tape.gradient(total, bijector.trainable_variables))


def test_modes_share_variables(assert_close):
    training = make(2, training=True)
    evaluation = training.with_training(False)
    assert training.training and not evaluation.training
    assert [id(v) for v in evaluation.variables] == [id(v) for v in training.variables]
    y = tf.constant(RNG.standard_normal([4, 2]))
    before = evaluation.inverse(y)
    training.update(y)
    assert not np.allclose(evaluation.inverse(y), before)
    training.fit([y])
    assert_close(evaluation.inverse(y), training.inverse(y), 1e-10)


def test_update(assert_close):
    bijector = make(3, momentum=.8, event_ndims=3)
    mean, variance = bijector.mean.numpy(), bijector.variance.numpy()
    update = tf.function(bijector.update)
    for _ in range(3):
        y = RNG.standard_normal([4, 2, 2, 3]) * [1, 2, 3] + [4, 5, 6]
        update(y)
        new_mean, new_variance = moments(y)
        mean, variance = .8 * mean + .2 * new_mean, .8 * variance + .2 * new_variance
        assert_close((bijector.mean, bijector.variance), (mean, variance), 1e-10)
    with pytest.raises(tf.errors.InvalidArgumentError, match='y must be finite'):
        bijector.update(np.full([1, 2, 2, 3], np.nan))
    assert_close((bijector.mean, bijector.variance), (mean, variance), 1e-10)


@pytest.mark.parametrize('event_shape', [(2,), (2, 1, 2)], ids=str)
def test_fit(event_shape, assert_close):
    """Unequal batches far from zero, from any iterable, give NumPy's moments of all the data."""
    bijector = make(2, event_ndims=len(event_shape))
    y = RNG.standard_normal([50, *event_shape]) * [1., .01] + [1e6, -3e7]
    mean, variance = moments(y - [1e6, -3e7])
    batches = [y[:1], y[1:1], y[1:8], y[8:30], y[30:]]
    for given in (batches, iter(batches), y, tf.data.Dataset.from_tensor_slices(y).batch(7)):
        bijector.mean.assign([0., 0.])
        bijector.fit(given)
        assert_close(bijector.mean, mean + [1e6, -3e7], 1e-12)
        np.testing.assert_allclose(bijector.variance, variance, 1e-4)
    assert_close(bijector.with_training(True).inverse(y), bijector.inverse(y), 1e-6)


def test_fit_in_float32(assert_close):
    bijector = make(1, dtype=tf.float32)
    y = (1e4 + RNG.standard_normal([999, 1])).astype(np.float32)
    bijector.fit(np.array_split(y, 7))
    assert_close(bijector.variance, y.astype(np.float64).var(0), 1e-5)


def stacked(training, reversible):
    params = {'shift': RNG.standard_normal([3, 2]), 'log_scale': .3 * RNG.standard_normal([3, 2]),
              'mean': RNG.standard_normal([3, 2]), 'variance': RNG.uniform(.5, 2., [3, 2])}
    params = {name: tf.Variable(value, trainable=name in ('shift', 'log_scale'))
              for name, value in params.items()}
    return tgb.Repeat(lambda p: tgb.BatchNorm(**p, training=training, epsilon=EPSILON,
                                              event_ndims=1), params, 3, reversible)


@pytest.mark.parametrize('training, reversible', [(True, False), (False, True)])
def test_in_repeat(training, reversible, assert_close):
    repeat = stacked(training, reversible)
    y = tf.constant(RNG.standard_normal([6, 2]))

    def of(bijector):
        @tf.function
        def run():
            with tf.GradientTape() as tape:
                x = bijector.inverse(y)
                log_det = bijector.inverse_log_det_jacobian(y, 1)
                loss = tf.reduce_sum(tf.sin(x)) + tf.reduce_sum(tf.cos(log_det))
            gradients = tape.gradient(loss, repeat.trainable_variables)
            return [x, log_det, *map(tf.convert_to_tensor, gradients)]
        return run()

    class Unrolled:
        def inverse(self, y):
            for i in range(3):
                y = repeat.step(i).inverse(y)
            return y

        def inverse_log_det_jacobian(self, y, _):
            total = 0.
            for i in range(3):
                total += repeat.step(i).inverse_log_det_jacobian(y)
                y = repeat.step(i).inverse(y)
            return total
    assert_close(of(repeat), of(Unrolled()), 1e-9)


@pytest.mark.parametrize('wrap', [
    lambda: stacked(training=True, reversible=True),
    lambda: tgb.Reversible(make(2, training=True))], ids=['repeat', 'reversible'])
def test_rebuilding_in_training_mode_is_refused(wrap):
    """An answer would have gradients at other statistics."""
    bijector, y = wrap(), tf.constant(RNG.standard_normal([6, 2]))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(bijector.inverse(y))
    with pytest.raises(ValueError, match='training must be False for forward'):
        tape.gradient(loss, bijector.trainable_variables)


def vectors(**options):
    return tgb.BatchNorm(**dict({'shift': [0.], 'log_scale': [0.], 'mean': [0.], 'variance': [1.],
                                 'event_ndims': 1}, **options))


@pytest.mark.parametrize('make_error, message', [
    (lambda: vectors(shift=0.), r'shift must be a vector.*\(\)'),
    (lambda: vectors(mean=[0., 1.]), r'mean must have 1 entries, as shift; got shape=\(2,\)'),
    (lambda: vectors(mean=np.zeros(1)), 'one floating dtype; got .*mean=float64'),
    (lambda: vectors(variance=[-1.]), r'variance must not be negative; got variance=\[-1.0\]'),
    (lambda: vectors(variance=tf.Variable([np.nan])), 'variance must not be negative; .*nan'),
    (lambda: vectors(training='yes'), "training must be True or False; got training='yes'"),
    (lambda: vectors(momentum=1.), r'momentum must be in \[0, 1\); got momentum=1.0'),
    (lambda: vectors(epsilon=0.), 'epsilon must be positive; got epsilon=0.0'),
    (lambda: vectors(event_ndims=0), 'event_ndims must be at least 1; got event_ndims=0'),
    (lambda: vectors().inverse([[1., 2.]]), r'must have 1 channels; got shape=\(1, 2\)'),
    (lambda: vectors().forward([[1., 2.]]), r'must have 1 channels; got shape=\(1, 2\)'),
    (lambda: vectors(training=True).inverse([[1.]]), r'2 values per channel.*\(1, 1\)'),
    (lambda: vectors(training=True).forward([[1.], [2.]]), 'training must be False for forward'),
    (lambda: vectors().update([[1.]]), 'mean must be a tf.Variable to be set'),
    (lambda: vectors(mean=tf.Variable([0.])).fit([[[1.]]]), 'variance must be a tf.Variable'),
    (lambda: settable().update([1.]), r'y must have at least 2 dimensions.*\(1,\)'),
    (lambda: settable().update([[1., 2.]]), r'must have 1 channels; got shape=\(1, 2\)'),
    (lambda: settable().fit([[[1., 2.]]]), r'must have 1 channels; got shape=\(1, 2\)'),
    (lambda: settable().fit([[1.]]), r'batches must have 2 dimensions.*\(1,\)'),
    (lambda: settable().fit([[[np.inf]]]), 'batches must be finite; got NaN or infinity'),
    (lambda: settable().fit([]), 'batches must hold data; got none')])
def test_bad_arguments_are_named(make_error, message):
    with pytest.raises(ValueError, match=message):
        make_error()


def settable():
    return vectors(mean=tf.Variable([0.]), variance=tf.Variable([1.]))
