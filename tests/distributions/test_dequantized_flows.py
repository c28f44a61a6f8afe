"""Tests a conditional Glow over integers whose noise is another Glow."""

import catalogue
import keras
import numpy as np
import pytest
import tensorflow as tf

import tfp_glow
from tfp_glow.distributions import Dequantized, VariationalNoise

IMAGES = tf.constant(np.random.default_rng(1).integers(0, 17, [3, 4, 4, 1]), tf.uint8)
LABELS = tf.constant([0, 2, 1])
SEED = tf.constant([1, 2])


def dequantized_glow(seed=0):
    options = {'levels': 1, 'steps_per_level': 2, 'width': 4, 'dtype': tf.float64, 'seed': seed}
    flow = tfp_glow.flows.glow((4, 4, 1), classes=3, **options)
    noise = tfp_glow.flows.glow((4, 4, 1), condition_channels=3, name='noise', **options)
    features = keras.Sequential([
        keras.Input([4, 4, 1], dtype='float64'),
        keras.layers.Conv2D(3, 2, 2, activation='tanh', dtype='float64')])
    return catalogue.perturb(Dequantized(flow, 17, VariationalNoise(noise, features)), seed)


@pytest.fixture(scope='module')
def model():
    return dequantized_glow()


def test_lists_the_variables_of_both(model):
    parts = [model.flow, model.noise.flow]
    listed = {id(v) for v in model.trainable_variables}
    assert len(listed) == sum(len(p.trainable_variables) for p in parts) + 2  # The features have 2.
    assert all(id(v) in listed for part in parts for v in part.trainable_variables)


@pytest.mark.slow
def test_gradients_reach_all_variables(model, assert_close):
    """They equal finite differences in a random direction with the same noise."""
    variables = model.trainable_variables
    rng = np.random.default_rng(2)
    directions = [rng.standard_normal(v.shape) for v in variables]

    def bound():
        return tf.reduce_sum(model.log_prob_lower_bound(IMAGES, SEED, 2, condition=LABELS))

    def gradients():
        with tf.GradientTape() as tape:
            value = bound()
        return value, tape.gradient(value, variables)

    def moved(step):
        for v, d in zip(variables, directions):
            v.assign_add(step * d)
        value = bound().numpy()
        for v, d in zip(variables, directions):
            v.assign_sub(step * d)
        return value
    value, derivatives = gradients()
    assert all(g is not None and np.any(g) for g in derivatives)
    assert_close(tf.function(gradients)(), (value, derivatives), 1e-8)
    slope = sum(np.sum(g * d) for g, d in zip(derivatives, directions))
    assert_close(slope, (moved(1e-6) - moved(-1e-6)) / 2e-6, 1e-5)


@pytest.mark.parametrize('samples', [1, 3])
def test_traced_over_any_batch(model, samples, assert_close):
    traced = tf.function(
        lambda x, c, seed: model.log_prob_lower_bound(x, seed, samples, condition=c),
        [tf.TensorSpec([None, 4, 4, 1], tf.uint8), tf.TensorSpec([None], tf.int32),
         tf.TensorSpec([2], tf.int32)])
    expected = model.log_prob_lower_bound(IMAGES, SEED, samples, condition=LABELS)
    assert_close(traced(IMAGES, LABELS, SEED), expected, 1e-10)
    assert traced(IMAGES[:2], LABELS[:2], SEED).shape == [2]


def test_the_graph_does_not_grow_with_the_samples(model):
    def size(samples):
        graph = tf.function(lambda x: model.log_prob_lower_bound(
            x, SEED, samples, condition=LABELS)).get_concrete_function(IMAGES).graph.as_graph_def()
        return len(graph.node) + sum(len(f.node_def) for f in graph.library.function)
    assert size(2) == size(1000)


@pytest.mark.slow  # test_dequantized compiles a small one.
def test_compiled(model):
    """XLA draws other numbers for the same seed, so only their spread is known."""
    @tf.function(jit_compile=True)
    def gradients(x):
        with tf.GradientTape() as tape:
            bound = model.log_prob(x, seed=SEED, condition=LABELS)
        return bound, tape.gradient(bound, model.trainable_variables)
    several = tf.function(lambda x: model.log_prob_lower_bound(
        x, SEED, 3, condition=LABELS), jit_compile=True)
    bound, derivatives = gradients(IMAGES)
    drawn = model.log_prob(tf.stack(20 * [IMAGES]), seed=[0, 0], condition=LABELS)
    for compiled in (bound, several(IMAGES)):
        assert np.all(np.abs(compiled - np.mean(drawn, 0)) < 8 * np.std(drawn, 0))
    # The three draws include the one.
    assert np.all(several(IMAGES) > bound - np.log(3) - 1e-6)
    assert all(np.all(np.isfinite(g)) and np.any(g) for g in derivatives)


def test_leading_dimensions_and_seeds(model, assert_close):
    many = tf.stack([IMAGES, IMAGES, IMAGES[::-1]])
    bound = model.log_prob(many, seed=SEED, condition=LABELS)
    assert bound.shape == [3, 3] and len(np.unique(bound)) == 9  # Each has its own noise.
    assert model.log_prob(IMAGES[0], seed=SEED, condition=LABELS[0]).shape == ()
    assert_close(model.log_prob(many, seed=SEED, condition=LABELS), bound, 1e-12)
    other = model.log_prob(many, seed=[7, 8], condition=LABELS)
    assert np.all(np.abs(other - bound) > 1e-9)
    other = model.log_prob(many, seed=SEED, condition=LABELS[::-1])  # The middle one stays.
    np.testing.assert_array_equal(np.abs(other - bound) > 1e-9, 3 * [[True, False, True]])


def test_checkpoint(model, tmp_path, assert_close):
    other = dequantized_glow(5)
    path = tf.train.Checkpoint(model=model).write(str(tmp_path / 'checkpoint'))
    tf.train.Checkpoint(model=other).read(path).assert_consumed()
    assert_close(other.log_prob(IMAGES, seed=SEED, condition=LABELS),
                 model.log_prob(IMAGES, seed=SEED, condition=LABELS), 1e-10)


def test_samples(model):
    x = model.sample([2, 3], seed=SEED, condition=LABELS)
    assert x.dtype == tf.int32 and x.shape == [2, 3, 4, 4, 1]
    y = model.flow.sample([2, 3], seed=SEED, condition=LABELS).numpy()
    assert y.min() < -.5 and y.max() > .5  # Clipping matters here.
    np.testing.assert_array_equal(x, np.clip(np.floor((y + .5) * 17), 0, 16))
    value, bound = model.experimental_sample_and_log_prob(3, seed=SEED, condition=LABELS)
    assert value.shape == [3, 4, 4, 1] and bound.shape == [3]
    dynamic = tf.function(lambda n: model.sample(n, seed=SEED, condition=LABELS[:1]),
                          [tf.TensorSpec([], tf.int32)])
    assert dynamic(2).shape == [2, 4, 4, 1]


def test_copy_with_another_temperature(model):
    frozen = model.copy(flow=tfp_glow.with_temperature(model.flow, 0.))
    x = frozen.sample(3, seed=SEED, condition=LABELS[:1])
    np.testing.assert_array_equal(x[0], x[1])
    assert frozen.noise is model.noise and frozen.bins == 17
    assert {id(v) for v in frozen.variables} == {id(v) for v in model.variables}
