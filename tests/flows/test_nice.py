"""Tests NICE against NumPy with the same weights, its shapes, priors and recipes."""

import dataclasses
import math

import catalogue
import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import special
from tensorflow_probability import distributions as tfd

import tfp_glow
from tfp_glow import networks
from zoo.cli import errors
from zoo.models import nice as zoo_nice
from zoo.models.options import sizes

RNG = np.random.default_rng(11)
SEED = tf.constant([1, 2])


def build(event_shape, *args, **options):
    flow = tfp_glow.flows.nice(event_shape, *args, dtype=tf.float64, **options)
    return catalogue.perturb(flow)


def by_name(flow):
    return {v.name.split(':')[0]: v.numpy() for v in flow.variables}


def numpy_nice(flow, y, depths, shift, rate):
    """Computes latents and log-det by the paper's equations from the flow's variables."""
    values = by_name(flow)
    h = y.reshape(len(y), -1) + shift
    for k, depth in enumerate(depths):
        hidden = h[:, k % 2::2]
        for layer in range(depth + 1):
            path = f'nice/coupling_{k}/network/dense_{layer}'
            hidden = hidden @ values[f'{path}/kernel'] + values[f'{path}/bias']
            hidden = np.maximum(hidden, 0) if layer < depth else hidden
        h[:, 1 - k % 2::2] += hidden
    log_scale = rate * values['nice/log_scale']
    return h * np.exp(log_scale), log_scale.sum()


@pytest.mark.parametrize('event_shape, hidden, depths, shift, rate', [
    ((3, 1, 3), [[5], [4, 6], []], [1, 2, 0], .5, 1.), ((5,), [7, 7], [2, 2, 2], 0., 3.)],
    ids=['image', 'vector'])
@pytest.mark.parametrize('prior', ['logistic', 'normal'])
def test_equals_numpy(event_shape, hidden, depths, shift, rate, prior, assert_close):
    flow = build(event_shape, 3, hidden, prior=prior, scaling_rate=rate)
    y = RNG.uniform(-.5, .5, [4, *event_shape])
    z, log_det = numpy_nice(flow, y, depths, shift, rate)
    if prior == 'logistic':
        terms = -z - 2 * np.log1p(np.exp(-z))
    else:
        terms = -.5 * z**2 - .5 * math.log(2 * math.pi)
    assert_close(flow.bijector.inverse(y), z.reshape(y.shape), 1e-10)
    assert_close(flow.log_prob(y), terms.sum(-1) + log_det, 1e-10)


@pytest.mark.parametrize('place', ['data', 'prior'])
def test_a_mixture_of_logistics(place, assert_close):
    """In the prior it is the density of the scaled entries; in the data it is the first map."""
    flow = build((2, 3, 1), 2, [4], mixture=place, components=3, scaling_rate=2.)
    y = RNG.uniform(-.5, .5, [5, 2, 3, 1])
    logits, means, log_scales = (
        2 * by_name(flow)[f'nice/mixture/{name}'] for name in ('logits', 'means', 'log_scales'))
    start = np.log([1, 1 / 32, 1 / 1024])
    means, log_scales = means * np.exp(start), log_scales + start
    weights = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)

    def mixture(h):
        below = special.expit((h[..., np.newaxis] - means) * np.exp(-log_scales))
        density = np.sum(weights * below * (1 - below) * np.exp(-log_scales), -1)
        return special.logit(np.sum(weights * below, -1)), density
    if place == 'data':
        u, density = mixture(y.reshape(5, -1) + .5)
        z, log_det = numpy_nice(flow, u, [1, 1], 0., 2.)
        terms = np.log(density) - np.log(special.expit(u) * special.expit(-u))
        terms += log_det / 6 - z - 2 * np.log1p(np.exp(-z))
    else:
        h, log_det = numpy_nice(flow, y, [1, 1], .5, 2.)
        z, density = mixture(h)
        terms = np.log(density) + log_det / 6
    assert_close(tf.reshape(flow.bijector.inverse(y), [5, -1]), z, 1e-7)
    assert_close(flow.log_prob(y), terms.sum(-1), 1e-7)
    assert_close(flow.bijector.forward(tf.identity(flow.bijector.inverse(y))), y, 1e-9)


