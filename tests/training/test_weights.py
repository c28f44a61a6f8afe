"""An example of weight k counts as k examples do, in the loss, the metrics and the statistics."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfp_glow

RNG = np.random.default_rng(6)
ROWS = RNG.normal(1., 2., [12, 3]).astype(np.float32)
IMAGES = RNG.integers(0, 17, [12, 4, 4, 1]).astype(np.uint8)
LABELS = RNG.integers(0, 3, [12])
WEIGHTS = np.array([0, 1, 2, 1, 0, 3, 1, 1, 2, 0, 1, 1])


def quiet(model):
    """Lets equal examples have equal data: there is no noise."""
    model.objective.to_data = lambda x, seed: (tf.cast(x, tf.float32) + .5) / 17 - .5
    return model


def maf(**options):
    return tfp_glow.FlowModel(tfp_glow.flows.maf(3, layers=2, hidden=[4], **options), bins=None)


def labelled_glow():
    flow = tfp_glow.flows.glow((4, 4, 1), levels=1, steps_per_level=1, width=4, classes=3)
    network = keras.layers.Dense(3, kernel_initializer=keras.initializers.RandomNormal(seed=1))
    network.build([None, 4])
    model = quiet(tfp_glow.FlowModel(
        flow, bins=17, classifier=tfp_glow.flows.ClassFinder(flow, network), weight_prior=1.,
        examples=10, round_trip=True))
    model.objective.initialize(IMAGES, [0, 0], LABELS)  # `ActNorm` is initialised without weights.
    return model


def vae():
    return tfp_glow.vaes.VAEModel(tfp_glow.vaes.dense_vae(
        (4, 4, 1), latent_dims=3, hidden=[8], bins=17), free_bits=.05)


MODELS = {'maf': (maf, ROWS), 'batch_free_maf': (lambda: maf(batch_norm=False), ROWS),
          'labels': (labelled_glow, IMAGES), 'vae': (vae, IMAGES)}


def trained(make, x, y, weights, **options):
    model = make()
    model.compile(keras.optimizers.SGD(.02))
    history = model.fit(x, y, sample_weight=weights, batch_size=100, epochs=3, shuffle=False,
                        verbose=0, **options).history
    return model, history


@pytest.mark.parametrize('name', [
    pytest.param(name, marks=[pytest.mark.slow] * (name == 'batch_free_maf')) for name in MODELS])
def test_weights_are_repetitions(name, monkeypatch):
    make, x = MODELS[name]
    if name == 'vae':
        vae()  # Its networks draw their first weights.
        draw = tf.random.stateless_normal
        monkeypatch.setattr(tf.random, 'stateless_normal', lambda shape, seed, *args, **options: (
            draw(shape, seed, *args, **options) if tf.executing_eagerly() else tf.zeros(shape)))
    y, rest = (LABELS, np.repeat(LABELS, WEIGHTS)) if name == 'labels' else (None, None)
    if x.dtype == np.float32:
        x = np.where(WEIGHTS[:, np.newaxis] == 0, np.float32(np.nan), x)
    many = np.repeat(x, WEIGHTS, 0)
    weighted, history = trained(make, x, y, WEIGHTS, validation_data=(x, y, WEIGHTS))
    repeated, expected = trained(make, many, rest, None, validation_data=(many, rest))
    assert set(history) == set(expected) and 'val_loss' in history
    for measure, values in expected.items():
        np.testing.assert_allclose(history[measure], values, 2e-5, 2e-6, err_msg=measure)
    for v, other in zip(weighted.variables, repeated.variables, strict=True):
        np.testing.assert_allclose(v, other, 2e-5, 2e-6, err_msg=v.name)
    scores = [weighted.evaluate(x, y, sample_weight=WEIGHTS, batch_size=5, verbose=0)]
    scores += [repeated.evaluate(many, rest, batch_size=100, verbose=0)]
    names = [m for m in weighted.trackers if m != 'reconstruction_error']
    np.testing.assert_allclose(scores[0][:len(names)], scores[1][:len(names)], 2e-5)


def test_ways_to_give_weights():
    """Arrays, data sets, weights of classes and single batches take one and the same step."""
    labelled = tf.data.Dataset.from_tensor_slices((ROWS, LABELS, WEIGHTS)).batch(12)
    values = []
    for act in (lambda m: m.fit(ROWS, sample_weight=WEIGHTS, batch_size=12, verbose=0),
                lambda m: m.fit(labelled, verbose=0),
                lambda m: m.train_on_batch(ROWS, sample_weight=WEIGHTS),
                lambda m: m.train_step((ROWS, None, WEIGHTS)),
                lambda m: m.train_step((ROWS, None, WEIGHTS[:, np.newaxis])),
                lambda m: m.train_step((ROWS, LABELS)),
                lambda m: m.fit(ROWS, LABELS, class_weight={0: 2., 1: 0.}, verbose=0),
                lambda m: m.train_step((ROWS, None, np.choose(LABELS, [2., 0., 1.])))):
        model = maf(batch_norm=False)
        model.compile(keras.optimizers.SGD(.1))
        act(model)
        values.append([v.numpy() for v in model.variables])
    for same, expected in ((0, 1), (0, 2), (0, 3), (0, 4), (6, 7)):
        for a, b in zip(values[same], values[expected], strict=True):
            np.testing.assert_allclose(a, b, 1e-5, 1e-6)
    for other in (5, 6):
        assert any(np.abs(a - b).max() > 1e-4 for a, b in zip(values[0], values[other]))


def test_a_batch_that_weighs_nothing_is_passed_over():
    model = maf(batch_norm=False)
    model.compile(keras.optimizers.Adam(.1))
    model.train_on_batch(ROWS)
    before = [v.numpy() for v in (*model.variables, *model.optimizer.variables)]
    model.train_on_batch(ROWS * np.float32(np.nan), sample_weight=np.zeros(12))
    for v, old in zip((*model.variables, *model.optimizer.variables), before, strict=True):
        np.testing.assert_array_equal(v, old)
    assert model.unapplied_steps.numpy() == 0


@pytest.mark.parametrize('weight', [-1., np.nan, np.inf])
def test_bad_weights_reach_no_variable(weight):
    model = maf()
    model.compile()
    before = [v.numpy() for v in model.variables]
    weights = np.where(WEIGHTS == 3, weight, WEIGHTS)
    with pytest.raises(FloatingPointError, match='batch 0.*weights of examples are negative or'):
        for _ in range(10):
            model.train_on_batch(ROWS, sample_weight=weights)
    for v, old in zip(model.variables, before, strict=True):
        np.testing.assert_array_equal(v, old)
    with pytest.raises(ValueError, match='sample_weight must be one number for each example'):
        model.train_step((ROWS, None, WEIGHTS[:5]))
