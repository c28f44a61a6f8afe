"""`Reversible` keeps no activations, and gives whole flows the gradients of backprop."""

import catalogue
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_probability import bijectors as tfb
from traced_graphs import operations

import tfp_glow
from tfp_glow import bijectors as tgb

RNG = np.random.default_rng(11)
NAMES = [name for name in catalogue.CATALOGUE
         if catalogue.template(name)[0].inverse_min_event_ndims == 3]


def gradients(bijector, direction, value, variables, traced=True):
    """Returns value, log-det, and gradients of a function of both by the input and variables."""
    def run(value):
        with tf.GradientTape() as tape:
            tape.watch(value)
            output = getattr(bijector, direction)(value)
            ndims = tf.nest.map_structure(lambda _: 3, value)
            log_det = getattr(bijector, f'{direction}_log_det_jacobian')(value, ndims)
            loss = tf.reduce_sum(tf.sin(log_det))
            for part in tf.nest.flatten(output):
                loss += tf.reduce_sum(tf.cos(part) * part)
        derivatives = tape.gradient(loss, [*tf.nest.flatten(value), *variables],
                              unconnected_gradients='zero')
        return [output, log_det, *map(tf.convert_to_tensor, derivatives)]
    return tf.function(run)(value) if traced else run(value)


@pytest.mark.parametrize('direction', ['inverse', 'forward'])
@pytest.mark.parametrize('name', NAMES)
def test_gradients(name, direction, assert_close):
    bijector, event_shape = catalogue.build(name)
    value = tf.constant(RNG.standard_normal([3, *event_shape]), bijector.dtype or catalogue.DTYPE)
    if direction == 'forward':
        value = tf.nest.map_structure(tf.identity, bijector.inverse(value))
    variables = bijector.trainable_variables
    expected = gradients(bijector, direction, value, variables, traced=False)
    actual = gradients(tgb.Reversible(bijector), direction, value, variables)
    for a, b in zip(tf.nest.flatten(actual), tf.nest.flatten(expected), strict=True):
        assert_close(a, b, 1e-8)


def test_nothing_is_kept():
    """The backward pass of a chain of unlike steps reads no activation of the forward pass."""
    steps = [tgb.ActNorm(tf.Variable(tf.zeros(4)), tf.Variable(tf.zeros(4))),
             tgb.Coupling(tfp_glow.networks.conv_network((2, 2, 2), 4, 4)), tfb.Shift(1.),
             tgb.Coupling(tf.sin, tgb.Additive())]
    counts = []
    for bijector in (tgb.Chain(steps), tgb.Reversible(tgb.Chain(steps))):
        def step(y, bijector=bijector):
            with tf.GradientTape() as tape:
                loss = sum(map(tf.reduce_sum, (
                    bijector.inverse(y), bijector.inverse_log_det_jacobian(y, 3))))
            return tape.gradient(loss, bijector.trainable_variables)
        counts.append(operations(step, tf.TensorSpec([2, 2, 2, 4])))
    assert counts[1]['Conv2D'] == 2 * counts[0]['Conv2D']  # Each network runs once more.


@pytest.mark.parametrize('direction', ['inverse', 'forward'])
@pytest.mark.parametrize('options, condition', [
    ({'condition_channels': 2}, tf.constant(RNG.standard_normal([3, 4, 4, 2]))),
    ({'classes': 3}, tf.constant([0, 2, 1]))], ids=['maps', 'labels'])
def test_whole_conditional_flow(options, condition, direction, assert_close):
    flow = catalogue.perturb(catalogue.glow(**options))
    value = tf.constant(RNG.standard_normal([3, 4, 4, 1]))
    if direction == 'forward':
        value = flow.bijector.inverse(value, condition=condition)
    ndims = tf.nest.map_structure(lambda _: 3, value)
    learned = [*([condition] if condition.dtype.is_floating else []), *flow.trainable_variables]

    def of(bijector):
        with tf.GradientTape() as tape:
            tape.watch(learned)
            log_det = getattr(bijector, f'{direction}_log_det_jacobian')
            loss = tf.reduce_sum(log_det(value, ndims, condition=condition))
        return tape.gradient(loss, learned, unconnected_gradients='zero')
    for a, b in zip(of(tgb.Reversible(flow.bijector)), of(flow.bijector), strict=True):
        assert_close(a, b, 1e-8)


