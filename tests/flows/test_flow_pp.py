"""Tests Flow++: its network against NumPy, its flow, its noise and its recipes."""

import dataclasses
import itertools

import catalogue
import keras
import numpy as np
import pytest
import tensorflow as tf

import tfp_glow
from tfp_glow import networks
from tfp_glow.distributions import Dequantized
from tfp_glow.internal import keras_bridge
from zoo.models import registry

RNG = np.random.default_rng(11)
SMALL = {'blocks': 1, 'heads': 2}


def tiny(event_shape=(4, 4, 1), **options):
    options = dict({'levels': 1, 'steps_per_level': 1, 'checkerboards': 2, 'width': 4,
                    'first_checkerboards': 3, 'components': 2, 'dtype': tf.float64,
                    'network_options': SMALL}, **options)
    return tfp_glow.flows.flow_pp(event_shape, **options)


def tiny_noise(event_shape=(2, 2, 1), **options):
    return tfp_glow.flows.flow_pp_noise(event_shape, **dict({
        'checkerboards': 1, 'channel_steps': 1, 'width': 4, 'components': 2, 'dtype': tf.float64,
        'network_options': SMALL}, **options))


def grid(points):
    """Returns all images (2, 2, 1) of the given values."""
    return np.array(list(itertools.product(points, repeat=4))).reshape(-1, 2, 2, 1)


def in_logits():
    """Returns noise u = sigmoid(v) over a grid of v, and the volume of each node.

    The density of v is smooth and falls off, so that a plain sum is an accurate integral.
    """
    v, step = np.linspace(-7, 7, 12, retstep=True)
    u = grid(1 / (1 + np.exp(-v)))
    return u, step**4 * np.prod(u * (1 - u), (1, 2, 3))


def numpy_network(x, weights, blocks, heads, label=None):
    """Computes the definition in the network's docstring, position by position."""
    def convolve(h, name):
        kernel, (_, height, width, _) = weights[f'{name}/kernel'], h.shape
        h = np.pad(h, [(0, 0), (1, 1), (1, 1), (0, 0)])
        h = sum(h[:, i:i + height, j:j + width] @ kernel[i, j] for i in range(3) for j in range(3))
        bias = weights[f'{name}/bias'] + weights.get(f'{name}/bias_map', 0)
        return (h + bias) * np.exp(3 * weights.get(f'{name}/log_scale', 0))

    def dense(h, name):
        return h @ weights[f'{name}/kernel'] + weights[f'{name}/bias']

    def concat_elu(h):
        h = np.concatenate([h, -h], -1)
        return np.where(h > 0, h, np.exp(np.minimum(h, 0)) - 1)

    def gated(h, update, name):
        a, b = np.split(update, 2, -1)
        h = h + a / (1 + np.exp(-b))
        h = (h - h.mean(-1, keepdims=True)) / np.sqrt(h.var(-1, keepdims=True) + 1e-5)
        return h * weights[f'{name}/norm/gamma'] + weights[f'{name}/norm/beta']

    def attend(h, name):
        mixed = dense(h + weights[f'{name}/position'], f'{name}/attend')
        query, key, value = np.split(mixed.reshape(*h.shape[:1], -1, 3 * h.shape[-1]), 3, -1)
        size, mixtures = h.shape[-1] // heads, []
        for b, head in itertools.product(range(len(h)), range(heads)):
            own = np.s_[:, head * size:(head + 1) * size]
            scores = np.exp(query[b][own] @ key[b][own].T / np.sqrt(size))
            mixtures.append(scores / scores.sum(1, keepdims=True) @ value[b][own])
        mixtures = np.array(mixtures).reshape(len(h), heads, -1, size).transpose(0, 2, 1, 3)
        return dense(mixtures.reshape(h.shape), f'{name}/mix')

    h = convolve(x, 'conv_in')
    if label is not None:
        h = h + weights['condition_bias/kernel'][label][:, None, None]
    for i in range(blocks):
        name = f'conv_{i}'
        update = dense(concat_elu(convolve(concat_elu(h), f'{name}/conv')), f'{name}/mix')
        h = gated(h, update, name)
        if heads:
            h = gated(h, attend(h, f'attention_{i}'), f'attention_{i}')
    return convolve(concat_elu(h), 'conv_out')


