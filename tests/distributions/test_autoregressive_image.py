"""Tests images as chains of pixels: masses, samples, and sampling with and without caching."""

import itertools
import time

import numpy as np
import pytest
import tensorflow as tf
from scipy import special

from tfp_glow import distributions, networks

RNG = np.random.default_rng(12)
SEED = [1, 2]


def image(side=(2, 2), pixel=None, condition=None, scale=.7, seed=3, **options):
    """Returns a perturbed distribution; `caching=` goes to it, the rest to its network."""
    pixel = pixel or distributions.BernoulliPixel(1)
    kept = {'caching': options.pop('caching')} if 'caching' in options else {}
    network = networks.gated_pixelcnn((*side, pixel.channels), pixel.outputs, **dict(
        {'width': 4, 'blocks': 2, 'first_kernel_size': 3}, **options))
    rng = np.random.default_rng(seed)
    for weight in network.weights:
        weight.assign(scale * rng.standard_normal(weight.shape))
    return distributions.AutoregressiveImage(network, pixel, condition=condition, **kept)


def all_images(side, channels, bins):
    size = side[0] * side[1] * channels
    return np.array([*itertools.product(range(bins), repeat=size)]).reshape(-1, *side, channels)


PIXELS = {
    'grey': (lambda: distributions.LogisticMixturePixel(1, 4, 2), (1, 3)),
    'colour': (lambda: distributions.LogisticMixturePixel(3, 3, 2), (1, 2)),
    'binary': (lambda: distributions.BernoulliPixel(1), (3, 2)),
    'binary_colour': (lambda: distributions.BernoulliPixel(3), (2, 1))}


@pytest.mark.parametrize('name', PIXELS)
def test_masses_sum_to_one(name):
    make, side = PIXELS[name]
    pixel = make()
    every = all_images(side, pixel.channels, pixel.bins)
    log_prob = image(side, pixel).log_prob(every)
    assert np.std(log_prob) > .1
    np.testing.assert_allclose(np.sum(np.exp(log_prob)), 1., rtol=1e-5)


@pytest.mark.parametrize('name', ['grey', 'binary_colour'])
def test_frequencies_of_samples(name):
    make, side = PIXELS[name]
    pixel = make()
    ours = image(side, pixel)
    every = all_images(side, pixel.channels, pixel.bins)
    expected = np.exp(ours.log_prob(every))
    drawn = ours.sample(20_000, seed=SEED).numpy().astype(int).reshape(20_000, -1)
    counts = np.bincount(drawn @ pixel.bins**np.arange(drawn.shape[1])[::-1], minlength=len(every))
    likely = expected > 1e-3
    assert np.sum(likely) > 5
    error = (counts - 20_000 * expected) / np.sqrt(20_000 * expected * (1 - expected))
    assert np.max(np.abs(error[likely])) < 4
    assert abs(np.sum(counts[likely]) / 20_000 - np.sum(expected[likely])) < .01


def test_mixture_of_pixels_by_its_definition(assert_close):
    """PixelCNN++'s components are whole pixels; means are linear in the channels before."""
    pixel = distributions.LogisticMixturePixel(3, bins=16, components=2)
    assert pixel.outputs == 20
    raw, x = RNG.standard_normal([5, 20]), RNG.integers(0, 16, [5, 3]).astype(float)
    x[0], x[1] = 0, 15
    parts = raw.reshape(5, 2, 10)
    logits, means, log_scales = parts[..., 0], parts[..., 1:4].copy(), parts[..., 4:7]
    coefficients = parts[..., 7:]  # Green on red, blue on red, blue on green.
    means += np.array([.25, .75])[:, None]
    earlier = x[:, None] / 16
    means[..., 1] += coefficients[..., 0] * earlier[..., 0]
    means[..., 2] += coefficients[..., 1] * earlier[..., 0] + coefficients[..., 2] * earlier[..., 1]
    scale = np.exp(7 * np.tanh(log_scales / 7)) * 4
    upper = special.expit((x[:, None] + .5 - (16 * means - .5)) / scale)
    lower = special.expit((x[:, None] - .5 - (16 * means - .5)) / scale)
    mass = np.where(x[:, None] == 15, 1., upper) - np.where(x[:, None] == 0, 0., lower)
    expected = np.log(np.sum(special.softmax(logits, -1) * mass.prod(-1), -1))
    log_prob = sum(pixel(tf.constant(raw), x[:, :c]).log_prob(x[:, c]) for c in range(3))
    assert_close(log_prob, expected, 1e-8)


