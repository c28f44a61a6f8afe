"""Tests training by Keras, by hand and over replicas, averaged weights and weight files."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorflow_probability import bijectors as tfb
from tensorflow_probability import distributions as tfd

import tfp_glow
from tfp_glow import dequantization

# Files hold the optimizer too, which a model that is not yet trained does not load.
pytestmark = pytest.mark.filterwarnings('ignore:Skipping variable loading for optimizer')
BATCH = 32


def build(seed=0, optimizer=None, levels=1, jit_compile=False, **options):
    flow = tfp_glow.flows.glow((8, 8, 1), levels=levels, steps_per_level=1, width=4, seed=seed)
    model = tfp_glow.FlowModel(flow, bins=17, **options)
    model.compile(optimizer or keras.optimizers.Adam(1e-2), jit_compile=jit_compile)
    return model


def numpy_values(variables):
    return [v.numpy() for v in variables]


@pytest.fixture(scope='module')
def trained(digits):
    model = build()
    model.fit(digits[:256], batch_size=64, epochs=5, verbose=0)
    return model


@pytest.mark.parametrize('jit_compile', [False, True])
def test_fit_lowers_the_loss(trained, digits, jit_compile):
    model = trained
    if jit_compile:
        model = build(jit_compile=True)
        model.fit(digits[:256], batch_size=64, epochs=5, verbose=0)
    history = model.history.history
    assert tfp_glow.is_initialized(model.flow)
    assert history['loss'][-1] < history['loss'][0] - .1
    # Bits are the loss in another unit; the loss is nats per dimension in [-1/2, 1/2).
    np.testing.assert_allclose(
        history['bits_per_dim'], (np.array(history['loss']) + np.log(17)) / np.log(2), 1e-5)


def test_plain_loop_trains(data):
    flow = build(levels=2).flow
    tfp_glow.initialize(flow, data)
    before = numpy_values(flow.trainable_variables)

    @tf.function
    def loss_and_update():
        with tf.GradientTape() as tape:
            loss = -tf.reduce_mean(flow.log_prob(data))
        for v, g in zip(flow.trainable_variables, tape.gradient(loss, flow.trainable_variables),
                        strict=True):
            v.assign_sub(1e-3 * tf.convert_to_tensor(g))
        return loss
    losses = [float(loss_and_update()) for _ in range(10)]
    assert losses[-1] < losses[0] - 1
    for old, new in zip(before, flow.trainable_variables, strict=True):
        assert not np.array_equal(old, new), new.name


def test_hidden_network_is_refused():
    layer = keras.layers.Dense(2, name='unseen')
    layer.build((None, 2))
    flow = tfd.TransformedDistribution(
        tfd.Sample(tfd.Normal(0., 1.), [4]), tfb.Chain([
            tfb.RealNVP(2, shift_and_log_scale_fn=lambda x, _: (layer(x), None)),
            tfb.Scale(tf.Variable(2.))]))
    assert len(flow.trainable_variables) == 1
    with pytest.raises(ValueError, match=r'trainable_variables must list every weight.*kernel'):
        tfp_glow.FlowModel(flow, None).compile()


@pytest.mark.parametrize('act, message', [
    (lambda flow: tfp_glow.FlowModel(flow, bins=1), 'bins must be at least 2; got bins=1'),
    (lambda flow: tfp_glow.FlowModel(flow).compile(loss='mse'), "must be left out.*loss='mse'"),
    (lambda flow: tfp_glow.FlowModel(tfd.Sample(tfd.Normal(0., 1.), [2]), None).compile(),
     'flow must have trainable variables'),
    (lambda flow: build().fit(iter([np.zeros([2, 8, 8, 1])])), 'x must be an array, a tf.data')])
def test_bad_arguments_are_named(flow, act, message):
    with pytest.raises(ValueError, match=message):
        act(flow)


def test_evaluation_is_the_same_each_time(trained, digits):
    first, second = (trained.evaluate(digits[:64], batch_size=BATCH, verbose=0, return_dict=True)
                     for _ in range(2))
    assert first == second
    each = trained.predict(digits[:64], batch_size=BATCH, verbose=0)
    np.testing.assert_allclose(each.mean(), first['bits_per_dim'], 1e-5)
    assert each.shape == (64,)


def test_data_sets_and_labels(digits):
    model = build()
    pairs = tf.data.Dataset.from_tensor_slices((digits[:64], np.zeros(64))).batch(BATCH)
    model.fit(pairs, validation_data=pairs, verbose=0)
    assert tfp_glow.is_initialized(model.flow)


def test_averaged_weights(digits):
    """`evaluate` uses the exponential averages of the weights, which NumPy computes here.

    The momentum is smaller in the first steps.
    """
    decay = .27
    model = build(optimizer=keras.optimizers.Adam(1e-2, use_ema=True, ema_momentum=decay))
    tfp_glow.initialize(model.flow, model.to_data(digits[:BATCH], [0, 0]))
    average = None
    for k in range(4):
        model.train_on_batch(digits[BATCH * k:BATCH * (k + 1)])
        own = numpy_values(model.trainable_variables)
        momentum = min(decay, (1 + k) / (10 + k))  # It is 2/11, 3/12, then .27.
        average = own if average is None else [
            momentum * a + (1 - momentum) * w for a, w in zip(average, own, strict=True)]
    with model.averaged_weights() as flow:
        for a, b in zip(flow.trainable_variables, average, strict=True):
            np.testing.assert_allclose(a, b, 1e-4, 1e-6)
    scores = model.evaluate(digits[:64], verbose=0, return_dict=True)
    for a, b in zip(model.trainable_variables, own, strict=True):
        np.testing.assert_array_equal(a, b)
    plain = build()
    for v, value in zip(plain.variables, [*average, *model.non_trainable_variables], strict=True):
        v.assign(value)
    expected = plain.evaluate(digits[:64], verbose=0, return_dict=True)
    np.testing.assert_allclose(scores['loss'], expected['loss'], 1e-5)
    plain.flow.trainable_variables[0].assign(own[0])
    assert plain.evaluate(digits[:64], verbose=0) != expected['loss']


def test_gradient_clipping(digits):
    """With plain gradient descent at rate 1 the step is the clipped gradient."""
    model = build(optimizer=keras.optimizers.SGD(1., global_clipnorm=1e-2))
    before = numpy_values(model.trainable_variables)
    model.train_on_batch(digits[:BATCH])
    squares = [np.sum((v.numpy() - old)**2)
               for v, old in zip(model.trainable_variables, before, strict=True)]
    np.testing.assert_allclose(np.sqrt(np.sum(squares)), 1e-2, 1e-3)


def test_warm_up(digits):
    """The schedule starts at zero: the first step changes nothing, the second does."""
    schedule = keras.optimizers.schedules.CosineDecay(
        0., 10, warmup_target=1e-2, warmup_steps=2)
    model = build(optimizer=keras.optimizers.SGD(schedule))
    before = numpy_values(model.trainable_variables)
    model.train_on_batch(digits[:BATCH])
    for old, v in zip(before, model.trainable_variables, strict=True):
        np.testing.assert_array_equal(old, v)
    np.testing.assert_allclose(model.optimizer.learning_rate, 5e-3, 1e-6)
    model.train_on_batch(digits[:BATCH])
    assert any(np.any(old != v) for old, v in zip(before, model.trainable_variables, strict=True))


def test_weight_file(trained, digits, tmp_path):
    path = str(tmp_path / 'flow.weights.h5')
    trained.save_weights(path)
    loaded = build(seed=5)
    loaded.load_weights(path)
    assert tfp_glow.is_initialized(loaded.flow)
    for a, b in zip(trained.variables, loaded.variables, strict=True):
        np.testing.assert_array_equal(a, b)
    assert (loaded.evaluate(digits[:64], verbose=0) == trained.evaluate(digits[:64], verbose=0))


def test_weight_file_of_another_flow_is_refused(trained, tmp_path):
    path = str(tmp_path / 'flow.weights.h5')
    trained.save_weights(path)
    with pytest.raises(ValueError, match=r'the weights must be those of this flow.*lacks .*exit'):
        build(levels=2).load_weights(path)
    wider = tfp_glow.flows.glow((8, 8, 1), levels=1, steps_per_level=1, width=5)
    with pytest.raises(ValueError, match=r'must have shape .*5.*the file has .*4'):
        tfp_glow.FlowModel(wider, bins=17).load_weights(path)


def test_weight_file_where_names_collide(tmp_path):
    def model(first, second):
        shifts = [tfb.Shift(tf.Variable(value, name='same')) for value in (first, second)]
        return tfp_glow.FlowModel(tfd.TransformedDistribution(
            tfd.Sample(tfd.Normal(0., 1.), [2]), tfb.Chain(shifts)), None)
    path = str(tmp_path / 'flow.weights.h5')
    saved, loaded = model([1., 2.], [3., 4.]), model([0., 0.], [0., 0.])
    saved.save_weights(path)
    loaded.load_weights(path)
    assert [v.numpy().tolist() for v in loaded.flow.trainable_variables] == [
        v.numpy().tolist() for v in saved.flow.trainable_variables]


@settings(max_examples=30, deadline=None)
@given(bins=st.integers(2, 256), seed=st.integers(0, 2**31 - 1))
def test_dequantization_round_trip(bins, seed):
    images = tf.range(bins)
    data = dequantization.dequantize(images, bins, [seed, 1])
    assert np.all((data >= -.5) & (data < .5))
    np.testing.assert_array_equal(dequantization.quantize(data, bins), images)


def test_dequantization_does_not_round_up(monkeypatch):
    """The largest noise below 1, added to 255 in float32, would make 256."""
    monkeypatch.setattr(tf.random, 'stateless_uniform',
                        lambda shape, seed, dtype: tf.fill(shape, 1 - 2.**-24))
    for bins in (17, 256):
        data = dequantization.dequantize(tf.range(bins), bins, [0, 0])
        np.testing.assert_array_equal(dequantization.quantize(data, bins), np.arange(bins))


def test_bits_per_dim_by_hand():
    """A uniform density on [-1/2, 1/2)^D costs log2(bins) bits per dimension."""
    assert dequantization.bits_per_dim(0., 12, 16) == pytest.approx(4.)
    assert dequantization.bits_per_dim(12 * np.log(2), 12, 16) == pytest.approx(3.)
    assert dequantization.bits_per_dim(0., 12, 16, counted=8) == pytest.approx(6.)


def test_reconstruction_error_is_a_metric(digits):
    model = build(optimizer=keras.optimizers.Adam(1e-3), round_trip=True)
    history = model.fit(digits[:32], epochs=1, verbose=0, validation_data=(digits[:16],)).history
    assert 0 < history['val_reconstruction_error'][0] < 1e-4
    assert 'reconstruction_error' not in history
    variable = model.flow.trainable_variables[0]
    variable.assign_add(tf.fill(variable.shape, float('nan')))
    metrics = model.evaluate(digits[:16], verbose=0, return_dict=True)
    assert not np.isfinite(metrics['reconstruction_error'])
