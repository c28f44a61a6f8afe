"""Tests flows as distributions: densities, samples, latents, initialisation, checkpoints."""

import math

import catalogue
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_probability import distributions as tfd

import tfp_glow
from tfp_glow import bijectors as tgb


def normal_log_prob(z, loc=0., log_scale=0.):
    terms = -.5 * ((z - loc) / np.exp(log_scale))**2 - log_scale - .5 * math.log(2 * math.pi)
    return terms.sum((1, 2, 3))


def named(flow, name):
    return next(v.numpy() for v in flow.variables if v.name.startswith(name))


def test_latents(flow, data):
    assert flow.event_shape == (8, 8, 1) and flow.batch_shape == () and flow.dtype == tf.float32
    assert [z.shape for z in flow.bijector.inverse(data)] == [(32, 4, 4, 2), (32, 2, 2, 8)]
    assert [tuple(s) for s in flow.distribution.event_shape] == [(4, 4, 2), (2, 2, 8)]


def test_log_prob_is_change_of_variables(flow, data, assert_close):
    z0, z1 = (z.numpy() for z in flow.bijector.inverse(data))
    top = named(flow, 'glow/top_prior/loc'), named(flow, 'glow/top_prior/log_scale')
    assert all(np.all(t != 0) for t in top)
    expected = (normal_log_prob(z0) + normal_log_prob(z1, *top)
                + flow.bijector.inverse_log_det_jacobian(data, 3).numpy())
    assert_close(flow.log_prob(data), expected)


def test_density_integrates_to_one():
    """Importance sampling over 2x2x1 images uses a wider Normal as its proposal."""
    flow = catalogue.perturb(catalogue.glow((2, 2, 1), levels=1), seed=3, scale=.2)
    center = np.mean(flow.sample(2000, seed=1), 0)
    spread = 1.5 * np.std(flow.sample(2000, seed=1), 0)
    y = center + spread * np.random.default_rng(0).standard_normal([40_000, 2, 2, 1])
    weights = np.exp(flow.log_prob(y) - normal_log_prob(y, center, np.log(spread)))
    error = weights.std() / math.sqrt(len(weights))
    assert error < .02
    assert abs(weights.mean() - 1) < 4 * error


def test_leading_dimensions(flow, data, assert_close):
    assert_close(flow.log_prob(tf.reshape(data, [4, 8, 8, 8, 1])),
                 tf.reshape(flow.log_prob(data), [4, 8]))
    assert flow.log_prob(data[0]).shape == ()


def test_images_of_other_channels_are_refused(flow):
    with pytest.raises(ValueError, match=r'y must have the event shape .*\(8, 8, 2\)'):
        flow.log_prob(tf.zeros([1, 8, 8, 2]))


def test_sample_shapes(flow):
    assert flow.sample(seed=1).shape == (8, 8, 1)
    assert flow.sample([2, 3], seed=1).shape == (2, 3, 8, 8, 1)
    dynamic = tf.function(lambda n: flow.sample(n, seed=1), [tf.TensorSpec([], tf.int32)])
    assert dynamic(5).shape == (5, 8, 8, 1) and dynamic(2).shape == (2, 8, 8, 1)


def test_samples_follow_the_density(flow, assert_close):
    """Latents of samples have mean 0 and variance 1, up to the scale of the top prior."""
    seed = tf.constant([1, 2])
    x = flow.sample(500, seed=seed)
    assert_close(flow.sample(500, seed=seed), x)
    z0, z1 = (z.numpy() for z in flow.bijector.inverse(tf.identity(x)))
    z1 = (z1 - named(flow, 'glow/top_prior/loc')) / np.exp(named(flow, 'glow/top_prior/log_scale'))
    for z in (z0, z1):
        assert abs(z.mean()) < 5 / math.sqrt(z.size)
        assert abs(z.var() - 1) < 5 * math.sqrt(2 / z.size)
    value, log_prob = flow.experimental_sample_and_log_prob(3, seed=seed)
    assert_close(log_prob, flow.log_prob(tf.identity(value)), 1e-4)