@pytest.mark.parametrize('options', [
    {'blocks': 2, 'heads': 2, 'classes': 3, 'position_bias': True},
    {'blocks': 1, 'heads': 4, 'max_positions': 6}, {'blocks': 1, 'heads': 4, 'max_positions': 5}],
    ids=['all', 'at_most', 'too_many_positions'])
def test_network(options, assert_close):
    network = networks.gated_attention_network((2, 3, 2), 5, width=4, dtype='float64', **options)
    assert not np.any(network(np.ones([1, 2, 3, 2]), **(
        {'condition': np.array([1])} if 'classes' in options else {})))  # It starts at zero.
    for weight in network.weights:
        weight.assign(.5 * RNG.standard_normal(weight.shape))
    x, label = RNG.standard_normal([2, 2, 3, 2]), np.array([2, 0])
    given = {'condition': label} if 'classes' in options else {}
    weights = {w.path.split('/', 1)[1]: w.numpy() for w in network.weights}
    heads = 0 if options.get('max_positions') == 5 else options['heads']
    expected = numpy_network(x, weights, options['blocks'], heads, given.get('condition'))
    assert_close(network(x, **given), expected, 1e-10)
    assert_close(keras_bridge.clone(network)(x, **given), expected, 1e-10)
    if given:
        with pytest.raises(ValueError, match='condition must be given'):
            network(x)


def test_copies_of_the_network_are_drawn_apart():
    network = networks.gated_attention_network((2, 2, 1), 2, width=4, **SMALL)
    stacked = keras_bridge.StackedNetwork(network, 2, seed=0).weights
    drawn = [w for w in stacked if w.name.endswith(('kernel:0', 'position:0'))
             and 'conv_out' not in w.name]
    assert len(drawn) == 6 and all(np.all(w[0] != w[1]) for w in drawn)
    again = networks.gated_attention_network((2, 2, 1), 2, width=4, **SMALL)
    for a, b in zip(network.weights, again.weights, strict=True):
        np.testing.assert_array_equal(a, b)


def test_coupling_starts_as_an_even_mixture(assert_close):
    """Components have scale 1 and means of deviation 0.4, for any input; the rest does nothing."""
    flow = tiny((2, 2, 1), checkerboards=0, first_checkerboards=0, components=3)
    y = RNG.standard_normal([5, 2, 2, 1])
    mixing = flow.bijector.levels[0].parts[1].step(0).parts[1]
    mixed = mixing.inverse(y.reshape(5, 1, 1, 4)).numpy()
    cdf = np.mean([1 / (1 + np.exp(.4 * 1.5**.5 * m - mixed[..., 2:]))
                   for m in (-1, 0, 1)], 0)
    expected = np.concatenate([mixed[..., :2], np.log(cdf / (1 - cdf))], -1)
    assert_close(flow.bijector.inverse(y), [expected], 1e-10)


@pytest.mark.parametrize('options', [
    {}, {'levels': 2, 'checkerboards': 0, 'classes': 3, 'first_checkerboards': 0}],
    ids=['one_level', 'two_levels_by_label'])
