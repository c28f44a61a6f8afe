"""Tests the data of `zoo.data`: which splits are chosen, and the errors for bad input."""

import os
import shutil
import socket
import time

import numpy as np
import pytest
import tensorflow_datasets as tfds
from tiny_scenes import TinyScenes

from zoo import data
from zoo.cli import errors
from zoo.data import loading


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Returns the folder where the module's data sets are prepared, once."""
    path = tmp_path_factory.mktemp('tfds')
    TinyScenes(data_dir=str(path)).download_and_prepare()
    return path


@pytest.fixture(name='no_network')
def fixture_no_network(monkeypatch):
    def unresolved(host, *unused_args, **unused_kwargs):
        raise socket.gaierror(socket.EAI_NONAME, f'no address for {host}')

    monkeypatch.setattr(socket, 'getaddrinfo', unresolved)
    for variable in [name for name in os.environ if name.lower().endswith('_proxy')]:
        monkeypatch.delenv(variable)


def usage_error(name, **kwargs):
    """Returns the message that `load` raises, which must be one line."""
    with pytest.raises(errors.UsageError) as caught:
        data.load(name, **kwargs)
    message = str(caught.value)
    assert '\n' not in message
    return message


@pytest.mark.parametrize('counts, expected', [
    ({'train': 60000, 'test': 10000}, ('train[:55000]', 'train[55000:]', 'test')),
    ({'train': 1000, 'test': 10}, ('train[:900]', 'train[900:]', 'test')),
    ({'train': 9, 'validation': 3, 'test': 2}, ('train', 'validation', 'test')),
    ({'train': 1000, 'validation': 30}, ('train[:900]', 'train[900:]', 'validation')),
    ({'train': 1000, 'val': 30, 'test': 0}, ('train[:900]', 'train[900:]', 'val')),
])
def test_choice_of_splits(counts, expected):
    assert tuple(loading.choose_splits('name', counts).values()) == expected


@pytest.mark.parametrize('counts, words', [
    ({'test': 5}, 'a split named train with examples; it has test'),
    ({'train': 9, 'test': 5}, '10 training examples or more.*it has 9'),
])
def test_splits_that_cannot_be_chosen(counts, words):
    with pytest.raises(errors.UsageError, match=f'--dataset=name must have {words}'):
        loading.choose_splits('name', counts)


def test_unknown_name_lists_what_exists(folder, no_network):
    message = usage_error('no_such_set', data_dir=folder)
    assert message.startswith('--dataset must be one of digits, photo_patches')
    assert 'tiny_scenes' in message and message.endswith("got 'no_such_set'.")
    assert data.names()[:2] == ('digits', 'photo_patches') and 'TensorFlow' in data.names()[2]
    for unreadable in ('', 'a/b/c', 'cifar10/no_such_config'):
        assert f'got {unreadable!r} (' in usage_error(unreadable, data_dir=folder)


def test_absent_data_and_no_network_is_told_at_once(tmp_path, no_network):
    start = time.monotonic()
    message = usage_error('cifar10', data_dir=tmp_path)
    assert time.monotonic() - start < 20
    for word in ('--dataset=cifar10', f'--data_dir={tmp_path}', 'no network', '=digits'):
        assert word in message
    assert not list(tmp_path.iterdir())
    assert 'cannot be written' in usage_error('cifar10', data_dir='/dev/null/tfds')


def test_a_builder_that_fails_is_told_and_leaves_nothing(tmp_path, monkeypatch, no_network):
    def broken(self):
        yield 0, {'picture': np.zeros([6, 10, 3], np.uint8)}
        raise OSError('disk on fire\nand more')

    monkeypatch.setattr(TinyScenes, '_generate_examples', broken)
    message = usage_error('tiny_scenes', data_dir=tmp_path)
    assert 'preparing it failed' in message and 'disk on fire' in message
    assert not list(tmp_path.glob('tiny_scenes/*'))


