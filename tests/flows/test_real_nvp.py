"""Tests RealNVP: its network against NumPy, its couplings, density, modes and recipes."""

import dataclasses
import math

import catalogue
import numpy as np
import pytest
import tensorflow as tf

import tfp_glow
from tfp_glow import bijectors as tgb
from tfp_glow import networks
from tfp_glow.internal import keras_bridge
from zoo.models import registry

RNG = np.random.default_rng(41)
TINY = {'levels': 2, 'width': 2, 'blocks': 1, 'dtype': tf.float64}


def tiny(event_shape=(4, 4, 1), **options):
    return tfp_glow.flows.real_nvp(event_shape, **dict(TINY, **options))


def couplings(flow):
    return [part for level in flow.bijector.levels for part in level.parts
            if isinstance(part, tgb.Coupling)]


def images(*shape):
    return tf.constant(RNG.uniform(-.5, .5, shape))


@pytest.fixture(scope='module')
def flow():
    return catalogue.perturb(tiny(), scale=.2)


def numpy_convolution(layer, x):
    """Computes a 'same' convolution with gain * v / ||v||, by its definition."""
    kernel, pad = layer.kernel.numpy(), layer.kernel_size // 2
    kernel = kernel * layer.gain.numpy() / np.sqrt((kernel**2).sum((0, 1, 2)))
    (_, height, width, _), size = x.shape, layer.kernel_size
    x = np.pad(x, [(0, 0), (pad, pad), (pad, pad), (0, 0)])
    bias = layer.bias.numpy() + (layer.bias_map.numpy() if layer.position_bias else 0.)
    return bias + sum(x[:, i:i + height, j:j + width] @ kernel[i, j]
                      for i in range(size) for j in range(size))


@pytest.mark.parametrize('bottleneck', [False, True])
def test_network_is_its_formula(bottleneck, assert_close):
    mask = RNG.integers(0, 2, [4, 3])
    network = catalogue.perturb(keras_bridge.as_module(networks.residual_network(
        (4, 3, 2), 3, width=5, blocks=2, bottleneck=bottleneck, mask=mask, position_bias=True,
        dtype='float64')), scale=.5).layer
    x = RNG.standard_normal([2, 4, 3, 2])
    seen = np.concatenate([x, -x, np.broadcast_to(mask[..., None], [2, 4, 3, 1])], -1)
    h = numpy_convolution(network.first, np.maximum(seen, 0))
    total = numpy_convolution(network.skips[0], h)
    for block, skip in zip(network.blocks, network.skips[1:], strict=True):
        change = h
        for layer in block:
            change = numpy_convolution(layer, np.maximum(change, 0))
        h = h + change
        total = total + numpy_convolution(skip, h)
    expected = numpy_convolution(network.last, np.maximum(total, 0))
    assert [layer.kernel_size for layer in network.blocks[0]] == (
        [1, 3, 1] if bottleneck else [3, 3])
    assert_close(network(x), expected, 1e-10)
    assert_close(keras_bridge.clone(network)(x), expected, 1e-10)


def test_network_initialisation(assert_close):
    network = networks.residual_network((4, 4, 2), 3, width=6, zero_outputs=1, classes=2)
    x = 3 * RNG.standard_normal([32, 4, 4, 2]).astype(np.float32) + 5
    labels = tf.range(32) % 2
    network.initialize(x, labels)
    output = network(x, labels).numpy()
    assert_close(output[..., 0], np.zeros([32, 4, 4]))
    np.testing.assert_allclose(output.mean((0, 1, 2)), np.zeros(3), atol=1e-4)
    np.testing.assert_allclose(output[..., 1:].std((0, 1, 2)), [1, 1], rtol=1e-3)
    assert np.abs(network(x, 1 - labels) - output).max() > 1e-3
    network.initialize(10 * x, labels)
    assert_close(network(x, labels), output)  # It initialises once.


def test_reduced_precision_is_close(assert_close):
    half, full = (networks.residual_network((4, 4, 1), 2, 8, blocks=2, zero_outputs=0, dtype=dtype)
                  for dtype in ('mixed_bfloat16', 'float32'))
    x = RNG.standard_normal([8, 4, 4, 1]).astype(np.float32)
    half.initialize(x)
    for a, b in zip(full.weights, half.weights, strict=True):
        a.assign(b)
    assert half(x).dtype == tf.bfloat16 and half.first.kernel.dtype == 'float32'
    assert_close(tf.cast(half(x), tf.float32), full(x), .05)


