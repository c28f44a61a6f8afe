"""Tests `FlowModel` beyond plain images: labels, classifier, prior, noise, vectors."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_probability import distributions as tfd

import tfp_glow
from tfp_glow import bijectors as tgb

RNG = np.random.default_rng(3)
IMAGES = RNG.integers(0, 17, [24, 4, 4, 1]).astype(np.uint8)
LABELS = RNG.integers(0, 3, [24])


def glow(**options):
    return tfp_glow.flows.glow((4, 4, 1), levels=1, steps_per_level=1, width=4, **options)


def convolutions(function, *args):
    """Returns the number of convolutions in a trace, with the bodies of loops."""
    graph = tf.function(function).get_concrete_function(*args).graph.as_graph_def()
    nodes = [*graph.node, *(n for f in graph.library.function for n in f.node_def)]
    return sum(node.op == 'Conv2D' for node in nodes)


@pytest.fixture(scope='module')
def conditional():
    network = keras.layers.Dense(3, kernel_initializer='zeros')
    network.build([None, 4])
    flow = glow(classes=3, class_networks=False)
    model = tfp_glow.FlowModel(flow, bins=17, classifier=tfp_glow.flows.ClassFinder(flow, network))
    model.compile(keras.optimizers.Adam(1e-2))
    history = model.fit(IMAGES, LABELS, batch_size=8, epochs=12, verbose=0)
    return model, history.history


def test_labels_reach_the_flow(conditional):
    model, history = conditional
    assert history['loss'][-1] < history['loss'][0]
    bits = tf.function(lambda label: model.bits(IMAGES, [1, 2], tf.fill([24], label)))
    one, other = (bits(tf.constant(label)).numpy() for label in (0, 1))
    assert np.abs(one - other).max() > 1e-3
    with pytest.raises(ValueError, match=r'x must be batches \(images, condition\)'):
        model.fit(IMAGES, verbose=0)


def test_classifier_sees_no_label(conditional):
    """Its inputs do not depend on the label that the flow is given."""
    model, history = conditional
    assert sorted(history) == ['accuracy', 'bits_per_dim', 'loss']
    assert all(np.any(v.numpy()) for v in model.objective.classifier.trainable_variables)
    data = model.to_data(IMAGES, [1, 2])
    wrong = (LABELS + 1) % 3
    logits, other = (model.objective.classifier(
        model.flow.bijector.inverse(data, condition=labels), labels) for labels in (LABELS, wrong))
    np.testing.assert_allclose(logits, other, atol=1e-4)
    logits = logits.numpy()
    log_norm = np.log(np.exp(logits).sum(-1))
    expected = .01 * np.mean(log_norm - logits[np.arange(24), LABELS])
    cost, hits = model.objective.classification(data, LABELS)
    np.testing.assert_allclose(cost, expected, rtol=1e-4)
    np.testing.assert_array_equal(hits, logits.argmax(-1) == LABELS)


def test_classifier_costs_no_second_pass(conditional):
    model, _ = conditional
    objective = model.objective

    def both(images, labels):
        log_prob, data = objective.log_prob(images, [1, 2], labels)
        return log_prob, objective.classification(data, labels)
    alone = convolutions(lambda x, y: objective.log_prob(x, [1, 2], y)[0], IMAGES, LABELS)
    assert convolutions(both, IMAGES, LABELS) == alone


def test_prior_on_the_weights():
    flow = glow()
    plain = tfp_glow.FlowModel(flow, bins=17)
    prior = tfp_glow.FlowModel(flow, bins=17, weight_prior=.5, examples=100)
    squares = sum(np.sum(v.numpy()**2) for v in flow.trainable_variables)
    np.testing.assert_allclose(prior.objective.penalty(), squares / (2 * .25 * 100 * 16), rtol=1e-5)
    assert plain.objective.penalty() == 0
    for model in (plain, prior):
        model.compile(keras.optimizers.SGD(0.))
    tfp_glow.initialize(flow, plain.to_data(IMAGES, [0, 0]))
    losses = [m.train_on_batch(IMAGES, return_dict=True)['loss'] for m in (plain, prior)]
    np.testing.assert_allclose(losses[1] - losses[0], prior.objective.penalty(), rtol=1e-3)


def test_noise_is_trained_too(tmp_path):
    def build():
        noise = tfp_glow.distributions.VariationalNoise(glow(condition_channels=1, name='noise'))
        return tfp_glow.FlowModel(glow(), bins=17, noise=noise)
    model = build()
    model.compile(keras.optimizers.Adam(1e-2))
    before = model.fit(IMAGES, batch_size=8, epochs=1, verbose=0).history['loss'][0]
    first = [v.numpy() for v in model.noise.trainable_variables]
    after = model.fit(IMAGES, batch_size=8, epochs=6, verbose=0).history['loss'][-1]
    assert after < before
    assert any(np.any(v.numpy() != old) for v, old in zip(model.noise.trainable_variables, first))
    model.save_weights(tmp_path / 'x.weights.h5')
    again = build()
    again.compile(keras.optimizers.Adam(1e-2))
    again.load_weights(tmp_path / 'x.weights.h5')
    np.testing.assert_array_equal(again.bits(IMAGES, [1, 2]), model.bits(IMAGES, [1, 2]))


def test_batch_norm_trains_by_the_batch_and_evaluates_by_the_reference():
    batch_norm = tgb.BatchNorm([0.], [0.], tf.Variable([0.], trainable=False, name='mean'),
                               tf.Variable([1.], trainable=False, name='variance'))
    scale = tgb.ActNorm(tf.Variable([0.], name='shift'), tf.Variable([0.], name='log_scale'))
    base = tfd.Independent(tfd.Normal(tf.zeros([4, 4, 1]), 1.), 3)
    model = tfp_glow.FlowModel(
        tfp_glow.flows.transformed(base, tgb.Chain([batch_norm, scale])), bins=17)
    model.compile(keras.optimizers.SGD(1e-3, use_ema=True, ema_momentum=.5))
    model.fit(IMAGES, batch_size=8, epochs=1, verbose=0)
    data = model.to_data(IMAGES, [0, 0]).numpy()
    with model.averaged_weights():
        np.testing.assert_allclose(batch_norm.mean, [data.mean()], rtol=1e-5)
        np.testing.assert_allclose(batch_norm.variance, [data.var()], rtol=1e-4)
        batch_norm.mean.assign([7.])
    assert batch_norm.mean.numpy() != 7  # It has its old value again.
    assert np.isfinite(model.evaluate(IMAGES, verbose=0, return_dict=True)['bits_per_dim'])


def test_vectors():
    rows = RNG.normal(3., 2., [64, 2]).astype(np.float32)
    flow = tfp_glow.flows.transformed(
        tfd.Independent(tfd.Normal(tf.zeros([2]), 1.), 1),
        tgb.ShiftScale(tf.Variable([0., 0.]), tf.Variable([0., 0.])))
    model = tfp_glow.FlowModel(flow, bins=None)
    model.compile(keras.optimizers.Adam(.1))
    steps = tf.data.Dataset.from_tensors(rows).repeat(150)
    history = model.fit(steps, verbose=0).history
    assert sorted(history) == ['loss', 'nats']
    # The entropy of a Gaussian with the moments of the rows is the least possible value.
    least = np.sum(.5 * np.log(2 * np.pi * np.e * rows.var(0)))
    assert abs(model.evaluate(rows, verbose=0, return_dict=True)['nats'] - least) < .02


@pytest.mark.parametrize('options, message', [
    ({'bins': 1}, 'bins must be at least 2; got bins=1'),
    ({'weight_prior': 1.}, 'weight_prior must be positive and come with'),
    ({'weight_prior': -1., 'examples': 3}, 'weight_prior must be positive'),
    ({'bins': None, 'noise': object()}, 'noise must be left out')])
def test_bad_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        tfp_glow.FlowModel(glow(), **options)
