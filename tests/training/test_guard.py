"""A step that is not finite is not applied, and is not silent; data that cannot be right."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability import bijectors as tfb
from tensorflow_probability import distributions as tfd

import tfp_glow
from tfp_glow import bijectors as tgb

ROWS = np.random.default_rng(5).normal(1., 2., [48, 3]).astype(np.float32)


def build(optimizer=None, bijector=None, **options):
    """Returns a flow of vectors with six weights, far from its optimum."""
    flow = tfp_glow.flows.transformed(
        tfd.Independent(tfd.Normal(tf.zeros([3]), 1.), 1),
        bijector or tgb.ShiftScale(tf.Variable([0., 0., 0.]), tf.Variable([0., 0., 0.])))
    model = tfp_glow.FlowModel(flow, bins=None)
    model.compile(optimizer or keras.optimizers.Adam(1e-2, use_ema=True), **options)
    return model


def state(model):
    """Returns copies of the weights, of the optimizer with its averages, and of the metrics."""
    variables = [*model.variables, *model.optimizer.variables,
                 *(v for metric in model.metrics for v in metric.variables)]
    return [v.numpy() for v in variables]


def assert_same(these, those):
    for a, b in zip(these, those, strict=True):
        np.testing.assert_array_equal(a, b)


def broken(value, row=20):
    rows = ROWS.copy()
    rows[row, 1] = value
    return rows


@pytest.mark.parametrize('value', [np.nan, np.inf])
@pytest.mark.parametrize('options', [
    {}, {'run_eagerly': True}, {'jit_compile': True}, {'steps_per_execution': 3}], ids=str)
def test_one_bad_example_costs_one_step(value, options):
    """The run is the one that it would have been without the batch of that example."""
    data = tf.data.Dataset.from_tensor_slices(broken(value)).batch(16)
    model, expected = build(**options), build(**options)
    with pytest.warns(UserWarning, match='1 of 3 steps of epoch [12] had a loss'):
        history = model.fit(data, epochs=2, verbose=0).history
    without = tf.data.Dataset.from_tensor_slices(np.delete(ROWS, slice(16, 32), 0)).batch(16)
    again = expected.fit(without, epochs=2, verbose=0).history
    assert_same(state(model), state(expected))
    assert history == again and np.all(np.isfinite(history['loss']))
    assert model.unapplied_steps.numpy() == 2 and model.unapplied_in_row.numpy() == 0


@pytest.mark.filterwarnings('ignore:.*steps of epoch')
def test_terminate_on_nan_stops_with_weights_as_they_were():
    """Keras's callback looks at the metrics, which hold no NaN."""
    model = build()
    data = tf.data.Dataset.from_tensor_slices(broken(np.nan)).batch(16)
    model.fit(data, verbose=0, callbacks=[keras.callbacks.TerminateOnNaN()])
    assert model.optimizer.iterations.numpy() == 2
    assert all(np.all(np.isfinite(value)) for value in state(model))


@pytest.mark.filterwarnings('ignore:.*steps of epoch')
def test_without_a_step_the_weights_stay():
    """At the end of `fit` Keras sets the weights to their averages, which it begins with zeros."""
    model = build(bijector=tgb.ActNorm(
        tf.Variable([1., 2., 3.]), tf.Variable([1., 0., 1.]), event_ndims=1))
    before = [v.numpy() for v in model.variables]
    data = tf.data.Dataset.from_tensor_slices(ROWS * np.float32(np.nan)).batch(16)
    assert np.isnan(model.fit(data, verbose=0).history['loss'][0])
    assert_same([v.numpy() for v in model.variables], before)


def test_train_on_batch_leaves_all_as_it_was():
    model = build()
    model.train_on_batch(ROWS[:16])
    model.reset_metrics()
    before = state(model)
    for k in range(9):
        assert np.isnan(model.train_on_batch(broken(np.nan)[:32], return_dict=True)['loss'])
        assert model.unapplied_in_row.numpy() == k + 1
        assert_same(state(model), before)
    with pytest.raises(FloatingPointError, match='10 steps in a row.*1 of 96 values of x are NaN'):
        model.train_on_batch(broken(np.nan)[:32])
    model.unapplied_in_row.assign(0)
    assert np.isfinite(model.train_on_batch(ROWS[:16], return_dict=True)['loss'])


@pytest.mark.parametrize('slope', [np.nan, np.inf])
def test_a_gradient_alone_is_enough(slope):
    """Here the loss is finite, and one gradient is not."""
    @tf.custom_gradient
    def same(x):
        return tf.identity(x), lambda upstream: upstream * slope
    power, shift = tf.Variable(tf.zeros([3]), name='power'), tf.Variable(tf.zeros([3]))
    model = build(bijector=tfb.Chain([
        tfb.Shift(tfp.util.DeferredTensor(power, same)), tgb.ShiftScale(shift)]))
    with pytest.raises(FloatingPointError, match=r'2 steps in a row.*gradients of 1 of 2.*power'):
        model.fit(ROWS, batch_size=16, patience_nan=2, verbose=0)
    assert not np.any(power.numpy()) and not np.any(shift.numpy())


