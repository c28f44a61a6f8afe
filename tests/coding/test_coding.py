"""Tests the codec: images become bytes and come back, in this process and in another one."""

import io
import os
import pathlib
import subprocess
import sys

import catalogue
import numpy as np
import pytest
import tensorflow as tf
import tiny_integer_flow

import tfp_glow
from tfp_glow import coding
from tfp_glow.coding import container, streams, tiling

BATCH = 4  # All tests use it, since another batch size needs another set of traces.


@pytest.fixture(scope='module')
def codec():
    return coding.Codec(tiny_integer_flow.TinyIntegerFlow())


@pytest.fixture(scope='module')
def grey_codec():
    return coding.Codec(tiny_integer_flow.TinyIntegerFlow(channels=1))


def there_and_back(codec, images):
    data = codec.encode(images, batch=BATCH, verify=False)
    decoded = codec.decode(data)
    assert decoded.dtype == np.uint8 and decoded.shape == images.shape
    np.testing.assert_array_equal(decoded, images)
    return data


@pytest.mark.parametrize('kind', ['noise', 'constant', 'gradient', 'text', 'photo'])
def test_images_come_back(codec, kind):
    there_and_back(codec, tiny_integer_flow.images(count=6)[kind])


@pytest.mark.slow
def test_ten_thousand_images_come_back(codec):
    for kind, images in tiny_integer_flow.images(count=2000, seed=1).items():
        decoded = codec.decode(codec.encode(images, verify=False))
        np.testing.assert_array_equal(decoded, images, err_msg=kind)


def test_the_code_is_as_long_as_the_model_says(codec):
    images, model = 64 + tiny_integer_flow.images(count=64)['photo'] // 2, codec.model
    stored = codec.coder(BATCH).stored
    data = there_and_back(codec, images)
    stays, nats = None, 0.
    parts = model.decompose(tf.cast(images, tf.float32))
    for level in (1, 0):
        nats -= tf.reduce_sum(model.prior(level, stays, 64).log_prob(parts[level])).numpy()
        stays = model.merge(level, parts[level], stays)
    ideal, overhead = nats / np.log(2) / 8, 16 * 20 + 80  # Chunks add 320, the header 80.
    assert codec.coders[BATCH].stored == stored and len(data) < .95 * images.size
    assert ideal - 8 < len(data) < 1.005 * ideal + overhead


def test_noise_takes_little_more_than_itself(codec):
    images, stored = tiny_integer_flow.images(count=8)['noise'], codec.coders[BATCH].stored
    assert len(there_and_back(codec, images)) < images.size + 100
    assert codec.coders[BATCH].stored == stored + 2


@pytest.mark.parametrize('shape', [
    (1, 1), (8, 8), (9, 17, 3), (5, 7, 1), (3, 8, 20), (2, 11, 6, 3)])
def test_any_size(codec, grey_codec, shape):
    images = np.random.default_rng(0).integers(90, 120, shape).astype(np.uint8)
    for one in (codec, grey_codec):
        there_and_back(one, images)


def test_lists_and_views(codec):
    generator = np.random.default_rng(1)
    arrays = [generator.integers(0, 9, shape).astype(np.uint8)[::2] for shape in (
        (7, 5), (20, 9, 3), (6, 4, 4, 1))]
    data = codec.encode(arrays, batch=BATCH)  # It verifies the code.
    decoded = codec.decode(data)
    assert [a.shape for a in decoded] == [(4, 5), (10, 9, 3), (3, 4, 4, 1)]
    for expected, array in zip(arrays, decoded):
        np.testing.assert_array_equal(array, expected)


def test_tiles_lie_over_the_middle():
    image = np.arange(110, dtype=np.uint8).reshape([10, 11, 1])
    grid = tiling.Grid(image.shape, (8, 8, 1))
    assert len(grid) == 4
    tiles = grid.cut(image, range(4))
    padded = np.pad(image, [(3, 3), (2, 3), (0, 0)], 'edge')
    whole = np.concatenate([np.concatenate(tiles[:2], 1), np.concatenate(tiles[2:], 1)], 0)
    np.testing.assert_array_equal(whole, padded)
    np.testing.assert_array_equal(grid.cut(image, [1, 2]), tiles[1:3])
    back = np.zeros_like(image)
    grid.paste(back, [0], tiles[:1])
    grid.paste(back, [1, 2, 3], tiles[1:])
    np.testing.assert_array_equal(back, image)


@pytest.mark.parametrize('images, words', [
    (np.zeros([4, 4], np.uint16), 'uint8 .* got uint16'), ([[1, 2]], 'uint8 .* got list'),
    (np.zeros([4, 4, 4, 4], np.uint8), 'no alpha'), (np.zeros([4], np.uint8), 'shape'),
    (np.zeros([0, 4, 3], np.uint8), 'not be empty'), ([], 'not be empty')])
