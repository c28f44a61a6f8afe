"""Tests the ladder VAE: divergences against closed forms and Jacobians, agreement of parts."""

import catalogue
import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_probability import distributions as tfd

import tfp_glow
from tfp_glow import vaes

RNG = np.random.default_rng(3)
IMAGES = RNG.integers(0, 17, [3, 8, 8, 1])


def ladder(posterior, **options):
    options = dict({'levels': 2, 'layers': [2, 1], 'width': 6, 'latent_channels': 2,
                    'flow_width': 4, 'dtype': 'float64'}, **options)
    return catalogue.perturb(
        vaes.ladder_vae((8, 8, 1), 17, posterior=posterior, **options), scale=.2)


@pytest.fixture(scope='module')
def models():
    return {posterior: ladder(posterior) for posterior in ('gaussian', 'iaf')}


@pytest.fixture(params=['gaussian', 'iaf'])
def model(models, request):
    return models[request.param]


def test_shapes(model):
    assert model.latent_shapes == [[2, 2, 2], [4, 4, 2], [4, 4, 2]]
    inferred = model.infer(IMAGES, [1, 2])
    assert [z.shape for z in inferred.latents] == [[3, 2, 2, 2], [3, 4, 4, 2], [3, 4, 4, 2]]
    assert inferred.log_likelihood.shape == [3]
    assert [kl.shape for kl in inferred.kl] == 3 * [[3, 2]]


def test_closed_form_is_mean_of_draws(models):
    images = np.repeat(IMAGES[:1], 4000, axis=0)
    drawn = models['gaussian'].infer(images, [1, 2])
    closed = models['gaussian'].infer(images, [1, 2], closed_form=True)
    for sampled, mean in zip(drawn.kl, closed.kl):
        error = (sampled - mean).numpy()
        assert np.all(np.abs(error.mean(0)) < 4 * error.std(0) / np.sqrt(len(error)))
        assert np.all(mean.numpy().min(0) > 0) and np.all(error.std(0) > 0)


def test_closed_form_wants_a_gaussian(models):
    with pytest.raises(ValueError, match='closed_form must be False'):
        models['iaf'].infer(IMAGES, [1, 2], closed_form=True)


def test_top_divergence_by_jacobian(models, assert_close):
    """log q of the top group follows from the Gaussian's draw and the Jacobian of its flow."""
    model = models['iaf']
    features, layer = model.features(IMAGES), model.layers[0]
    top = next(v for v in model.variables if v.name.endswith('top:0'))
    prior_mean, prior_log_sd, mean, log_sd, context, _ = layer.down(
        np.broadcast_to(top, [3, 2, 2, 6]))
    posterior = tfd.MultivariateNormalDiag(
        tf.reshape(mean + features[0].mean, [3, 8]),
        tf.exp(tf.reshape(log_sd + features[0].log_sd, [3, 8])))
    prior = tfd.MultivariateNormalDiag(
        tf.reshape(prior_mean, [3, 8]), tf.exp(tf.reshape(prior_log_sd, [3, 8])))
    context = context + features[0].context

    inferred = model.infer(IMAGES, [1, 2])
    latents = tf.identity(inferred.latents[0])
    own = tf.identity(layer.flow.inverse(latents, condition=context))
    with tf.GradientTape() as tape:
        tape.watch(own)
        again = layer.flow.forward(own, condition=context)
    jacobian = tf.reshape(tape.batch_jacobian(again, own), [3, 8, 8])
    log_q = posterior.log_prob(tf.reshape(own, [3, 8])) - tf.linalg.slogdet(jacobian)[1]
    expected = log_q - prior.log_prob(tf.reshape(latents, [3, 8]))
    assert np.abs(tf.linalg.slogdet(jacobian)[1]).min() > 1e-3
    assert_close(tf.reduce_sum(inferred.kl[0], -1), expected, 1e-8)


def test_flow_is_the_papers_step(models, assert_close):
    """The shift and the log-scale are a tenth of the network's outputs for what comes before."""
    layer = models['iaf'].layers[0]
    own, context = RNG.standard_normal([3, 2, 2, 2]), RNG.standard_normal([3, 2, 2, 4])
    latents, log_dets = layer.through_flow(tf.constant(own), tf.constant(context))
    raw = layer.flow.network(own, condition=context).numpy()
    log_scale = 3 * np.tanh(.1 * raw[..., 1] / 3)  # It is nearly .1 s, softly bounded.
    assert_close(latents, (own + .1 * raw[..., 0]) * np.exp(log_scale), 1e-12)
    assert_close(log_dets, log_scale, 1e-12)