def test_starts_as_the_identity_after_the_logit(assert_close):
    flow, y = tiny(), images(16, 4, 4, 1)
    p = .05 + .9 * (y.numpy() + .5)
    logits = np.log(p / (1 - p))

    def normalised(h, count):
        """Applies `count` batch norms, each by channel to the output of the one before."""
        for _ in range(count):
            h = (h - h.mean((0, 1, 2))) / np.sqrt(h.var((0, 1, 2)) + 1e-4)
        return h
    tfp_glow.initialize(flow, y)
    h = normalised(logits, 3)
    pixels = normalised(h.reshape(16, 2, 2, 2, 2).transpose(0, 1, 3, 2, 4).reshape(16, 2, 2, 4), 3)
    top, bottom = pixels[..., :2], pixels[..., 2:]
    stays = np.stack([top[..., 0], bottom[..., 1]], -1)  # This is one colour of the board.
    leaves = np.stack([top[..., 1], bottom[..., 0]], -1)
    assert_close(flow.bijector.inverse(y), [leaves, normalised(stays, 4)], 1e-9)


@pytest.mark.parametrize('halves', [False, True])
def test_splits_alternate_and_networks_see_the_board(halves):
    flow = tiny((8, 8, 1), halves=halves)
    splits = [coupling._split for coupling in couplings(flow)]
    assert splits == [
        *(tgb.splits.checkerboard(k % 2, halves) for k in range(3)),
        *(tgb.splits.channels(reverse=bool(k % 2)) for k in range(3)),
        *(tgb.splits.checkerboard(k % 2, halves) for k in range(4))]
    masks = [c.conditioner.layer.get_config()['mask'] for c in couplings(flow)]
    assert masks[3:6] == [None] * 3
    for split, mask in zip(splits[:3], masks[:3]):
        pixels = tf.reshape(tf.range(1., 65.), [1, 8, 8, 1])  # Even columns are odd.
        kept = split.apart(pixels)[0][0, ..., 0].numpy()
        # Halves give the rows whose first pixel conditions; other splits give the pixels.
        np.testing.assert_array_equal(mask, kept % 2 == 1 if halves else kept > 0)


def test_log_det_is_that_of_the_jacobian(flow, assert_close):
    """Every latent also depends on every pixel: nothing is left out or separate."""
    y = tf.repeat(images(1, 4, 4, 1), 16, 0)  # Each copy gives a row of the Jacobian.
    with tf.GradientTape() as tape:
        tape.watch(y)
        latents = flow.bijector.inverse(y)
        x = tf.concat([tf.reshape(z, [16, 8]) for z in latents], -1)
    jacobian = tf.reshape(tape.gradient(x, y, tf.eye(16, dtype=x.dtype)), [16, 16])
    assert np.all(np.abs(jacobian) > 0)
    log_det = np.linalg.slogdet(jacobian)[1]
    y = tf.identity(y[:1])
    assert_close(flow.bijector.inverse_log_det_jacobian(y), [log_det], 1e-9)
    expected = log_det - np.sum(x[0]**2) / 2 - 8 * math.log(2 * math.pi)
    assert_close(flow.log_prob(tf.identity(y)), [expected], 1e-9)
    assert_close(flow.bijector.forward([tf.identity(z[:1]) for z in latents]), y, 1e-9)


def test_modes(flow, assert_close):
    """After a training step and a fit of statistics, evaluation agrees with training."""
    y = images(32, 4, 4, 1)
    twin = tfp_glow.with_training(flow)
    with tf.GradientTape() as tape:
        loss = -tf.reduce_mean(twin.log_prob(y))
    gradients = tape.gradient(loss, flow.trainable_variables)
    assert all(g is not None and np.any(g) for g in gradients)
    tfp_glow.update_statistics(flow, y)
    assert_close(flow.log_prob(tf.identity(y)), twin.log_prob(tf.identity(y)), 1e-9)
    with pytest.raises(ValueError, match='training must be False'):
        twin.sample(2, seed=1)
    assert np.all(np.isfinite(flow.sample(50, seed=1)))


