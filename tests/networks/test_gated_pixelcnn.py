"""Tests what the gated PixelCNN sees and computes, and that it computes nothing twice."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfp_glow import networks
from tfp_glow.internal import keras_bridge

RNG = np.random.default_rng(11)
CONDITIONS = {
    'none': ({}, None),
    'classes': ({'classes': 3}, np.array([2, 0])),
    'vectors': ({'condition_size': 4}, RNG.standard_normal([2, 4])),
    'maps': ({'condition_channels': 2}, RNG.standard_normal([2, 4, 3, 2]))}


def network(event_shape=(4, 3, 2), outputs=3, width=4, blocks=2, **options):
    options = dict({'first_kernel_size': 5, 'dtype': 'float64'}, **options)
    return networks.gated_pixelcnn(event_shape, outputs, width, blocks=blocks, **options)


def randomise(net, scale=1.):
    for weight in net.weights:
        weight.assign(scale * RNG.standard_normal(weight.shape))
    return net


def given(condition):
    return {} if condition is None else {'condition': tf.constant(condition)}


def data(net, count=2):
    return tf.constant(RNG.standard_normal([count, *net.event_shape]))


def seen(net, condition=None):
    """Returns `[P, P]`: whether all outputs of pixel p react to all channels of pixel q.

    One gradient gives all rows of the Jacobian at some images, since each row has its own copy.
    It fails if one output reacts to a channel and another does not.
    """
    height, width, channels = net.event_shape
    pixels, images = height * width, 4
    rows = pixels * net.outputs
    x = tf.repeat(data(net, images), rows, axis=0)
    if condition is not None:
        condition = tf.repeat(tf.concat([condition] * 2, 0), rows, axis=0)
    with tf.GradientTape() as tape:
        tape.watch(x)
        raw = tf.reshape(net(x, **given(condition)), [images, rows, rows])
        total = tf.reduce_sum(tf.linalg.diag_part(raw))
    jacobian = tf.reshape(tape.gradient(total, x),
                          [images, pixels, net.outputs, pixels, channels])
    reacts = np.any(np.abs(jacobian) > 0, axis=0)
    assert np.array_equal(reacts.all((1, 3)), reacts.any((1, 3)))
    return reacts.any((1, 3))


def before(height, width, rows, columns):
    """Returns `[P, P]`: whether q is in the `rows` above p or left of it, in raster order."""
    y, x = np.divmod(np.arange(height * width), width)
    up, aside = y[:, None] - y, x - x[:, None]
    return (((up > 0) & (up <= rows) & (abs(aside) <= columns))
            | ((up == 0) & (aside < 0) & (-aside <= columns)))


def test_sees_all_pixels_before_and_no_other():
    """This holds before and after steps of Adam, and after any assignment."""
    options, condition = CONDITIONS['maps']
    net, x = network(**options), data(network())
    assert not seen(net, condition).any()  # The last layer starts at zero.
    optimizer = keras.optimizers.Adam(.05)
    for _ in range(3):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.square(net(x, **given(condition)) - x[..., :1]))
        optimizer.apply(tape.gradient(loss, net.trainable_weights), net.trainable_weights)
    every = np.tri(12, k=-1, dtype=bool)  # In raster order, all 4x3 pixels are within reach.
    np.testing.assert_array_equal(seen(net, condition), every)
    np.testing.assert_array_equal(seen(randomise(net, .5), condition), every)
    assert not np.any(seen(randomise(net, 3.), condition) & ~every)


@pytest.mark.parametrize('blocks, first, reach', [(1, 3, 1), (2, 3, 2), (2, 5, 3)])
def test_reach(blocks, first, reach):
    """The network reaches a full rectangle, without a blind spot above to the right."""
    net = randomise(network((5, 6, 1), 1, width=8, blocks=blocks, first_kernel_size=first), .5)
    np.testing.assert_array_equal(seen(net), before(5, 6, reach, reach))


def masked(x, kernel, rows, columns):
    """Applies the kernel at these offsets from each pixel in NumPy; outside is zero."""
    sums = np.zeros([*x.shape[:3], kernel.shape[-1]])
    for i, down in enumerate(rows):
        for j, right in enumerate(columns):
            for y in range(x.shape[1]):
                for z in range(x.shape[2]):
                    if 0 <= y + down < x.shape[1] and 0 <= z + right < x.shape[2]:
                        sums[:, y, z] += x[:, y + down, z + right] @ kernel[i, j]
    return sums


def gated(hidden):
    s, t = np.split(hidden, 2, -1)
    return np.tanh(s) / (1 + np.exp(-t))


def test_by_its_definition(assert_close):
    """The network equals figure 2 of the paper; the condition is added before each gate."""
    options, condition = CONDITIONS['maps']
    net = randomise(network(**options), .5)
    value = {w.path.split('/', 1)[1]: w.numpy() for w in net.weights}
    x = data(net).numpy()
    v = h = np.concatenate([x, np.ones([*x.shape[:3], 1])], -1)
    for k, (reach, last) in enumerate([(2, -1), (1, 0)]):
        def layer(name, k=k):
            return value[f'block_{k}/{name}/kernel'], value[f'block_{k}/{name}/bias']
        bias_v, bias_h = np.split(condition @ value[f'condition_{k}/kernel'], 2, -1)
        past = range(-reach, last + 1)
        kernel, bias = layer('vertical')
        v_full = masked(v, kernel, past, range(-reach, reach + 1)) + bias + bias_v
        kernel, bias = layer('horizontal')
        h_full = masked(h, kernel, [0], past) + bias + bias_h
        kernel, bias = layer('across')
        h_full = h_full + v_full @ kernel + bias
        kernel, bias = layer('mix')
        v, h = gated(v_full), gated(h_full) @ kernel + bias + (h if k else 0)
    hidden = np.maximum(np.maximum(h, 0) @ value['top/kernel'] + value['top/bias'], 0)
    assert_close(net(x, **given(condition)),
                 hidden @ value['last/kernel'] + value['last/bias'], 1e-10)


@pytest.mark.parametrize('name', CONDITIONS)
def test_one_pixel_at_a_time_computes_each_once(name, assert_close, monkeypatch):
    options, condition = CONDITIONS[name]
    net = randomise(network(**options), .5)
    x, (height, width, channels) = data(net), net.event_shape
    expected = net(x, **given(condition))
    computed, call = {}, networks.PastConv2D.call

    def counted(self, inputs):
        outputs = call(self, inputs)
        computed[id(self)] = computed.get(id(self), 0) + outputs.shape[1] * outputs.shape[2]
        return outputs
    monkeypatch.setattr(networks.PastConv2D, 'call', counted)
    rows, next_row, start, next_pixel = net.incremental(2, **given(condition))
    above = tf.zeros([2, width, channels], x.dtype)
    for i in range(height):
        rows, state = next_row(rows, tf.constant(i), above)
        pixels, left, above = start, tf.zeros([2, channels], x.dtype), x[:, i]
        for j in range(width):
            pixels, raw = next_pixel(pixels, state, tf.constant(j), left)
            assert_close(raw, expected[:, i, j], 1e-10)
            left = x[:, i, j]
    assert list(computed.values()) == [height * width] * 4  # There are two stacks in two blocks.


@pytest.mark.parametrize('name', ['classes', 'vectors', 'maps'])
def test_condition_reaches_all_pixels(name, assert_close):
    options, condition = CONDITIONS[name]
    net = randomise(network(**options), .5)
    x = np.zeros([2, *net.event_shape])
    assert keras_bridge.takes_condition(keras_bridge.as_module(net))
    raw = net(x, **given(condition))
    assert np.all(np.abs(raw[0] - raw[1]) > 1e-9)
    assert_close(keras_bridge.clone(net)(x, **given(condition)), raw, 1e-12)


def test_seeds():
    one, same, other = (network(seed=seed) for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(one.weights, same.weights, strict=True))
    assert not any(np.array_equal(a, b) for a, b in zip(one.weights, other.weights)
                   if 'kernel' in a.path and 'last' not in a.path)
    kernels = [w.numpy().ravel()[:8] for w in one.weights
               if 'kernel' in w.path and 'last' not in w.path]
    assert len({tuple(k / np.abs(k).max()) for k in kernels}) == len(kernels)


@pytest.mark.parametrize('make, message', [
    (lambda: network((4, 4)), r'event_shape must be a known \(H, W, C\); got event_shape=\(4, 4\)'),
    (lambda: network(outputs=0), 'outputs, width and blocks must be positive; got outputs=0'),
    (lambda: network(width=0), 'got .*width=0'),
    (lambda: network(blocks=0), 'got .*blocks=0'),
    (lambda: network(kernel_size=4), 'must be odd and at least 3; got kernel_size=4'),
    (lambda: network(first_kernel_size=1), 'got .*first_kernel_size=1'),
    (lambda: network(classes=2, condition_size=3), 'at most one of .*got classes=2'),
    (lambda: network(condition_channels=0), 'must be positive; .*condition_channels=0'),
    (lambda: network(classes=2)(np.zeros([1, 4, 3, 2])), 'condition must be given'),
    (lambda: network(condition_size=2)(np.zeros([1, 4, 3, 2]), condition=np.zeros([1, 3])),
     r'condition must be vectors \[B, 2\]; got shape=\(1, 3\)'),
    (lambda: network()(np.zeros([1, 3, 4, 2])),
     r'inputs must be \[B, 4, 3, 2\]; got shape=\(1, 3, 4, 2\)')])
def test_bad_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