def test_untrained_flow_is_finite():
    flow = tfp_glow.flows.glow((8, 8, 3), levels=3, steps_per_level=4, width=4)
    assert np.all(np.isfinite(flow.sample(4, seed=1)))
    assert np.all(np.isfinite(flow.log_prob(tf.zeros([1, 8, 8, 3]))))


def test_traced_and_compiled(make_flow, data, assert_close):
    flow = make_flow(steps_per_level=1)
    expected = flow.log_prob(data[:4])
    signature = [tf.TensorSpec([None, 8, 8, 1])]
    assert_close(tf.function(flow.log_prob, signature)(data[:4]), expected)
    compiled = tf.function(flow.log_prob, signature, jit_compile=True)
    assert_close(compiled(data[:4]), expected, 1e-4)
    latents = flow.distribution.sample(2, seed=1)
    forward = tf.function(flow.bijector.forward, jit_compile=True)
    assert_close(forward(latents), flow.bijector.forward(latents), 1e-4)
    sample = tf.function(lambda: flow.sample(2, seed=tf.constant([1, 2])), jit_compile=True)
    assert np.all(np.isfinite(sample()))  # XLA draws other numbers for the same seed.


def test_checkpoint(make_flow, data, tmp_path, assert_close):
    flow, other = make_flow(1), make_flow(2)
    expected = flow.log_prob(data)
    assert not np.allclose(other.log_prob(data), expected)
    path = tf.train.Checkpoint(flow=flow).write(str(tmp_path / 'checkpoint'))
    tf.train.Checkpoint(flow=other).read(path).assert_consumed()
    assert_close(other.log_prob(data), expected)
    for a, b in zip(flow.variables, other.variables, strict=True):
        assert a.name == b.name
        assert_close(tf.cast(b, tf.float32), tf.cast(a, tf.float32))


def test_seed_draws_the_weights(make_flow, assert_close):
    a, b = (make_flow(4).bijector.trainable_variables for _ in range(2))
    assert_close(list(a), list(b))
    names = [v.name for v in make_flow().variables]
    assert len(set(names)) == len(names)


def test_temperature(flow, assert_close):
    seed = tf.constant([3, 4])
    half, same, mode, mixed = (tfp_glow.with_temperature(flow, t)
                               for t in (.5, 1., 0, [0., 1.]))
    assert {id(v) for v in half.variables} == {id(v) for v in flow.variables}
    full = flow.distribution.sample(3, seed=seed)
    loc = [0., named(flow, 'glow/top_prior/loc')]
    expected = [m + .5 * (z - m) for z, m in zip(full, loc, strict=True)]
    assert_close(half.distribution.sample(3, seed=seed), expected)
    assert_close(half.sample(3, seed=seed), flow.bijector.forward(expected), 1e-4)
    assert_close(same.sample(3, seed=seed), flow.sample(3, seed=seed))
    center = flow.bijector.forward([tf.zeros([1, 4, 4, 2]), tf.zeros([1, 2, 2, 8]) + loc[1]])
    assert_close(mode.sample(3, seed=seed), tf.repeat(center, 3, 0))
    assert_close(mixed.distribution.sample(3, seed=seed), [0. * full[0], full[1]])


def test_temperature_may_be_an_array_or_traced(flow, assert_close):
    seed = tf.constant([3, 4])
    expected = tfp_glow.with_temperature(flow, [.5, .25]).distribution.sample(seed=seed)
    vector = tfp_glow.with_temperature(flow, np.array([.5, .25]))
    assert_close(vector.distribution.sample(seed=seed), expected)
    for shape in ([2], []):
        traced = tf.function(lambda t: tfp_glow.with_temperature(flow, t).distribution.sample(
            seed=seed), [tf.TensorSpec(shape)])
        temperature = [.5, .25] if shape else .5
        expected = tfp_glow.with_temperature(flow, temperature).distribution.sample(seed=seed)
        assert_close(traced(tf.constant(temperature)), expected)


