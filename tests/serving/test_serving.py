"""Tests a SavedModel bundle against its flow, and where only TensorFlow is installed."""

import json
import os
import subprocess
import sys

import alone
import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

import tfp_glow
from tfp_glow import serving
from tfp_glow.bijectors import parts
from tfp_glow.flows.building import PERMUTATIONS
from tfp_glow.serving import frame
from tfp_glow.serving import images as serving_images
from zoo.bundles import reading as bundles
from zoo.bundles import verification
from zoo.cli import errors

BINS, SHAPE = 17, (7, 6, 1)  # Padding to 8x8 adds a row below and a column on each side.
NAMES = ['sample', 'log_prob', 'bits_per_dim', 'encode', 'decode', 'interpolate']


def make_flow(steps=2, **options):
    """Returns a tiny Glow whose every parameter matters: none is left at its initial zero."""
    flow = tfp_glow.flows.glow((8, 8, 1), levels=2, steps_per_level=steps, width=8, **options)
    generator = np.random.default_rng(1)
    for v in flow.trainable_variables:
        v.assign_add(tf.cast(.1 * generator.normal(size=v.shape), v.dtype))
    return flow


@pytest.fixture(scope='module')
def flow():
    return make_flow()


@pytest.fixture(scope='module')
def images():
    return np.random.default_rng(2).integers(0, BINS, [3, *SHAPE]).astype(np.uint8)


@pytest.fixture(scope='module')
def path(flow, images, tmp_path_factory):
    return serving.export(flow, tmp_path_factory.mktemp('bundle'), BINS, SHAPE, images)


@pytest.fixture(scope='module')
def loaded(path):
    return tf.saved_model.load(path)


def padded(images):
    return np.pad(images, [(0, 0), (0, 1), (1, 1), (0, 0)], 'edge')


def expected_log_prob(flow, images, seed):
    noise = tf.random.stateless_uniform([len(images), 8, 8, 1], seed).numpy()
    data = (padded(images) + noise) / BINS - .5
    return flow.log_prob(data.astype(np.float32)).numpy() - 64 * np.log(BINS)


def as_images(data):
    values = np.floor((np.asarray(data, np.float64) + .5) * BINS)
    return np.clip(values, 0, BINS - 1)[:, :7, 1:7].astype(np.uint8)


def test_signatures_have_a_free_batch(loaded):
    assert sorted(loaded.signatures) == sorted([*NAMES, 'serving_default'])
    assert list(loaded.signatures['serving_default'].structured_outputs) == ['images']
    inputs = {name: loaded.signatures[name].structured_input_signature[1] for name in NAMES}
    assert set(inputs['sample']) == {'n', 'temperature', 'seed'}
    assert set(inputs['log_prob']) == set(inputs['bits_per_dim']) == {'images', 'seed'}
    assert set(inputs['decode']) == {'level_0', 'level_1'}
    assert set(inputs['interpolate']) == {'first', 'second', 'steps'}
    for name, key in [('encode', 'images'), ('decode', 'level_1'), ('interpolate', 'second')]:
        assert inputs[name][key].shape[0] is None


@pytest.mark.parametrize('count', [1, 3])
def test_densities_are_the_flows(loaded, flow, images, count):
    given = images[:count]
    expected = expected_log_prob(flow, given, [5, 0])
    np.testing.assert_allclose(loaded.log_prob(given, 5), expected, rtol=1e-4)
    np.testing.assert_allclose(loaded.bits_per_dim(given, 5), -expected / 42 / np.log(2), rtol=1e-4)
    np.testing.assert_allclose(loaded.log_prob(given, tf.constant([5, 6])),
                               expected_log_prob(flow, given, [5, 6]), rtol=1e-4)


def test_latents_are_the_flows_and_decode_undoes_encode(loaded, flow, images):
    latents = loaded.encode(images)
    expected = flow.bijector.inverse(((padded(images) + .5) / BINS - .5).astype(np.float32))
    for answer, z in zip(latents, expected, strict=True):
        np.testing.assert_allclose(answer, z, atol=1e-4)
    np.testing.assert_array_equal(loaded.decode(latents), images)
    other = [z + 1. for z in latents]
    np.testing.assert_array_equal(loaded.decode(other), as_images(flow.bijector.forward(other)))


def test_samples_are_the_flows(loaded, flow):
    samples = loaded.sample(4, .7, 11).numpy()
    expected = as_images(tfp_glow.with_temperature(flow, .7).sample(4, seed=[11, 0]))
    assert samples.dtype == np.uint8 and samples.shape == (4, *SHAPE)
    assert np.mean(samples != expected) < .01 and len(np.unique(samples)) > 5
    np.testing.assert_array_equal(samples, loaded.sample(4, .7, tf.constant([11, 0])))
    assert np.any(samples != loaded.sample(4, .7, 12))


def test_temperature_zero_gives_one_image(loaded, flow):
    samples = loaded.sample(3, 0., 1).numpy()
    np.testing.assert_array_equal(samples, np.repeat(samples[:1], 3, axis=0))
    np.testing.assert_array_equal(loaded.sample(3, 0., 2), samples)


