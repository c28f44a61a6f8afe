"""Tests MAF and IAF against TFP's flow, a plain loop in Python and the Jacobian."""

import catalogue
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_probability import bijectors as tfb

from tfp_glow import bijectors as tgb
from tfp_glow import networks, testing
from tfp_glow.internal import keras_bridge

RNG = np.random.default_rng(13)
LABELS = tf.constant([0, 1, 1])


def spline(raw, bins=3, bound=4.):
    """Returns TFP's rational-quadratic spline on [-bound, bound] as the inner transform."""
    widths, heights, slopes = tf.split(raw[..., tf.newaxis, :], [bins, bins, bins - 1], -1)
    return tfb.RationalQuadraticSpline(
        2 * bound * tf.nn.softmax(widths), 2 * bound * tf.nn.softmax(heights),
        tf.nn.softplus(slopes) + .1, range_min=-bound)


INNERS = {'affine': (None, 2), 'bounded': (tgb.AffineInner(tgb.scale_maps.exponential(.7)), 2),
          'additive': (tgb.Additive(), 1), 'spline': (spline, 8)}


def made(outputs=2, dtype='float64', **options):
    options = dict({'hidden': [8, 8], 'activation': 'tanh', 'dtype': dtype}, **options)
    return networks.made(4, outputs, **options)


def image(outputs=2, order='natural', **options):
    return networks.masked_conv((2, 2, 2), outputs, width=4, blocks=1, order=order,
                                activation='tanh', dtype='float64', **options)


def build(network, inner=None, of=tgb.MaskedAutoregressive):
    return catalogue.perturb(of(network, inner), seed=1)


CASES = {
    'natural': lambda: build(made()),
    'reversed_additive': lambda: build(made(1, order='reversed'), tgb.Additive()),
    'random_spline': lambda: build(made(8, order='random', seed=2), spline),
    'random_bounded': lambda: build(made(order='random', seed=4), INNERS['bounded'][0]),
    'classes': lambda: build(made(classes=2)),
    'image': lambda: build(image()),
    'image_reversed_spline': lambda: build(image(8, 'reversed'), spline)}


def data(bijector, dtype=tf.float64):
    return tf.constant(RNG.standard_normal([3, *bijector.network.layer.event_shape]), dtype)


def given(bijector):
    return {'condition': LABELS} if bijector.takes_condition else {}


def both(bijector, direction, value, **condition):
    """Returns the value and the log-det, both from a fresh tensor."""
    value = tf.identity(value)
    ndims = bijector.forward_min_event_ndims
    log_det = getattr(bijector, f'{direction}_log_det_jacobian')(value, ndims, **condition)
    return getattr(bijector, direction)(value, **condition), log_det


def by_loop(bijector, inner, x, condition):
    """Computes `forward` of a MAF as sampling is explained: one dimension after the other."""
    network = bijector.network.layer
    y, log_det = np.zeros(x.shape), np.zeros(len(x))
    for dimension in network.order:
        place = (slice(None), *np.unravel_index(dimension, x.shape[1:]))
        raw = network(y, **condition)[place]
        transform = (inner or tgb.AffineInner())(raw)
        y[place] = transform.forward(x[place][:, np.newaxis])[:, 0]
        log_det += transform.forward_log_det_jacobian(x[place][:, np.newaxis], 1)
    return y, log_det


@pytest.mark.parametrize('name', CASES)
def test_sampling_is_the_plain_loop(name, assert_close):
    bijector = CASES[name]()
    inner = {'additive': tgb.Additive(), 'spline': spline,
             'bounded': INNERS['bounded'][0]}.get(name.rsplit('_', 1)[-1])
    x = data(bijector)
    expected = by_loop(bijector, inner, x.numpy(), given(bijector))
    assert_close(both(bijector, 'forward', x, **given(bijector)), expected, 1e-10)


@pytest.mark.parametrize('name', CASES)
def test_round_trip_and_jacobian(name, assert_close):
    bijector = CASES[name]()
    y, condition = data(bijector), given(bijector)
    x, ildj = both(bijector, 'inverse', y, **condition)
    assert np.any(np.abs(x - y) > .01)
    assert_close(both(bijector, 'forward', x, **condition), (y, -ildj), 1e-8)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(y)
        x = bijector.inverse(y, **condition)
    order = bijector.network.layer.order
    jacobian = tf.reshape(tape.batch_jacobian(
        x, y, experimental_use_pfor=False), [3, len(order), -1]).numpy()
    assert_close(ildj, np.linalg.slogdet(jacobian)[1], 1e-9)
    assert not np.any(np.triu(jacobian[:, order][..., order], 1))