def test_the_layer_is_named():
    """A weight beyond the range of exp makes the second layer infinite for finite data."""
    layers = [
        tgb.ActNorm(tf.Variable(tf.zeros([3])), tf.Variable([0., scale, 0.]), event_ndims=1,
                    name=name) for name, scale in (('near', 0.), ('far', -200.), ('last', 0.))]
    model = build(bijector=tgb.Chain(layers))
    before = [v.numpy() for v in model.variables]
    message = r'^3 steps in a row.* in batch 0 of x, the first values .* are those of .*far\.$'
    with pytest.raises(FloatingPointError, match=message):
        model.fit(ROWS, batch_size=16, patience_nan=3, verbose=0)
    assert_same([v.numpy() for v in model.variables], before)


def test_the_part_of_a_vae_is_named():
    vae = tfp_glow.vaes.dense_vae((2, 2, 1), latent_dims=2, hidden=[4])
    model = tfp_glow.vaes.VAEModel(vae)
    model.compile(keras.optimizers.SGD(.1))
    for v in (v for v in vae.trainable_variables if 'decoder' in v.name):
        v.assign(tf.fill(v.shape, np.inf))
    with pytest.raises(FloatingPointError, match=r'are those of the log-likelihood of the decoder'):
        model.fit(np.ones([8, 2, 2, 1], np.uint8), batch_size=4, patience_nan=1, verbose=0)


def test_an_optimizer_that_scales_the_loss_lowers_its_scale():
    """Its first scales overflow float32; the averages are those of the optimizer inside."""
    inner = keras.optimizers.Adam(1e-2, use_ema=True, ema_momentum=.5)
    model = build(keras.optimizers.LossScaleOptimizer(inner, initial_scale=2.**126))
    with pytest.warns(UserWarning, match='of 12 steps of epoch 1'):
        model.fit(10 * ROWS, batch_size=4, verbose=0, patience_nan=12)
    missed = model.unapplied_steps.numpy()
    assert 0 < missed < 12 and inner.iterations.numpy() == 12 - missed
    for v in model.trainable_variables:
        v.assign(v + 1.)
    own = [v.numpy() for v in model.trainable_variables]
    with model.averaged_weights():
        for v, value in zip(model.trainable_variables, own, strict=True):
            np.testing.assert_allclose(v, value - 1., atol=1e-5)
    for scale, loss in ((2.**20, np.nan), (2.**20, 1.)):
        model.optimizer.dynamic_scale.assign(scale)
        model.train_on_batch(ROWS[:8] * loss)
        assert model.optimizer.dynamic_scale.numpy() == scale


@pytest.mark.filterwarnings('ignore:Your input ran out')
@pytest.mark.parametrize('x, message', [
    (broken(np.nan), 'x must be finite; 1 of 144 values are NaN or infinite, the first in row 20'),
    (tf.constant(broken(-np.inf)), 'x must be finite; 1 of 144'),
    (ROWS[:0], r'x must hold at least one example; got shape=\(0, 3\)'),
    (tf.data.Dataset.from_tensor_slices(ROWS[:0]).batch(4), 'x must hold at least one example'),
    (tf.data.Dataset.from_tensor_slices(ROWS).batch(4).filter(lambda x: False),
     'x must hold at least one example')], ids=['nan', 'inf', 'none', 'empty', 'filtered'])
def test_arrays_that_are_refused(x, message):
    model = build()
    before = [v.numpy() for v in model.variables]
    for act in (model.fit, model.evaluate):
        with pytest.raises(ValueError, match=message):
            act(x, verbose=0)
    if not isinstance(x, tf.data.Dataset):
        with pytest.raises(ValueError, match=message.replace('x must', 'validation_data must')):
            model.fit(ROWS, validation_data=(x,), verbose=0)
    assert_same([v.numpy() for v in model.variables], before)


@pytest.mark.parametrize('make', [
    lambda: tfp_glow.flows.made(3, hidden=[4]),
    lambda: tfp_glow.flows.maf(3, layers=1, hidden=[4])], ids=['plain', 'batch_norm'])
def test_columns_that_do_not_vary_are_named(make):
    model = tfp_glow.FlowModel(make(), bins=None)
    model.compile()
    rows = ROWS * np.float32([1., 0., 1.])
    with pytest.raises(ValueError, match='x must vary in every column.*; 1 of 3 are constant: 1'):
        model.fit(rows, verbose=0)
    if model.objective.has_statistics:
        with pytest.raises(ValueError, match='the first examples of x must vary in every column'):
            model.fit(tf.data.Dataset.from_tensor_slices(rows).batch(8), verbose=0)


@pytest.mark.parametrize('options, message', [
    ({'patience_nan': 0}, 'patience_nan must be positive; got patience_nan=0'),
    ({'sample_weight': np.ones(3)}, r'one number for each of the 48 examples.*shape=\(3,\)'),
    ({'sample_weight': -np.ones(48)}, 'finite and not negative, and not all be 0; got'),
    ({'sample_weight': np.zeros(48)}, 'not all be 0'),
    ({'class_weight': {0: 2.}}, 'class_weight must come with y')])
def test_arguments_that_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        build().fit(ROWS, verbose=0, **options)
