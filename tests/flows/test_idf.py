"""Tests IDF: networks against NumPy, training on integers, bundles, recipes, programs."""

import dataclasses
import json
import math

import catalogue
import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny_run

import tfp_glow
from tfp_glow import networks, serving
from tfp_glow.distributions import VariationalNoise
from tfp_glow.internal import keras_bridge
from tfp_glow.internal import variables as flow_variables
from zoo.cli import errors
from zoo.models import registry
from zoo.outliers import likelihoods

RNG = np.random.default_rng(23)
BINS = 17


def tiny(event_shape=(4, 4, 1), **options):
    options = dict({'levels': 1, 'steps_per_level': 1, 'width': 2, 'depth': 2, 'bins': BINS},
                   **options)
    return tfp_glow.flows.idf(event_shape, **options)


def images(*shape):
    return RNG.integers(0, BINS, shape).astype(np.uint8)


@pytest.fixture(scope='module')
def flow():
    return catalogue.perturb(tiny(levels=2))


def numpy_convolution(layer, x):
    kernel = layer.kernel.numpy()
    size, (_, height, width, _) = len(kernel), x.shape
    pad = size // 2
    x = np.pad(x, [(0, 0), (pad, pad), (pad, pad), (0, 0)])
    bias = layer.bias.numpy() + (layer.bias_map.numpy() if layer.position_bias else 0.)
    return bias + sum(x[:, i:i + height, j:j + width] @ kernel[i, j]
                      for i in range(size) for j in range(size))


def numpy_group_norm(layer, x):
    groups = x.reshape(*x.shape[:3], layer.groups, -1)
    mean, var = (f(groups, (1, 2, 4), keepdims=True) for f in (np.mean, np.var))
    x = ((groups - mean) / np.sqrt(var + layer.epsilon)).reshape(x.shape)
    return x * layer.gamma.numpy() + layer.beta.numpy()


@pytest.mark.parametrize('project', [None, 1])
@pytest.mark.parametrize('refined', [False, True])
def test_network_is_its_formula(refined, project, assert_close):
    options = {'activation': 'swish', 'normalise': True, 'rezero': True,
               'position_bias': True} if refined else {}
    network = networks.dense_network((4, 3, 2), 3, width=5, depth=2, dtype='float64',
                                     project=project, **options)
    x = RNG.standard_normal([2, 4, 3, 2])
    np.testing.assert_array_equal(network(x), np.zeros([2, 4, 3, 3]))  # It starts at zero.
    catalogue.perturb(keras_bridge.as_module(network), scale=.5)

    def act(h):
        return h / (1 + np.exp(-h)) if refined else np.maximum(h, 0)
    h = x if project is None else x @ network.project.kernel.numpy()[0, 0] + network.project.bias
    for block in network.blocks:
        new = h
        for layer, norm in zip((block.mix, block.conv), block.norms or (None, None), strict=True):
            new = numpy_convolution(layer, new)
            new = act(numpy_group_norm(norm, new) if refined else new)
        h = np.concatenate([h, new], -1)
    expected = numpy_convolution(network.last, h)
    if project is not None:
        expected += numpy_convolution(network.bypass, x)
    expected = expected * (network.gate.numpy() if refined else 1.)
    assert [block.conv.filters for block in network.blocks] == [2, 3]  # They have 5 in all.
    assert_close(network(x), expected, 1e-10)
    assert_close(keras_bridge.clone(network)(x), expected, 1e-10)


def test_training_takes_the_integers_as_they_are():
    flow = tiny()
    assert len(flow_variables.by_path(flow)) == len(flow.variables)
    model = tfp_glow.FlowModel(flow, bins=BINS, counted_dims=12)
    data = np.clip(RNG.normal(4., 1.5, [48, 4, 4, 1]).round(), 0, 16).astype(np.uint8)
    bits = model.bits(data, [1, 2])
    np.testing.assert_array_equal(bits, model.bits(data, [3, 4]))
    np.testing.assert_allclose(bits, -flow.log_prob(data) / (12 * math.log(2)), 1e-6)
    model.compile(keras.optimizers.Adam(.1))
    history = model.fit(data, batch_size=16, epochs=8, verbose=0).history
    assert history['bits_per_dim'][-1] < history['bits_per_dim'][0] - .5
    np.testing.assert_allclose(history['loss'][-1], history['bits_per_dim'][-1] * math.log(2)
                               * 12 / 16, 1e-5)  # The loss is in nats by all 16.
    # The entropy of these data, which are independent, is the lower bound.
    counts = np.bincount(data.ravel()) / data.size
    entropy = -np.sum(counts * np.log2(counts, where=counts > 0, out=np.zeros(len(counts))))
    assert entropy - .1 < history['bits_per_dim'][-1] * 12 / 16 < entropy + .3