def test_contract_given_a_condition():
    testing.assert_bijector_contract(
        build(made(condition_size=2)), [4], tf.float64, jit_compile=False, saved_model=False,
        condition=tf.constant([[0., 1.], [-1., 2.]], tf.float64))


@pytest.mark.parametrize('order', ['natural', 'reversed', 'random'])
def test_agrees_with_tfp(order, assert_close):
    """The bijectors agree with `tfb.MaskedAutoregressiveFlow` around the same network."""
    scale_map = tgb.scale_maps.sigmoid(minimum=.1)
    network = made(order=order)
    ours = build(network, tgb.AffineInner(scale_map))

    def shift_and_log_scale(y):  # TFP's shift comes after the scale, in the direction of sampling.
        shift, s = tf.unstack(network(y), axis=-1)
        return -shift, -scale_map(s)
    theirs = tfb.MaskedAutoregressiveFlow(shift_and_log_scale)
    inverse = tgb.InverseAutoregressive(network, tgb.AffineInner(scale_map))
    y = data(ours)
    for direction, other in (('inverse', 'forward'), ('forward', 'inverse')):
        expected = both(theirs, direction, y)
        assert_close(both(ours, direction, y), expected, 1e-10)
        assert_close(both(inverse, other, y), expected, 1e-10)


@pytest.mark.parametrize('inner', INNERS)
def test_iaf_is_the_inverse_of_maf(inner, assert_close):
    inner, outputs = INNERS[inner]
    maf = build(made(outputs, order='random', classes=2), inner)
    iaf = tgb.InverseAutoregressive(maf.network.layer, inner)
    value = data(maf)
    for direction, other in (('inverse', 'forward'), ('forward', 'inverse')):
        assert_close(both(iaf, direction, value, condition=LABELS),
                     both(maf, other, value, condition=LABELS), 1e-12)


def gradients(function, sources):
    with tf.GradientTape() as tape:
        tape.watch(sources)
        value, log_det = function()
        loss = tf.reduce_sum(tf.sin(value)) + tf.reduce_sum(tf.cos(log_det))
    return [tf.convert_to_tensor(g) for g in tape.gradient(loss, sources)]


@pytest.mark.parametrize('name, compiled', [
    ('random_spline', None), ('random_bounded', False), ('random_bounded', True), ('image', None),
    ('image', True)])
def test_gradient_of_the_serial_direction(name, compiled, assert_close):
    """The gradient is that of a computation without a loop: D runs refine every dimension."""
    bijector = CASES[name]()
    inner, network = bijector._inner, bijector.network.layer
    x, ndims = data(bijector), bijector.forward_min_event_ndims
    variables = bijector.trainable_variables

    def unrolled():
        y = tf.zeros_like(x)
        for _ in range(len(network.order)):
            transform = inner(network(y))
            y = transform.forward(x[..., tf.newaxis])[..., 0]
        return y, transform.forward_log_det_jacobian(x[..., tf.newaxis], ndims + 1)
    expected = gradients(unrolled, [x, *variables])

    def run():
        return gradients(lambda: both(bijector, 'forward', x), [x, *variables])
    actual = run() if compiled is None else tf.function(run, jit_compile=compiled)()
    for a, b in zip(actual, expected, strict=True):
        assert_close(a, b, 1e-9)
    assert all(np.any(g) for g in actual)


@pytest.mark.parametrize('of', [tgb.MaskedAutoregressive, tgb.InverseAutoregressive])
def test_compiled_in_float32(of, assert_close):
    bijector = build(made(dtype='float32', order='reversed'), of=of)
    value = data(bijector, tf.float32)
    for direction in ('forward', 'inverse'):
        expected = both(bijector, direction, value)
        assert expected[0].dtype == expected[1].dtype == tf.float32
        for options in ({}, {'jit_compile': True}):
            traced = tf.function(lambda v, d=direction: both(bijector, d, v),
                                 [tf.TensorSpec([None, 4])], **options)
            assert_close(traced(value), expected, 1e-5)
    x = bijector.inverse(value)
    assert_close(bijector.forward(tf.identity(x)), value, 1e-5)


