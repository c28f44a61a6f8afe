"""Tests Keras conditioners against NumPy, and the bridge that makes their weights visible."""

import copy

import catalogue
import keras
import numpy as np
import pytest
import tensorflow as tf

from tfp_glow import bijectors as tgb
from tfp_glow import networks
from tfp_glow.internal import keras_bridge

RNG = np.random.default_rng(7)


def randomised(layer):
    for weight in layer.weights:
        if weight.trainable:
            weight.assign(.5 * RNG.standard_normal(weight.shape))
    return layer


def numpy_convolution(x, kernel, edge_kernel):
    """Computes a 'same' convolution by its definition; the indicator is 1 only in the padding."""
    size, (_, height, width, _) = len(kernel), x.shape
    pad = size // 2
    indicator = np.zeros_like(x[..., :1])
    x = np.pad(x, [(0, 0), (pad, pad), (pad, pad), (0, 0)])
    indicator = np.pad(indicator, [(0, 0), (pad, pad), (pad, pad), (0, 0)], constant_values=1)
    x = np.concatenate([x, indicator], -1)
    kernel = np.concatenate([kernel, edge_kernel], 2)
    return sum(x[:, i:i + height, j:j + width] @ kernel[i, j]
               for i in range(size) for j in range(size))


@pytest.mark.parametrize('inputs, filters', [(1, 7), (3, 3), (6, 2), (6, 5)])
@pytest.mark.parametrize('size, edge, rate, position', [
    (3, True, 3., False), (3, False, None, True), (5, True, 1., True), (1, True, 1., False)])
def test_scaled_conv(inputs, filters, size, edge, rate, position, assert_close):
    layer = networks.ScaledConv2D(filters, size, rate=rate, edge_indicator=edge,
                                  position_bias=position, dtype='float64')
    layer.build((None, 4, 3, inputs))
    randomised(layer)
    x = RNG.standard_normal([2, 4, 3, inputs])
    value = {w.name: w.numpy() for w in layer.weights}
    edge_kernel = value.get('edge_kernel', np.zeros([size, size, 1, filters]))
    expected = numpy_convolution(x, value['kernel'], edge_kernel) + value['bias']
    expected = expected + value.get('bias_map', 0.)
    expected = expected * np.exp((rate or 0.) * value.get('log_scale', 0.))
    assert_close(layer(x), expected, 1e-10)
    traced = tf.function(layer, [tf.TensorSpec([None, 4, 3, inputs], tf.float64)])
    assert_close(traced(x), expected, 1e-10)


def test_data_dependent_initialisation(assert_close):
    network = networks.conv_network((4, 4, 3), 2, width=8)
    x = 3 * RNG.standard_normal([64, 4, 4, 3]).astype(np.float32) + 5
    network.initialize(x)
    first, second, _ = network.convolutions
    h1 = first(x).numpy()
    h2 = second(np.maximum(h1, 0)).numpy()
    for h in (h1, h2):
        np.testing.assert_allclose(h.mean((0, 1, 2)), np.zeros(8), atol=1e-4)
        np.testing.assert_allclose(h.var((0, 1, 2)), np.ones(8), atol=1e-3)
    assert_close(network(x), np.zeros([64, 4, 4, 2]))  # The last convolution starts at zero.
    before = [w.numpy() for w in network.weights]
    network.initialize(10 * x)
    assert_close(network.weights, before)


def test_config_round_trip(assert_close):
    network = randomised(networks.conv_network(
        (3, 3, 2), 4, width=5, act_norm=False, position_bias=True, dtype='float64'))
    twin = keras_bridge.clone(network)
    x = RNG.standard_normal([2, 3, 3, 2])
    assert_close(twin(x), network(x), 1e-12)
    assert [w.shape for w in twin.weights] == [w.shape for w in network.weights]
    assert twin.get_config()['position_bias'] is True


def test_same_seed_same_weights(assert_close):
    a, b, c = (networks.conv_network((3, 3, 2), 2, width=3, seed=s) for s in (1, 1, 2))
    assert_close(a.weights, b.weights)
    assert not np.allclose(a.weights[0], c.weights[0])


def test_bridge_shows_the_weights_and_copies_them(assert_close):
    network = keras.Sequential([keras.layers.Dense(3, activation='tanh'), keras.layers.Dense(2)])
    network.build((None, 2, 2, 1))
    coupling = tgb.Coupling(network)
    assert {id(v) for v in coupling.trainable_variables} == {
        id(w.value) for w in network.trainable_weights}
    assert coupling.conditioner.layer is network
    catalogue.perturb(coupling)
    y = tf.ones([1, 2, 2, 2])
    twin, before = copy.deepcopy(coupling), coupling.inverse(y)
    assert_close(twin.inverse(y), before)
    catalogue.perturb(twin, seed=1)
    assert_close(coupling.inverse(y), before)
    assert not np.allclose(twin.inverse(y), before)


def test_unbuilt_network_is_refused():
    with pytest.raises(ValueError, match=r"conditioner must be built.*'forgotten'"):
        tgb.Coupling(keras.layers.Dense(1, name='forgotten'))


def test_stacked_network_is_its_copies(assert_close):
    template = networks.conv_network((3, 3, 2), 4, width=3)
    stacked = keras_bridge.StackedNetwork(template, times=3, seed=0)
    kernel = stacked.weights[0].numpy()
    assert not np.allclose(kernel[0], kernel[1])  # Each copy has its own draw,
    np.testing.assert_allclose(kernel.std(), .05, rtol=.3)  # from the initialiser's N(0, .05).
    x = RNG.standard_normal([2, 3, 3, 2]).astype(np.float32)
    for k in range(3):
        slices = [w[k] + .1 for w in stacked.weights]
        alone = networks.conv_network((3, 3, 2), 4, width=3)
        for weight, value in zip(alone.weights, slices, strict=True):
            weight.assign(value)
        assert_close(stacked.bind(slices)(x), alone(x))


@pytest.mark.parametrize('make, message', [
    (lambda: networks.ConvNetwork(0, 4), 'outputs and width must be positive; got outputs=0'),
    (lambda: networks.ConvNetwork(2, -1), 'got outputs=2, width=-1'),
    (lambda: networks.ScaledConv2D(2, 3, rate=None, normalise=True),
     'normalise needs a rate; got normalise=True, rate=None'),
    (lambda: networks.ScaledConv2D(2, 3, edge_indicator=True)(keras.Input((None, 4, 1))),
     r'edge_indicator needs a known height and width; got \(None, 4\)'),
    (lambda: networks.conv_network((4, 4, 2), 2, 3)(np.zeros([1, 4, 4, 4], np.float32)),
     r'expected axis -1 of input shape to have value 2')])
def test_bad_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
