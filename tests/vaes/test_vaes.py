"""Tests the VAEs of the builders: posteriors, priors, likelihoods and errors."""

import catalogue
import numpy as np
import pytest
import tensorflow as tf
from scipy import stats
from tensorflow_probability import bijectors as tfb
from tensorflow_probability import distributions as tfd

import tfp_glow
from tfp_glow import vaes
from tfp_glow.internal import keras_bridge

SHAPE, SEED = (4, 4, 1), [1, 2]
IMAGES = np.random.default_rng(0).integers(0, 2, [5, *SHAPE]).astype(np.uint8)


def dense(**options):
    options = {'latent_dims': 3, 'hidden': [8], 'iaf_hidden': [12], 'context_size': 5,
               'prior_hidden': [8], **options}
    return catalogue.perturb(vaes.dense_vae(SHAPE, **options), 0, scale=.3)


@pytest.fixture(scope='module')
def iaf():
    return dense(posterior='iaf')


def test_density_of_the_iaf_posterior_is_that_of_autodiff(iaf):
    inferred = iaf.infer(IMAGES, SEED)
    latents, = inferred.latents
    features = iaf.features(IMAGES)
    flow, context = iaf.posterior_flow, features['context']
    start = flow.inverse(tf.identity(latents), condition=context)  # It goes by dimension.
    with tf.GradientTape() as tape:
        tape.watch(start)
        again = flow.forward(start, condition=context)
    np.testing.assert_allclose(again, latents, atol=1e-5)
    log_det = np.linalg.slogdet(tape.batch_jacobian(again, start))[1]
    assert np.abs(log_det).min() > .01
    log_q = stats.norm(features['loc'], np.exp(features['log_scale'])).logpdf(start).sum(-1)
    log_p = stats.norm().logpdf(latents).sum(-1)
    np.testing.assert_allclose(np.sum(inferred.kl[0], -1), log_q - log_det - log_p, atol=1e-4)
    assert inferred.kl[0].shape == (5, 3)


def test_iaf_steps_start_as_the_identity_and_see_the_context():
    flow = vaes.iaf_posterior(3, context_size=2, hidden=[8])
    start = tf.constant(np.random.default_rng(1).normal(size=[4, 3]), tf.float32)
    np.testing.assert_array_equal(flow.forward(start, condition=tf.ones([4, 2])), start)
    assert [part.network.layer.order.tolist() for part in flow.parts] == [[2, 1, 0], [0, 1, 2]]
    catalogue.perturb(flow, 0, scale=1.)
    one, other = (flow.forward(start, condition=tf.fill([4, 2], c)) for c in (0., 1.))
    assert np.abs(one - other).max() > 1e-3


def test_another_flow_has_one_divergence_for_all_channels():
    """A plain TFP bijector gives its log-det as a sum: z = (u_1, u_2 + u_1) * 2."""
    flow = tfb.ScaleMatvecTriL([[2., 0.], [2., 2.]])
    vae = vaes.VAE(SHAPE, lambda x: tf.zeros([tf.shape(x)[0], 4]),
                   lambda z: tf.zeros([tf.shape(z)[0], *SHAPE]), vaes.likelihoods.Bernoulli(), [2],
                   posterior_flow=flow)
    inferred = vae.infer(IMAGES, SEED)
    latents, kl = inferred.latents[0], inferred.kl[0]
    covariance = np.array([[4., 4.], [4., 8.]])
    expected = (stats.multivariate_normal([0, 0], covariance).logpdf(latents)
                - stats.norm().logpdf(latents).sum(-1))
    assert kl.shape == (5, 1)
    np.testing.assert_allclose(kl[:, 0], expected, rtol=1e-4)
    np.testing.assert_allclose(vae.encode(IMAGES)[0], np.zeros([5, 2]))