def test_tensors_as_parameters(assert_close):
    """Gradients reach tensors that a bijector holds, such as functions of a variable."""
    v = tf.Variable([.5, .25])
    y = tf.ones([1, 1, 1, 2])

    def loss(wrap):
        chain = tgb.Chain([tgb.ActNorm(v**2, tf.zeros(2)), tgb.Reverse(2),
                           tgb.ActNorm(tf.zeros(2), tf.sin(v))])
        return tf.reduce_sum(wrap(chain).inverse(y)**2)
    results = []
    for wrap in (tgb.Reversible, lambda chain: chain):
        with tf.GradientTape() as tape:
            total = loss(wrap)
        results.append(tape.gradient(total, v))

        @tf.function
        def traced(wrap=wrap):
            with tf.GradientTape() as tape:
                total = loss(wrap)
            return tape.gradient(total, v)
        results.append(traced())
    for gradient in results[1:]:
        assert_close(gradient, results[0])


def shifted_by(w):
    return tgb.Coupling(lambda kept: kept * w, tgb.Additive())


@pytest.mark.parametrize('of', [
    lambda w: tgb.Reversible(shifted_by(w)),
    lambda w: tgb.Repeat(lambda p: tgb.Chain([shifted_by(p), shifted_by(w)]), tf.zeros([2, 1]), 2)],
    ids=['reversible', 'repeat'])
def test_hidden_tensors_are_refused(of):
    """Eager mode, a function and a tape around one all raise, rather than give no gradient."""
    v = tf.Variable([.5])
    y = tf.ones([1, 1, 1, 2])

    def gradient(hide, traced):
        with tf.GradientTape() as tape:
            w = hide(v**2)
            total = traced(lambda: tf.reduce_sum(of(w).inverse(y * v)**2))()
        return tape.gradient(total, v)

    def eager(function):
        return function
    for traced in (eager, tf.function):
        with pytest.raises(ValueError, match=r'hidden in a function, of shape=\(1,\)'):
            gradient(tf.identity, traced)
        assert gradient(tf.stop_gradient, traced).shape == [1]
    with pytest.raises(ValueError, match='hidden in a function'):
        tf.function(gradient)(tf.identity, eager)


@pytest.mark.parametrize('direction', ['inverse', 'forward'])
def test_xla(direction, assert_close):
    bijector, event_shape = catalogue.build('multi_scale_exit')
    value = tf.constant(RNG.standard_normal([2, *event_shape]))
    if direction == 'forward':
        value = bijector.inverse(value)
    reversible = tgb.Reversible(bijector)

    def step():
        values = gradients(reversible, direction, value, bijector.trainable_variables, traced=False)
        return tf.nest.flatten(values)
    for a, b in zip(tf.function(step, jit_compile=True)(), step(), strict=True):
        assert_close(a, b, 1e-8)


def test_mixed_precision():
    """Networks in bfloat16 and flow and log-dets in float32 get the gradients of backprop."""
    flow = tfp_glow.flows.glow((4, 4, 1), 2, 2, width=8, network_dtype='mixed_bfloat16')
    catalogue.perturb(flow, scale=.05)
    y = tf.constant(RNG.standard_normal([4, 4, 4, 1]), tf.float32)

    def of(bijector):
        with tf.GradientTape() as tape:
            log_det = bijector.inverse_log_det_jacobian(y, 3)
            loss = tf.reduce_sum(log_det) + sum(tf.reduce_sum(z**2) for z in bijector.inverse(y))
        assert log_det.dtype == tf.float32
        return tape.gradient(loss, bijector.trainable_variables)
    for a, b in zip(of(tgb.Reversible(flow.bijector)), of(flow.bijector), strict=True):
        assert a.dtype == tf.float32
        np.testing.assert_allclose(a, b, .05, .02 * np.max(np.abs(b)) + 1e-6)