def test_data_and_images_are_the_same_numbers(flow):
    objective = tfp_glow.FlowModel(flow, bins=BINS).objective
    x = images(3, 4, 4, 1)
    for data in (objective.to_data(x, [1, 2]), objective.to_middles(x)):
        assert data.dtype == tf.float32
        np.testing.assert_array_equal(data, x)
    assert objective.grey_level == 1
    levels = objective.to_images([-3., 2.4, 16., 40.])
    assert levels.dtype == tf.uint8 and levels.numpy().tolist() == [0, 2, 16, 16]


def test_refused_beside_a_discrete_flow(flow):
    noise = VariationalNoise(tfp_glow.flows.glow((4, 4, 1), 1, 1, width=2, condition_channels=1))
    for options in ({'noise': noise}, {'bins': None}):
        with pytest.raises(ValueError, match='bins must be given and noise left out'):
            tfp_glow.FlowModel(flow, **{'bins': BINS, **options})


def test_bundle(tmp_path):
    """The bundle gives the results of the flow for images padded to the flow's size."""
    flow, x = catalogue.perturb(tiny()), images(3, 4, 3, 1)
    path = serving.export(flow, tmp_path, BINS, (4, 3, 1), x)
    about = json.loads((path / 'bundle.json').read_text())
    assert about['signatures'] == ['sample', 'log_prob', 'bits_per_dim', 'encode', 'decode']
    assert about['round_trip_errors'] == 0
    loaded = tf.saved_model.load(path)
    padded = np.pad(x, [(0, 0), (0, 0), (0, 1), (0, 0)], 'edge')
    expected = flow.log_prob(padded)
    np.testing.assert_allclose(loaded.log_prob(x), expected, 1e-5)
    np.testing.assert_allclose(loaded.bits_per_dim(x), -expected / (12 * math.log(2)), 1e-5)
    latents = loaded.encode(x)
    for z, own in zip(latents, flow.decompose(padded), strict=True):
        np.testing.assert_array_equal(z, own)
    np.testing.assert_array_equal(loaded.decode(latents), x)
    drawn = loaded.sample(5, .5, 3)
    own = tfp_glow.with_temperature(flow, .5).sample(5, seed=[3, 0])[:, :, :3]
    np.testing.assert_array_equal(drawn, np.clip(own, 0, 16))
    with pytest.raises(tf.errors.InvalidArgumentError, match='encode: images must have grey lev'):
        loaded.encode(x + 17)
    with pytest.raises(tf.errors.InvalidArgumentError, match='temperature must be finite'):
        loaded.sample(1, -1., 0)


def test_bits_of_each_pixel_sum_to_those_of_the_image(flow):
    model, x = tfp_glow.FlowModel(flow, bins=BINS), images(3, 4, 4, 1)
    bits = likelihoods.bits_per_pixel(model, x, [1, 2])
    assert bits.shape == (3, 4, 4)
    np.testing.assert_allclose(tf.reduce_sum(bits, [1, 2]), 16 * model.bits(x, [1, 2]), 1e-5)
    corner = tf.reduce_sum(flow.prior(1).log_prob(flow.decompose(x)[1]), -1)[:, 0, 0]
    stays = flow.merge(1, flow.decompose(x)[1])
    fine = tf.reduce_sum(flow.prior(0, stays).log_prob(flow.decompose(x)[0]), -1)[:, 0, 0]
    np.testing.assert_allclose(bits[:, 0, 0], -(corner / 16 + fine / 4) / math.log(2), 1e-5)


@pytest.mark.parametrize('name', registry.spec('idf').recipes)
def test_recipes_build_and_take_a_step(name):
    """Only the number of levels and the size of the networks differ from the recipes."""
    model = registry.spec('idf')
    config = registry.recipe('idf', name, 'none').config
    config = dataclasses.replace(config, width=1, depth=1, steps_per_level=1, levels=1,
                                 factor_outs=config.factor_outs.split(',')[-1],
                                 leaving=config.leaving.split(',')[-1])
    channels = 3 if config.colour else 1
    flow = model.build(config, (2, 2, channels), seed=0, bins=256)
    x, variables = RNG.integers(0, 256, [4, 2, 2, channels]), flow.trainable_variables
    with tf.GradientTape() as tape:
        loss = -tf.reduce_mean(flow.log_prob(x))
    for v, g in zip(variables, tape.gradient(loss, variables), strict=True):
        assert np.all(np.isfinite(g))
        v.assign_sub(1e-3 * g)
    assert -tf.reduce_mean(flow.log_prob(x)) < loss