@pytest.mark.parametrize('kind', ['maf', 'real_nvp', 'made'])
def test_learned_priors(kind):
    vae = dense(prior=kind)
    inferred = vae.infer(IMAGES, SEED)
    latents, = inferred.latents
    features = vae.features(IMAGES)
    log_q = stats.norm(features['loc'], np.exp(features['log_scale'])).logpdf(latents).sum(-1)
    with tf.GradientTape() as tape:
        tape.watch(latents)
        start = vae.prior.bijector.inverse(latents)
    log_det = np.linalg.slogdet(tape.batch_jacobian(start, latents))[1]
    base = stats.logistic() if kind == 'made' else stats.norm()
    log_p = base.logpdf(start).sum(-1) + log_det
    np.testing.assert_allclose(inferred.kl[0][:, 0], log_q - log_p, atol=1e-4)
    drawn = vae.sample_latents(4, SEED)[0]
    assert drawn.shape == (4, 3) and np.std(drawn) > .1
    if kind == 'real_nvp':  # The others sample more slowly.
        cold = vae.sample_latents(4, SEED, temperature=0.)[0]
        np.testing.assert_allclose(cold, cold[:1] + tf.zeros_like(cold), atol=1e-5)


@pytest.mark.parametrize('build', [
    lambda: dense(likelihood_options={}, prior='made'),
    lambda: catalogue.perturb(vaes.conv_vae(
        (5, 6, 2), bins=8, latent_dims=3, width=2, hidden=4, posterior='iaf', iaf_hidden=[6],
        context_size=2, likelihood='logistic', likelihood_options={'scale': 'learned'}), 0, .3)],
    ids=['dense', 'conv'])
def test_every_variable_gets_a_gradient(build):
    vae = build()
    images = np.random.default_rng(0).integers(0, vae.bins, [3, *vae.event_shape])
    with tf.GradientTape() as tape:
        bound = tf.reduce_sum(vaes.elbo(vae, images, SEED))
    for variable, slope in zip(vae.trainable_variables,
                               tape.gradient(bound, vae.trainable_variables), strict=True):
        assert slope is not None and np.any(tf.convert_to_tensor(slope) != 0), variable.name
    assert {v.name for v in vae.trainable_variables} >= {v.name for v in vae.variables}


@pytest.mark.parametrize('network', [
    tfp_glow.networks.conv_encoder((5, 6, 2), 3, width=2, hidden=4),
    tfp_glow.networks.conv_decoder(3, (5, 6, 2), width=2, hidden=4),
    tfp_glow.networks.dense_encoder((5, 6, 2), 3, hidden=[4]),
    tfp_glow.networks.dense_decoder(3, (5, 6, 2), hidden=[4])], ids=lambda n: type(n).__name__)
def test_networks_can_be_copied(network):
    """`copy.deepcopy` of an object that holds them copies them likewise."""
    shape = (2, 5, 6, 2) if 'encoder' in network.name else (2, 3)
    inputs = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    copied = keras_bridge.clone(network)
    np.testing.assert_array_equal(copied(inputs), network(inputs))
    assert np.std(network(inputs)) > .01


def test_networks_in_bfloat16():
    vae = vaes.conv_vae((5, 6, 2), bins=8, latent_dims=3, width=2, hidden=4, posterior='iaf',
                        iaf_hidden=[6], context_size=2, network_dtype='mixed_bfloat16')
    assert {v.dtype for v in vae.trainable_variables} == {tf.float32}
    images = np.random.default_rng(0).integers(0, 8, [3, 5, 6, 2])
    full = vaes.conv_vae((5, 6, 2), bins=8, latent_dims=3, width=2, hidden=4, posterior='iaf',
                         iaf_hidden=[6], context_size=2)
    bound, exact = (vaes.elbo(each, images, SEED) for each in (vae, full))
    assert bound.dtype == tf.float32 and np.any(bound != exact)
    np.testing.assert_allclose(bound, exact, rtol=.02)


