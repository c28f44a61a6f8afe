"""Differences of neighbours as inputs of integer flows' networks, against NumPy."""

import catalogue
import numpy as np
import pytest
import tensorflow as tf

import tfp_glow
from tfp_glow.flows import contrast

RNG = np.random.default_rng(31)


@pytest.mark.parametrize('channels, colours', [(1, 1), (2, 1), (4, 1), (2, 3), (3, 3), (7, 3)])
def test_contrasts_are_their_formula(channels, colours):
    x = RNG.integers(-200, 200, [2, 3, 4, channels]).astype(np.float32)
    expected = []
    for d in (lambda i, j, c: x[:, i, j, c] - x[:, i, j - 1, c] if j else 0.,
              lambda i, j, c: x[:, i, j, c] - x[:, i - 1, j, c] if i else 0.,
              lambda i, j, c: x[:, i, j, c] - x[:, i, j, c - colours]):
        of = range(colours, channels) if len(expected) == 2 else range(min(colours, channels))
        found = np.zeros([2, 3, 4, len(of)])
        for i, j in np.ndindex(3, 4):
            for n, c in enumerate(of):
                found[:, i, j, n] = d(i, j, c)
        expected.append(found)
    d = np.concatenate(expected, -1)
    expected = np.concatenate([np.log(np.abs(d) + np.sqrt(d * d + 1)) * np.sign(d) / 4, d / 16], -1)
    np.testing.assert_allclose(contrast.contrasts(x, colours), expected, rtol=1e-5, atol=1e-6)
    shape = contrast.input_shape(x.shape[1:], colours)
    assert shape == (3, 4, channels + expected.shape[-1])


def test_gradients_go_through_the_levels_alone():
    seen = contrast.WithContrasts(lambda x: 3 * x, 16., 1)
    x = tf.Variable(RNG.integers(0, 16, [1, 2, 3, 2]) / 16)
    with tf.GradientTape() as tape:
        y = seen(x)
    np.testing.assert_array_equal(y[..., :2], 3 * x)
    np.testing.assert_allclose(y[..., 2:], 3 * contrast.contrasts(16. * x, 1))
    np.testing.assert_array_equal(tape.gradient(y, x), 3 * np.ones([1, 2, 3, 2]))


def test_networks_never_see_more_than_images_have():
    """Nor differences of more: samples that stray do not run away."""
    seen = contrast.WithContrasts(lambda x: x, 16., 1)
    x = np.array([-7., -1., .5, 1., 99.]).reshape([1, 1, 5, 1])
    np.testing.assert_array_equal(seen(tf.constant(x)), seen(tf.constant(np.clip(x, -1, 1))))
    np.testing.assert_array_equal(seen(tf.constant(x))[0, 0, :, 0], [-1., -1., .5, 1., 1.])


@pytest.mark.parametrize('reversible', [False, True])
def test_a_flow_with_contrasts(reversible):
    """Images come back exactly; all of the weights have gradients."""
    flow = catalogue.perturb(tfp_glow.flows.idf(
        (8, 8, 3), levels=2, steps_per_level=2, width=4, depth=2, factor_outs=(3, 2), colour=True,
        stay_share=.67, relative=True, contrasts=True, reversible=reversible), scale=.3)
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