def test_log_prob_is_a_chain(assert_close):
    """One run of the network gives the Bernoulli pixels, of integers and of floats."""
    maps = tf.constant(RNG.standard_normal([3, 2, 2, 2]), tf.float32)
    ours = image(condition=maps, condition_channels=2)
    x = RNG.integers(0, 2, [5, 3, 2, 2, 1])
    network = ours.network.layer
    logits = np.stack([network(one / 2 - .25, condition=maps) for one in x])
    expected = -np.logaddexp(0, np.where(x == 1, -logits, logits)).sum((2, 3, 4))
    assert ours.batch_shape == [3] and ours.event_shape == [2, 2, 1]
    assert_close(ours.log_prob(x), expected, 1e-5)
    assert_close(ours.log_prob(x[0].astype(np.uint8)), expected[0], 1e-5)
    assert_close(ours.log_prob(x[0, 0]), ours.log_prob(np.stack([x[0, 0]] * 3)), 1e-6)


def test_gradients_reach_all_weights():
    ours = image((3, 3), distributions.LogisticMixturePixel(1, 8, 2), scale=.4, condition_size=2,
                 condition=tf.ones([2, 2]))
    weights = ours.network.layer.trainable_weights
    x = ours.sample(seed=SEED)
    with tf.GradientTape() as tape:
        loss = -tf.reduce_mean(ours.log_prob(x))
    for gradient in tape.gradient(loss, weights):
        assert np.all(np.isfinite(gradient)) and np.any(gradient)
    assert {id(v) for v in ours.trainable_variables} == {id(w.value) for w in weights}


@pytest.mark.parametrize('name, condition', [('grey', None), ('colour', 'maps')])
def test_same_pixels_with_and_without_caching(name, condition, monkeypatch):
    pixel, options = PIXELS[name][0](), {'scale': .4}
    if condition:
        options.update(condition_channels=2, condition=tf.constant(
            RNG.standard_normal([2, 3, 2, 2]), tf.float32))
    whole = image((3, 2), pixel, caching=False, **options)
    noise = RNG.uniform(size=whole.event_shape)
    expected, alike = whole.sample(3, seed=SEED), whole.from_noise(noise)
    ours = image((3, 2), pixel, **options)

    def no_run(self, inputs, condition=None):
        raise AssertionError('a whole run of the network')
    monkeypatch.setattr(networks.GatedPixelCNN, 'call', no_run)
    assert expected.shape == [3, *([2] if condition else []), 3, 2, pixel.channels]
    assert alike.shape == expected.shape[1:]
    samples = ours.sample(3, seed=SEED)
    np.testing.assert_array_equal(samples, expected)
    np.testing.assert_array_equal(ours.from_noise(noise), alike)
    assert len(np.unique(samples)) > 1 and not np.array_equal(samples[0], samples[1])


def test_noise_becomes_quantiles():
    """They are quantiles of the first pixel, and of the second given the first."""
    ours = image((1, 2), distributions.LogisticMixturePixel(1, 4, 2))
    mass = np.exp(ours.log_prob(all_images((1, 2), 1, 4))).reshape(4, 4)
    for noise in itertools.product([0., .2, .4, .6, .8, .999], repeat=2):
        first = np.searchsorted(np.cumsum(mass.sum(1)), noise[0], 'right')
        second = np.searchsorted(np.cumsum(mass[first]) / mass[first].sum(), noise[1], 'right')
        pixels = ours.from_noise(np.reshape(noise, [1, 2, 1])).numpy()
        np.testing.assert_array_equal(pixels.ravel(), [first, second])


