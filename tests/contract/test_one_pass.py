"""Traced flows hold each network once, and their graphs do not grow with their depth."""

import pytest
import tensorflow as tf
from tensorflow_probability import bijectors as tfb
from tensorflow_probability import distributions as tfd
from traced_graphs import operations

import tfp_glow
from tfp_glow import bijectors as tgb


def convolutions(function, *shapes, dtype=tf.float32):
    return operations(function, *(tf.TensorSpec(s, dtype) for s in shapes))['Conv2D']


def network_convolutions(input_shape, outputs):
    network = tfp_glow.networks.conv_network(input_shape, outputs, width=4)
    return convolutions(network, [None, *input_shape])


def flow_of(times=2, **options):
    return tfp_glow.flows.glow((8, 8, 1), levels=2, steps_per_level=times, width=4, **options)


@pytest.fixture(scope='module')
def expected():
    """Counts the convolutions of `flow_of()`: each level has one network and one folded 1x1."""
    prior = tfp_glow.networks.ScaledConv2D(4, 3, 'zeros', rate=3., edge_indicator=True)
    networks = network_convolutions((4, 4, 2), 4) + network_convolutions((2, 2, 4), 8)
    return {'networks': networks, 'exits': convolutions(prior, [None, 4, 4, 2]), 'mixings': 2}


def training_step(flow):
    def step(images):
        with tf.GradientTape() as tape:
            loss = -tf.reduce_mean(flow.log_prob(images))
        return tape.gradient(loss, flow.trainable_variables)
    return step


def test_log_prob_and_sample(expected):
    flow = flow_of()
    once = sum(expected.values())
    assert convolutions(flow.log_prob, [None, 8, 8, 1]) == once
    assert convolutions(flow.sample, [], dtype=tf.int32) == once
    assert convolutions(flow.experimental_sample_and_log_prob, [], dtype=tf.int32) == once


@pytest.mark.parametrize('reversible', [True, False])
def test_training_step(expected, reversible):
    """Constant memory runs networks once and mixings twice more; backprop runs none again."""
    step = training_step(flow_of(reversible=reversible))
    counted = convolutions(step, [4, 8, 8, 1])
    if reversible:
        assert counted == 2 * expected['networks'] + expected['exits'] + 3 * expected['mixings']
    else:
        assert counted == sum(expected.values())


@pytest.mark.parametrize('chain', [tgb.Chain, tfb.Chain])
def test_unrolled_chain(chain):
    networks = [tfp_glow.networks.conv_network((4, 4, 1), 2, width=4) for _ in range(3)]
    flow = tfd.TransformedDistribution(
        tfd.Independent(tfd.Normal(tf.zeros([4, 4, 2]), 1.), 3),
        chain([tgb.Coupling(network) for network in networks]))
    once = 3 * network_convolutions((4, 4, 1), 2)
    assert convolutions(flow.log_prob, [None, 4, 4, 2]) == once
    assert convolutions(flow.sample, [], dtype=tf.int32) == once
    assert convolutions(training_step(flow), [4, 4, 4, 2]) == once


def test_additive_network_runs_once_under_an_eager_tape():
    calls = []
    kernel = tf.Variable([[1.]])
    coupling = tgb.Coupling(lambda kept: calls.append(1) or kept @ kernel, tgb.Additive())
    y = tf.ones([1, 2, 2, 2])
    with tf.GradientTape() as tape:
        loss = (tf.reduce_sum(coupling.inverse(y))
                + tf.reduce_sum(coupling.inverse_log_det_jacobian(y)))
    assert len(calls) == 1
    assert tape.gradient(loss, kernel).numpy() == 4


def test_graph_does_not_grow_with_the_steps():
    few, many = (operations(training_step(flow_of(times)), tf.TensorSpec([4, 8, 8, 1]))
                 for times in (2, 8))
    changed = {op for op in few | many if few[op] != many[op]}
    assert changed <= {'Const', 'Fill'}  # Zeros become a Fill at 1000 elements.
    assert abs(many.total() - few.total()) < 10


def test_constant_memory_keeps_nothing_of_the_loop():
    """Ordinary backprop pushes each step's activations to lists; the reversible pass does not."""
    kept = [operations(training_step(small_flow(reversible)), tf.TensorSpec([2, 2, 2, 4]))
            for reversible in (True, False)]
    assert kept[0]['TensorListPushBack'] == 0 < kept[1]['TensorListPushBack']


def small_flow(reversible):
    params = {'shift': tf.Variable(tf.ones([3, 4])), 'log_scale': tf.Variable(tf.zeros([3, 4]))}
    coupling = tgb.Coupling(tf.sin, tgb.Additive())
    repeat = tgb.Repeat(lambda p: tgb.Chain([tgb.ActNorm(**p), coupling]), params, 3, reversible)
    return tfd.TransformedDistribution(
        tfd.Independent(tfd.Normal(tf.zeros([2, 2, 4]), 1.), 3), repeat)