def test_parts_agree(model, assert_close):
    inferred = model.infer(IMAGES, [1, 2])
    assert_close(model.encode(IMAGES, [1, 2]), inferred.latents, 1e-12)
    assert_close(model.decode(inferred.latents).log_prob(tf.constant(IMAGES, tf.float64)),
                 inferred.log_likelihood, 1e-9)
    shared = model.infer(IMAGES, [1, 2], features=model.features(IMAGES))
    assert_close(shared.kl, inferred.kl, 1e-12)
    centre = model.encode(IMAGES)
    assert_close(model.reconstruct(IMAGES), model.decode(centre).mean(), 1e-12)
    one = model.encode(IMAGES[1:2])
    assert_close([z[0] for z in one], [z[1] for z in centre], 1e-9)


def test_centre_of_gaussian_is_mean_of_draws(models):
    draws = models['gaussian'].encode(np.repeat(IMAGES[:1], 4000, axis=0), [3, 4])[0].numpy()
    centre = models['gaussian'].encode(IMAGES[:1])[0].numpy()[0]
    assert np.all(np.abs(draws.mean(0) - centre) < 4.5 * draws.std(0) / np.sqrt(4000))


def test_samples(model, assert_close):
    cold, warm, hot = (model.sample_latents(5, [1, 2], temperature=t) for t in (0., .5, 1.))
    assert [z.shape for z in hot] == [[5, *shape] for shape in model.latent_shapes]
    assert_close(cold, model.sample_latents(5, [3, 4], temperature=0.), 1e-12)
    assert_close(2 * (warm[0] - cold[0]), hot[0] - cold[0], 1e-9)  # The top group is linear.
    assert np.abs(hot[0] - cold[0]).min() > 0
    images = model.sample(5, [1, 2]).numpy()
    assert images.shape == (5, 8, 8, 1)
    assert_close(images, np.clip(np.round(images), 0, 16), 0.)
    assert_close(images, model.sample(5, [1, 2]), 0.)
    means = model.sample(5, [1, 2], mean=True).numpy()
    assert means.shape == (5, 8, 8, 1) and means.min() >= 0 and means.max() <= 16


def test_prior_draws_have_the_prior_s_divergence(models, assert_close):
    """`infer` subtracts the log p of the groups that the down networks alone give."""
    model = models['gaussian']
    inferred = model.infer(IMAGES, [1, 2])
    features = model.features(IMAGES)
    top = next(v for v in model.variables if v.name.endswith('top:0'))
    hidden = tf.broadcast_to(top, [3, 2, 2, 6])
    for layer, up, z, kl in zip(model.layers, features, inferred.latents, inferred.kl):
        p_mean, p_log_sd, mean, log_sd, _, own = layer.down(hidden)
        log_q = tfd.Normal(mean + up.mean, tf.exp(log_sd + up.log_sd)).log_prob(z)
        log_p = tfd.Normal(p_mean, tf.exp(p_log_sd)).log_prob(z)
        assert_close(kl, tf.einsum('bhwc->bc', log_q - log_p), 1e-9)
        hidden = layer.merge([hidden, z, own])


def test_importance_bound(model):
    """It exceeds the ELBO of the same draws, by Jensen's inequality, and equals it for one."""
    estimates = vaes.bounds.estimate(model, IMAGES, [1, 2], samples=3)
    assert np.all(estimates.importance > estimates.elbo)
    one = vaes.bounds.estimate(model, IMAGES, [1, 2])
    np.testing.assert_allclose(one.importance, one.elbo, 1e-12)


def test_gradients_reach_every_variable(model):
    with tf.GradientTape() as tape:
        inferred = model.infer(IMAGES, [1, 2])
        loss = tf.add_n([tf.reduce_sum(kl) for kl in inferred.kl]) - tf.reduce_sum(
            inferred.log_likelihood)
    names = [v.name for v in model.trainable_variables]
    gradients = tape.gradient(loss, model.trainable_variables)
    assert not [n for n, g in zip(names, gradients) if g is None or not np.any(g)]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize('posterior, each', [('gaussian', 4), ('iaf', 8)])