def test_compiled_and_saved(tmp_path):
    """It works in XLA, and in a SavedModel for any number of images. Pixels are nearly certain."""
    vectors = tf.constant(np.random.default_rng(12).standard_normal([2, 3]), tf.float32)
    ours = image((2, 2), condition=vectors, condition_size=3, blocks=1, scale=40., seed=15)
    certain = ours.from_noise(np.full(ours.event_shape, .5)).numpy()
    assert [set(np.unique(one)) for one in certain] == [{0, 1}] * 2
    compiled = tf.function(lambda: ours.sample(2, seed=SEED), autograph=False, jit_compile=True)
    np.testing.assert_array_equal(compiled(), [certain] * 2)

    @tf.function(input_signature=[tf.TensorSpec([], tf.int32), tf.TensorSpec([None, 3])],
                 autograph=False)
    def sample(n, condition):
        return distributions.AutoregressiveImage(
            ours.network, ours.pixel, condition=condition).sample(n, seed=SEED)
    module = tf.Module()
    module.network, module.sample = ours.network, sample
    tf.saved_model.save(module, tmp_path)
    loaded = tf.saved_model.load(tmp_path)
    np.testing.assert_array_equal(loaded.sample(3, vectors[:1]), [certain[:1]] * 3)


def test_any_callable_is_run_once_a_pixel():
    """The network makes each pixel the one before it plus one."""
    def network(x):
        flat = tf.reshape(x, [-1, 6])
        before = tf.pad(flat[:, :-1], [[0, 0], [1, 0]], constant_values=-1.)
        return tf.reshape(tf.where(before < 0, 50., -50.), [-1, 2, 3, 1])
    ours = distributions.AutoregressiveImage(
        network, distributions.BernoulliPixel(1), side=(2, 3), centre=lambda x: x - .5)
    np.testing.assert_array_equal(
        ours.sample(2, seed=SEED)[..., 0], [[[1, 0, 1], [0, 1, 0]]] * 2)


@pytest.mark.parametrize('make, message', [
    (lambda: distributions.BernoulliPixel(0), 'channels must be positive; got channels=0'),
    (lambda: distributions.LogisticMixturePixel(1, bins=1), 'bins must be at least 2; got bins=1'),
    (lambda: distributions.LogisticMixturePixel(1, components=0), 'got components=0'),
    (lambda: distributions.AutoregressiveImage(
        networks.gated_pixelcnn((2, 2, 1), 2, width=2), distributions.BernoulliPixel(1)),
     'network must have the 1 outputs that pixel takes; got outputs=2'),
    (lambda: distributions.AutoregressiveImage(
        networks.gated_pixelcnn((2, 2, 3), 1, width=2), distributions.BernoulliPixel(1)),
     r'pixels of 1 channels; got event_shape=\(2, 2, 3\)'),
    (lambda: distributions.AutoregressiveImage(lambda x: x, distributions.BernoulliPixel(1)),
     'side must be given for a network without event_shape; got side=None'),
    (lambda: distributions.AutoregressiveImage(
        lambda x: x[:, 1:], distributions.BernoulliPixel(1), side=(2, 2)).log_prob(
            np.zeros([3, 2, 2, 1])),
     r'network must return the shape \[B, 2, 2, 1\]; got shape=\(3, 1, 2, 1\)'),
    (lambda: image().from_noise(np.zeros([2, 1, 1])),
     r'noise must have the event shape \(2, 2, 1\); got shape=\(2, 1, 1\)'),
    (lambda: image().log_prob(np.zeros([2, 3, 1])),
     r'images must end in the event shape \(2, 2, 1\); got shape=\(2, 3, 1\)')])
def test_bad_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.slow
def test_mixtures_compiled():
    ours = image((3, 2), distributions.LogisticMixturePixel(3, 8, 2))
    half = np.full(ours.event_shape, .5)
    medians, drawn = tf.function(lambda: (ours.from_noise(half), ours.sample(50, seed=SEED)),
                                 autograph=False, jit_compile=True)()
    np.testing.assert_array_equal(medians, ours.from_noise(half))
    assert set(np.unique(drawn)) <= set(range(8)) and np.all(np.isfinite(ours.log_prob(drawn)))


@pytest.mark.slow
def test_caching_is_ten_times_faster():
    """Caching samples one or four 28x28 images, the same pixels, in a tenth of the time."""
    pixel = distributions.LogisticMixturePixel(1)
    for count in (1, 4):
        seconds, images = [], []
        for caching in (True, False):
            ours = image((28, 28), pixel, width=32, blocks=5, scale=.15, caching=caching)
            draw = tf.function(lambda ours=ours, count=count: ours.sample(count, seed=SEED),
                               autograph=False)
            draw()
            start = time.perf_counter()
            images.append(draw().numpy())
            seconds.append(time.perf_counter() - start)
        np.testing.assert_array_equal(*images)
        assert seconds[0] * 10 <= seconds[1], seconds