def test_one_network_run_a_pass():
    """The network runs once in the parallel direction, and once in the body of the serial loop."""
    runs = []

    def before(y):
        runs.append(y)
        return tf.cumsum(y, axis=-1, exclusive=True)[..., tf.newaxis]
    maf = tgb.MaskedAutoregressive(before, tgb.Additive())
    for direction in ('inverse', 'forward'):
        runs.clear()
        tf.function(lambda v, d=direction: both(maf, d, v)).get_concrete_function(
            tf.TensorSpec([None, 64]))
        assert len(runs) == 1


def test_shapes_unknown_when_traced(assert_close):
    """A callable without attributes takes any size and the natural order."""
    def before(y):
        return tf.cumsum(tf.sin(y), axis=-1, exclusive=True)[..., tf.newaxis]
    maf = tgb.MaskedAutoregressive(before, tgb.Additive())
    y = tf.constant(RNG.standard_normal([2, 3, 5]))
    traced = tf.function(lambda y: both(maf, 'forward', maf.inverse(y)),
                         [tf.TensorSpec([None, None, None], tf.float64)])
    assert_close(traced(y), (y, np.zeros([2, 3])), 1e-10)
    x = maf.inverse(y[0])
    assert_close(x, y[0] + before(y[0])[..., 0], 1e-12)


def test_what_is_not_due_does_no_harm():
    """A later dimension, from half of its inputs, would be infinite, but nothing computes it."""
    def steep(y):
        first = y[:, :1]
        return tf.stack([tf.zeros_like(y), tf.concat(
            [tf.zeros_like(first), 1e4 * (first - 1)], 1)], -1)
    maf = tgb.MaskedAutoregressive(steep, tgb.AffineInner(lambda s: s))
    x = tf.constant([[1., 2.]])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = maf.forward(x)
    np.testing.assert_allclose(y, x)
    np.testing.assert_array_equal(np.isfinite(tape.gradient(y, x)), True)


@pytest.mark.parametrize('of, direction', [  # The first two are serial; the others are slow.
    (tgb.MaskedAutoregressive, 'forward'), (tgb.InverseAutoregressive, 'inverse'),
    pytest.param(tgb.MaskedAutoregressive, 'inverse', marks=pytest.mark.slow),
    pytest.param(tgb.InverseAutoregressive, 'forward', marks=pytest.mark.slow)])
def test_repeat(of, direction, assert_close):
    """A loop over stacked weights equals its steps; constant memory gives the same gradients."""
    stacked = keras_bridge.StackedNetwork(made(order='random'), times=3, seed=0)
    for k, weight in enumerate(stacked.weights):
        weight.assign(.3 * np.random.default_rng(k).standard_normal(weight.shape))
    reversible, plain = (tgb.Repeat(lambda weights: of(stacked.bind(weights)), stacked.weights, 3,
                                    reversible=kept) for kept in (True, False))
    value = tf.constant(RNG.standard_normal([2, 4]))
    steps = tfb.Chain([reversible.step(k) for k in range(3)])
    expected = both(steps, direction, value)
    assert_close(both(reversible, direction, value), expected, 1e-10)
    both_gradients = [tf.function(lambda b=b: gradients(
        lambda: both(b, direction, value), [value, *b.trainable_variables]))()
        for b in (reversible, plain)]
    for a, b in zip(*both_gradients, strict=True):
        assert np.any(b)
        assert_close(a, b, 1e-8)


def test_in_a_chain_over_images(assert_close):
    chain = tgb.Chain([CASES['image'](), tgb.Reverse(2, tf.float64), build(
        image(), of=tgb.InverseAutoregressive)])
    y = tf.constant(RNG.standard_normal([2, 2, 2, 2]))
    x, ildj = both(chain, 'inverse', y)
    assert_close(both(chain, 'forward', x), (y, -ildj), 1e-9)


def test_initialisation_reaches_the_network():
    seen = []

    class Network(tf.Module):
        def __call__(self, y):
            return tf.zeros_like(y)[..., tf.newaxis]

        def initialize(self, y):
            seen.append(y)
    y = tf.ones([2, 3])
    x = tgb.MaskedAutoregressive(Network(), tgb.Additive())._initialize(y)
    assert seen[0] is y and np.all(x == y)
