"""No output of a masked network sees later inputs, whatever happens to the weights."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfp_glow import bijectors as tgb
from tfp_glow import networks
from tfp_glow.internal import keras_bridge

RNG = np.random.default_rng(5)
NETWORKS = {
    'natural': lambda: made(),
    'reversed': lambda: made(order='reversed', direct=True),
    'random': lambda: made(order='random', degrees='random', hidden=[12, 12], seed=3),
    'deep_direct': lambda: made(order='random', direct=True, hidden=[5, 4, 6], classes=2),
    'image': lambda: image(),
    'image_reversed': lambda: image(order='reversed', blocks=2),
    'image_classes': lambda: image(blocks=0, condition_channels=1)}


def made(event_size=4, outputs=2, **options):
    options = dict({'hidden': [7], 'activation': 'tanh', 'dtype': 'float64'}, **options)
    return networks.made(event_size, outputs, **options)


def image(event_shape=(2, 2, 3), outputs=2, **options):
    options = dict({'width': 6, 'blocks': 1, 'activation': 'tanh', 'dtype': 'float64'}, **options)
    return networks.masked_conv(event_shape, outputs, **options)


def randomise(network):
    for weight in network.weights:
        weight.assign(RNG.standard_normal(weight.shape))
    return network


def given(network, count=3):
    """Returns a valid `condition=` if the network takes one."""
    if not network.takes_condition:
        return {}
    if 'event_shape' in network.get_config():
        return {'condition': tf.constant(RNG.standard_normal([count, 2, 2, 1]))}
    return {'condition': tf.constant([1, 0, 1])}


def jacobian(network):
    """Returns `[B, D, k, D]`, outputs by inputs, both sorted from first to last."""
    x = tf.constant(RNG.standard_normal([3, *network.event_shape]))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        outputs = network(x, **given(network))
    size, order = len(network.order), network.order
    assert sorted(order) == list(range(size))
    derivatives = tf.reshape(tape.batch_jacobian(outputs, x, experimental_use_pfor=False),
                       [3, size, network.outputs_per_dim, size])
    return derivatives.numpy()[:, order][..., order]


def assert_autoregressive(network, all_before):
    derivatives = jacobian(network)
    before = np.tri(derivatives.shape[1], k=-1, dtype=bool)[:, np.newaxis]
    assert not np.any(np.where(before, 0., derivatives))  # The diagonal is exactly zero as well.
    if all_before:
        assert np.all(derivatives[np.broadcast_to(before, derivatives.shape)])


@pytest.mark.parametrize('name', NETWORKS)
def test_autoregressive_whatever_the_weights(name):
    """This holds before and after steps of Adam, and after any assignment."""
    network = NETWORKS[name]()
    flow = tgb.MaskedAutoregressive(network)
    y = tf.constant(RNG.standard_normal([3, *network.event_shape]).cumsum(-1))
    condition = given(network)
    optimizer = keras.optimizers.Adam(.1)
    assert_autoregressive(network, all_before=False)
    start = [w.numpy() for w in network.trainable_weights]
    for _ in range(4):
        with tf.GradientTape() as tape:
            z = flow.inverse(y, **condition)
            log_det = flow.inverse_log_det_jacobian(y, flow.forward_min_event_ndims, **condition)
            loss = tf.reduce_sum(z**2) / 2 - tf.reduce_sum(log_det)
        optimizer.apply(tape.gradient(loss, network.trainable_weights), network.trainable_weights)
    assert any(np.any(w != s) for w, s in zip(network.trainable_weights, start))
    assert_autoregressive(network, all_before=True)
    assert_autoregressive(randomise(network), all_before=True)
    for weight in network.weights:  # Masked weights may hold any value.
        weight.assign(1e6 * RNG.standard_normal(weight.shape))
    assert_autoregressive(network, all_before=False)


def test_masked_weights_do_not_count(assert_close):
    """Not even infinite ones count, which a diverged average or a foreign file may leave."""
    network = randomise(made())
    x = RNG.standard_normal([2, 4])
    expected = network(x)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.sin(network(x)))
    gradients = tape.gradient(loss, network.trainable_weights)
    infinite = 0
    for weight, gradient in zip(network.trainable_weights, gradients):
        masked = gradient.numpy() == 0
        infinite += masked.sum()
        weight.assign(np.where(masked, np.inf, weight))
    assert infinite > 10
    assert_close(network(x), expected, 1e-12)


def numpy_made(network, x, order, hidden):
    """Computes two hidden layers by the definition, one unit after the other."""
    degree = {dimension: place + 1 for place, dimension in enumerate(order)}
    inputs = [degree[d] for d in range(len(order))]
    outputs = np.repeat(inputs, network.outputs_per_dim)
    value = [w.numpy() for w in network.weights]
    layers = [(inputs, hidden[0]), (hidden[0], hidden[1]), (hidden[1], outputs)]
    for k, (before, after) in enumerate(layers):
        kernel, bias = value[2 * k].copy(), value[2 * k + 1]
        for i, low in enumerate(before):
            for j, high in enumerate(after):
                if high < low or (k == 2 and high == low):
                    kernel[i, j] = 0.
        x = x @ kernel + bias
        x = np.tanh(x) if k < 2 else x
    return x.reshape(len(x), len(order), -1)


@pytest.mark.parametrize('order, expected', [
    ('natural', [0, 1, 2, 3]), ('reversed', [3, 2, 1, 0])])
def test_made_by_its_definition(order, expected, assert_close):
    network = randomise(made(hidden=[6, 5], order=order))
    np.testing.assert_array_equal(network.order, expected)
    x = RNG.standard_normal([3, 4])
    hidden = [[1, 1, 2, 2, 3, 3], [1, 1, 2, 3, 3]]  # 1 .. D-1 have equal shares.
    assert_close(network(x), numpy_made(network, x, expected, hidden), 1e-12)


@pytest.mark.parametrize('kind', ['classes', 'vectors', 'image'])
def test_condition_reaches_all_outputs(kind):
    """It reaches the outputs of the first dimension too, which see nothing else."""
    conditions = {'classes': np.array([0, 1, 2]), 'vectors': RNG.standard_normal([3, 2]),
                  'image': RNG.standard_normal([3, 2, 2, 1])}
    network = randomise({'classes': lambda: made(classes=3),
                         'vectors': lambda: made(condition_size=2, hidden=[7, 7]),
                         'image': lambda: image(condition_channels=1)}[kind]())
    x = np.zeros([3, *network.event_shape])
    assert keras_bridge.takes_condition(keras_bridge.as_module(network))
    outputs = network(x, condition=conditions[kind]).numpy()
    for i, j in ((0, 1), (1, 2)):
        assert np.all(np.abs(outputs[i] - outputs[j]) > 1e-6)
    turned = network(x, condition=np.roll(conditions[kind], 1, 0)).numpy()
    np.testing.assert_allclose(turned, np.roll(outputs, 1, 0), atol=1e-12)


def test_seeds():
    def orders(network):
        return [network.order.tolist(), *[layer.out_degrees for layer in network.hidden_layers]]
    a, b, c = (made(8, order='random', degrees='random', hidden=[9, 9], seed=s)
               for s in (1, 1, 2))
    assert orders(a) == orders(b) != orders(c)
    for one, other in zip(a.weights, b.weights, strict=True):
        np.testing.assert_array_equal(one, other)
    kernels = [w.numpy() for w in c.weights if 'hidden' in w.path and 'kernel' in w.path]
    assert not np.allclose(kernels[0], a.weights[0])


def test_starts_at_zero():
    for network in (made(), image()):
        assert not np.any(network(RNG.standard_normal([2, *network.event_shape])))


@pytest.mark.parametrize('name', NETWORKS)
def test_clone_and_stacked(name, assert_close):
    network = randomise(NETWORKS[name]())
    x, condition = RNG.standard_normal([3, *network.event_shape]), given(network)
    twin = keras_bridge.clone(network)
    np.testing.assert_array_equal(twin.order, network.order)
    expected = network(x, **condition)
    assert_close(twin(x, **condition), expected, 1e-12)
    stacked = keras_bridge.StackedNetwork(network, times=2, seed=1)
    for weights, weight in zip(stacked.weights, network.variables, strict=True):
        weights.assign(tf.stack([tf.zeros_like(weight), weight.value]))
    assert_close(stacked.bind([w[1] for w in stacked.weights])(x, **condition), expected, 1e-12)


def test_saved_by_keras(tmp_path, assert_close):
    """Keras can save and load the weights of a flow's network."""
    network, other = randomise(made(direct=True)), made(direct=True)
    network.save_weights(tmp_path / 'made.weights.h5')
    other.load_weights(tmp_path / 'made.weights.h5')
    x = RNG.standard_normal([3, 4])
    assert_close(other(x), network(x), 1e-12)