def test_interpolation_ends_at_its_inputs(loaded, flow, images):
    steps = loaded.interpolate(images[:2], images[1:], 4).numpy()
    assert steps.shape == (2, 4, *SHAPE)
    np.testing.assert_array_equal(steps[:, 0], images[:2])
    np.testing.assert_array_equal(steps[:, -1], images[1:])
    first, second = loaded.encode(images[:2]), loaded.encode(images[1:])
    third = [(2 * a + b) / 3 for a, b in zip(first, second)]
    expected = as_images(flow.bijector.forward(third))
    assert np.mean(steps[:, 1] != expected) < .05  # A value on the edge may round either way.


@pytest.mark.parametrize('question, arguments, message', [
    ('sample', lambda x, z: (0, 1., 0), r'sample: n must be at least 1; got\] \[0\]'),
    ('sample', lambda x, z: (1, -1., 0), r'temperature must be finite and at least 0; got\] \[-1'),
    ('sample', lambda x, z: (1, np.float32(np.nan), 0), r'temperature must be .* \[nan'),
    ('sample', lambda x, z: (1, 1., tf.zeros([3], tf.int32)), 'seed must be one integer or two'),
    ('log_prob', lambda x, z: (x + np.uint8(17), 0), r'log_prob: images must .* below 17; got\]'),
    ('decode', lambda x, z: ([z[0], z[1] * np.nan],), 'decode: level_1 must be finite'),
    ('decode', lambda x, z: ([z[0], z[1][:1]],), r'all levels must hold as many .*\[3\] \[1\]'),
    ('interpolate', lambda x, z: (x, x, 1), r'steps must be at least 2; got\] \[1\]'),
    ('interpolate', lambda x, z: (x, x[:2], 3), r'must be as many images; got\] \[3\] \[2\]'),
])
def test_bad_input_is_named(loaded, images, question, arguments, message):
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        getattr(loaded, question)(*arguments(images, loaded.encode(images)))


def test_nothing_is_inverted_or_unrolled(path):
    saved = saved_model_pb2.SavedModel()
    saved.ParseFromString((path / 'saved_model.pb').read_bytes())
    functions = saved.meta_graphs[0].graph_def.library.function
    nodes = [node for function in functions for node in function.node_def]
    assert any('while' in function.signature.name for function in functions)
    assert not [node.op for node in nodes if any(
        word in node.op for word in ('Solve', 'Inverse', 'Qr', 'Lu', 'Determinant'))]
    assert max(node.ByteSize() for node in nodes if node.op == 'Const') < 10_000
    # The flow is there twice: once in each direction; three network convolutions a level.
    networks = [node.name for node in nodes if node.op == 'Conv2D' and 'conv_hidden' in node.name]
    assert len(networks) == 2 * 2


def test_graph_does_not_grow_with_the_steps():
    shape = frame.Frame((8, 8, 1), (8, 8, 1))

    def size(steps):
        answers = serving_images.ImageAnswers(serving.writing._frozen(make_flow(steps)), 256, shape)
        return len(answers._analyse.graph.as_graph_def().SerializeToString())
    assert size(3) < 1.01 * size(2)


@pytest.mark.parametrize('permutation', PERMUTATIONS)
def test_frozen_flow_is_equal(permutation):
    bijector = make_flow(permutation=permutation).bijector
    frozen = parts.with_frozen(bijector, parts.frozen_values(bijector))
    y = np.random.default_rng(3).normal(size=[2, 8, 8, 1]).astype(np.float32)
    x = bijector.inverse(y)
    for answer, z in zip(frozen.inverse(tf.identity(y)), x, strict=True):
        np.testing.assert_allclose(answer, z, atol=1e-4)
    np.testing.assert_allclose(frozen.forward([tf.identity(z) for z in x]), y, atol=1e-4)
    np.testing.assert_allclose(frozen.inverse_log_det_jacobian(y, 3),
                               bijector.inverse_log_det_jacobian(y, 3), rtol=1e-5)


HIDDEN = {'tfp_glow', 'zoo', 'tensorflow_probability', 'tf_keras', 'keras', 'normflows'}
ALONE = alone.without(HIDDEN, '''
    import numpy as np
    try:
        import tensorflow_probability
        raise SystemExit('tensorflow_probability is not blocked')
    except ImportError:
        pass
    import tensorflow as tf
    path, inputs, outputs = sys.argv[1:]
    model, images = tf.saved_model.load(path), np.load(inputs)
    np.savez(outputs, sample=model.sample(4, .7, 11), log_prob=model.log_prob(images, 5),
             decode=model.decode(model.encode(images)),
             bits=model.signatures['bits_per_dim'](
                 images=tf.constant(images), seed=tf.constant(5))['bits_per_dim'],
             interpolate=model.interpolate(images, images[::-1], 3))
    assert not set(Blocked.NAMES) & set(sys.modules)
''')


