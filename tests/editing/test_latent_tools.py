"""Tests the latent tools against closed forms of affine flows and inversion of levels."""

import math

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_probability import bijectors as tfb
from tensorflow_probability import distributions as tfd

import tfp_glow
from tfp_glow import bijectors as tgb
from tfp_glow import editing

SHAPE = (2, 3, 1)
RNG = np.random.default_rng(0)
MATRIX = np.tril(RNG.uniform(-.05, .05, [6, 6]), -1) + np.diag(RNG.uniform(.1, .2, 6))
SHIFT = RNG.uniform(-.1, .1, 6)
LOC, SCALE = RNG.uniform(-.5, .5, SHAPE), RNG.uniform(.5, 1., SHAPE)
FIRST, SECOND = RNG.uniform(-.5, .5, [2, 4, *SHAPE])
SEED = tf.constant([1, 2])


@pytest.fixture(scope='module')
def affine():
    """Returns x = MATRIX z + SHIFT over flattened images, z ~ N(LOC, SCALE^2)."""
    matrix = tfb.Chain([tfb.Shift(tf.constant(SHIFT)), tfb.ScaleMatvecTriL(tf.constant(MATRIX))])
    base = tfd.Independent(tfd.Normal(tf.constant(LOC), tf.constant(SCALE)), 3)
    flatten = tfb.Reshape([6], SHAPE)
    return tfp_glow.flows.transformed(base, tfb.Chain([tfb.Invert(flatten), matrix, flatten]))