def test_sets_of_images_that_differ_in_size(tmp_path, monkeypatch, no_network):
    """They are shrunk and cropped as a folder's pictures are."""
    ramps = [np.repeat(np.linspace(0, 250, 30 + i).astype(np.uint8)[None, :, None], 24 + i, 0)
             for i in range(20)]
    monkeypatch.setattr(TinyScenes, '_info', lambda self: tfds.core.DatasetInfo(
        builder=self, features=tfds.features.FeaturesDict(
            {'picture': tfds.features.Image(shape=(None, None, 1), dtype=np.uint8)})))
    monkeypatch.setattr(TinyScenes, '_generate_examples', lambda self: (
        (i, {'picture': ramp}) for i, ramp in enumerate(ramps)))
    images = data.load('tiny_scenes', tmp_path, pictures=data.PictureOptions(size=12))
    assert images.image_shape == (12, 12, 1) and images.sizes['train'] == 16
    taken = images.take('train', 16)
    for picture in taken:  # About half of a ramp of 30 steps from 0 to 250.
        assert abs(int(picture[0, 0, 0]) - 25) < 16 and abs(int(picture[0, -1, 0]) - 225) < 16
        assert np.all(np.diff(picture[0, :, 0].astype(int)) > 8)
    with pytest.raises(errors.UsageError, match='--tiles must be left out for --dataset=tiny'):
        data.load('tiny_scenes', tmp_path, pictures=data.PictureOptions(size=12, tiles=True))
    large = data.load('tiny_scenes', tmp_path, pictures=data.PictureOptions(size=32))
    with pytest.raises(Exception) as caught:
        large.take('train', 16)
    assert '--size must be at most the sides of all images, not 32' in errors.in_pipeline(
        caught.value)


@pytest.mark.parametrize('name, words', [
    ('cycle_gan', '--size must be given for --dataset=cycle_gan, whose images differ in size'),
    ('imagenet2012', '--size must be given for --dataset=imagenet2012'),
    ('wikipedia', 'must have one image feature, or one named image; it has none'),
])
def test_sets_without_images_of_one_size(tmp_path, no_network, name, words):
    with pytest.raises(errors.UsageError, match=words):
        data.load(name, tmp_path)


def test_sizes_that_do_not_divide(folder):
    message = usage_error('tiny_scenes', data_dir=folder, divisor=4)
    for word in ('--pad', '--levels', 'divisible by 4', '=tiny_scenes', '6x10', '8x12'):
        assert word in message
    with pytest.raises(ValueError, match='divisor'):
        data.load('digits', folder, divisor=0)


@pytest.mark.parametrize('act, words', [
    (lambda d: d.train(0, seed=0), '--batch_size .* at most the 32 training images; got 0'),
    (lambda d: d.train(33, seed=0), '--batch_size .* at most the 32 training images; got 33'),
    (lambda d: d.evaluation('dev', 5), "--split must be one of train, validation, test; got 'dev'"),
    (lambda d: d.evaluation('test', 5, limit=0), 'at least 1; got 5 and 0'),
    (lambda d: d.take('test', 5), 'from 1 to the 4 of split test; got 5'),
])
def test_bad_arguments(folder, act, words):
    with pytest.raises(errors.UsageError, match=words):
        act(data.load('tiny_scenes', folder))


def test_data_of_an_older_version_is_read(folder, tmp_path, no_network):
    shutil.copytree(folder / 'tiny_scenes' / '1.0.0', tmp_path / 'tiny_scenes' / '0.9.0')
    info = tmp_path / 'tiny_scenes' / '0.9.0' / 'dataset_info.json'
    info.write_text(info.read_text().replace('"1.0.0"', '"0.9.0"'))
    assert data.load('tiny_scenes', tmp_path).sizes['train'] == 32
    assert not (tmp_path / 'tiny_scenes' / '1.0.0').exists()
