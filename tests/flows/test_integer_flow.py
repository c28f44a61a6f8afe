"""Tests integer discrete flows: exact inversion, masses, sampling, decoding, saving."""

import itertools

import catalogue
import numpy as np
import pytest
import tensorflow as tf

import tfp_glow
from tfp_glow import bijectors as tgb
from tfp_glow import testing
from tfp_glow.distributions import DiscretizedLogistic, DiscretizedLogisticMixture
from tfp_glow.flows import IntegerFlow

RNG = np.random.default_rng(19)


def tiny(event_shape=(4, 4, 1), seed=0, scale=.3, **options):
    options = dict({'levels': 2, 'steps_per_level': 2, 'width': 4, 'depth': 2}, **options)
    return catalogue.perturb(tfp_glow.flows.idf(event_shape, **options), seed, scale)


@pytest.fixture(scope='module')
def flow():
    return tiny()


def every_eight_bit_image(shape):
    """Returns images of every value, images of the extremes side by side, and noise."""
    constant = np.broadcast_to(np.arange(256)[:, None, None, None], (256, *shape))
    extremes = 255 * (np.indices(shape).sum(0) % 2)
    return np.concatenate([constant, [extremes, 255 - extremes],
                           RNG.integers(0, 256, [256, *shape])]).astype(np.uint8)


def test_coupling_undoes_every_pair_of_bytes():
    pairs = np.stack(np.meshgrid(np.arange(256), np.arange(256)), -1)[np.newaxis]
    coupling = tgb.IntegerCoupling(
        lambda kept: 3 * tf.sin(40 * kept) + kept, unit=256., split=tgb.splits.channels())
    y = tf.constant(pairs, tf.float32)
    x = coupling.inverse(y)
    shifts = np.rint(np.float32(256) * (
        3 * np.sin(40 * pairs[..., 0] / 256) + pairs[..., 0] / 256))
    np.testing.assert_allclose(y[..., 1] - x[..., 1], shifts, atol=1)  # float32 decides ties.
    assert np.ptp(shifts) > 1000 and np.all(x.numpy() == np.rint(x))
    np.testing.assert_array_equal(coupling.forward(tf.identity(x)), pairs)


@pytest.mark.parametrize('options', [
    {}, {'event_shape': (4, 4, 3), 'levels': 1, 'invert_permutation': True, 'share': .5,
         'network_options': {'activation': 'swish', 'normalise': True, 'rezero': True,
                             'position_bias': True}}])
def test_every_image_comes_back_bit_for_bit(options):
    flow = tiny(**options)
    images = every_eight_bit_image(tuple(flow.event_shape))

    @tf.function
    def there(x):
        return flow.decompose(x)

    @tf.function
    def back(latents):
        stays = None
        for level in reversed(range(flow.num_levels)):
            stays = flow.merge(level, latents[level], stays)
        return stays
    latents = there(tf.constant(images))
    assert flow.dtype == tf.float32
    assert all(np.all(z.numpy() == np.rint(z)) for z in latents)
    moved = np.concatenate([z.numpy().ravel() for z in latents])
    assert np.abs(moved).max() > 256 and np.unique(moved).size > 300  # It is not the identity.
    np.testing.assert_array_equal(back([tf.constant(z.numpy()) for z in latents]), images)
    again = flow.bijector.forward(flow.bijector.inverse(tf.constant(images[250:], tf.float32)))
    np.testing.assert_array_equal(again, images[250:])


def test_round_trip_and_log_det_on_integers():
    """The test kit's data are rounded to integers, and so the latents are integers too."""
    bijector, shape = catalogue.build('integer')
    testing.assert_invertible(bijector, shape, catalogue.DTYPE, domain=lambda v: tf.round(9 * v))


