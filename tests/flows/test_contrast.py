"""Tests what networks of integer flows see of pixels around, against the image's pixels."""

import catalogue
import numpy as np
import pytest
import tensorflow as tf

import tfp_glow
from tfp_glow import bijectors as tgb
from tfp_glow.flows import contrast

RNG = np.random.default_rng(31)
# Pixel of a square -> offsets (down, right) of the neighbours whose mean is subtracted.
NEXT = {1: [(0, -1), (0, 1)], 2: [(-1, 0), (1, 0)], 3: [(-1, 0), (1, 0), (0, -1), (0, 1)]}


def surroundings_by_hand(x, pixel, colours, known, unit):
    """Computes them for one image `[H, W, colours]`, where `known(row, column, colour)`."""
    height, width = x.shape[:2]

    def at(row, column):  # Beyond an edge, the square at the edge repeats.
        row -= 2 * (row >= height) - 2 * (row < 0)
        column -= 2 * (column >= width) - 2 * (column < 0)
        return x[row, column]
    features = []
    for i, j in np.ndindex(height // 2, width // 2):
        row, column = 2 * i + pixel // 2, 2 * j + pixel % 2
        means = sum(at(row + a, column + b) for a, b in NEXT[pixel]) / len(NEXT[pixel])
        d = [at(row + a, column + b)[c] - means[c] for a in range(-2, 3) for b in range(-2, 3)
             for c in range(colours) if known((row + a) % 2, (column + b) % 2, c)]
        d = np.array(d)
        features.append(np.concatenate([means / unit, d / (4 + abs(d)), d / 16]))
    return np.reshape(features, [height // 2, width // 2, -1])


@pytest.mark.parametrize('pixel, colour, colours', [
    (3, 0, 1), (2, 0, 1), (1, 0, 1), (3, 2, 3), (2, 1, 3), (1, 0, 3)])
def test_surroundings_are_the_pixels_around(pixel, colour, colours):
    """They are all known values of the 25 pixels in and around the pixel, less the mean."""
    x = RNG.integers(-128, 128, [6, 8, colours]).astype(np.float32)
    kept = pixel * colours + colour
    squeezed = tgb.Squeeze(2).inverse(tf.constant(x[np.newaxis]))[..., :kept]
    surroundings = contrast.Surroundings(kept, 1, colours, 256.)
    expected = surroundings_by_hand(
        x, pixel, colours, lambda i, j, c: (2 * i + j) * colours + c < kept, 256.)
    features = surroundings(squeezed)
    assert features.shape == [1, 3, 4, surroundings.count] == [1, *expected.shape]
    np.testing.assert_allclose(features[0], expected, rtol=1e-6)


def test_surroundings_of_all_pixels_that_leave():
    """Means and differences each come pixel after pixel."""
    x = RNG.integers(-128, 128, [2, 3, 4, 4]).astype(np.float32)
    together = contrast.Surroundings(4, 5, 3, 256.)
    alone = [contrast.Surroundings(4, 2, 3, 256.), contrast.Surroundings(4, 5, 3, 256.)]
    assert alone[0].count < together.count == alone[1].count
    pixel_1, pixel_2 = (contrast.Surroundings(4, n, 3, 256.)(x).numpy() for n in (2, 5))
    np.testing.assert_array_equal(pixel_2[..., :3], pixel_1[..., :3])


def test_networks_never_see_more_than_images_have():
    """They see no larger differences either, so that stray samples do not diverge."""
    surroundings = contrast.Surroundings(2, 1, 1, 16.)
    x = 40 * RNG.standard_normal([1, 3, 4, 2]).astype(np.float32)
    assert np.ptp(x) > 64
    np.testing.assert_array_equal(surroundings(x), surroundings(np.clip(x, -16, 16)))


@pytest.mark.parametrize('reversible', [False, True])
def test_a_flow_with_contrasts(reversible):
    """Images come back exactly, and all weights have gradients."""
    flow = catalogue.perturb(tfp_glow.flows.idf(
        (8, 8, 3), levels=2, steps_per_level=2, width=4, depth=2, factor_outs=(9, 3), colour=True,
        leaving=(1, 3), share=.9, relative=True, contrasts=True, permute=False,
        network_options={'project': 3}, reversible=reversible), scale=.3)
    x = RNG.integers(0, 256, [2, 8, 8, 3])
    latents, stays = flow.decompose(x), None
    for level in reversed(range(flow.num_levels)):
        stays = flow.merge(level, latents[level], stays)
    np.testing.assert_array_equal(stays, x)
    variables = flow.trainable_variables
    with tf.GradientTape() as tape:
        loss = -tf.reduce_mean(flow.log_prob(x))
    for variable, gradient in zip(variables, tape.gradient(loss, variables), strict=True):
        assert np.all(np.isfinite(gradient)) and np.any(gradient), variable.name


def test_couplings_come_once_a_level_without_permutations():
    flow = tfp_glow.flows.idf((8, 8, 1), 2, 1, width=4, depth=2, factor_outs=3, leaving=1,
                              permute=False)
    assert [any('network' in v.name and '/exit' not in v.name for v in level.trainable_variables)
            for level in flow.bijector.levels] == [True, False, False] * 2
