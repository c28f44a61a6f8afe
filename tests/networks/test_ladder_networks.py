"""Tests the networks of a ladder VAE against TensorFlow's own operations."""

import numpy as np
import pytest
import tensorflow as tf

from tfp_glow import networks
from tfp_glow.internal import keras_bridge

RNG = np.random.default_rng(5)


def randomised(layer):
    for weight in layer.weights:
        if weight.trainable:
            weight.assign(.5 * RNG.standard_normal(weight.shape))
    return layer


def image(side, channels):
    return RNG.standard_normal([3, side, side, channels])


def convolution(layer, x):
    """Computes a `WeightNormConv2D` from its weights."""
    kernel = layer.kernel.numpy()
    kernel = kernel / np.sqrt((kernel**2).sum((0, 1, 2))) * layer.gain.numpy()
    bias = layer.bias.numpy() + (layer.bias_map.numpy() if layer.position_bias else 0)
    return tf.nn.conv2d(x, kernel, 1, 'SAME') + bias


@pytest.mark.parametrize('shrink, grow, position', [(2, 1, False), (1, 2, True), (1, 1, True)])
def test_resampled_conv(shrink, grow, position, assert_close):
    layer = randomised(networks.resampled_conv(
        (4, 4, 6), 5, shrink=shrink, grow=grow, activation='elu', position_bias=position,
        dtype='float64'))
    x = image(4, 6)
    expected = tf.nn.elu(tf.constant(x))
    expected = tf.nn.space_to_depth(expected, 2) if shrink > 1 else expected
    expected = convolution(layer.convolution, expected)
    expected = tf.nn.depth_to_space(expected, 2) if grow > 1 else expected
    assert_close(layer(x), expected, 1e-6)
    assert_close(keras_bridge.clone(layer)(x), layer(x), 1e-12)


@pytest.mark.parametrize('factor', [1, 2])
def test_ladder_layer(factor, assert_close):
    up, down, merge = networks.ladder_layer(
        (4, 4), 6, latent_channels=3, context_channels=2, factor=factor, position_bias=True,
        dtype='float64')
    for network in (up, down, merge):
        randomised(network)
    x = image(4, 6)
    shrunk, grown = x, lambda y: y
    if factor == 2:
        shrunk = x.reshape(3, 2, 2, 2, 2, 6).mean((2, 4))
        grown = lambda y: np.kron(y, np.ones([1, 2, 2, 1]))  # noqa: E731

    features, mean, log_sd, context = up(x)
    said = up.first(x)
    assert_close(tf.concat([mean, log_sd, context], -1), said[..., :8], 1e-12)
    assert_close(features, shrunk + .1 * up.second(said[..., 8:]).numpy(), 1e-12)

    parts = down(features)
    assert [part.shape[-1] for part in parts] == [3, 3, 3, 3, 2, 6]
    assert_close(tf.concat(parts, -1), down.first(features), 1e-12)

    merged = merge([features, mean, parts[-1]])
    change = merge.first(tf.concat([mean, parts[-1]], -1))
    assert_close(merged, grown(features.numpy()) + .1 * change.numpy(), 1e-12)
    for network, inputs in ((up, x), (down, features), (merge, [features, mean, parts[-1]])):
        assert_close(keras_bridge.clone(network)(inputs), network(inputs), 1e-12)


def test_top(assert_close):
    up, *_ = networks.ladder_layer((4, 4), 6, latent_channels=3, factor=2, top=True)
    assert [w.shape[-1] for w in up.trainable_weights] == [6, 6, 6]  # One convolution has these.
    x = image(4, 6)
    features, mean, log_sd, context = up(x)
    assert_close(features, x.reshape(3, 2, 2, 2, 2, 6).mean((2, 4)))
    assert context.shape == [3, 2, 2, 0]
    assert_close(tf.concat([mean, log_sd], -1), up.first(x))


def test_initialisation(assert_close):
    up, *_ = networks.ladder_layer((4, 4), 6, latent_channels=3, factor=2)
    x = 5 * RNG.standard_normal([64, 4, 4, 6]) + 2
    up.initialize(x)
    said = up.first(x).numpy()
    for output in (said, up.second(said[..., 6:]).numpy()):
        np.testing.assert_allclose(output.mean((0, 1, 2)), 0., atol=1e-4)
        np.testing.assert_allclose(output.std((0, 1, 2)), .1, atol=1e-4)
    before = [w.numpy() for w in up.weights]
    up.initialize(x - 3)
    assert_close(up.weights, before, 0.)


@pytest.mark.parametrize('make, message', [
    (lambda: networks.resampled_conv((4, 4, 1), 0), 'filters'),
    (lambda: networks.resampled_conv((4, 5, 1), 3, shrink=2), r'divisible by 2.*\(4, 5\)'),
    (lambda: networks.ladder_layer((4, 4), 0, 2), 'width must be at least 1; got 0'),
    (lambda: networks.ladder_layer((4, 4), 4, 2, -1), 'context_channels must be at least 0'),
    (lambda: networks.ladder_layer((5, 4), 4, 2, factor=2), r'divisible by 2.*\(5, 4\)')])
def test_errors(make, message):
    with pytest.raises(ValueError, match=message):
        make()