@pytest.mark.parametrize('width, rule', [(-1, 'at least 0'), (3, '0 or at least --depth, 4')])
def test_a_coarse_width_that_is_none(width, rule):
    model = registry.spec('idf')
    with pytest.raises(errors.UsageError, match=f'--coarse_width must be {rule}; got {width}'):
        model.build(model.config(levels=1, width=8, depth=4, coarse_width=width), (2, 2, 1),
                    seed=0, bins=256)


@pytest.mark.slow
def test_programs(tmp_path, capsys):
    common = {'workdir': tmp_path / 'run', 'data_dir': tmp_path / 'data'}
    with tiny_run.program('train') as train:
        train(model='idf', dataset='digits', epochs=1, levels=1, steps_per_level=1, width=4,
              depth=1, batch_size=256, verbose=0, sample_images=4, **common)
    with tiny_run.program('evaluate') as evaluate:
        evaluate(**common)
    told = capsys.readouterr().out
    assert 'dims each; exact)' in told
    assert told.count('largest error 0.0e+00 of the pixel range') == 3
    with tiny_run.program('export') as export:
        export(verify=tmp_path / 'run' / 'saved_model')
    with tiny_run.program('sample') as sample:
        sample(saved_model=tmp_path / 'run' / 'saved_model', num=2, out=tmp_path / 'drawn.npy')
    assert np.load(tmp_path / 'drawn.npy').shape == (2, 8, 8, 1)


@pytest.mark.parametrize('options, channels', [
    ({'factor_outs': (2, 3)}, [(4, 2), (4, 1), (2, 2), (2, 1), (2, 1)]),
    ({'factor_outs': (3, 2), 'stay_share': .75}, [(4, 1), (4, 1), (4, 1), (2, 1), (2, 3)]),
    ({'factor_outs': 2, 'leaving': (1, 3)}, [(4, 1), (4, 1), (2, 3), (2, 5)])])
def test_channels_leave_a_level_several_times(options, channels, assert_close):
    """The likelihood is the sum of log-masses, level by level, and the image comes back."""
    flow = catalogue.perturb(tiny((8, 8, 1), levels=2, exit_components=2, **options), scale=.1)
    shapes = [(side, side, count) for side, count in channels]
    assert [tuple(shape) for shape in flow.latent_shapes] == shapes
    assert [tuple(shape.numpy()) for shape in flow.bijector.inverse_event_shape_tensor(
        [8, 8, 1])] == shapes
    assert flow.bijector.forward_event_shape(flow.latent_shapes) == (8, 8, 1)
    x = np.random.default_rng(5).integers(0, BINS, [3, 8, 8, 1])
    latents = flow.decompose(x)
    stays, total = None, 0.
    for level in reversed(range(flow.num_levels)):
        prior = flow.prior(level, stays, 3)
        total += np.log(prior.prob(latents[level]).numpy()).sum((1, 2, 3))
        stays = flow.merge(level, latents[level], stays)
    np.testing.assert_array_equal(stays, x)
    assert_close(flow.log_prob(x), total, 1e-5)
    paths = flow_variables.by_path(flow)
    assert len(paths) == len(flow.variables)


def test_one_factor_out_is_the_reference():
    plain, same = tiny((8, 8, 1), levels=2), tiny((8, 8, 1), levels=2, factor_outs=[1, 1])
    for a, b in zip(plain.variables, same.variables, strict=True):
        np.testing.assert_array_equal(a, b)
    with pytest.raises(ValueError, match='factor_outs must leave at least 2 channels.*level 0'):
        tiny((8, 8, 1), levels=2, factor_outs=3)
    with pytest.raises(ValueError, match='factor_outs must be one number or one per level, 2'):
        tiny((8, 8, 1), levels=2, factor_outs=(1, 2, 3))
    with pytest.raises(ValueError, match='factor_outs must be at least 1; got factor_outs=0'):
        tiny((8, 8, 1), levels=2, factor_outs=0)
    with pytest.raises(ValueError, match=r'stay_share must be in \(0, 1\); got stay_share=1'):
        tiny((8, 8, 1), levels=2, stay_share=1)


def test_relative_where_no_channel_of_the_colour_stays():
    flow = tiny((4, 4, 3), stay_share=.05, factor_outs=2, relative=True)
    assert flow.latent_shapes[0][-1] == 11
    assert np.all(np.isfinite(flow.log_prob(images(2, 4, 4, 3))))