def test_the_range_of_the_data(assert_close):
    """Networks see data relative to the range, so equally placed data have the same latents."""
    wide = build((2, 2, 1), 2, [4], data_range=(-1., 1.))
    plain = build((4,), 2, [4])
    y = RNG.uniform(-.5, .5, [3, 2, 2, 1])
    z = plain.bijector.inverse(tf.reshape(2 * y, [3, 4]))
    assert_close(tf.reshape(wide.bijector.inverse(y), [3, 4]), z, 1e-10)
    assert_close(wide.log_prob(y), plain.log_prob(2 * y.reshape(3, 4)) + 4 * math.log(2), 1e-10)


def test_starts_as_the_identity_and_has_one_latent():
    flow = tfp_glow.flows.nice((2, 3, 1), hidden=[8])
    y = RNG.uniform(-.5, .5, [4, 2, 3, 1]).astype(np.float32)
    np.testing.assert_allclose(flow.bijector.inverse(y), y + .5, rtol=1e-6)
    assert flow.event_shape == flow.distribution.event_shape == (2, 3, 1)
    assert flow.dtype == tf.float32 and flow.batch_shape == ()


def test_samples_are_inverted(assert_close):
    flow = build((2, 2, 1), hidden=[6], classes=3)
    labels = tf.constant([0, 2, 2, 1, 0])
    z = flow.distribution.sample(5, seed=SEED)
    y = flow.sample(5, seed=SEED, condition=labels)
    assert y.shape == [5, 2, 2, 1]
    assert_close(flow.bijector.inverse(tf.identity(y), condition=labels), z, 1e-9)
    other = flow.bijector.inverse(tf.identity(y), condition=(labels + 1) % 3)
    assert np.min(np.abs(other - z).max((1, 2, 3))) > 1e-3


@pytest.mark.parametrize('temperature', [.5, [.5]])
def test_temperature_of_a_logistic_base(temperature, assert_close):
    flow = build((2, 2, 1), hidden=[6])
    cold = tfp_glow.with_temperature(flow, temperature)
    z = .5 * flow.distribution.sample(5, seed=SEED)
    x = cold.sample(5, seed=SEED)
    assert_close(x, flow.bijector.forward(z), 1e-10)
    density = (-2 * z - 2 * tf.math.softplus(-2 * z) + math.log(2)).numpy().sum((1, 2, 3))
    log_det = flow.bijector.inverse_log_det_jacobian(tf.identity(x), 3)
    assert_close(cold.log_prob(tf.identity(x)), density + log_det, 1e-9)
    frozen = tfp_glow.with_temperature(flow, 0.).sample(2, seed=SEED)
    assert_close(frozen[0], flow.bijector.forward(tf.zeros([2, 2, 1], tf.float64)), 1e-12)


def test_temperature_needs_a_known_base():
    base = tfd.Independent(tfd.Cauchy([0.] * 3, 1.), 1)
    flow = tfp_glow.flows.transformed(base, tfp_glow.bijectors.ShiftScale(tf.zeros([3])))
    with pytest.raises(TypeError, match='must be Normal or Logistic.*Cauchy'):
        tfp_glow.with_temperature(flow, .5)


@pytest.mark.parametrize('arguments, message', [
    ({'event_shape': (1,)}, r'event_shape must be a known .* at least 2 entries; got \(1,\)'),
    ({'event_shape': (4, 4)}, r'event_shape must be .*; got \(4, 4\)'),
    ({'event_shape': (None, 4, 1)}, 'event_shape must be a known'),
    ({'couplings': 0}, 'couplings, scaling_rate and components must be positive; got coupl.*=0'),
    ({'scaling_rate': 0.}, 'got couplings=4, scaling_rate=0.0'),
    ({'components': 0}, 'components=0'),
    ({'mixture': 'pixels'}, "mixture must be one of none, data, prior; got 'pixels'"),
    ({'hidden': [[3], [3]]}, r'one per coupling, 4; got hidden=\[\[3\], \[3\]\]'),
    ({'hidden': [3, [3], 3, 3]}, 'hidden must be the numbers of one network or a list'),
    ({'hidden': [0]}, 'outputs and hidden must be positive'),
    ({'prior': 'cauchy'}, "prior must be one of normal, logistic; got 'cauchy'"),
    ({'data_range': (1., 1.)}, r'data_range must ascend; got \(1.0, 1.0\)')])
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        tfp_glow.flows.nice(**{'event_shape': (2, 2, 1), **arguments})