def test_samples_and_reconstructions(iaf):
    assert np.isin(iaf.sample(6, SEED), [0, 1]).all()
    mean = iaf.sample(6, SEED, mean=True)
    np.testing.assert_allclose(mean, iaf.sample(6, SEED, mean=True))
    expected = iaf.decode(iaf.encode(IMAGES)).mean()
    np.testing.assert_allclose(iaf.reconstruct(IMAGES), expected, rtol=1e-6)
    centre = iaf.posterior_flow.forward(
        iaf.features(IMAGES)['loc'], condition=iaf.features(IMAGES)['context'])
    np.testing.assert_allclose(iaf.encode(IMAGES)[0], centre, rtol=1e-6)
    drawn = iaf.encode(IMAGES, SEED)[0]
    assert np.abs(drawn - centre).max() > .1
    np.testing.assert_allclose(drawn, iaf.infer(IMAGES, SEED).latents[0], rtol=1e-6)


def test_map_latents_have_a_divergence_by_channel():
    vae = vaes.VAE((4, 4, 3), lambda x: tf.concat([x[:, ::2, ::2, :2]] * 2, -1),
                   lambda z: tf.repeat(tf.repeat(z, 2, 1), 2, 2)[..., :1] * tf.ones([3]),
                   vaes.likelihoods.Normal(256, scale=.2), (2, 2, 2))
    images = np.random.default_rng(0).integers(0, 256, [5, 4, 4, 3])
    inferred = vae.infer(images, SEED, closed_form=True)
    x = (images[:, ::2, ::2, :2] + .5) / 256 - .5
    expected = .5 * (x**2 + np.exp(14 * np.tanh(x / 7)) - 1) - 7 * np.tanh(x / 7)
    np.testing.assert_allclose(inferred.kl[0], expected.sum((1, 2)), rtol=1e-4)


def test_data_dependent_parameters_are_set_once():
    """Weight-normalised networks and a prior with actnorm are set from their inputs."""
    networks = [tfp_glow.networks.residual_network((4, 4, 1), n, width=2, blocks=0) for n in (2, 1)]
    prior = tfp_glow.flows.glow(SHAPE, levels=1, steps_per_level=1, width=2)
    vae = vaes.VAE(SHAPE, *networks, vaes.likelihoods.Bernoulli(), SHAPE, prior)
    assert not tfp_glow.is_initialized(vae)
    images = np.random.default_rng(0).integers(0, 2, [64, *SHAPE])
    vae.initialize(images, SEED)
    assert tfp_glow.is_initialized(vae)
    latents, = vae.encode(images, SEED)
    normalised = prior.bijector.inverse(latents)[0].numpy()  # Actnorm normalises each channel.
    assert np.abs(normalised.mean()) < .2 and abs(normalised.std() - 1) < .3
    before = [v.numpy() for v in vae.variables]
    vae.initialize(images[:3], SEED)
    for v, old in zip(vae.variables, before, strict=True):
        np.testing.assert_array_equal(v, old)


def outputs(*shape):
    """Returns a network that ignores its input except for the batch size."""
    return lambda x: tf.zeros([len(x), *shape])


def vae_of(**options):
    options = {'encoder': outputs(4), 'decoder': outputs(*SHAPE), 'latent_shape': [2],
               'likelihood': vaes.likelihoods.Bernoulli(), **options}
    return vaes.VAE(SHAPE, **options)


