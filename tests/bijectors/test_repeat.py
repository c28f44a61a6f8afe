"""K steps in `Repeat`'s loop equal K steps in a chain, and so do their gradients."""

import catalogue
import numpy as np
import pytest
import tensorflow as tf

from tfp_glow import bijectors as tgb

RNG = np.random.default_rng(5)
TOLERANCE = {tf.float32: 1e-4, tf.float64: 1e-10}


def glow(dtype, times, reversible=True, **options):
    flow = catalogue.glow((4, 4, 1), levels=1, steps_per_level=times, dtype=dtype,
                          reversible=reversible, **options)
    return catalogue.perturb(flow, scale=.1 if times < 20 else .02)


def unrolled(flow):
    """Returns the flow's level with its `Repeat` as an ordinary chain of its steps."""
    squeeze, repeat = flow.bijector.levels[0].parts
    return tgb.Chain([squeeze, *[repeat.step(i) for i in range(repeat.times)]])


def gradients(make_bijector, variables, value, direction):
    """Returns value, log-det, and gradients of a function of both by the input and variables."""
    @tf.function
    def run(value):
        with tf.GradientTape() as tape:
            tape.watch(value)
            bijector = make_bijector()
            output = getattr(bijector, direction)(value)
            log_det = getattr(bijector, f'{direction}_log_det_jacobian')(value, 3)
            loss = tf.reduce_sum(tf.cos(output) * output) + tf.reduce_sum(tf.sin(log_det))
        derivatives = tape.gradient(loss, [value, *variables])
        return [output, log_det, *map(tf.convert_to_tensor, derivatives)]
    return run(value)


def check(dtype, times, direction, assert_close, **options):
    shape = (3, 4, 4, 1) if direction == 'inverse' else (3, 2, 2, 4)
    value = tf.constant(RNG.standard_normal(shape), dtype)
    loop, kept = glow(dtype, times, **options), glow(dtype, times, reversible=False, **options)
    expected = gradients(
        lambda: unrolled(kept), kept.bijector.trainable_variables, value, direction)
    for flow in (loop, kept):
        level = flow.bijector.levels[0]
        actual = gradients(lambda level=level: level, flow.bijector.trainable_variables, value,
                          direction)
        assert_close(actual, expected, TOLERANCE[dtype])


@pytest.mark.parametrize('dtype, direction', [
    (tf.float32, 'inverse'), (tf.float64, 'inverse'), (tf.float64, 'forward'),
    pytest.param(tf.float32, 'forward', marks=pytest.mark.slow)])
def test_gradients(dtype, direction, assert_close):
    """The reversible loop, backprop through the loop and the unrolled chain agree."""
    check(dtype, 8, direction, assert_close)


@pytest.mark.parametrize('options', [
    {'permutation': 'dense'}, {'permutation': 'shuffle', 'coupling': 'additive'},
    {'permutation': 'reverse'}], ids=lambda o: o['permutation'])
def test_gradients_of_variants(options, assert_close):
    check(tf.float64, 2, 'inverse', assert_close, **options)


@pytest.mark.slow
@pytest.mark.parametrize('direction', ['inverse', 'forward'])
@pytest.mark.parametrize('dtype', [tf.float32, tf.float64], ids=lambda d: d.name)
def test_gradients_of_64_steps(dtype, direction, assert_close):
    check(dtype, 64, direction, assert_close)


def test_against_numpy(assert_close):
    repeat, event_shape = catalogue.build('repeat')
    shift, log_scale, kernel = (repeat.parameters['params'][name].numpy()
                                for name in ('shift', 'log_scale', 'kernel'))
    y = RNG.standard_normal([2, *event_shape])
    h = y
    for k in range(repeat.times):
        h = ((h - shift[k]) * np.exp(-log_scale[k]))[..., ::-1]
        h = np.concatenate([h[..., :2], h[..., 2:] + np.tanh(h[..., :2] @ kernel[k])], -1)
        assert_close(tgb.Chain([repeat.step(i) for i in range(k + 1)]).inverse(y), h, 1e-10)
    assert_close(repeat.inverse(y), h, 1e-10)
    assert_close(repeat.forward(tf.constant(h)), y, 1e-10)
    assert_close(repeat.inverse_log_det_jacobian(y), np.full(2, -4 * log_scale.sum()), 1e-10)


def test_parameters_may_be_computed(assert_close):
    v = tf.Variable([[.5], [.25]])
    y = tf.ones([1, 1, 1, 1])
    with tf.GradientTape() as tape:
        repeat = tgb.Repeat(lambda p: tgb.ActNorm(p, tf.zeros_like(p)), v**2, 2)
        loss = tf.reduce_sum(repeat.inverse(y))
    assert_close(loss, 1 - .25 - .0625)
    assert_close(tape.gradient(loss, v), np.array([[-1.], [-.5]]))


def test_inner_bijector_with_one_log_det_for_all(assert_close):
    """A coupling's inner transform may have a log-det that is one scalar for the batch."""
    p = tf.Variable([[.3], [.2]])
    y = tf.constant(RNG.standard_normal([3, 2, 1, 2]), tf.float32)

    def loss(reversible):
        with tf.GradientTape() as tape:
            repeat = tgb.Repeat(lambda p: tgb.Coupling(tf.identity, lambda raw: tgb.ActNorm(p, p)),
                                p, 2, reversible)
            total = (tf.reduce_sum(repeat.inverse(y)**2)
                     + tf.reduce_sum(repeat.inverse_log_det_jacobian(y)**2))
        return total, tape.gradient(total, p)
    assert_close(loss(True), [tf.convert_to_tensor(v) for v in loss(False)])


def test_a_new_batch_size_is_not_traced_again():
    flow = glow(tf.float32, 2)
    log_prob = tf.function(flow.log_prob, [tf.TensorSpec([None, 4, 4, 1])])
    for batch in (2, 5):
        assert log_prob(tf.zeros([batch, 4, 4, 1])).shape == [batch]
    assert log_prob.experimental_get_tracing_count() == 1


@pytest.mark.parametrize('make, message', [
    (lambda p: tgb.Repeat(tgb.ActNorm, p, 0), 'times must be positive; got times=0'),
    (lambda p: tgb.Repeat(tgb.ActNorm, p, 3), r'times=3 as its leading axis; got shape=\(2, 1\)'),
    (lambda p: tgb.Repeat(lambda q: tgb.ActNorm(q, q), p, 2).step(2),
     r'index must be in \[0, 2\); got index=2')])
def test_bad_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make(tf.ones([2, 1]))