def test_mlp_equals_numpy_and_is_serialisable(assert_close):
    network = networks.mlp(3, 2, [4, 5], activation='tanh', classes=2, dtype='float64', seed=3)
    x, labels = RNG.standard_normal([6, 3]), tf.constant([0, 1, 1, 0, 1, 0])
    assert not np.any(network(x, condition=labels))  # The last layer starts at zero.
    for weight in network.weights:
        weight.assign(RNG.standard_normal(weight.shape))
    value = {w.path.split('/', 1)[1]: w.numpy() for w in network.weights}
    hidden = x
    for k in range(2):
        hidden = np.tanh(hidden @ value[f'dense_{k}/kernel'] + value[f'dense_{k}/bias']
                         + value[f'condition_{k}/kernel'][labels])
    expected = hidden @ value['dense_2/kernel'] + value['dense_2/bias']
    assert_close(network(x, condition=labels), expected, 1e-12)
    copy = networks.MLPNetwork.from_config(keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(network.get_config())))
    copy.build((None, 3))
    copy.set_weights(network.get_weights())
    assert_close(copy(x, condition=labels), expected, 1e-12)
    with pytest.raises(ValueError, match='condition must be given'):
        network(x)


def test_mlp_starts_by_its_seed():
    first, same, other = (networks.mlp(3, 2, [4], zero_last=False, seed=s) for s in (1, 1, 2))
    x = RNG.standard_normal([6, 3])
    np.testing.assert_array_equal(first(x), same(x))
    assert np.all(np.abs(first(x) - other(x)) > 0)


@pytest.mark.parametrize('arguments, message', [
    ((0, 2), 'inputs must be positive; got inputs=0'),
    ((3, 0), r'outputs and hidden must be positive; got outputs=0, hidden=\(64, 64\)'),
    ((3, 2, [4, 0]), r'got outputs=2, hidden=\(4, 0\)'),
    ((3, 2, []), 'hidden must hold at least one number for a condition')])
def test_bad_sizes_of_an_mlp(arguments, message):
    with pytest.raises(ValueError, match=message):
        networks.mlp(*arguments, classes=2)


@pytest.mark.parametrize('name', zoo_nice.RECIPES)
def test_recipes_train(name):
    """The recipe's network, made narrow, trains; on images it takes one step by Keras."""
    config, training = zoo_nice.RECIPES[name].config, zoo_nice.RECIPES[name].training
    assert training.batch_size and zoo_nice.SPEC.divisor(config) == 1
    config = dataclasses.replace(config, width=3)
    if name == 'vectors':
        flow = zoo_nice.build(config, (2,), seed=0)
        with tf.GradientTape() as tape:
            loss = -tf.reduce_mean(flow.log_prob(RNG.standard_normal([8, 2])))
        gradients = tape.gradient(loss, flow.trainable_variables)
        assert all(g is not None and np.all(np.isfinite(g)) for g in gradients)
        return
    flow = zoo_nice.build(config, (2, 2, 1), seed=0)
    sizes_ = [v.shape[1] for v in flow.variables if v.name.endswith('kernel:0')]
    wanted = {'paper': 20, 'paper_svhn': 12, 'paper_cifar10': 14, 'fashion_mnist': 12, 'small': 12}
    assert sizes_.count(3) == wanted.get(name, 8)
    if name == 'digits':
        model = tfp_glow.FlowModel(flow, bins=17)
        model.compile(keras.optimizers.Adam(training.learning_rate), run_eagerly=True)
        before = flow.trainable_variables[-1].numpy()
        model.fit(RNG.integers(0, 17, [8, 2, 2, 1]), batch_size=8, verbose=0)
        assert np.all(flow.trainable_variables[-1].numpy() != before)


@pytest.mark.parametrize('depths', ['1,2', '2,x', '', '0'])
def test_depths_of_the_recipe(depths):
    with pytest.raises(errors.UsageError, match=f"--depths must be .* got '{depths}'"):
        zoo_nice.build(zoo_nice.Config(couplings=3, width=2, depths=depths), (4,), seed=0)


def test_sizes():
    assert sizes('512, 64') == (512, 64)