def test_checkpoint(flow, tmp_path, assert_close):
    other, y = tiny(seed=1), images(2, 4, 4, 1)
    path = tf.train.Checkpoint(flow=flow).write(str(tmp_path / 'checkpoint'))
    tf.train.Checkpoint(flow=other).read(path).assert_consumed()
    assert_close(other.log_prob(y), flow.log_prob(tf.identity(y)), 1e-12)
    names = [v.name for v in flow.variables]
    assert names == [v.name for v in other.variables] and len(set(names)) == len(names)


def test_options(assert_close):
    """The options work together: odd last sides, act norm, an injected network, labels."""
    def network(input_shape, outputs, *, width, seed, dtype, classes, **_):
        return networks.conv_network(input_shape, outputs, width, seed=seed, dtype=dtype,
                                     classes=classes)
    flow = tiny((6, 6, 2), width=4, batch_norm=False, network=network, classes=3)
    labels, y = tf.constant([0, 2, 1, 0]), images(4, 6, 6, 2)
    tfp_glow.initialize(flow, y, labels)
    assert tfp_glow.is_initialized(flow) and tfp_glow.with_training(flow) is flow
    catalogue.perturb(flow, scale=.02)
    z = flow.bijector.inverse(y, condition=labels)
    assert [part.shape for part in z] == [(4, 3, 3, 4), (4, 3, 3, 4)]
    assert_close(flow.bijector.forward([tf.identity(p) for p in z], condition=labels), y, 1e-9)
    others = flow.log_prob(y, condition=(labels + 1) % 3)
    assert np.abs(flow.log_prob(y, condition=labels) - others).min() > 0


@pytest.mark.parametrize('make, message', [
    (lambda: tiny(levels=0), 'levels must be positive; got levels=0'),
    (lambda: tiny((4, 6, 1), levels=3),
     r'width must be divisible by 2\*\*\(levels - 1\) = 4; got width=6, levels=3'),
    (lambda: tiny((4, 6, 1), halves=True),
     r'width must be divisible by 2\*\*levels = 4 with halves; got width=6, levels=2'),
    (lambda: tiny((4, 4)), r'event_shape must be .*; got \(4, 4\)'),
    (lambda: tiny(alpha=.5), r'alpha must be in \[0, 1/2\); got alpha=0.5'),
    (lambda: tiny(classes=2, condition_channels=1), 'at most one of classes and condition_chann'),
    (lambda: networks.ResidualNetwork(2, 0), 'must be positive; got outputs=2, width=0'),
    (lambda: networks.ResidualNetwork(2, 2, blocks=-1), 'blocks must be at least 0; got blocks=-1'),
    (lambda: networks.ResidualNetwork(2, 2, zero_outputs=3),
     'zero_outputs must be in 0 .. 2, the outputs; got zero_outputs=3'),
    (lambda: networks.residual_network((4, 2, 1), 2, 2, mask=np.ones([2, 4])),
     r'mask must have the height and width of the images, \(4, 2\); got shape=\(2, 4\)')])
def test_bad_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize('name', [
    pytest.param(name, marks=pytest.mark.slow if name.startswith('paper') else ())
    for name in registry.spec('real_nvp').recipes])
def test_recipes_build_and_take_a_step(name):
    """Only the size of the networks differs from the recipes."""
    model = registry.spec('real_nvp')
    config = registry.recipe('real_nvp', name, 'none').config
    config = dataclasses.replace(config, width=2, blocks=0)
    side = 2 * model.divisor(config)
    flow = model.build(config, (side, side, 1), seed=0)
    variables = flow.trainable_variables
    with tf.GradientTape() as tape:
        loss = -tf.reduce_mean(tfp_glow.with_training(flow).log_prob(
            tf.cast(images(2, side, side, 1), tf.float32)))
    for v, g in zip(variables, tape.gradient(loss, variables), strict=True):
        assert np.all(np.isfinite(g))
        v.assign_sub(1e-4 * g)
    assert np.isfinite(flow.log_prob(tf.zeros([side, side, 1])))
