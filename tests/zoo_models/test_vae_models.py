"""Tests the zoo's VAEs: models from configurations, and the reports on their latents."""

import math

import numpy as np
import pytest
import tensorflow as tf

import tfp_glow
from zoo.evaluation import posterior_collapse
from zoo.models import registry
from zoo.models.options import Events
from zoo.runs import run as runs


def made(bins=2, **changes):
    """Returns the model of a run whose config or training differ from the recipe's."""
    chosen = registry.recipe('dense_vae', 'digits_binary', 'digits')
    parts = [dict(vars(chosen.config)), dict(vars(chosen.training))]
    for part in parts:
        part.update((key, value) for key, value in changes.items() if key in part)
    run = runs.Run('dense_vae', 'digits', 'digits_binary', False, None,
                   type(chosen.config)(**parts[0]), type(chosen.training)(**parts[1]))
    return run.assemble(Events((8, 8, 1), (8, 8, 1), bins, 64, 10, 1437))


@pytest.mark.parametrize('changes, words', [
    ({'bins': 17, 'likelihood': 'bernoulli'},
     'likelihood must fit the range of the data: Bernoulli is for bins=2; got bins=17.'),
    ({'likelihood': 'poisson'}, "likelihood must be one of .*; got 'poisson'"),
    ({'likelihood_scale': 'wide', 'likelihood': 'normal'},
     "--likelihood_scale must be predicted, learned or a positive number; got 'wide'."),
    ({'posterior': 'nice'}, 'posterior must be .*nice'),
    ({'prior': 'flat'}, 'prior must be .*flat'),
    ({'latent_dims': 0}, '--latent_dims must be at least 1; got 0.'),
    ({'iaf_hidden': 'many'}, '--iaf_hidden must be positive integers separated by commas'),
    ({'free_bits': -1.}, '--free_bits must be finite and at least 0; got -1.0.'),
    ({'kl_warmup_epochs': math.nan}, '--kl_warmup_epochs must be finite and at least 0; got nan.'),
    ({'latent_draws': 0}, '--latent_draws must be at least 1; got 0.'),
    ({'weight_prior': 1.}, '--weight_prior must be 0 for --model=dense_vae; got 1.0.')])
def test_mistakes_of_a_config(changes, words):
    with pytest.raises(ValueError, match=words):
        made(**changes)


def test_a_config_reaches_the_model():
    model = made(kl_warmup_epochs=2., free_bits=20., latent_draws=3)
    images, seed = np.ones([4, 8, 8, 1], np.uint8), [1, 2]
    first, last = (float(model.objective.metrics(images, seed, step=tf.constant(step))['loss'])
                   for step in (0, 43))
    # Two epochs have 44 = 2 * (1437 // 64) steps: the first weight is 1/44. 8 channels * 20 nats.
    np.testing.assert_allclose(64 * (last - first), 8 * 20 * 43 / 44, rtol=1e-4)
    np.testing.assert_allclose(model.objective.metrics(images, seed)['nats'],
                               -tfp_glow.vaes.elbo(model.vae, images, seed, samples=3), rtol=1e-5)


@pytest.mark.parametrize('scale, mean_share', [('.05', .05), ('learned', .1)])
def test_the_scale_of_a_likelihood(scale, mean_share):
    """A logistic's scale is a share of the 17 levels; its deviation is pi / sqrt(3) scales."""
    vae = made(bins=17, likelihood='logistic', likelihood_scale=scale).vae
    each = vae.decode([tf.zeros([1, 8])]).distribution
    np.testing.assert_allclose(each.scale, 17 * mean_share, rtol=1e-5)


@pytest.mark.parametrize('name', ['dense_vae', 'conv_vae', 'pixel_vae'])
@pytest.mark.parametrize('recipe, bins', [('digits', 17), ('digits_binary', 2)])
def test_recipes_build(name, recipe, bins):
    chosen = registry.recipe(name, recipe, 'digits')
    assert chosen.training.binarize == ('dynamic' if bins == 2 else '')
    vae = registry.spec(name).build(chosen.config, (8, 8, 1), bins, seed=0)
    assert vae.bins == bins and vae.latent_shapes == [[8]]
    assert {'paper', 'fashion_mnist', 'fashion_mnist_binary'} <= set(registry.spec(name).recipes)


class Known(tfp_glow.vaes.LatentModel):
    """Has q(z|x) = N(a x, 1) of a single number x: activities are the variances of a x."""

    weights = np.array([0., .02, .5, 2.], np.float32)

    def __init__(self):
        super().__init__((1, 1, 1), 256, [(4,)])

    def _infer(self, images, features, seed, closed_form):
        loc = tf.cast(images, tf.float32)[:, 0, 0] * self.weights / 50
        z = loc + tf.random.stateless_normal(tf.shape(loc), seed)
        kl = (z**2 - (z - loc)**2) / 2
        return tfp_glow.vaes.Inference([z], tf.reduce_sum(0. * kl, -1), [kl])


def test_activity_and_divergence_against_their_closed_forms():
    x = np.random.default_rng(0).integers(0, 256, [400, 1, 1, 1]).astype(np.uint8)
    report = posterior_collapse.report(Known(), x, draws=64)
    spread = x.astype(float).ravel()[:, np.newaxis] * Known.weights / 50
    group, = report['groups']
    # These are deviations of the covariance of two means of 32 draws each, over 400 images.
    noise = np.sqrt((spread.var(0) * 2 / 32 + 1 / 32**2) / 400)
    assert np.all(np.abs(group['activity_by_channel'] - spread.var(0, ddof=1)) < 5 * noise)
    assert group['active'] == 2 and group['units'] == 4  # .02 times 1.5 is below sqrt(.01).
    expected = .5 * np.mean(spread**2, axis=0)
    deviation = np.sqrt(np.mean(spread**2, axis=0) / (400 * 64))
    assert np.all(np.abs(group['kl_by_channel'] - expected) <= 5 * deviation)
    assert 'warning: group 0: 2 of 4 units are not active' in posterior_collapse.text(report)
    for images, draws in ((x[:1], 4), (x, 3)):
        with pytest.raises(ValueError, match='images must be at least 2, and draws positive and'):
            posterior_collapse.report(Known(), images, draws)
