"""Tests the means that priors of leaving integers are relative to on the image's pixels."""

import catalogue
import numpy as np
import pytest
import tensorflow as tf

import tfp_glow
from tfp_glow import bijectors as tgb
from tfp_glow.flows import neighbours

RNG = np.random.default_rng(37)


@pytest.mark.parametrize('colours', [1, 3])
def test_means_are_of_the_pixels_around(colours):
    x = RNG.integers(0, 256, [2, 6, 8, colours]).astype(np.float32)
    squeezed = tgb.Squeeze(2).inverse(tf.constant(x)).numpy()

    def at(i, j):  # Beyond the last square, it repeats.
        return x[:, i - 2 * (i >= 6), j - 2 * (j >= 8)]
    means = {1: lambda i, j: (at(i, j - 1) + at(i, j + 1)) / 2,
             2: lambda i, j: (at(i - 1, j) + at(i + 1, j)) / 2,
             3: lambda i, j: (at(i, j - 1) + at(i, j + 1) + at(i - 1, j) + at(i + 1, j)) / 4}
    for pixel, mean in means.items():
        kept = pixel * colours
        near = [neighbours.nearest_channels(kept + c, kept, colours, between=True)
                for c in range(colours)]
        near_means = neighbours.means(tf.constant(squeezed[..., :kept]), near).numpy()
        for i, j in np.ndindex(3, 4):
            row, column = 2 * i + pixel // 2, 2 * j + pixel % 2
            np.testing.assert_allclose(near_means[:, i, j], mean(row, column), rtol=1e-6)


@pytest.mark.parametrize('channel, kept, colours, between, expected', [
    (3, 3, 1, False, [(2, 0, 0)]), (11, 9, 3, False, [(8, 0, 0)]), (9, 7, 3, False, [(6, 0, 0)]),
    (4, 4, 3, False, [(1, 0, 0)]), (2, 1, 3, False, [(0, 0, 0)]), (2, 1, 3, True, [(0, 0, 0)]),
    (3, 2, 1, True, [(1, 0, 0), (1, 1, 0)]),  # Of four neighbours two have left.
    (8, 7, 3, True, [(2, 0, 0), (2, 1, 0)]), (5, 4, 1, True, [(3, 0, 0)])])
def test_which_is_near(channel, kept, colours, between, expected):
    assert neighbours.nearest_channels(channel, kept, colours, between) == expected


def test_without_permutations_what_stays_are_pixels():
    """A quarter of the pixels stay, whatever the couplings do; priors start near means."""
    options = {'levels': 1, 'steps_per_level': 1, 'width': 4, 'depth': 2, 'factor_outs': 4,
               'stay_share': .75, 'relative': True, 'bins': 64}
    flow = catalogue.perturb(tfp_glow.flows.idf((8, 8, 1), permute=False, **options), scale=.5)
    x = RNG.integers(0, 64, [2, 8, 8, 1])
    latents = flow.decompose(x)
    np.testing.assert_array_equal(latents[-1], x[:, ::2, ::2] - 32)
    assert np.any(latents[0] != x[:, 1::2, 1::2] - 32)  # Couplings shift these.
    fresh = tfp_glow.flows.idf((8, 8, 1), permute=False, **options)
    stays = RNG.integers(-32, 32, [2, 4, 4, 1]).astype(np.float32)
    right = np.concatenate([stays[:, :, 1:], stays[:, :, -1:]], 2)
    np.testing.assert_allclose(fresh.prior(2, stays).loc, (stays + right) / 2)


def test_pixels_have_the_channels_that_the_level_before_left():
    """A level that begins with six channels has pixels of six, and means of both sides of each."""
    flow = tfp_glow.flows.idf((8, 8, 3), 2, 1, width=4, depth=2, factor_outs=(1, 3),
                              stay_share=.5, relative=True, permute=False)
    stays = RNG.integers(-99, 99, [1, 2, 2, 6]).astype(np.float32)  # They are the first pixels.
    right = np.concatenate([stays[:, :, 1:], stays[:, :, -1:]], 2)
    np.testing.assert_allclose(flow.prior(2, stays).loc, (stays + right) / 2)


def test_where_none_leaves_couplings_may_move_any():
    flow = tfp_glow.flows.idf((8, 8, 3), 1, 1, width=4, depth=2, permute=False, leaving=1, share=.4)
    assert flow.latent_shapes == [(4, 4, 12)]


def test_sides_need_not_be_known():
    flow = catalogue.perturb(tfp_glow.flows.idf(
        (8, 8, 1), 2, 1, width=4, depth=2, factor_outs=3, leaving=1, relative=True, permute=False,
        contrasts=True), scale=.1)
    x = RNG.integers(0, 256, [2, 8, 8, 1]).astype(np.float32)
    traced = tf.function(flow.log_prob, [tf.TensorSpec([None, None, None, 1])])
    np.testing.assert_allclose(traced(x), flow.log_prob(x), rtol=1e-5)


@pytest.mark.parametrize('options, words', [
    ({'permute': False, 'share': .5, 'stay_share': .75, 'factor_outs': 2},
     'share must leave to couplings no more channels than leave next.*, at level 0 3 of 12; got'),
    ({'contrasts': True}, 'contrasts must be False where channels are shuffled'),
    ({'leaving': 0}, 'leaving must be positive integers, or None; got leaving=0'),
    ({'leaving': 1.5}, 'leaving must be positive integers, or None; got leaving=1.5'),
    ({'leaving': (1, 2)}, 'leaving must be one number or one per level, 1; got leaving='),
    ({'leaving': 7, 'factor_outs': 3},
     'factor_outs must leave at least 8 channels.*leaves 5 at level 0, and leaving=7'),
    ({'coupling_width': 0}, 'coupling_width must be at least 1; got width=4 and coupling_width=0'),
    ({'coupling_width': (2, 2, 2)}, 'coupling_width must be one number or one per level, 1')])
def test_bad_arguments_are_named(options, words):
    with pytest.raises(ValueError, match=words):
        tfp_glow.flows.idf((8, 8, 3), 1, 1, width=4, depth=2, **options)


def test_couplings_may_have_a_width_of_their_own():
    def count(**options):
        flow = tfp_glow.flows.idf((4, 4, 1), 1, 1, width=8, depth=2, factor_outs=2, **options)
        return [sum(int(np.prod(v.shape)) for v in flow.trainable_variables if word in v.name)
                for word in ('exit', '')]
    wide, narrow = count(), count(coupling_width=2)
    assert wide[0] == narrow[0] > 0 and wide[1] > narrow[1]
    assert count(coupling_width=8) == wide