def test_answers_where_only_tensorflow_is_installed(path, images, flow, tmp_path):
    (tmp_path / 'alone.py').write_text(ALONE)
    np.save(tmp_path / 'in.npy', images)
    environment = {k: v for k, v in os.environ.items() if k != 'PYTHONPATH'}
    subprocess.run([sys.executable, 'alone.py', path, 'in.npy', 'out.npz'], check=True,
                   cwd=tmp_path, env=environment, timeout=900)
    answers = np.load(tmp_path / 'out.npz')
    expected = expected_log_prob(flow, images, [5, 0])
    np.testing.assert_allclose(answers['log_prob'], expected, rtol=1e-4)
    np.testing.assert_allclose(answers['bits'], -expected / 42 / np.log(2), rtol=1e-4)
    np.testing.assert_array_equal(answers['decode'], images)
    np.testing.assert_array_equal(answers['interpolate'][:, 0], images)
    drawn = as_images(tfp_glow.with_temperature(flow, .7).sample(4, seed=[11, 0]))
    assert np.mean(answers['sample'] != drawn) < .01


def test_averaged_weights_and_the_next_version(images, tmp_path):
    model = tfp_glow.FlowModel(make_flow(steps=1), bins=BINS, counted_dims=42)
    model.compile(keras.optimizers.Adam(.1, use_ema=True, ema_momentum=.9), run_eagerly=True)
    model.fit(padded(images), batch_size=3, epochs=3, verbose=0)
    for v in model.trainable_variables:  # The end of `fit` has set them to the averages.
        v.assign_add(tf.fill(v.shape, .05))
    own = [v.numpy() for v in model.trainable_variables]
    with pytest.raises(ValueError, match=r'original_shape must have the 42 .*\(8, 8, 1\)'):
        serving.export(model, tmp_path)
    (tmp_path / '4').mkdir()
    path = serving.export(model, tmp_path, original_shape=SHAPE)
    assert path == tmp_path / '5' and sorted(p.name for p in tmp_path.iterdir()) == ['4', '5']
    for before, v in zip(own, model.trainable_variables):
        np.testing.assert_array_equal(before, v)
    with model.averaged_weights() as averaged:
        expected = expected_log_prob(averaged, images, [0, 0])
    loaded = tf.saved_model.load(path)
    log_probs = loaded.log_prob(images)
    np.testing.assert_allclose(log_probs, expected, rtol=1e-4)
    assert np.max(np.abs(log_probs - expected_log_prob(model.flow, images, [0, 0]))) > 1.
    assert bundles.open_bundle(tmp_path).path == path  # It opens the newest.


@pytest.mark.parametrize('arguments, message', [
    ({'bins': 300}, 'bins must be in 2 .. 256; got bins=300'),
    ({'original_shape': (9, 8, 1)}, r'original_shape must be .*\(9, 8, 1\)'),
    ({'original_shape': (8, 8, 3)}, r'original_shape must be .*\(8, 8, 3\)'),
    ({'golden_images': np.zeros([0, 8, 8, 1], np.uint8)}, 'golden_images must be uint8'),
    ({'golden_images': np.zeros([1, 8, 8, 1])}, 'golden_images must be uint8 .* got float64'),
    ({'bins': 2, 'golden_images': np.full([1, 8, 8, 1], 2, np.uint8)}, 'below bins=2; got 2'),
])
def test_export_names_bad_arguments(flow, arguments, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        serving.export(flow, tmp_path / 'new', **arguments)
    assert not (tmp_path / 'new').exists()


def test_a_broken_flow_leaves_nothing_behind(tmp_path):
    broken = make_flow(steps=1)
    for variable in broken.trainable_variables:
        variable.assign(1e30 * variable)
    with pytest.raises(ValueError, match='flow must give finite samples'):
        serving.export(broken, tmp_path)
    broken.trainable_variables[0].assign(np.nan * broken.trainable_variables[0])
    with pytest.raises(ValueError, match='must have finite weights; .*kernel:0 is not'):
        serving.export(broken, tmp_path, bins=17, golden_images=np.zeros([1, 8, 8, 1], np.uint8))
    assert not list(tmp_path.iterdir())


def test_verification(path):
    lines = list(verification.verify(bundles.open_bundle(path)))
    assert [line.split(':')[0] for line in lines] == [*NAMES, 'decode(encode(images))']


@pytest.mark.parametrize('name', [*NAMES[:3], 'level_1', *NAMES[4:]])
def test_verification_names_the_signature_that_differs(path, loaded, name, tmp_path, monkeypatch):
    golden = dict(np.load(path / 'golden.npz'))
    golden[name] = golden[name] + np.array(2, golden[name].dtype)
    np.savez(tmp_path / 'golden.npz', **golden)
    bundle = bundles.Bundle(tmp_path, json.loads((path / 'bundle.json').read_text()), '--verify')
    monkeypatch.setattr(bundles.Bundle, 'load', lambda self: loaded)
    with pytest.raises(errors.Failure, match=f'^{"encode" if name == "level_1" else name}: '):
        list(verification.verify(bundle))
