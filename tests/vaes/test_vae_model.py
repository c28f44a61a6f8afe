"""Tests `VAEModel`: its loss by hand, training on binarised digits, averages, weight files."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfp_glow import vaes

SEED = [1, 2]


def vae(seed=0, **options):
    return vaes.dense_vae((8, 8, 1), latent_dims=4, hidden=[32], seed=seed, **options)


def build(own=None, **options):
    model = vaes.VAEModel(own or vae(), **options)
    model.compile(keras.optimizers.Adam(5e-3, use_ema=True, ema_momentum=.9))
    return model


@pytest.fixture(scope='module')
def binary(digits):
    return (digits > 8).astype(np.uint8)


@pytest.fixture(scope='module')
def trained(binary):
    model = build(free_bits=.05, kl_warmup_steps=20)
    return model, model.fit(binary[:1600], batch_size=100, epochs=5, verbose=0).history


def test_training_lowers_the_bound(trained, binary):
    model, history = trained
    assert sorted(history) == ['bits_per_dim', 'kl', 'loss', 'nats']
    assert history['nats'][-1] < history['nats'][0] - 5
    last = model.evaluate(binary[:200], batch_size=100, verbose=0, return_dict=True)
    assert last['nats'] < history['nats'][0] - 10
    np.testing.assert_allclose(last['loss'] * 64, last['nats'], rtol=1e-5)
    np.testing.assert_allclose(last['bits_per_dim'], last['nats'] / (64 * np.log(2)), rtol=1e-5)
    assert last == model.evaluate(binary[:200], batch_size=100, verbose=0, return_dict=True)


def test_importance_samples_tighten_the_evaluation(trained, binary):
    model, _ = trained
    tight = vaes.VAEModel(model.vae, importance_samples=16)
    one = model.objective.metrics(binary[:200], SEED)
    many = tight.objective.metrics(binary[:200], SEED)
    assert np.mean(many['nats']) < np.mean(one['nats']) - .1
    np.testing.assert_allclose(many['nats'], -vaes.importance_bound(
        model.vae, binary[:200], SEED, 16), rtol=1e-5)
    np.testing.assert_allclose(many['loss'] * 64, np.mean(many['nats']), rtol=1e-5)
    np.testing.assert_allclose(tight.bits(binary[:200], SEED), many['bits_per_dim'], rtol=1e-6)


def test_averaged_weights(trained, binary):
    """Keras sets the weights to the averages when `fit` ends, so the test moves them first."""
    model, _ = trained
    bias = model.vae.trainable_variables[1]
    bias.assign_add(tf.ones_like(bias))
    own, before = [v.numpy() for v in model.vae.variables], vaes.elbo(model.vae, binary, SEED)
    with model.averaged_weights() as vae:
        assert vae is model.vae
        np.testing.assert_allclose(bias, own[1] - 1, atol=1e-6)
        assert np.mean(vaes.elbo(vae, binary, SEED)) > np.mean(before)
    for v, old in zip(model.vae.variables, own, strict=True):
        np.testing.assert_array_equal(v, old)


def test_weight_file_and_checkpoint(trained, binary, tmp_path):
    model, _ = trained
    path = str(tmp_path / 'vae.weights.h5')
    model.save_weights(path)
    loaded, again = vae(seed=5), vae(seed=6)
    vaes.VAEModel(loaded).load_weights(path)
    prefix = tf.train.Checkpoint(vae=model.vae).write(str(tmp_path / 'checkpoint'))
    tf.train.Checkpoint(vae=again).read(prefix).assert_consumed()
    expected = vaes.elbo(model.vae, binary[:50], SEED)
    for same in (loaded, again):
        np.testing.assert_array_equal(vaes.elbo(same, binary[:50], SEED), expected)
    with pytest.raises(ValueError, match='the weights must be those of this vae'):
        vaes.VAEModel(vae(posterior='iaf')).load_weights(path)


def test_loss_by_hand(binary):
    """Warm-up, free bits and both estimators agree with the draws of the same seed."""
    images = binary[:20]
    small = vaes.dense_vae((8, 8, 1), latent_dims=4, hidden=[16])
    for closed_form in (False, True):
        model = vaes.VAEModel(small, samples=2, closed_form=closed_form, free_bits=.1,
                              kl_warmup_steps=10)
        estimates = vaes.bounds.estimate(small, images, SEED, 2, closed_form)
        by_channel = estimates.kl[0].numpy().mean(0)
        assert np.any(by_channel < .1) and np.any(by_channel > .1)
        for step, weight in ((0, .1), (4, .5), (50, 1.)):
            expected = weight * np.maximum(by_channel, .1).sum() - np.mean(estimates.log_likelihood)
            measured = model.objective.metrics(images, SEED, step=tf.constant(step, tf.int64))
            np.testing.assert_allclose(measured['loss'], expected / 64, rtol=1e-5)
            np.testing.assert_allclose(measured['nats'], -estimates.elbo, rtol=1e-5)
            np.testing.assert_allclose(measured['kl'], np.sum(estimates.kl[0], -1), rtol=1e-5)


def test_without_free_bits_the_loss_is_the_bound(binary):
    """It is so although the batch's mean divergence of some channels is negative."""
    small = vaes.dense_vae((8, 8, 1), latent_dims=4, hidden=[16], posterior='iaf')
    estimates = vaes.bounds.estimate(small, binary[:20], SEED, 1)
    assert np.any(np.mean(estimates.kl[0], 0) < 0)
    measured = vaes.VAEModel(small).objective.metrics(binary[:20], SEED, step=tf.constant(9))
    np.testing.assert_allclose(measured['loss'], -np.mean(estimates.elbo) / 64, rtol=1e-6)


@pytest.mark.parametrize('options, message', [
    ({'samples': 0}, 'samples must be positive; got samples=0'),
    ({'importance_samples': 0}, 'importance_samples must be positive; got importance_samples=0'),
    ({'importance_samples': -3}, 'importance_samples must be positive'),
    ({'free_bits': -1.}, 'free_bits and kl_warmup_steps must not be negative'),
    ({'closed_form': True, 'own': vae(prior='maf', prior_hidden=[4])},
     'closed_form must be False')])
def test_bad_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        build(**options)