def test_log_det_and_inverse(options, assert_close):
    flow = catalogue.perturb(tiny(**options), 1, .1)
    y = tf.repeat(tf.constant(RNG.standard_normal([1, 4, 4, 1])), 16, 0)
    given = {'condition': tf.fill([16], 2)} if 'classes' in options else {}
    with tf.GradientTape() as tape:  # Each copy gives a row of the Jacobian.
        tape.watch(y)
        z = flow.bijector.inverse(y, **given)
        rows = tf.linalg.trace(tf.concat([tf.reshape(part, [16, -1]) for part in z], 1))
    jacobian = tf.reshape(tape.gradient(rows, y), [16, 16])
    log_det = flow.bijector.inverse_log_det_jacobian(y, 3, **given)
    assert_close(log_det, tf.fill([16], np.linalg.slogdet(jacobian)[1]), 1e-8)
    again = flow.bijector.forward([tf.identity(part) for part in z], **given)
    assert_close(again, y, 1e-8)
    names = [v.name for v in flow.variables]
    assert len(set(names)) == len(names)


def test_condition():
    """The flow takes a condition, and squeezed images of an odd width."""
    flow = catalogue.perturb(tiny((2, 6, 1), condition_channels=2, first_checkerboards=0), 2)
    y, maps = tf.zeros([2, 2, 6, 1], tf.float64), RNG.standard_normal([2, 1, 3, 2])
    log_prob = flow.log_prob(y, condition=maps)
    assert log_prob[0] != log_prob[1]
    with pytest.raises(ValueError, match='condition must be given'):
        flow.log_prob(y)


def test_noise_is_a_density_over_the_unit_cube():
    noise = catalogue.perturb(tiny_noise(), 3, .05)
    u, volume = in_logits()
    image = tf.constant(RNG.uniform(-.5, .5, [1, 2, 2, 1]))
    density = np.exp(noise.log_prob(u, condition=tf.repeat(image, len(u), 0)))
    np.testing.assert_allclose(np.sum(volume * density), 1, atol=.01)
    images = tf.constant([-.5 + 1 / 512, .25], tf.float64)[:, None, None, None] * tf.ones(
        [1, 2, 2, 1], tf.float64)
    drawn, log_prob = noise.experimental_sample_and_log_prob(2, seed=[1, 2], condition=images)
    assert np.all((drawn > 0) & (drawn < 1))
    np.testing.assert_allclose(noise.log_prob(tf.identity(drawn), condition=images), log_prob)
    swapped = noise.log_prob(tf.identity(drawn), condition=images[::-1])
    assert np.all(np.abs(swapped - log_prob) > 1e-6)


def test_bound_against_the_exact_probability():
    """Quadrature over the cell of an image of two grey levels gives the probability."""
    flow = catalogue.perturb(tiny((2, 2, 1), checkerboards=0, first_checkerboards=0), 4, .1)
    noise = catalogue.perturb(tiny_noise(), 5, .05)
    image = np.array([0., 1., 1., 0.]).reshape(1, 2, 2, 1)
    x, w = np.polynomial.legendre.leggauss(7)
    exact = np.log(np.sum(np.prod(grid(w / 2), (1, 2, 3)) * np.exp(
        flow.log_prob((image + grid((x + 1) / 2)) / 2 - .5))) / 2**4)
    u, volume = in_logits()
    log_q = noise.log_prob(u, condition=tf.repeat((image + .5) / 2 - .5, len(u), 0)).numpy()
    log_p = flow.log_prob((image + u) / 2 - .5).numpy()
    bound = np.sum(volume * np.exp(log_q) * (log_p - log_q)) - 4 * np.log(2)
    assert bound < exact - .01
    model = Dequantized(flow, 2, noise)
    draws = model.log_prob(np.repeat(image, 5_000, 0).astype(int), seed=[1, 2]).numpy()
    assert abs(draws.mean() - bound) < .005 + 4 * draws.std() / np.sqrt(len(draws))