def test_straight_through_gradient():
    x = tf.Variable(np.linspace(-3.7, 3.8, 16).reshape(1, 1, 4, 4))
    coupling = tgb.IntegerCoupling(lambda kept: 2. * kept, unit=8., split=tgb.splits.channels())
    with tf.GradientTape() as tape:
        y = tf.reduce_sum(coupling.inverse(x) * [1., 10., 100., 1000.])
    expected = np.broadcast_to([1 - 200., 10 - 2000., 100., 1000.], x.shape)
    np.testing.assert_allclose(tape.gradient(y, x), expected)


def test_reversible_training_gives_the_gradients_of_ordinary_backprop(assert_close):
    images = every_eight_bit_image((4, 4, 1))[::37]
    results = []
    for reversible in (True, False):
        flow = tiny(levels=1, reversible=reversible)
        with tf.GradientTape() as tape:
            value = flow.log_prob(images)
        results.append((value, tape.gradient(value, flow.trainable_variables)))
        assert all(np.any(g.numpy()) for g in results[-1][1])
    assert_close(results[0], results[1], 1e-4)


def test_masses_sum_to_one():
    """The grid holds nearly all the mass of a flow whose network depends on its input."""
    def shift(kept):
        return .1 * kept**2

    def prior(stays):
        return DiscretizedLogistic(stays[..., :1] / 2, tf.exp(stays[..., :1] / 9))

    def top(batch_size):
        return DiscretizedLogisticMixture(
            [0., 1.], tf.zeros([batch_size, 1, 1, 1, 1]) + [-2., 3.], [.3, .6])
    level = tgb.IntegerCoupling(shift, split=tgb.splits.channels())
    flow = IntegerFlow((1, 1, 2), [level, tgb.ShiftScale(shift=1.)], [prior], top)
    images = np.array(list(itertools.product(range(-12, 13), range(-40, 50))))
    log_masses = flow.log_prob(images.reshape(-1, 1, 1, 2))
    masses = tf.exp(log_masses)
    np.testing.assert_allclose(tf.reduce_sum(masses), 1, atol=1e-4)
    a, b = np.transpose(images)
    z = b - np.rint(np.float32(.1) * a.astype(np.float32)**2)
    expected = (prior(tf.constant(a, tf.float32)[:, None]).log_prob(z[:, None])[:, 0]
                + top(1).log_prob(a + 1.)[0, 0, 0])
    np.testing.assert_allclose(log_masses, expected, rtol=1e-4, atol=1e-4)
    drawn = flow.sample(20000, seed=[1, 2]).numpy().reshape(-1, 2)
    index = {tuple(image): i for i, image in enumerate(images)}
    counts = np.bincount([index[tuple(x)] for x in drawn.astype(int) if tuple(x.astype(int))
                          in index], minlength=len(images)) / len(drawn)
    np.testing.assert_allclose(counts, masses, atol=.02)


def test_a_decoder_needs_only_what_it_has_decoded(flow):
    """Priors given merged levels are those of log_prob, and the loop ends at the image."""
    images = tf.constant(every_eight_bit_image((4, 4, 1))[::71])
    latents, stays, total = flow.decompose(images), None, 0.
    assert flow.num_levels == 2 and [z.shape[1:] for z in latents] == flow.latent_shapes
    for level in reversed(range(flow.num_levels)):
        prior = flow.prior(level, stays, len(images))
        assert prior.batch_shape == latents[level].shape
        total += tf.reduce_sum(prior.log_prob(latents[level]), [1, 2, 3])
        stays = flow.merge(level, latents[level], stays)
    np.testing.assert_array_equal(stays, images)
    np.testing.assert_allclose(total, flow.log_prob(images), 1e-5)
    assert isinstance(flow.prior(1, None, 1), DiscretizedLogisticMixture)
    assert isinstance(flow.prior(0, stays[:, ::2, ::2, :] + tf.zeros([2])), DiscretizedLogistic)


