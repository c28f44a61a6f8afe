"""Tests the serial direction, which computes each hidden unit once, against whole runs."""

import math

import catalogue
import keras
import numpy as np
import pytest
import tensorflow as tf

from tfp_glow import bijectors as tgb
from tfp_glow import networks
from tfp_glow.internal import keras_bridge
from tfp_glow.networks.made import hidden_degrees, units_by_degree

RNG = np.random.default_rng(5)
LABELS = tf.constant([0, 1, 1])
VECTORS = tf.constant(RNG.standard_normal([3, 2]))
CASES = {
    'natural': {},
    'reversed_direct': {'order': 'reversed', 'direct': True},
    'random': {'order': 'random', 'degrees': 'random', 'hidden': (9, 5, 7), 'seed': 3},
    'random_direct_classes': {'order': 'random', 'degrees': 'random', 'hidden': (20,),
                              'direct': True, 'classes': 2, 'seed': 1},
    'vectors': {'hidden': (7, 30), 'condition_size': 2, 'order': 'reversed'},
    'one_unit': {'hidden': (1, 1), 'order': 'random'},
    'one_dimension': {'event_size': 1, 'classes': 2},
    'one_dimension_alone': {'event_size': 1}}


class Whole:
    """A network that offers nothing but whole runs."""

    def __init__(self, network):
        layer = getattr(network, 'layer', network)
        self.event_shape, self.order = layer.event_shape, layer.order
        self.takes_condition, self._network = layer.takes_condition, network

    def __call__(self, value, **condition):
        return self._network(value, **condition)


def made(event_size=5, outputs=2, dtype='float64', **options):
    return networks.made(event_size, outputs, **dict(
        {'hidden': (8, 6), 'activation': 'tanh', 'dtype': dtype}, **options))


def pair(network, inner=None, of=tgb.MaskedAutoregressive):
    """Returns the bijector by increments and the same one by whole runs."""
    return catalogue.perturb(of(network, inner), seed=2), of(Whole(network), inner)


def given(bijector):
    if not bijector.takes_condition:
        return {}
    vectors = bijector.network.layer.get_config()['condition_size'] is not None
    return {'condition': VECTORS if vectors else LABELS}


def no_run(self, inputs, condition=None):
    raise AssertionError('a whole run of the network')


def data(size=5):
    return tf.constant(RNG.standard_normal([3, size]))


def serial(bijector, value, **condition):
    """Returns the value and the log-det of the serial direction."""
    direction = 'inverse' if isinstance(bijector, tgb.InverseAutoregressive) else 'forward'
    value = tf.identity(value)
    log_det = getattr(bijector, f'{direction}_log_det_jacobian')(value, 1, **condition)
    return getattr(bijector, direction)(value, **condition), log_det


def gradients(bijector, value, variables, **condition):
    with tf.GradientTape() as tape:
        tape.watch([value, *variables])
        output, log_det = serial(bijector, value, **condition)
        loss = tf.reduce_sum(tf.sin(output)) + tf.reduce_sum(tf.cos(log_det))
    return [output, log_det, *map(tf.convert_to_tensor, tape.gradient(
        loss, [value, *variables], unconnected_gradients='zero'))]


@pytest.mark.parametrize('of', [tgb.MaskedAutoregressive, tgb.InverseAutoregressive])
@pytest.mark.parametrize('case', CASES)
def test_equals_whole_runs(case, of, assert_close, monkeypatch):
    network = made(**CASES[case])
    ours, whole = pair(network, of=of)
    value, condition = data(*network.event_shape), given(ours)
    expected = serial(whole, value, **condition)
    monkeypatch.setattr(networks.MaskedDenseNetwork, 'call', no_run)
    assert_close(serial(ours, value, **condition), expected, 1e-10)


@pytest.mark.parametrize('case, compiled', [
    ('random', None), ('random', True), ('random_direct_classes', False),
    ('random_direct_classes', True), ('vectors', False)])
def test_gradients_equal_those_of_whole_runs(case, compiled, assert_close):
    network = made(**CASES[case])
    ours, whole = pair(network)
    value, variables, condition = data(), ours.trainable_variables, given(ours)
    expected = gradients(whole, value, variables, **condition)

    def run(value):
        return gradients(ours, value, variables, **condition)
    if compiled is not None:
        run = tf.function(run, [tf.TensorSpec([3 if compiled else None, 5], tf.float64)],
                          jit_compile=compiled)
    for actual, wanted in zip(run(value), expected, strict=True):
        assert np.any(wanted)
        assert_close(actual, wanted, 1e-10)


def test_spline_as_the_inner_transform(assert_close):
    ours, whole = pair(made(outputs=8, order='random'), tgb.SplineInner(bins=3))
    value = data()
    assert_close(serial(ours, value), serial(whole, value), 1e-10)


def test_equals_whole_runs_after_training(assert_close):
    """The steps change the kernels under the mask as well, as weight decay does."""
    ours, whole = pair(made(order='random', direct=True))
    value = data()
    for _ in range(3):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(ours.inverse(tf.identity(value))))
        for variable, gradient in zip(
                ours.trainable_variables, tape.gradient(loss, ours.trainable_variables)):
            variable.assign_sub(.1 * gradient + .05)
    assert_close(serial(ours, value), serial(whole, value), 1e-10)
    assert_close(ours.inverse(tf.identity(serial(ours, value)[0])), value, 1e-9)