def test_what_is_no_image_is_refused(codec, images, words):
    with pytest.raises(ValueError, match=words):
        codec.encode(images, batch=BATCH)


def test_bad_arguments(codec):
    with pytest.raises(ValueError, match=r'batch must be in 1 .. 1024; got 0'):
        codec.encode(np.zeros([8, 8], np.uint8), batch=0)
    data = codec.encode(np.zeros([8, 8], np.uint8), batch=BATCH)
    with pytest.raises(ValueError, match=r'levels must be in 1 .. 2, .*; got 3'):
        codec.decode(data, levels=3)
    with pytest.raises(ValueError, match=r'model must be .* event_shape=\[8, 8, 2\]'):
        model = tiny_integer_flow.TinyIntegerFlow()
        model.event_shape = tf.TensorShape([8, 8, 2])
        coding.Codec(model)


def test_a_batch_is_a_power_of_two(codec, monkeypatch):
    sizes = {shape: codec.batch_for([shape]) for shape in [(1, 1), (8, 17), (5, 8, 8), (99, 8, 8)]}
    assert list(sizes.values()) == [1, 4, 8, 128]
    assert codec.batch_for([(8, 8), (8, 8)]) == 2 and codec.batch_for([(999, 8, 8)]) == 1024
    for tile, most in (((32, 32, 3), 128), ((28, 28, 1), 128), ((4, 4, 1), 1024)):
        monkeypatch.setattr(codec, 'tile', tile)
        assert codec.batch_for() == most


def test_a_preview_shares_the_coarse_level(codec):
    images = tiny_integer_flow.images(count=BATCH)['photo']
    data = codec.encode(images, batch=BATCH)
    previews = [codec.decode(data, levels=1, seed=seed) for seed in (0, 0, 1)]
    np.testing.assert_array_equal(previews[0], previews[1])
    assert np.any(previews[0] != previews[2]) and np.any(previews[0] != images)
    np.testing.assert_array_equal(codec.decode(data, levels=2), images)

    def coarse(x):
        return codec.model.decompose(tf.cast(x, tf.float32))[1].numpy()
    inside = (previews[0] > 0) & (previews[0] < 255)  # These values are not clipped.
    same = coarse(previews[0]) == coarse(images)
    assert same[inside.all(axis=(1, 2, 3))].all() and same.mean() > .5


def test_fingerprints_are_of_values():
    models = [tiny_integer_flow.TinyIntegerFlow(seed=seed) for seed in (0, 0, 1)]
    first, same, other = map(coding.fingerprint, models)
    assert first == same != other and len(first) == 32
    models[1].top.assign_add(tf.eye(3)[0, 0] * tf.ones_like(models[1].top))
    assert coding.fingerprint(models[1]) != first


def test_another_model_is_refused(codec, grey_codec):
    data = codec.encode(np.zeros([8, 8, 3], np.uint8), batch=BATCH)
    others = [coding.Codec(tiny_integer_flow.TinyIntegerFlow(seed=1)), grey_codec]
    for other in others:
        with pytest.raises(coding.DecodingError, match='model must be the one that encoded'):
            other.decode(data)


def test_a_model_may_change():
    """A codec does not keep the weights that its model had before."""
    model, images = tiny_integer_flow.TinyIntegerFlow(), tiny_integer_flow.images(count=2)['photo']
    codec = coding.Codec(model)
    first = codec.encode(images, batch=BATCH)
    model.top.assign_add(.5 * tf.ones_like(model.top))
    second = codec.encode(images, batch=BATCH)
    assert first != second
    np.testing.assert_array_equal(coding.Codec(model).decode(second), images)
    with pytest.raises(coding.DecodingError, match='model must be the one'):
        codec.decode(first)


def test_names_that_cannot_be_read_again_are_not_written(codec):
    image = np.zeros([8, 8, 3], np.uint8)
    files = coding.Encoder(codec, io.BytesIO(), container.FILES, BATCH)
    files.add(image, 'a/b.png')
    for name in ('', '/a.png', 'a/b.png', 'a', 'a/b.png/c.png', '../a.png'):
        with pytest.raises(ValueError, match='name must be a relative path that none before is'):
            files.add(image, name)
    one = coding.Encoder(codec, io.BytesIO(), container.ARRAY, BATCH)
    one.add(image)
    with pytest.raises(ValueError, match='images must be one array in this layout'):
        one.add(image)
    with pytest.raises(ValueError, match='images must not be empty; got none'):
        coding.Encoder(codec, io.BytesIO(), container.LIST, BATCH).finish()


def test_settings_are_those_of_onednn(monkeypatch):
    for given, text in (('avx2', ' AVX2'), ('ALL', ' ALL'), ('', '')):  # It reads either case.
        monkeypatch.setenv('ONEDNN_MAX_CPU_ISA', given)
        assert streams.settings() == f'{tf.__version__}{text}'


