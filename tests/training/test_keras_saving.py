"""Models of flows and VAEs are saved, loaded, cloned, copied and exported as Keras's own are."""

import copy
import pickle

import deterministic_models
import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_probability import distributions as tfd

import tfp_glow

FLOWS, VAES = deterministic_models.FLOWS, deterministic_models.VAES
RNG = np.random.default_rng(0)
X = RNG.integers(0, 17, [16, 4, 4, 1]).astype(np.uint8)
LABELS = np.arange(16) % 3
QUICK = ('glow', 'labelled')


def labelled():
    flow = FLOWS.glow((4, 4, 1), 1, 2, width=4, classes=3, class_networks=False)
    network = keras.layers.Dense(3)
    network.build([None, 4])
    return tfp_glow.FlowModel(flow, 17, classifier=FLOWS.ClassFinder(flow, network))


MODELS = {
    'glow': lambda: tfp_glow.FlowModel(FLOWS.glow(
        (4, 4, 1), 1, 2, width=4, dtype=tf.float64,
        scale_map=tfp_glow.bijectors.scale_maps.sigmoid(minimum=.3)), 17, round_trip=True),
    'labelled': labelled,
    'noise': lambda: tfp_glow.FlowModel(
        FLOWS.flow_pp((4, 4, 1), 1, 1, 1, 1, 4, components=2), 17,
        noise=FLOWS.flow_pp_noise((4, 4, 1), 1, 1, width=4, components=2)),
    'batch_norm': lambda: tfp_glow.FlowModel(FLOWS.maf((4, 4, 1), 2, (16,)), 17),
    'idf': lambda: tfp_glow.FlowModel(FLOWS.idf((4, 4, 1), 1, 2, 8, 2, bins=17), 17),
    'vae': lambda: VAES.VAEModel(VAES.dense_vae(
        (4, 4, 1), 17, 4, (16,), posterior='iaf'), free_bits=.1)}


@pytest.mark.parametrize('kind', [
    pytest.param(kind, marks=[pytest.mark.slow] * (kind not in QUICK)) for kind in MODELS])
def test_saved_and_loaded(kind, tmp_path):
    """What is loaded evaluates and goes on as what was saved does."""
    y = LABELS if kind == 'labelled' else None
    given = {'batch_size': 8, 'verbose': 0}
    model = MODELS[kind]()
    model.compile(keras.optimizers.Adam(1e-2, use_ema=True, ema_momentum=.5))
    model.fit(X, y, shuffle=False, callbacks=[
        keras.callbacks.ModelCheckpoint(tmp_path / 'checkpoint.keras')], **given)
    model.save(tmp_path / 'x.keras')
    model.save_weights(tmp_path / 'x.weights.h5')
    by_weights = MODELS[kind]()
    by_weights.compile(keras.optimizers.Adam(1e-2, use_ema=True, ema_momentum=.5))
    by_weights.load_weights(tmp_path / 'x.weights.h5')
    others = {'load_model': keras.models.load_model(tmp_path / 'x.keras'),
              'load_weights': by_weights, 'deepcopy': copy.deepcopy(model),
              'pickle': pickle.loads(pickle.dumps(model))}
    expected = model.evaluate(X, y, return_dict=True, **given)
    model.fit(X, y, shuffle=False, **given)
    for name, other in others.items():
        assert int(other.optimizer.iterations) == 2, name
        result = other.evaluate(X, y, return_dict=True, **given)
        np.testing.assert_allclose([result[key] for key in expected], list(expected.values()),
                                   1e-4, 1e-6, err_msg=name)
        other.fit(X, y, shuffle=False, **given)
        for ours, theirs in zip(model.trainable_variables, other.trainable_variables, strict=True):
            np.testing.assert_allclose(ours, theirs, atol=1e-5, err_msg=name)
    clone = keras.models.clone_model(model)
    assert type(clone) is type(model) and clone.get_config() == model.get_config()
    checkpoint = keras.models.load_model(tmp_path / 'checkpoint.keras')
    assert checkpoint.optimizer.use_ema
    model.export(tmp_path / 'exported')
    loaded = tf.saved_model.load(tmp_path / 'exported')
    served = loaded.serve(X, *([y.astype(np.int32)] if y is not None else []))
    assert served.shape == [16] and np.all(np.isfinite(served))


@pytest.mark.parametrize('duplicate', [copy.deepcopy, lambda f: pickle.loads(pickle.dumps(f))])
@pytest.mark.parametrize('kind', ['maf', 'glow', 'idf', 'dense_vae'])
def test_flows_and_vaes_are_copied_with_their_weights(duplicate, kind):
    module = deterministic_models.KINDS[kind]()
    for variable in module.trainable_variables:
        variable.assign_add(tf.ones_like(variable) / 7)
    copied = duplicate(module)
    for ours, theirs in zip(module.variables, copied.variables, strict=True):
        assert ours is not theirs
        np.testing.assert_array_equal(ours, theirs)


def test_what_has_no_configuration_says_what_does_work(tmp_path):
    own = tfp_glow.flows.transformed(
        tfd.Sample(tfd.Normal(0., 1.), [2]),
        tfp_glow.bijectors.ShiftScale(tf.Variable(1.), tf.Variable(2.)), name='own')
    closure = FLOWS.glow((4, 4, 1), 1, 1, width=4, scale_map=lambda raw: tf.tanh(raw))
    for flow, bins, words in ((own, None, 'flow_model has no configuration, as its argument flow'),
                              (closure, 17, 'as its argument flow has none')):
        model = tfp_glow.FlowModel(flow, bins)
        model.compile('adam')
        with pytest.raises(NotImplementedError, match=words) as caught:
            model.save(tmp_path / 'x.keras')
        assert 'model.save_weights(path) works without one' in str(caught.value)
        model.save_weights(tmp_path / 'x.weights.h5')
    with pytest.raises(NotImplementedError, match='own has no configuration, as no builder'):
        tfp_glow.FlowLayer(own).get_config()
    with pytest.raises(ValueError, match='format must be tf_saved_model'):
        model.export(tmp_path / 'x.onnx', format='onnx')