@pytest.mark.slow
def test_training_raises_the_bound():
    options = {'dtype': tf.float32, 'checkerboards': 0, 'network': networks.conv_network}
    flow = tiny(first_checkerboards=0, network_options={}, **options)
    noise = tiny_noise((4, 4, 1), network_options={'act_norm': False}, **options)
    model = Dequantized(flow, 4, noise)
    images = tf.constant(np.minimum(RNG.integers(0, 4, [32, 4, 4, 1]), np.arange(4)[:, None]))
    variables = list(model.trainable_variables)
    optimizer = keras.optimizers.Adam(1e-2)
    optimizer.build(variables)

    @tf.function
    def step(i):
        with tf.GradientTape() as tape:
            loss = -tf.reduce_mean(model.log_prob(images, seed=tf.stack([i, 0])))
        gradients = tape.gradient(loss, variables)
        optimizer.apply(gradients, variables)
        return loss
    losses = [step(tf.constant(i)) for i in range(30)]
    assert np.mean(losses[-3:]) < np.mean(losses[:3]) - 3


@pytest.mark.parametrize('make, message', [
    (lambda: tiny(steps_per_level=-1), 'steps_per_level must not be negative; got steps_per_'),
    (lambda: tiny(first_checkerboards=-2), 'got first_checkerboards=-2'),
    (lambda: tiny(checkerboards=0, steps_per_level=0, first_checkerboards=0),
     'there must be a step; got steps_per_level=0, checkerboards=0, first_checkerboards=0'),
    (lambda: tiny_noise(checkerboards=-1), 'checkerboards must not be negative; got checkerb'),
    (lambda: tiny_noise(checkerboards=0, channel_steps=0),
     'there must be a step; got checkerboards=0, channel_steps=0'),
    (lambda: tiny_noise((3, 2, 1)), 'height must be divisible by .* got height=3'),
    (lambda: tiny(components=0), 'components must be positive; got components=0'),
    (lambda: tiny(width=[4, 4]), r'width must be one number or one per level, 1; got width=\[4, 4'),
    (lambda: tiny(top_prior='none'), "top_prior must be one of channel, .*; got 'none'"),
    (lambda: tiny((4, 3, 1)), r'width must be divisible by 2\*\*levels = 2; got width=3'),
    (lambda: tiny(classes=2, condition_channels=3), 'got classes=2, condition_channels=3'),
    (lambda: networks.GatedAttentionNetwork(3, 6, heads=4),
     'heads must be 0 or divide width; got heads=4, width=6'),
    (lambda: networks.GatedAttentionNetwork(3, 6, heads=-1), 'got heads=-1'),
    (lambda: networks.GatedAttentionNetwork(3, 6, blocks=0),
     'outputs, width and blocks must be positive; got outputs=3, width=6, blocks=0')])
def test_bad_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize('name', [
    pytest.param('paper', marks=pytest.mark.slow), 'fashion_mnist', 'digits'])
def test_recipes_take_a_step(name):
    spec = registry.spec('flow_pp')
    config = dataclasses.replace(spec.recipes[name].config, width=4, blocks=1, components=2,
                                 noise_width=4)
    shape = (8, 8, 3 if name == 'paper' else 1)
    assert 8 % spec.divisor(config) == 0
    model = catalogue.perturb(
        Dequantized(spec.build(config, shape, 0), 256, spec.noise(config, shape, 1)), 6, .1)
    variables = list(model.trainable_variables)
    assert len({v.name for v in variables}) == len(variables)
    images = tf.constant(RNG.integers(0, 256, [2, *shape]))
    with tf.GradientTape() as tape:
        bound = model.log_prob(images, seed=[1, 2])
    gradients = tape.gradient(bound, variables)
    assert np.all(np.isfinite(bound)) and all(np.all(np.isfinite(g)) for g in gradients)
    assert [v.name for v, g in zip(variables, gradients) if not np.any(g)] == []


def test_uniform_noise_and_an_unknown_network():
    spec = registry.spec('flow_pp')
    assert spec.noise(spec.config(noise_steps=0), (8, 8, 1), 0) is None
    with pytest.raises(ValueError, match="network must be one of attention, conv; got 'dense'"):
        spec.config(network='dense')