def test_what_is_decoded_is_compared(codec, monkeypatch):
    monkeypatch.setattr(tiling.Grid, 'paste', lambda *_: None)
    with pytest.raises(RuntimeError, match='decoded to other images'):
        codec.encode(np.full([8, 8, 3], 77, np.uint8), batch=BATCH)


def test_drift_is_noticed(codec, monkeypatch):
    """The networks give slightly different floats, as on a machine that sums in another order."""
    images = tiny_integer_flow.images(count=BATCH)['photo']
    data = codec.encode(images, batch=BATCH)
    network = codec.coders[BATCH]._network
    prior = network._priors[0]
    monkeypatch.setitem(network._priors, 0, lambda *stays: tuple(
        parameter * 1.01 for parameter in prior(*stays)))
    with pytest.raises(coding.DecodingError, match='written with TensorFlow .*; this is Tensor'):
        codec.decode(data)
    with pytest.raises(RuntimeError, match='cannot be decoded again'):
        monkeypatch.setattr(coding.Codec, 'decode', _refuse)
        codec.encode(images, batch=BATCH)


def _refuse(*_):
    raise coding.DecodingError('drift.')


@pytest.mark.parametrize('fault', ['infinite', 'large', 'inexact'])
def test_images_that_the_model_cannot_represent_are_stored(codec, monkeypatch, fault):
    images, coder = tiny_integer_flow.images(count=BATCH)['photo'], codec.coders[BATCH]
    network, stored = coder._network, coder.stored
    decompose, prior = network._decompose, network._priors[0]
    if fault == 'infinite':
        monkeypatch.setitem(network._priors, 0, lambda stays: [p * np.inf for p in prior(stays)])
    else:
        change = {'large': 2.**23, 'inexact': 1.}[fault]
        monkeypatch.setattr(network, '_decompose',
                            lambda x: tuple(z + change for z in decompose(x)))
    data = codec.encode(images, batch=BATCH, verify=False)
    assert coder.stored == stored + 1
    monkeypatch.undo()
    np.testing.assert_array_equal(codec.decode(data), images)


def test_an_integer_flow_of_the_library():
    flow = tfp_glow.flows.idf((8, 8, 3), levels=2, steps_per_level=2, width=8, depth=2)
    codec = coding.Codec(catalogue.perturb(flow, 0, scale=.1))
    images = tiny_integer_flow.images(size=(12, 8), count=3)['photo']
    data = there_and_back(codec, images)
    decoded = coding.decode(data, flow)  # It makes a new codec, as another process would.
    np.testing.assert_array_equal(decoded, images)


def test_another_process_decodes(codec, tmp_path):
    images = tiny_integer_flow.images(size=(30, 20), count=1)['photo'][0]
    (tmp_path / 'data.tfg').write_bytes(coding.encode(images, codec.model))
    program = '\n'.join([
        'import pathlib, sys', 'import numpy as np', 'import tiny_integer_flow',
        'from tfp_glow import coding', 'data = pathlib.Path(sys.argv[1]).read_bytes()',
        'np.save(sys.argv[2], coding.decode(data, tiny_integer_flow.TinyIntegerFlow()))'])
    tests = pathlib.Path(__file__).parents[1]
    subprocess.run([sys.executable, '-c', program, tmp_path / 'data.tfg', tmp_path / 'x.npy'],
                   check=True, timeout=300, cwd=tests,
                   env=dict(os.environ, PYTHONPATH=f'{tests / "support"}:{tests.parent}',
                            TF_NUM_INTRAOP_THREADS='3'))
    np.testing.assert_array_equal(np.load(tmp_path / 'x.npy'), images)


def test_a_stream_keeps_a_batch(codec):
    """Arrays are coded as they come: the file has them all except those of an unfinished batch."""
    file, sizes, done = io.BytesIO(), [], []
    encoder = coding.Encoder(codec, file, container.FILES, BATCH, done.append)
    images = tiny_integer_flow.images(count=10)['photo']
    for number, image in enumerate(images):
        encoder.add(image, f'folder/{number}.png')
        sizes.append(len(file.getvalue()))
    encoder.finish()
    assert [bool(step) for step in np.diff(sizes)] == [
        n % BATCH == 0 for n in range(1, 10)] and done == [4, 8, 10]
    file.seek(0)
    arrays = coding.Decoder(codec, file).arrays()
    name, first = next(arrays)
    assert name == 'folder/0.png' and file.tell() < sizes[4] + 9
    np.testing.assert_array_equal(first, images[0])
    decoded = codec.decode(file.getvalue())
    assert list(decoded) == [f'folder/{n}.png' for n in range(10)]
    np.testing.assert_array_equal(np.stack(list(decoded.values())), images)