def test_one_dimension_sees_only_its_condition():
    assert not np.any(jacobian(randomise(made(1))))
    network = randomise(made(1, classes=2))
    first, second = network(np.zeros([2, 1]), condition=np.array([0, 1]))
    assert np.all(np.abs(first - second) > 1e-6)


@pytest.mark.parametrize('make, message', [
    (lambda: made(0), 'event_size and outputs_per_dim must be positive; got event_size=0'),
    (lambda: made(outputs=0), 'outputs_per_dim must be positive; .*outputs_per_dim=0'),
    (lambda: made(hidden=[]), r'hidden must hold at least one number.*got hidden=\(\)'),
    (lambda: made(hidden=[3, 0]), r'all positive; got hidden=\(3, 0\)'),
    (lambda: made(order='sorted'),
     "order must be one of natural, reversed, random; got 'sorted'"),
    (lambda: made(degrees='all'), "degrees must be one of equal, random; got 'all'"),
    (lambda: made(classes=2, condition_size=3), 'got classes=2, condition_size=3'),
    (lambda: made(classes=0), 'classes and condition_size must be positive; got classes=0'),
    (lambda: image(condition_channels=0), 'must be positive; got .*condition_channels=0'),
    (lambda: made()(np.zeros([2, 3])), 'expected axis -1 of input shape to have value 4'),
    (lambda: made(classes=2)(np.zeros([2, 4])),
     "condition must be given to '.*', built for one; got None"),
    (lambda: made(condition_size=2)(np.zeros([2, 4]), condition=np.zeros([2, 3])),
     r'condition must be vectors \[B, 2\]; got shape=\(2, 3\)'),
    (lambda: image((2, 2)), r'event_shape must be a known \(H, W, C\); got event_shape=\(2, 2\)'),
    (lambda: image(width=0), 'width must be positive and blocks not negative; got .*width=0'),
    (lambda: image(blocks=-1), 'got .*blocks=-1'),
    (lambda: image(kernel_size=2), 'kernel_size must be odd and positive; got kernel_size=2'),
    (lambda: image(order='random'), "order must be one of natural, reversed; got 'random'"),
    (lambda: image(classes=2, condition_channels=2), 'got classes=2, condition_channels=2'),
    (lambda: image(classes=2)(np.zeros([2, 2, 2, 3])), 'condition must be given')])
def test_bad_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