def test_each_network_runs_once(models, posterior, each):
    """A layer has two convolutions up (one at the top), two down and four in its flow."""
    model = models[posterior]
    traced = tf.function(lambda x: model.infer(x, [1, 2])).get_concrete_function(
        tf.TensorSpec([None, 8, 8, 1], tf.uint8))
    ops = [op.type for op in traced.graph.get_operations()]
    assert ops.count('Conv2D') == 1 + 3 * each
    eager, graph = model.infer(IMAGES, [1, 2]), traced(tf.constant(IMAGES, tf.uint8))
    np.testing.assert_allclose(graph.log_likelihood, eager.log_likelihood, 1e-9)


def test_initialisation(assert_close):
    model = vaes.ladder_vae((8, 8, 1), 17, levels=2, layers=1, width=6, latent_channels=2,
                            network_dtype='mixed_bfloat16')
    images = RNG.integers(0, 17, [64, 8, 8, 1])
    model.initialize(images, [1, 2])
    assert tfp_glow.is_initialized(model)
    before = [v.numpy() for v in model.variables]
    model.initialize(images[::-1], [1, 2])
    assert_close(model.variables, before, 0.)
    up = model.features(images)[0]
    np.testing.assert_allclose(up.mean.numpy().std((0, 1, 2)), .1, atol=.005)
    # Before training the flow is the identity, and the normalised layers give small outputs.
    inferred = model.infer(images, [1, 2])
    assert inferred.kl[0].dtype == inferred.log_likelihood.dtype == tf.float32
    assert np.all(np.isfinite(inferred.log_likelihood))
    assert np.mean(inferred.kl[1]) < 2.


def test_training():
    """`fit` initialises the model, trains all of it and evaluates with the averaged weights."""
    vae = vaes.ladder_vae((4, 4, 1), 17, 1, 1, width=4, latent_channels=2,
                          likelihood='mixture', likelihood_options={'components': 2})
    before = [v.numpy() for v in vae.trainable_variables]
    model = vaes.VAEModel(vae, free_bits=.1)
    model.compile(keras.optimizers.Adamax(1e-2, use_ema=True, ema_momentum=.5))
    images = np.broadcast_to(RNG.integers(0, 17, [4, 4, 1]), [64, 4, 4, 1])
    history = model.fit(images, batch_size=32, epochs=3, verbose=0,
                        validation_data=(images[:32],)).history
    assert tfp_glow.is_initialized(vae)
    assert history['nats'][-1] < history['nats'][0]
    assert history['val_nats'][-1] < history['val_nats'][0]
    still = [v.name for v, old in zip(vae.trainable_variables, before) if np.all(v == old)]
    assert not still


def test_seeds(assert_close):
    def build(seed):
        return vaes.ladder_vae((8, 8, 1), 17, 1, 2, 4, 2, seed=seed)
    one, same, other = build(1), build(1), build(2)
    assert_close(one.variables, same.variables, 0.)
    kernels = [v.numpy() for v in one.variables if 'kernel' in v.name and np.any(v)]
    assert len({k.ravel()[0] for k in kernels}) == len(kernels)
    assert np.any([np.any(a != b) for a, b in zip(one.variables, other.variables)])


@pytest.mark.parametrize('options, message', [
    ({'levels': 4}, 'divisible by'),
    ({'levels': 3}, r'at least 2 \* 2\*\*levels = 16'),
    ({'layers': [1, 2]}, 'layers must be one number or one per level'),
    ({'layers': 0}, 'layers must be positive'),
    ({'latent_channels': 0}, 'latent_channels must be positive'),
    ({'posterior': 'maf'}, "posterior must be one of gaussian, iaf; got 'maf'")])
def test_errors(options, message):
    with pytest.raises(ValueError, match=message):
        vaes.ladder_vae((8, 8, 1), 17, **options)


def test_layers_are_checked():
    network = tfp_glow.networks.masked_conv((2, 2, 1), 2, width=4)
    flow = tfp_glow.bijectors.InverseAutoregressive(network)
    with pytest.raises(ValueError, match='flow must take a condition'):
        vaes.LadderLayer(tf.identity, tf.identity, tf.identity, flow)
    with pytest.raises(ValueError, match='layers must be as many as latent_shapes'):
        vaes.LadderVAE((8, 8, 1), 2, tf.identity, [], [], tf.zeros([4]), (2, 2), tf.identity,
                       tf.identity)