def test_leading_dimensions_and_dtypes(flow):
    images = every_eight_bit_image((4, 4, 1))[:6]
    expected = flow.log_prob(images)
    np.testing.assert_allclose(flow.log_prob(images.reshape(2, 3, 4, 4, 1)),
                               np.reshape(expected, [2, 3]), 1e-5)
    np.testing.assert_allclose(flow.log_prob(images[0].astype(np.float32)), expected[0], 1e-5)
    np.testing.assert_allclose(flow.prob(images[:1].astype(np.int64)), np.exp(expected[:1]))
    assert flow.batch_shape == [] and flow.event_shape == [4, 4, 1]
    traced = tf.function(flow.log_prob, [tf.TensorSpec([None, 4, 4, 1], tf.uint8)])
    np.testing.assert_allclose(traced(images), expected, 1e-5)
    samples = flow.sample([2, 3], seed=[1, 2])
    assert samples.shape == [2, 3, 4, 4, 1] and np.all(samples.numpy() == np.rint(samples))
    np.testing.assert_array_equal(samples, flow.sample([2, 3], seed=[1, 2]))


def test_temperature(flow):
    cold = tfp_glow.with_temperature(tiny(top_components=1), 0.)
    a, b = cold.sample(2, seed=[1, 2]), cold.sample(2, seed=[3, 4])
    assert np.abs(a - b).max() <= 1  # A loc halfway between two integers may be either.
    half = tfp_glow.with_temperature(tfp_glow.with_temperature(flow, [1., .5]), [1., .5])
    assert half.temperature == (1., .25)
    np.testing.assert_allclose(
        half.prior(1, None, 1).scale, .25 * flow.prior(1, None, 1).scale, 1e-6)
    with pytest.raises(ValueError, match='temperature must be one value or one per level, 2'):
        tfp_glow.with_temperature(flow, [1.] * 3)


def test_permutations_are_saved(flow, tmp_path):
    images = every_eight_bit_image((4, 4, 1))[::97]
    expected = flow.log_prob(images)
    path = tf.train.Checkpoint(flow=flow).write(str(tmp_path / 'checkpoint'))
    other = tiny(seed=5)
    assert not np.allclose(other.log_prob(images), expected)
    names = [v.name for v in flow.variables if not v.trainable]
    assert len(names) == 2 and all('permutation' in name for name in names)
    tf.train.Checkpoint(flow=other).read(path).assert_consumed()
    np.testing.assert_array_equal(other.log_prob(images), expected)


def test_names_of_variables_do_not_depend_on_what_was_built_before(flow):
    assert [v.name for v in tiny().variables] == [v.name for v in flow.variables]


def test_steps_have_their_own_permutations_and_networks():
    flow = tfp_glow.flows.idf((4, 4, 1), 1, 3, 4, 2)
    permutation = next(v for v in flow.variables if not v.trainable).numpy()
    assert permutation.shape == (3, 4) and len(np.unique(permutation, axis=0)) > 1
    kernels = next(v for v in flow.trainable_variables if 'mix/kernel' in v.name).numpy()
    assert not np.allclose(kernels[0], kernels[1])
    # The last convolutions start at zero: the flow only sorts channels and subtracts 128.
    z, = flow.decompose(np.full([1, 4, 4, 1], 200))
    np.testing.assert_array_equal(z, np.full([1, 2, 2, 4], 72.))


def test_size_of_the_graph_does_not_grow_with_the_steps():
    def convolutions(steps):
        flow = tfp_glow.flows.idf((4, 4, 1), 1, steps, 4, 2)
        graph = tf.function(flow.log_prob).get_concrete_function(
            tf.TensorSpec([None, 4, 4, 1], tf.uint8)).graph.as_graph_def()
        nodes = [*graph.node, *(n for f in graph.library.function for n in f.node_def)]
        return sum(n.op in ('Conv2D', 'MatMul') for n in nodes)
    assert convolutions(1) == convolutions(5) > 4