@pytest.mark.parametrize('act, message', [
    (lambda: vaes.dense_vae(SHAPE, bins=256, likelihood='bernoulli'),
     'likelihood must fit the range of the data: Bernoulli is for bins=2; got bins=256'),
    (lambda: vaes.dense_vae(SHAPE, bins=256, likelihood=vaes.likelihoods.Normal(16)),
     'likelihood must fit the range of the data, bins=256; got one of bins=16'),
    (lambda: vaes.dense_vae(SHAPE, likelihood=vaes.likelihoods.Bernoulli(),
                            likelihood_options={'scale': .1}),
     'likelihood must be named .*Bernoulli and scale'),
    (lambda: vaes.dense_vae(SHAPE, likelihood='poisson'), "must be one of bernoulli.*'poisson'"),
    (lambda: vaes.dense_vae(SHAPE, posterior='maf'), "posterior must be one of .*; got 'maf'"),
    (lambda: vaes.dense_vae(SHAPE, prior='iaf'), "prior must be one of normal, .*; got 'iaf'"),
    (lambda: vaes.dense_vae(SHAPE, latent_dims=0), 'latent_dims must be positive; got .*=0'),
    (lambda: vaes.dense_vae(SHAPE, prior='real_nvp', latent_dims=1), 'size at least 2 .*size=1'),
    (lambda: vaes.dense_vae(SHAPE[:2]), 'event_shape must be 3 positive numbers'),
    (lambda: vaes.iaf_posterior(2, 2, steps=0), 'steps must be positive; got steps=0'),
    (lambda: vaes.conv_vae(SHAPE, levels=0), 'levels must be positive; got levels=0'),
    (lambda: vaes.likelihoods.Normal(256, scale=-1.), 'scale must be .*; got scale=-1.0'),
    (lambda: vaes.likelihoods.LogisticMixture(256, 0), 'components must be positive'),
    (lambda: vaes.likelihoods.Logistic(1), 'bins must be at least 2; got bins=1'),
    (lambda: vaes.likelihoods.Logistic(4)(tf.zeros([1, 2, 2, 3])), 'raw must have 2 outputs'),
    (lambda: vae_of(prior=vaes.learned_prior('maf', 3, hidden=[4])),
     r'prior must be over \(2,\), the latent_shape, .*event_shape=\(3,\)'),
    (lambda: vae_of(encoder=outputs(5)).features(IMAGES), r'encoder must return the shape \[B, 4\]'
     r'.*\(2,\); got shape=\(5, 5\)'),
    (lambda: vae_of(posterior_flow=vaes.iaf_posterior(2, 3, hidden=[4])).features(IMAGES),
     'encoder must return .* and more for the flow'),
    (lambda: vae_of(decoder=outputs(4, 4, 2)).decode([tf.zeros([5, 2])]),
     r'decoder must return 1 channels for images of \(4, 4, 1\)'),
    (lambda: vae_of().decode([tf.zeros([5, 3])]), r'latents\[0\] must have the shape \[B, 2\]; got '
     r'shape=\(5, 3\)'),
    (lambda: vae_of().decode([tf.zeros([5, 2])] * 2), 'latents must be a list of 1 tensors; got 2'),
    (lambda: vae_of().infer(IMAGES[:, :3], SEED), r'images must have the shape \[B, 4, 4, 1\]'),
    (lambda: vae_of().infer(2 * IMAGES, SEED), 'images must be in 0 .. 1; got values from 0 to 2'),
    (lambda: vae_of(posterior_flow=tfb.Scale(2.)).infer(IMAGES, SEED, closed_form=True),
     'closed_form must be False with a posterior_flow or a prior'),
    (lambda: vae_of(prior=tfd.Sample(tfd.Normal(0., 1.), [2])).sample(3, SEED, temperature=.5),
     'temperature must be 1 of a prior that is no flow; got temperature=0.5')])
def test_bad_input_is_named(act, message):
    with pytest.raises(ValueError, match=message):
        act()


def test_images_out_of_range_are_refused_in_graphs():
    vae = vae_of()
    with pytest.raises(tf.errors.InvalidArgumentError, match='images must be in 0 .. 1'):
        tf.function(vae.infer)(tf.constant(3 * IMAGES), SEED)


def test_a_subclass_is_told_what_it_must_write():
    plain = vaes.LatentModel(SHAPE, 2, [[2]])
    for act in (lambda: plain.infer(IMAGES, SEED), lambda: plain.sample(1, SEED),
                lambda: plain.encode(IMAGES), lambda: plain.decode([tf.zeros([1, 2])])):
        with pytest.raises(NotImplementedError, match='LatentModel must write _'):
            act()