@pytest.mark.parametrize('of', [
    tgb.MaskedAutoregressive,
    pytest.param(tgb.InverseAutoregressive, marks=pytest.mark.slow)])
def test_in_repeat(of, assert_close, monkeypatch):
    """The weights are the slices of the step, and gradients reach them."""
    stacked = keras_bridge.StackedNetwork(
        made(order='random', direct=True, classes=2), times=2, seed=0)
    for k, weight in enumerate(stacked.weights):
        weight.assign(.3 * np.random.default_rng(k).standard_normal(weight.shape))
    ours, whole = (tgb.Repeat(lambda weights, wrap=wrap: of(wrap(stacked.bind(weights))),
                              stacked.weights, 2, reversible=False)
                   for wrap in (lambda network: network, Whole))
    direction = 'forward' if of is tgb.MaskedAutoregressive else 'inverse'
    value = data()

    def run(bijector):
        def both(value):
            with tf.GradientTape() as tape:
                tape.watch(value)
                output = getattr(bijector, direction)(value, condition=LABELS)
                log_det = getattr(bijector, f'{direction}_log_det_jacobian')(
                    value, 1, condition=LABELS)
                loss = tf.reduce_sum(tf.sin(output)) + tf.reduce_sum(tf.cos(log_det))
            sources = [value, *stacked.weights]
            return [output, log_det, *map(tf.convert_to_tensor, tape.gradient(loss, sources))]
        return tf.function(both)(value)
    expected = run(whole)
    monkeypatch.setattr(networks.MaskedDenseNetwork, 'call', no_run)
    for actual, wanted in zip(run(ours), expected, strict=True):
        assert np.any(wanted)
        assert_close(actual, wanted, 1e-10)


def test_every_unit_has_its_turn_once():
    degrees = hidden_degrees(30, 0, 6, np.random.default_rng(0))
    units, real = units_by_degree(degrees, 7)
    assert units[real].tolist() == list(range(30))
    assert [degrees[row[is_one]].tolist() for row, is_one in zip(units, real)] == [
        [degree] * np.count_nonzero(degrees == degree) for degree in range(7)]
    assert units.shape == real.shape == (7, np.bincount(degrees).max())


def test_work_of_one_run(monkeypatch):
    """The products of all D = 200 steps together cost little more than those of one run."""
    maf = tgb.MaskedAutoregressive(made(200, hidden=(100, 100)))
    shapes, matmul = [], keras.ops.matmul
    monkeypatch.setattr(keras.ops, 'matmul', lambda a, b: shapes.append(b.shape) or matmul(a, b))
    for call, limit in ((maf.inverse, 70_000), (maf.forward, 100_000)):
        shapes.clear()
        tf.function(call, [tf.TensorSpec([2, 200], tf.float64)]).get_concrete_function()
        times = 1 if call == maf.inverse else 200
        assert 0 < times * sum(map(math.prod, shapes)) <= limit


def test_eager_mode_traces_many_steps(assert_close):
    """At 64 dimensions or more, values and gradients equal those of the traced steps."""
    ours, _ = pair(made(64))
    value, variables, steps = data(64), ours.trainable_variables, []

    def inner(raw, wrapped=ours._inner):
        steps.append(tf.executing_eagerly())
        return wrapped(raw)
    ours._inner = inner
    actual = gradients(ours, value, variables)
    assert 0 < len(steps) < 20 and not any(steps)
    expected = tf.function(gradients, autograph=False)(ours, value, variables)
    for one, other in zip(actual, expected, strict=True):
        assert np.any(other)
        assert_close(one, other, 1e-8)


def test_half_precision_is_by_whole_runs():
    """Every run rounds, so the two directions agree only if both run the whole network."""
    network = made(dtype='mixed_bfloat16')
    assert network.incremental(3) is None
    maf = catalogue.perturb(tgb.MaskedAutoregressive(network), seed=1)
    x = tf.cast(data(), tf.float32)
    np.testing.assert_allclose(maf.inverse(tf.identity(maf.forward(x))), x, atol=1e-5)


def test_condition_is_checked():
    maf = tgb.MaskedAutoregressive(made(condition_size=3))
    with pytest.raises(ValueError, match=r'condition must be vectors \[B, 3\]; got shape=\(3, 2\)'):
        maf.forward(data(), condition=VECTORS)


def test_incremental_of_any_module(assert_close):
    """Any module with the method works; here the shift is the sum of the earlier dimensions."""
    class Sums(tf.Module):
        order, event_shape, outputs_per_dim = np.array([2, 0, 1]), (3,), 1

        def __call__(self, value):
            raise NotImplementedError

        def incremental(self, batch):
            def step(total, t, before):
                total = total + before
                return total, total[:, tf.newaxis]
            return tf.zeros([batch], tf.float64), step
    x = data(3)
    expected = np.empty([3, 3])
    for t, dimension in enumerate([2, 0, 1]):
        expected[:, dimension] = x.numpy()[:, dimension] - expected[:, [2, 0, 1][:t]].sum(1)
    maf = tgb.MaskedAutoregressive(Sums(), tgb.Additive())
    assert_close(serial(maf, x), (expected, np.zeros(3)), 1e-12)
