"""Tests data-dependent initialisation of a flow: by layer, once, and saved."""

import catalogue
import numpy as np
import pytest
import tensorflow as tf

import tfp_glow
from tfp_glow import bijectors as tgb


def fresh(seed=0, levels=2):
    return tfp_glow.flows.glow((8, 8, 1), levels=levels, steps_per_level=2, width=4, seed=seed)


def values(flow):
    return [v.numpy() for v in flow.variables]


def test_each_act_norm_normalises_what_reaches_it(data, assert_close):
    """The output of every ActNorm, step by step, has mean 0 and variance 1."""
    flow = fresh(levels=1)
    assert not tfp_glow.is_initialized(flow)
    tfp_glow.initialize(flow, data)
    assert tfp_glow.is_initialized(flow)
    squeeze, repeat = flow.bijector.levels[0].parts
    h = squeeze.inverse(data)
    for k in range(repeat.times):
        act_norm, mixing, coupling = repeat.step(k).parts
        h = act_norm.inverse(h)
        np.testing.assert_allclose(np.mean(h, (0, 1, 2)), np.zeros(4), atol=1e-4)
        np.testing.assert_allclose(np.var(h, (0, 1, 2)), np.ones(4), atol=1e-3)
        h = mixing.inverse(h)
        flags = [w for w in coupling.conditioner._weights if w.shape == ()]
        assert len(flags) == 2 and all(np.all(f) for f in flags)  # The network has two too.
        h = coupling.inverse(h)


def test_twice_changes_nothing(data, assert_close):
    flow = fresh()
    tfp_glow.initialize(flow, data)
    before = values(flow)
    tfp_glow.initialize(flow, 3 * data + 1)
    for old, new in zip(before, values(flow), strict=True):
        np.testing.assert_array_equal(old, new)


def test_loaded_flow_is_left_alone(data, tmp_path):
    flow, loaded = fresh(0), fresh(1)
    tfp_glow.initialize(flow, data)
    catalogue.perturb(flow, scale=.1)
    path = tf.train.Checkpoint(flow=flow).write(str(tmp_path / 'checkpoint'))
    tf.train.Checkpoint(flow=loaded).read(path).assert_consumed()
    assert tfp_glow.is_initialized(loaded)
    tfp_glow.initialize(loaded, 3 * data + 1)
    for old, new in zip(values(flow), values(loaded), strict=True):
        np.testing.assert_array_equal(old, new)


def test_network_of_an_ordinary_coupling(data):
    network = tfp_glow.networks.conv_network((4, 4, 2), outputs=4, width=4)
    flow = tgb.Chain([tgb.Squeeze(2), tgb.Coupling(network)])
    assert not tfp_glow.is_initialized(flow)
    tfp_glow.initialize(flow, data)
    assert tfp_glow.is_initialized(flow)
    assert all(float(layer.initialized) == 1 for layer in network.convolutions[:2])


def test_act_norm_of_vectors():
    vectors = np.random.default_rng(0).normal([1., -2., 3.], [.5, 2., 4.], [200, 3])
    act_norm = tgb.ActNorm(*(tf.Variable(tf.zeros(3)) for _ in range(2)),
                           tf.Variable(False, trainable=False, name='initialized'), event_ndims=1)
    assert not tfp_glow.is_initialized(act_norm)
    tfp_glow.initialize(act_norm, vectors.astype(np.float32))
    assert tfp_glow.is_initialized(act_norm)
    np.testing.assert_allclose(act_norm.shift, vectors.mean(0), rtol=1e-5)
    np.testing.assert_allclose(act_norm.log_scale, np.log(vectors.std(0)), atol=1e-5)


def test_a_flag_that_would_not_be_found_is_refused():
    with pytest.raises(ValueError, match="initialized must be a variable named 'initialized'; got"):
        tgb.ActNorm([0.], [0.], tf.Variable(False, name='done'))


@pytest.mark.parametrize('damage, message', [
    (lambda x: tf.where(x == x[0, 0, 0, 0], float('nan'), x), 'batch must be finite'),
    (lambda x: x * float('inf'), 'batch must be finite'),
    (lambda x: x[0], r"one dimension before the event's; got shape=\(8, 8, 1\)")])
def test_bad_batches_are_refused(data, damage, message):
    flow = fresh()
    before = values(flow)
    with pytest.raises(ValueError, match=message):
        tfp_glow.initialize(flow, damage(data))
    for old, new in zip(before, values(flow), strict=True):
        np.testing.assert_array_equal(old, new)