@pytest.fixture(scope='module')
def scaled():
    """Returns two nonlinear levels over 4x4 images, given a label, with a nonstandard prior."""
    kernels = RNG.uniform(-.5, .5, [2, 4, 8])
    by_label = tf.constant(RNG.uniform(-.3, .3, [3, 8]))

    def level(kernel, channels):
        return tgb.Chain([
            tgb.Squeeze(2),
            tgb.Coupling(lambda kept: tf.tanh(kept @ kernel[:channels // 2, :channels])),
            tgb.Conditioned(lambda label: tf.gather(by_label, label)[:, None, None, :channels],
                            tgb.Additive())])
    base = tfp_glow.distributions.latents(
        [(2, 2, 2), (1, 1, 8)], tf.constant(RNG.uniform(-.5, .5, 8)),
        tf.constant(RNG.uniform(-.5, .5, 8)), tf.float64)
    return tfp_glow.flows.transformed(base, tgb.MultiScale([
        level(kernels[0], 4), level(kernels[1], 8)]))




def latents_of(images):
    """Computes the latents of `affine` for images `[..., 2, 3, 1]`, in NumPy."""
    flat = np.reshape(images, [-1, 6]) - SHIFT
    return np.linalg.solve(MATRIX, flat.T).T.reshape(np.shape(images))


def images_of(latents):
    return (np.reshape(latents, [-1, 6]) @ MATRIX.T + SHIFT).reshape(np.shape(latents))


IMAGES = tf.constant(RNG.uniform(-.5, .5, [200, 4, 4, 1]))
LABELS = tf.constant(RNG.integers(0, 3, 200))


def levels_of(flow, images, condition=LABELS):
    return flow.bijector.inverse(tf.identity(images), condition=condition)


def test_interpolation_of_an_affine_flow_is_linear(affine, assert_close):
    images = editing.interpolate(affine, FIRST, SECOND, steps=5)
    weights = np.linspace(0, 1, 5)[:, None, None, None]
    assert_close(images, (1 - weights) * FIRST[:, None] + weights * SECOND[:, None], 1e-10)


def test_spherical_interpolation(affine, assert_close):
    images = editing.interpolate(affine, FIRST, SECOND, steps=4, spherical=True)
    assert_close(images[:, 0], FIRST, 1e-8)
    assert_close(images[:, -1], SECOND, 1e-8)
    u = ((latents_of(images) - LOC) / SCALE).reshape(4, 4, 6)
    u0, u1 = u[:, 0], u[:, -1]
    lengths = [np.linalg.norm(v, axis=-1) for v in (u0, u1)]
    angle = np.arccos(np.sum(u0 * u1, -1) / (lengths[0] * lengths[1]))
    for i, w in ((1, 1 / 3), (2, 2 / 3)):
        expected = (np.sin((1 - w) * angle)[:, None] * u0 + np.sin(w * angle)[:, None] * u1
                    ) / np.sin(angle)[:, None]
        assert_close(u[:, i], expected, 1e-8)
    same = editing.interpolate(affine, FIRST, FIRST, steps=3, spherical=True)
    assert_close(same, np.repeat(FIRST[:, None], 3, 1), 1e-8)  # The angle is zero here.


@pytest.mark.parametrize('index', [4, (1, 1, 0)])
def test_traversal_sets_one_entry(affine, assert_close, index):
    images = editing.traverse(affine, FIRST, 0, index, [-1., 0., 2.])
    expected = np.repeat(latents_of(FIRST)[:, None], 3, 1)
    expected[:, :, 1, 1, 0] = LOC[1, 1, 0] + SCALE[1, 1, 0] * np.array([-1, 0, 2])
    assert_close(latents_of(images), expected, 1e-8)


def test_traversal_along_a_direction(affine, assert_close):
    direction = RNG.standard_normal(SHAPE)
    images = editing.traverse(affine, FIRST, 0, direction, [1.5])
    unit = (direction / np.linalg.norm(direction)).ravel()
    u, before = (((latents_of(x) - LOC) / SCALE).reshape(4, 6) for x in (images[:, 0], FIRST))
    assert_close(u @ unit, np.full(4, 1.5), 1e-8)
    project = np.eye(6) - np.outer(unit, unit)
    assert_close(u @ project, before @ project, 1e-8)


def test_editing_adds_the_difference_of_the_means(affine, assert_close):
    """Latents get the difference; for an affine flow, the data get MATRIX times it."""
    batches = tf.data.Dataset.from_tensor_slices(FIRST).batch(3)
    direction = editing.attribute_direction(affine, batches, SECOND)
    difference = FIRST.mean(0) - SECOND.mean(0)
    assert_close(direction[0], latents_of(FIRST).mean(0) - latents_of(SECOND).mean(0), 1e-8)
    assert_close(editing.edit(affine, FIRST, direction, .5), FIRST + .5 * difference, 1e-8)
    several = editing.edit(affine, FIRST, direction, [-1., 0., 2.])
    for i, strength in enumerate((-1, 0, 2)):
        assert_close(several[:, i], FIRST + strength * difference, 1e-8)


def test_means_of_a_conditional_flow(scaled, assert_close):
    direction = editing.attribute_direction(scaled, [(IMAGES, LABELS)], iter([(-IMAGES, LABELS)]))
    for d, a, b in zip(direction, levels_of(scaled, IMAGES), levels_of(scaled, -IMAGES)):
        assert_close(d, np.mean(a, 0) - np.mean(b, 0), 1e-8)


def test_tools_pass_the_condition(scaled, assert_close):
    """Each row gives the result of one image alone with its own label."""
    x, labels = IMAGES[:2], tf.constant([0, 2])
    direction = [tf.ones(shape, tf.float64) for shape in scaled.distribution.event_shape]
    mask = np.arange(4)[:, None, None] < 2
    tools = {
        'interpolate': lambda x, c: editing.interpolate(scaled, x, -x, 3, True, condition=c),
        'traverse': lambda x, c: editing.traverse(scaled, x, 1, 0, [1., 2.], condition=c),
        'reconstruct': lambda x, c: editing.reconstruct(scaled, x, 1, condition=c),
        'edit': lambda x, c: editing.edit(scaled, x, direction, .1, condition=c)}
    for tool in tools.values():
        both = tool(x, labels)
        for i in range(2):
            assert_close(tool(x[i:i + 1], labels[i:i + 1]), both[i:i + 1], 1e-8)
        assert np.max(np.abs(tool(x, labels[::-1]) - both)) > 1e-3
    inpainted = editing.inpaint(scaled, x, mask, 1, 1e-3, SEED, condition=labels)
    assert_close(inpainted.log_prob[:, -1], scaled.log_prob(inpainted.images, condition=labels))


def test_resampling_changes_its_levels_only(scaled, assert_close):
    before = levels_of(scaled, IMAGES)
    for levels in (0, [1]):
        changed = editing.resample(scaled, IMAGES, levels, SEED, .5, condition=LABELS)
        after = levels_of(scaled, changed)
        drawn, kept = (0, 1) if levels == 0 else (1, 0)
        assert_close(after[kept], before[kept], 1e-8)
        base = scaled.distribution.model[drawn]
        u = ((after[drawn] - base.mean()) / base.stddev()).numpy()
        assert abs(u.std() - .5) < 5 * .5 / math.sqrt(2 * u.size)
        assert abs(u.mean()) < 5 * .5 / math.sqrt(u.size)
        assert np.min(np.std(u, 0)) > .3  # Each image has a draw of its own.
    again = [editing.resample(scaled, IMAGES, [1], seed, .5, condition=LABELS)
             for seed in (SEED, [5, 6])]
    assert_close(again[0], changed)
    assert np.any(again[1] != changed)


def test_reconstruction_from_part_of_the_latents(scaled, assert_close):
    def reconstruct(kept):
        return editing.reconstruct(scaled, IMAGES, kept, condition=LABELS)
    z = levels_of(scaled, IMAGES)
    modes = [part.mean() for part in scaled.distribution.model]  # A Normal's mode is its mean.
    for kept, left_out in ((1, 0), (0, 1)):
        latents = levels_of(scaled, reconstruct(kept))
        assert_close(latents[kept], z[kept], 1e-8)
        np.testing.assert_allclose(
            latents[left_out], np.broadcast_to(modes[left_out], z[left_out].shape), atol=1e-8)
    assert_close(reconstruct([0, 1]), IMAGES, 1e-8)
    assert_close(reconstruct([]), tfp_glow.with_temperature(scaled, 0.).sample(
        200, seed=SEED, condition=LABELS), 1e-8)


def test_a_sweep_scales_one_noise(scaled, assert_close):
    labels = LABELS[:3]
    swept = editing.temperature_sweep(scaled, [0, .5, 1], 3, SEED, condition=labels)
    assert_close(swept[:, 2], scaled.sample(3, seed=SEED, condition=labels), 1e-8)
    mode, half, full = (levels_of(scaled, swept[:, t], labels) for t in range(3))
    for m, h, f in zip(mode, half, full):
        np.testing.assert_allclose(h - m, .5 * (f - m), atol=1e-8)


def moments():
    """Returns the mean and covariance of a flattened image under `affine`."""
    mean = MATRIX @ LOC.ravel() + SHIFT
    return mean, MATRIX @ np.diag(SCALE.ravel()**2) @ MATRIX.T


def test_inpainting_finds_the_conditional_mode(affine, assert_close):
    """The mode of a Gaussian is its conditional mean, in closed form."""
    hidden = np.array([True, False, False, True, False, True])
    mean, covariance = moments()
    gain = covariance[np.ix_(hidden, ~hidden)] @ np.linalg.inv(covariance[np.ix_(~hidden, ~hidden)])
    known = FIRST.reshape(4, 6)[:, ~hidden]
    expected = FIRST.reshape(4, 6).copy()
    expected[:, hidden] = np.clip(mean[hidden] + (known - mean[~hidden]) @ gain.T, -.5, .5)
    inpainted = editing.inpaint(affine, FIRST, hidden.reshape(SHAPE), 200, 1e-3, SEED, noise=0.)
    inside = np.all(np.abs(expected) < .5, axis=1)
    assert inside.sum() >= 2  # If the range cuts a mode off, its parts are not just clipped.
    assert_close(inpainted.images.numpy().reshape(4, 6)[inside], expected[inside], 1e-3)
    assert np.all(np.diff(inpainted.log_prob, axis=1) >= 0)
    assert_close(inpainted.log_prob[:, -1], affine.log_prob(inpainted.images), 1e-8)


@pytest.mark.slow
def test_inpainting_as_the_paper_writes_it(affine, assert_close):
    """Updates without noise equal NumPy's with the same step sizes, from the same start."""
    mask = np.array([True, False, True]).reshape(1, 3, 1)
    options = {'mask': mask, 'steps': 4, 'step_size': 2e-3, 'seed': SEED, 'backtrack': False}
    inpainted = editing.inpaint(affine, FIRST, noise=0., frames=4, **options)
    mean, covariance = moments()
    precision = np.linalg.inv(covariance)
    start = editing.inpaint(affine, FIRST, noise=0., **{**options, 'steps': 1, 'step_size': 1e-20})
    x = start.images.numpy()
    assert np.all(x[:, :, 1] == FIRST[:, :, 1]) and np.all(x[:, :, ::2] != FIRST[:, :, ::2])
    for i in range(4):
        gradient = (-(x.reshape(4, 6) - mean) @ precision).reshape(x.shape)
        x = np.where(mask, np.clip(x + 2e-3 * 100 / (100 + i) * gradient, -.5, .5), x)
        assert_close(inpainted.frames[:, i], x, 1e-8)
        assert_close(inpainted.log_prob[:, i + 1], affine.log_prob(x), 1e-8)
    assert_close(inpainted.images, x, 1e-8)
    noisy = editing.inpaint(affine, FIRST, noise=10., **{**options, 'steps': 1})
    difference = (noisy.images - inpainted.frames[:, 0]).numpy()
    assert np.all(difference[:, :, 1] == 0)
    assert .3 < np.std(difference[:, :, ::2]) / (2e-3 * 10) < 2


def test_frames_of_inpainting_are_evenly_spaced(affine, assert_close):
    def run(frames):
        mask = np.reshape([True, False, True], [3, 1])
        return editing.inpaint(affine, FIRST, mask, 5, 1e-3, SEED, frames=frames).frames
    every, some = run(5), run(2)
    assert_close(some, tf.gather(every, [1, 4], axis=1))


def test_tools_can_be_traced(affine, assert_close):
    """The batch may have an unknown size."""
    tools = (lambda x: editing.interpolate(affine, x, -x, 3),
             lambda x: editing.resample(affine, x, 0, SEED),
             lambda x: editing.traverse(affine, x, 0, 3, [0., 1.]),
             lambda x: editing.inpaint(affine, x, [[True], [False], [True]], 2, 1e-4, SEED).images)
    traced = tf.function(lambda x: [tool(x) for tool in tools],
                         [tf.TensorSpec([None, *SHAPE], tf.float64)])
    for images, tool in zip(traced(FIRST), tools):
        assert_close(images, tool(FIRST), 1e-8)


X = np.zeros([2, *SHAPE])


@pytest.mark.parametrize('call, message', [
    (lambda f: editing.interpolate(f, X.astype(np.uint8), X, 2),
     r'first must be data of the flow, float64 in \[-1/2, 1/2\).*got dtype=uint8'),
    (lambda f: editing.interpolate(f, X, X.astype(np.float32), 2), 'second .* dtype=float32'),
    (lambda f: editing.interpolate(f, X, X[:1], 2), 'second must be as many .* first, 2; got 1'),
    (lambda f: editing.interpolate(f, X, X, 1), 'steps must be an integer of at least 2; got'),
    (lambda f: editing.interpolate(f, X, X, 2.5), 'steps=2.5'),
    (lambda f: editing.reconstruct(f, X[:, :, :2], 0),
     r'images must have shape \[B, 2, 3, 1\]; got shape=\(2, 2, 2, 1\)'),
    (lambda f: editing.reconstruct(f, X[0], 0), r'images must have shape .*got shape=\(2, 3, 1\)'),
    (lambda f: editing.reconstruct(f, X + .75, 0), 'must be in .*got values from 0.75 to 0.75'),
    (lambda f: editing.reconstruct(f, X * math.nan, 0), 'got values from nan to nan'),
    (lambda f: editing.reconstruct(f, X, 1), r'kept_levels must be in 0 .. 0.*kept_levels=1'),
    (lambda f: editing.resample(f, X, [0, -1], SEED), 'levels must be in 0 .. 0.*levels=-1'),
    (lambda f: editing.resample(f, X, 0, SEED, -1.), 'temperature must be at least 0'),
    (lambda f: editing.traverse(f, X, True, 0, [1.]), 'level must be in .*level=True'),
    (lambda f: editing.traverse(f, X, 0, 6, [1.]), r'index must be below 6, .*index=6'),
    (lambda f: editing.traverse(f, X, 0, (0, 3, 0), [1.]), r'got index=\(0, 3, 0\)'),
    (lambda f: editing.traverse(f, X, 0, (0, 1), [1.]), r'got index=\(0, 1\)'),
    (lambda f: editing.traverse(f, X, 0, X, [1.]), r'direction of shape \(2, 3, 1\); got'),
    (lambda f: editing.traverse(f, X, 0, X[0], [1.]), 'index must be a direction that is finite'),
    (lambda f: editing.traverse(f, X, 0, 0, []), 'values must be finite and at least one'),
    (lambda f: editing.traverse(f, X, 0, 0, 1.), r'values must be a list .*got shape=\(\)'),
    (lambda f: editing.temperature_sweep(f, [1.], 0, SEED), 'n must be an integer of at least 1'),
    (lambda f: editing.temperature_sweep(f, [1., math.inf], 1, SEED), 'temperatures must be fin'),
    (lambda f: editing.temperature_sweep(f, [-1.], 1, SEED), 'temperature must be at least 0'),
    (lambda f: editing.attribute_direction(f, [], X), 'with_attribute must hold at least one'),
    (lambda f: editing.attribute_direction(f, X, [X[..., 0]]), 'without must have shape'),
    (lambda f: editing.edit(f, X, [X], 1.), r'direction must have .*\[\(2, 3, 1\)\]; got \[\(2, 2'),
    (lambda f: editing.edit(f, X, [X[0]] * 2, 1.), 'direction must have one tensor per level'),
    (lambda f: editing.edit(f, X, [X[0]], math.nan), 'strength must be finite'),
    (lambda f: editing.inpaint(f, X, X[0], 1, .1, SEED), 'mask must be boolean.*dtype=float64'),
    (lambda f: editing.inpaint(f, X, [True, False], 1, .1, SEED), r'mask must broadcast.*\(2,\)'),
    (lambda f: editing.inpaint(f, X, X == 1, 1, .1, SEED), 'mask must hide at least one pixel'),
    (lambda f: editing.inpaint(f, X, X == 0, 0, .1, SEED), 'steps must be .*steps=0'),
    (lambda f: editing.inpaint(f, X, X == 0, 1, 0., SEED), 'step_size must be .*step_size=0.0'),
    (lambda f: editing.inpaint(f, X, X == 0, 1, .1, SEED, noise=-1), 'noise must be .*noise=-1'),
    (lambda f: editing.inpaint(f, X, X == 0, 1, .1, SEED, frames=2), 'frames .* 1; got frames=2'),
])
def test_bad_arguments_are_named(affine, call, message):
    with pytest.raises(ValueError, match=message):
        call(affine)