def test_temperature_of_other_bases():
    def flow(base):
        return tfd.TransformedDistribution(tfd.Independent(base, 3), tgb.Squeeze(2))
    zeros = tf.zeros([1, 1, 4])
    frozen = tfp_glow.with_temperature(flow(tfd.Normal(zeros, 1.)), 0.)
    assert frozen.sample(2).shape == (2, 2, 2, 1) and not np.any(frozen.sample(2))
    with pytest.raises(TypeError, match=r'must be Normal.*Laplace'):
        tfp_glow.with_temperature(flow(tfd.Laplace(zeros, 1.)), .5)


@pytest.mark.parametrize('temperature, message', [
    (-.1, 'temperature must be at least 0; got temperature=-0.1'),
    (float('nan'), 'got temperature=nan'), ([.5, -1.], 'got temperature=-1.0'),
    ([.5], 'one value or one per level, 2; got 1'),
    (np.ones(3), 'one value or one per level, 2; got 3')])
def test_bad_temperatures_are_named(flow, temperature, message):
    with pytest.raises(ValueError, match=message):
        tfp_glow.with_temperature(flow, temperature)


@pytest.mark.parametrize('options', [
    {'exit_prior': False, 'top_prior': 'standard'}, {'top_prior': 'position', 'width': [3, 5]},
    {'network_options': {'position_bias': True, 'act_norm': False}},
    {'scale_map': tgb.scale_maps.exponential(1.), 'permutation': 'reverse'}],
    ids=lambda o: next(iter(o)))
def test_options(options, data, assert_close):
    flow = catalogue.perturb(tfp_glow.flows.glow((8, 8, 1), **dict(
        {'levels': 2, 'steps_per_level': 1, 'width': 4}, **options)), scale=.1)
    z = flow.bijector.inverse(data)
    assert_close(flow.bijector.forward([tf.identity(part) for part in z]), data, 1e-4)
    assert len(flow.trainable_variables) > 8


def test_mixed_precision_networks(make_flow, data, assert_close):
    mixed = make_flow(network_dtype='mixed_bfloat16')
    full = make_flow()
    for a, b in zip(mixed.variables, full.variables, strict=True):
        a.assign(b)
    assert mixed.log_prob(data).dtype == tf.float32
    assert {v.dtype for v in mixed.trainable_variables} == {tf.float32}
    assert_close(mixed.log_prob(data), full.log_prob(data), .05)
    z = mixed.bijector.inverse(data)
    assert_close(mixed.bijector.forward([tf.identity(part) for part in z]), data, 1e-3)


@pytest.mark.parametrize('shape, options, message', [
    ((8, 8), {}, r'event_shape must be .*; got \(8, 8\)'),
    ((None, 8, 1), {}, r'event_shape must be .*; got \(None, 8, 1\)'),
    ((8, 6, 1), {'levels': 2}, r'width must be divisible by 2\*\*levels = 4; got width=6'),
    ((6, 8, 1), {'levels': 2}, 'height must be .* got height=6, levels=2'),
    ((8, 8, 1), {'levels': 0}, 'levels must be positive; got levels=0'),
    ((8, 8, 1), {'steps_per_level': 0}, 'steps_per_level must be positive; got steps_per_level=0'),
    ((8, 8, 1), {'width': [3]}, r'width must be one number or one per level, 3; got width=\[3\]'),
    ((8, 8, 1), {'width': 0}, 'width must be positive|width=0'),
    ((8, 8, 1), {'coupling': 'cubic'}, "coupling must be one of affine, additive; got 'cubic'"),
    ((8, 8, 1), {'permutation': 'lu'}, "permutation must be one of conv, .*; got 'lu'"),
    ((8, 8, 1), {'top_prior': 'none'}, "top_prior must be one of channel, .*; got 'none'")])
def test_bad_arguments_are_named(shape, options, message):
    with pytest.raises(ValueError, match=message):
        tfp_glow.flows.glow(shape, **options)