@pytest.mark.parametrize('make, message', [
    (lambda: tgb.IntegerCoupling(tf.sin, unit=0.), 'unit must be positive; got unit=0.0'),
    (lambda: tgb.splits.channels(share=1.), r'share must be in \(0, 1\); got share=1.0'),
    (lambda: tfp_glow.flows.idf((6, 4, 1)), r'height must be divisible by 2\*\*levels = 8'),
    (lambda: tiny(bins=1), 'bins must be at least 2; got bins=1'),
    (lambda: tiny(steps_per_level=0), 'steps_per_level must be at least 1'),
    (lambda: tiny(top_prior='standard'), 'top_prior must be one of channel, position'),
    (lambda: tiny(width=1), 'width at least depth; got outputs=1, width=1, depth=2'),
    (lambda: tiny(network_options={'project': 0}), 'project must be positive, or None; got proj'),
    (lambda: IntegerFlow((4, 4), [], [], None), 'event_shape must be a known'),
    (lambda: IntegerFlow((4, 4, 1), [tgb.Squeeze(2)], [None], None),
     'priors must hold one function per level but the last, 0; got 1'),
    (lambda: tiny().prior(0), 'stays must be given for every level but the last, 1; got level=0'),
    (lambda: tiny().merge(2, tf.zeros([1, 2, 2, 8])), 'level must be in 0 .. 1; got level=2')])
def test_bad_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_values_are_checked_if_asked_for(flow):
    with pytest.raises(tf.errors.InvalidArgumentError, match='values must be integers'):
        flow.copy(validate_args=True).log_prob(tf.fill([4, 4, 1], .5))


def test_colour_is_ycocg_for_every_pixel_and_comes_back():
    """It equals NumPy for every value of R and B with some values of G."""
    red, green, blue = (v.ravel().astype(np.float32) for v in np.meshgrid(
        np.arange(256), [0, 1, 100, 255], np.arange(256)))
    pixels = np.stack([red, green, blue], -1).reshape([1, 512, -1, 3])
    colour = tgb.reversible_colour()
    converted = colour.inverse(pixels).numpy()
    co = red - blue
    t = blue + np.round(co / 2)
    cg = green - t
    y = t + np.round(cg / 2)
    np.testing.assert_array_equal(converted, np.stack([y, co, cg], -1).reshape(pixels.shape))
    np.testing.assert_array_equal(colour.forward(tf.constant(converted)), pixels)
    grey = converted[0].reshape(-1, 3)[(red == green) & (green == blue)]
    assert not grey[:, 1:].any()
    with pytest.raises(ValueError, match='colour must be False for images that are not RGB'):
        tfp_glow.flows.idf((8, 8, 1), 1, 1, 4, 2, colour=True)


def test_priors_are_relative_to_the_nearest_channel_of_the_same_colour():
    """Networks that give zeros put the middles near that channel, with one narrow component."""
    flow = tfp_glow.flows.idf((8, 8, 3), levels=2, steps_per_level=1, width=4, depth=2, bins=64,
                              factor_outs=(5, 1), stay_share=.67, relative=True, exit_components=3)
    near = iter([(6, 7, 8), (4, 5), (2, 3), (1,), (0,)])  # Channels are Y, Co, Cg.
    for level in range(flow.num_levels - 1):
        kept = {0: 9, 1: 7, 2: 5, 3: 4, 4: 3}[level]
        stays = RNG.integers(-32, 32, [2, 4, 4, kept]).astype(np.float32)
        prior = flow.prior(level, stays)
        middle = stays[..., next(near)][..., np.newaxis]
        np.testing.assert_allclose(prior.loc, middle + 64 * np.array([-.125, 0., .125]), atol=1e-5)
        scale = 64 * np.exp(7 * np.tanh(-np.array([0., 2., 4.]) / 7) - 2)
        np.testing.assert_allclose(prior.scale, np.broadcast_to(scale, prior.scale.shape),
                                   rtol=1e-5)


def test_relative_shifts_are_small():
    """One step of Adam moves shifts and middles by grey levels, not by tens of them."""
    pair = [tiny((4, 4, 1), scale=.3, relative=relative) for relative in (False, True)]
    x = RNG.integers(0, 256, [3, 4, 4, 1])
    moved = [np.abs(flow.decompose(x)[0] - tiny((4, 4, 1), scale=0.).decompose(x)[0]).mean()
             for flow in pair]
    assert 0 < moved[1] < moved[0] / 16
