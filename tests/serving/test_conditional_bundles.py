"""Tests bundles of conditional flows against the flows themselves."""

import types

import numpy as np
import pytest
import sampling
import tensorflow as tf
from tensorflow_probability import distributions as tfd

import tfp_glow
from tfp_glow import bijectors as tgb
from tfp_glow import serving
from zoo.bundles import reading as bundles
from zoo.bundles import verification
from zoo.bundles import writing as exporting
from zoo.cli import errors
from zoo.data import image_data
from zoo.runs.run import Trained

CLASSES = 3


def make_conditional():
    """Returns a Glow of 4x4x1 images by class whose every parameter matters."""
    flow = tfp_glow.flows.glow((4, 4, 1), 1, 1, width=4, classes=CLASSES, name='by_class')
    generator = np.random.default_rng(1)
    for v in flow.trainable_variables:
        v.assign_add(tf.cast(.2 * generator.normal(size=v.shape), v.dtype))
    return flow


@pytest.fixture(scope='module')
def conditional():
    return make_conditional()


class Shown(image_data.ImageData):
    """Shows images to a model as three levels brighter."""

    def _as_modelled(self, examples):
        return examples + np.uint8(3)


@pytest.fixture(scope='module')
def conditional_path(conditional, tmp_path_factory):
    """Exports as a run over 6x6 images with a border of padding, which are read as zeros."""
    reader = types.SimpleNamespace(in_order=lambda batch, limit: tf.data.Dataset.from_tensor_slices(
        (np.zeros([limit, 6, 6, 1], np.uint8), np.zeros([limit], int))).batch(batch))
    images = Shown(name='zeros', image_shape=(6, 6, 1), original_shape=(4, 4, 1), bins=17,
                   num_classes=CLASSES, sizes={'test': 2}, splits={'test': 'test'}, flips=False,
                   readers={'test': reader})
    run = types.SimpleNamespace(conditional=True)
    model = types.SimpleNamespace(flow=conditional, bins=17)
    return exporting.write(Trained(run, images, model), tmp_path_factory.mktemp('classes'))


@pytest.fixture(scope='module')
def labelled(conditional_path):
    return tf.saved_model.load(conditional_path)


def test_export_names_arguments_that_do_not_fit_the_flow(conditional, tmp_path):
    with pytest.raises(ValueError, match='classes must be the number of classes of a flow that '
                                         'takes a condition; got classes=None'):
        serving.export(conditional, tmp_path / 'new')
    with pytest.raises(ValueError, match='classes must be positive; got classes=0'):
        serving.export(conditional, tmp_path / 'new', classes=0)
    with pytest.raises(ValueError, match='mean must be left out for a flow over images'):
        serving.export(conditional, tmp_path / 'new', classes=3, mean=[0.])
    matrices = tfd.TransformedDistribution(tfd.Sample(tfd.Normal(0., 1.), [2, 2]), tgb.Chain([
        tgb.Flattened(tgb.Coupling(lambda x: x, tgb.Additive(), event_ndims=1), (2, 2))]))
    with pytest.raises(ValueError, match=r'must have a known event shape, .*; got \(2, 2\)'):
        serving.export(matrices, tmp_path / 'new')
    assert not (tmp_path / 'new').exists()


def test_conditional_answers_are_the_flows(labelled, conditional):
    images = np.random.default_rng(3).integers(0, 17, [4, 4, 4, 1]).astype(np.uint8)
    labels = np.array([0, 1, 2, 1], np.int32)
    noise = tf.random.stateless_uniform(images.shape, [5, 0]).numpy()
    noisy = ((images + noise) / 17 - .5).astype(np.float32)
    expected = conditional.log_prob(noisy, condition=labels) - 16 * np.log(17)
    np.testing.assert_allclose(labelled.log_prob(images, 5, labels), expected, rtol=1e-4)
    np.testing.assert_allclose(labelled.bits_per_dim(images, 5, labels),
                               -expected / 16 / np.log(2), rtol=1e-4)
    of_ones = labelled.log_prob(images, 5, [1])
    assert np.all(np.isclose(of_ones, expected, rtol=1e-5) == (labels == 1))
    middle = ((images + .5) / 17 - .5).astype(np.float32)
    latents = labelled.encode(images, labels)
    np.testing.assert_allclose(
        latents[0], conditional.bijector.inverse(middle, condition=labels)[0], atol=1e-4)
    np.testing.assert_array_equal(labelled.decode(latents, labels), images)
    path = labelled.interpolate(images[:2], images[2:], 3, labels[:2]).numpy()
    np.testing.assert_array_equal(path[:, 0], images[:2])
    np.testing.assert_array_equal(path[:, 2], images[2:])
    drawn = tfp_glow.with_temperature(conditional, .7).sample(
        4, seed=[5, 0], condition=labels).numpy()
    drawn = np.clip(np.floor((drawn + .5) * 17), 0, 16)
    assert np.mean(labelled.sample(4, .7, 5, labels).numpy() != drawn) < .05


@pytest.mark.parametrize('labels, message', [
    ([0, 3], r'encode: label must be in 0 .. 2; got\] \[0 3\]'),
    ([-1], 'encode: label must be in 0 .. 2'),
    ([0, 1, 2], r'encode: label must be one, or one for each of\] \[2\] \[; got\] \[3\]'),
])
def test_bad_labels_are_named(labelled, labels, message):
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        labelled.encode(np.zeros([2, 4, 4, 1], np.uint8), labels)


def test_conditional_signatures_take_labels(conditional_path, labelled, monkeypatch):
    for name, signature in labelled.signatures.items():
        assert 'label' in signature.structured_input_signature[1], name
    assert set(labelled.signatures['decode'].structured_input_signature[1]) == {'level_0', 'label'}
    monkeypatch.setattr(bundles.Bundle, 'load', lambda self: labelled)
    assert len(list(verification.verify(bundles.open_bundle(conditional_path)))) == 7


@pytest.fixture
def run_sample(monkeypatch, tmp_path):
    with sampling.program_of(tmp_path, monkeypatch) as run:
        yield run


def test_sample_draws_one_class_or_each(conditional_path, labelled, run_sample, tmp_path):
    run_sample(conditional_path, labelled, '--num=5', '--out=each.npy')
    np.testing.assert_array_equal(np.load(tmp_path / 'each.npy'),
                                  labelled.sample(5, 1., [0, 0], [0, 1, 2, 0, 1]))
    run_sample(conditional_path, labelled, '--num=5', '--label=2', '--out=one.npy')
    np.testing.assert_array_equal(np.load(tmp_path / 'one.npy'),
                                  labelled.sample(5, 1., [0, 0], [2]))


@pytest.mark.parametrize('given, message', [
    ('--out=x.csv', "--out must end in .png or .npy; got 'x.csv'."),
    ('--label=3', '--label must be in 0 .. 2; got 3.')])
def test_sample_names_the_flag_that_is_wrong(conditional_path, labelled, run_sample, given,
                                             message):
    with pytest.raises(errors.UsageError, match=f'^{message}$'):
        run_sample(conditional_path, labelled, given)


def test_a_run_over_images_with_labels_is_exported_with_its_classes(conditional_path):
    bundle = bundles.open_bundle(conditional_path)
    assert (bundle.kind, bundle.classes, bundle.bins) == ('images', CLASSES, 17)
    np.testing.assert_array_equal(np.load(bundle.path / 'golden.npz')['images'],
                                  np.full([2, 4, 4, 1], 3))
