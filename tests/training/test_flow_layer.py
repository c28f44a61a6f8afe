"""A flow inside a Keras model of the user's: as `FlowLayer` it trains, and held raw it is told."""

import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_probability import bijectors as tfb
from tensorflow_probability import distributions as tfd

import tfp_glow
from tfp_glow import bijectors as tgb

RNG = np.random.default_rng(0)
X = (2 * RNG.normal(size=[64, 3]) + 1).astype(np.float32)
LABELS = np.arange(64) % 2


@keras.saving.register_keras_serializable('tests')
def negative(y, log_prob):
    del y
    return -log_prob


def maf(**options):
    return tfp_glow.flows.maf(3, layers=2, hidden=[8], batch_norm=False, **options)


def functional(layer, *inputs):
    inputs = inputs or (keras.Input([3]),)
    model = keras.Model(list(inputs) if len(inputs) > 1 else inputs[0], layer(*inputs))
    model.compile(keras.optimizers.Adam(1e-2), loss=negative)
    return model


def test_fit_moves_the_flow_as_a_loop_of_the_users_would():
    flow, other = maf(), maf()
    model = functional(tfp_glow.FlowLayer(flow))
    sizes = [int(np.prod(v.shape)) for v in flow.trainable_variables]
    assert sum(int(np.prod(v.shape)) for v in model.trainable_variables) == sum(sizes)
    model.fit(X, np.zeros(64), batch_size=16, epochs=2, shuffle=False, verbose=0)
    optimizer = keras.optimizers.Adam(1e-2)
    for start in 2 * [0, 16, 32, 48]:
        with tf.GradientTape() as tape:
            loss = -tf.reduce_mean(other.log_prob(X[start:start + 16]))
        variables = other.trainable_variables
        optimizer.apply(tape.gradient(loss, variables), variables)
    for ours, theirs in zip(flow.variables, other.variables, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
    np.testing.assert_allclose(model.predict(X, verbose=0), other.log_prob(X), 1e-4)


def test_parts_of_a_model_get_gradients_through_the_layer():
    """An encoder of the user's gives the condition, and is trained with the flow."""
    flow = tfp_glow.flows.transformed(
        tfd.Sample(tfd.Normal(0., 1.), [3]), tgb.Coupling(
            two_inputs(), tgb.AffineInner(), event_ndims=1))
    features, inputs = keras.Input([5]), keras.Input([3])
    encoder = keras.layers.Dense(2)
    model = keras.Model([inputs, features], tfp_glow.FlowLayer(flow)(
        inputs, condition=encoder(features)))
    model.compile(keras.optimizers.Adam(1e-2), loss=negative)
    before = encoder.kernel.numpy()
    model.fit([X, RNG.normal(size=[64, 5])], np.zeros(64), epochs=1, verbose=0)
    assert np.abs(encoder.kernel.numpy() - before).max() > 1e-3


def two_inputs():
    kept, condition = keras.Input([2]), keras.Input([2])
    return keras.Model([kept, condition], keras.layers.Dense(2)(
        keras.layers.Concatenate()([kept, condition])))


def test_labels_samples_and_latents():
    flow = maf(classes=2)
    layer = tfp_glow.FlowLayer(flow)
    model = functional(layer, keras.Input([3]), keras.Input([], dtype='int32'))
    model.fit([X, LABELS], np.zeros(64), verbose=0)
    np.testing.assert_allclose(model.predict([X, LABELS], verbose=0),
                               flow.log_prob(X, condition=LABELS), 1e-4)
    latents = layer.latents(X, LABELS)
    np.testing.assert_allclose(layer.data(latents, LABELS), X, atol=1e-4)
    assert layer.sample(2, [0, 1], LABELS[:2]).shape == [2, 3]
    still = layer.sample(2, [0, 1], LABELS[:2], temperature=0.)
    np.testing.assert_allclose(layer.latents(still, LABELS[:2]), np.zeros([2, 3]), atol=1e-5)
    with pytest.raises(ValueError, match='condition must be given to flow_layer, as maf takes one'):
        layer(X)
    with pytest.raises(ValueError, match='condition must be left out for flow_layer'):
        tfp_glow.FlowLayer(maf())(X, condition=LABELS)


def test_frozen_saved_and_loaded(tmp_path):
    flow = tfp_glow.flows.glow((4, 4, 1), levels=1, steps_per_level=2, width=4)
    layer = tfp_glow.FlowLayer(flow)
    model = functional(layer, keras.Input([4, 4, 1]))
    x = RNG.normal(size=[16, 4, 4, 1]).astype(np.float32)
    layer.initialize(x)
    model.fit(x, np.zeros(16), verbose=0)
    layer.trainable = False
    assert not model.trainable_variables
    layer.trainable = True
    assert len(model.trainable_variables) == len(flow.trainable_variables)
    model.save_weights(tmp_path / 'x.weights.h5')
    other = functional(tfp_glow.FlowLayer(
        tfp_glow.flows.glow((4, 4, 1), levels=1, steps_per_level=2, width=4)),
        keras.Input([4, 4, 1]))
    other.load_weights(tmp_path / 'x.weights.h5')
    model.save(tmp_path / 'x.keras')
    whole = keras.models.load_model(tmp_path / 'x.keras', {'negative': negative})
    for again in (other, whole):
        np.testing.assert_allclose(again.predict(x, verbose=0), flow.log_prob(x), 1e-5)
    model.export(tmp_path / 'exported', verbose=False)
    loaded = tf.saved_model.load(str(tmp_path / 'exported'))
    np.testing.assert_allclose(loaded.serve(x), flow.log_prob(x), 1e-5)


def test_without_initialisation_it_warns():
    flow = tfp_glow.flows.glow((4, 4, 1), levels=1, steps_per_level=1, width=4)
    layer = tfp_glow.FlowLayer(flow)
    with pytest.warns(UserWarning, match='have not been set; call initialize'):
        functional(layer, keras.Input([4, 4, 1])).fit(
            RNG.normal(size=[8, 4, 4, 1]).astype(np.float32), np.zeros(8), verbose=0)


class Raw(keras.layers.Layer):
    """Holds a flow as users would who do not know."""

    def __init__(self, flow):
        super().__init__()
        self.flow = flow

    def call(self, x):
        return self.flow.log_prob(x)


class RawModel(keras.Model):
    """Holds a flow in a list."""

    def __init__(self, flow):
        super().__init__()
        self.scale, self.flows = keras.layers.Dense(3), [flow]

    def call(self, x):
        return self.flows[0].log_prob(self.scale(x))


@pytest.mark.parametrize('make', [Raw, RawModel])
@pytest.mark.parametrize('traced', [False, True])
def test_a_flow_that_is_held_raw_is_found_out(make, traced):
    holder = make(maf())
    with pytest.warns(UserWarning, match=r"calls the flow '.*' and does not track \d+ of its "
                                         r'weights.*tfp_glow.FlowLayer\(flow\)'):
        (tf.function(holder) if traced else holder)(tf.constant(X))
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        holder(tf.constant(X))  # It is told once.


def test_what_is_held_well_is_not_warned_of():
    flow = maf()
    constant = tfd.TransformedDistribution(tfd.Sample(tfd.Normal(0., 1.), [3]), tfb.Chain([
        tgb.ShiftScale(tf.constant(1.), tf.constant(2.))]))
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        functional(tfp_glow.FlowLayer(flow)).predict(X, verbose=0)
        model = tfp_glow.FlowModel(flow, None)
        model.compile('adam')
        model.predict(X, verbose=0)
        model(X)
        Raw(constant)(tf.constant(X))
        flow.log_prob(X)


def test_a_frozen_layer_stays_frozen(tmp_path):
    layer = tfp_glow.FlowLayer(maf(), trainable=False)
    inputs = keras.Input([3])
    model = keras.Model(inputs, layer(keras.layers.Dense(3)(inputs)))
    model.compile('sgd', loss=negative)
    before = [v.numpy() for v in layer.flow.variables]
    model.fit(X, np.zeros(64), verbose=0)
    for old, new in zip(before, layer.flow.variables):
        np.testing.assert_array_equal(old, new)
    model.save(tmp_path / 'x.keras')
    again = keras.models.load_model(tmp_path / 'x.keras', compile=False)
    clone = keras.models.clone_model(model)
    assert [len(m.trainable_variables) for m in (model, again, clone)] == [2, 2, 2]


def test_two_layers_around_one_flow_move_it_once():
    flow, other = maf(), maf()
    inputs = keras.Input([3])
    model = keras.Model(inputs, (tfp_glow.FlowLayer(flow, name='a')(inputs)
                                 + tfp_glow.FlowLayer(flow, name='b')(inputs)) / 2)
    assert len(model.trainable_variables) == len(flow.trainable_variables)
    model.compile(keras.optimizers.SGD(.1), loss=negative)
    model.train_on_batch(X, np.zeros(64))
    single = functional(tfp_glow.FlowLayer(other))
    single.compile(keras.optimizers.SGD(.1), loss=negative)
    single.train_on_batch(X, np.zeros(64))
    for ours, theirs in zip(flow.variables, other.variables, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_statistics_of_batch_norm_are_asked_for():
    layer = tfp_glow.FlowLayer(tfp_glow.flows.maf(3, layers=2, hidden=[8]))
    model = functional(layer)
    model.fit(10 * X + 5, np.zeros(64), verbose=0)
    with pytest.warns(UserWarning, match='call update_statistics'):
        model(10 * X + 5)
    layer.update_statistics(10 * X + 5)
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        loss = -np.mean(model(10 * X + 5))
    assert loss < 20


def test_models_of_flows_are_no_parts():
    model = tfp_glow.FlowModel(maf(), None)
    with pytest.raises(ValueError, match='trainable must be True for flow_model'):
        model.trainable = False
    inputs = keras.Input([3])
    with pytest.raises(ValueError, match='must not be a part of|is tfp_glow.FlowLayer'):
        outer = keras.Model(inputs, model(keras.layers.Dense(3)(inputs)))
        outer.compile('sgd', loss=negative)
        outer.fit(X, np.zeros(64), verbose=0)
