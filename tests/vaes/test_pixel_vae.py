"""Tests VAEs whose decoder ends in a PixelCNN: the protocol of latent models, from end to end."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfp_glow import vaes

SEED = [3, 4]


def small(bins=5, **options):
    return vaes.pixel_vae((3, 2, 1), bins, **dict(
        {'latent_dims': 3, 'features': 2, 'pixel_width': 8, 'pixel_blocks': 1, 'components': 2,
         'first_kernel_size': 3, 'width': 4, 'levels': 1, 'hidden': 8, 'iaf_steps': 1,
         'iaf_hidden': (6,), 'context_size': 2, 'seed': 1}, **options))


def images(bins=5, count=4):
    return np.random.default_rng(0).integers(0, bins, [count, 3, 2, 1]).astype(np.uint8)


@pytest.fixture(scope='module')
def trained():
    """Returns a trained VAE, its weights before training and the history."""
    vae = small(posterior='iaf')
    before = [v.numpy() for v in vae.trainable_variables]
    model = vaes.VAEModel(vae)
    model.compile(keras.optimizers.Adam(.02))  # It refuses untrained weights.
    history = model.fit(images(count=8), batch_size=4, epochs=2, verbose=0)
    return vae, before, history.history


def test_all_weights_are_trained(trained):
    vae, before, history = trained
    names = [v.name for v in vae.trainable_variables]
    assert len(set(names)) == len(names)
    still = [n for n, v, b in zip(names, vae.trainable_variables, before) if np.array_equal(v, b)]
    assert still == []
    assert np.all(np.isfinite([history['bits_per_dim'], history['kl']]))


def test_inference_and_decoder_agree(trained, assert_close):
    vae, _, _ = trained
    x = images()
    inferred = vae.infer(x, SEED)
    assert inferred.latents[0].shape == [4, 3]
    likelihood = vae.decode(inferred.latents)
    assert likelihood.batch_shape == [4] and likelihood.event_shape == [3, 2, 1]
    assert_close(inferred.log_likelihood, likelihood.log_prob(x), 1e-5)
    other = vae.decode([inferred.latents[0] + 3.]).log_prob(x)  # The latents matter.
    assert np.all(np.abs(other - inferred.log_likelihood) > 1e-4)


def test_pictures_are_draws_by_one_noise(trained):
    vae, _, _ = trained
    latents, = vae.encode(images(count=2))
    pictures = vae.picture([tf.concat([latents, latents], 0)]).numpy()
    np.testing.assert_array_equal(pictures[:2], pictures[2:])  # Draws would differ.
    assert set(np.unique(pictures)) <= set(range(5)) and len(np.unique(pictures)) > 1
    drawn = vae.sample(2, SEED)
    assert drawn.shape == [2, 3, 2, 1] and set(np.unique(drawn)) <= set(range(5))
    np.testing.assert_array_equal(vae.sample(2, SEED, mean=True), drawn)


def test_binary_images_of_any_channels():
    vae = vaes.pixel_vae((3, 3, 2), latent_dims=2, features=3, pixel_width=4, pixel_blocks=1,
                         first_kernel_size=3, width=4, levels=1, hidden=8)
    x = np.random.default_rng(0).integers(0, 2, [3, 3, 3, 2])
    np.testing.assert_allclose(  # The last layer starts at zero: all pixels are fair coins.
        vae.infer(x, SEED, closed_form=True).log_likelihood, [-18 * np.log(2)] * 3, rtol=1e-6)
    assert set(np.unique(vae.sample(2, SEED))) == {0, 1}


def test_same_seed_same_weights():
    one, same, other = (small(seed=seed) for seed in (1, 1, 2))

    def kernels(vae):
        return [v.numpy() for v in vae.likelihood.trainable_variables if v.numpy().any()]
    assert all(np.array_equal(a, b) for a, b in zip(kernels(one), kernels(same), strict=True))
    assert not any(np.array_equal(a, b) for a, b in zip(kernels(one), kernels(other)))


@pytest.mark.parametrize('make, message', [
    (lambda: small(bins=1), 'bins must be at least 2; got bins=1'),
    (lambda: small(features=0), 'must be positive; .*condition_channels=0'),
    (lambda: small(pixel_blocks=0), 'got .*blocks=0'),
    (lambda: small(latent_dims=0), 'latent_dims must be positive; got latent_dims=0'),
    (lambda: small(posterior='flow'), "posterior must be one of gaussian, iaf; got 'flow'"),
    (lambda: small().decode([np.zeros([2, 4])]), r'latents\[0\] must have the shape \[B, 3\]'),
    (lambda: small().infer(images(bins=9), SEED), r'images must be in 0 .. 4; got values from')])
def test_bad_input(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.slow
def test_a_run_of_the_zoo(tmp_path):
    """It is trained, evaluated and exported as any VAE; its bundle samples pixel by pixel."""
    import tiny_run

    from zoo.bundles import reading as bundles
    with tiny_run.program('train') as train:
        train(model='pixel_vae', dataset='digits', recipe='digits', epochs=1, batch_size=256,
              latent_dims=2, features=2, pixel_width=4, width=4, dense_units=8, ema=.5,
              sample_images=4, verbose=0, workdir=tmp_path / 'run', data_dir=tmp_path / 'data')
    answers = bundles.open_bundle(tmp_path / 'run' / 'saved_model').load()
    drawn = answers.sample(tf.constant(3), tf.constant(1.), tf.constant(0)).numpy()
    assert drawn.shape == (3, 8, 8, 1) and drawn.dtype == np.uint8 and drawn.max() <= 16
    picture = answers.reconstruct(drawn).numpy()
    np.testing.assert_array_equal(picture, answers.decode(answers.encode(drawn)))
    np.testing.assert_array_equal(picture, np.round(picture))
