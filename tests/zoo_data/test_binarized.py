"""Tests binarised images: seed, epoch and image determine the draws, and the means are right."""

import dataclasses
import json

import numpy as np
import pytest

from zoo import data
from zoo.cli import errors
from zoo.data import loading, reading
from zoo.models import glow, recipe
from zoo.runs import run as runs


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp('tfds')


@pytest.fixture(scope='module')
def grey(folder):
    return data.load('digits', folder)


@pytest.fixture(scope='module', params=['dynamic', 'static'])
def black(request, folder):
    return data.load('digits', folder, binarize=request.param)


def epoch(images, seed=3, number=0, batch_size=479):
    """Returns `(images, labels)` of an epoch, in the order in which they come."""
    batches = images.train(batch_size, seed, number, labels=True)
    return [np.concatenate(parts) for parts in zip(*batches.as_numpy_iterator())]


def test_pixels_are_white_as_often_as_their_levels_say(grey, black):
    """Each level's share of ones is within 5 deviations, over all training images of few epochs."""
    ones, counts = np.zeros(17), np.zeros(17)
    for number in range(2):
        levels, labels = epoch(grey, number=number)
        drawn, same = epoch(black, number=number)
        np.testing.assert_array_equal(same, labels)  # They keep the grey images' order.
        assert drawn.dtype == np.uint8 and drawn.shape == levels.shape
        ones += np.bincount(levels.ravel(), drawn.ravel(), 17)
        counts += np.bincount(levels.ravel(), minlength=17)
    expected = np.arange(17) / 16
    deviations = np.sqrt(2 * expected * (1 - expected) / counts)  # Static draws repeat: hence 2.
    assert np.all(np.abs(ones / counts - expected) <= 5 * deviations)
    assert black.bins == 2 and grey.bins == 17


def test_an_epoch_depends_on_seed_and_number_only(black):
    first, again = epoch(black), epoch(black)
    np.testing.assert_array_equal(again[0], first[0])
    resumed = black.train(479, 3, repeat=True).skip(3).take(3).as_numpy_iterator()
    np.testing.assert_array_equal(np.concatenate(list(resumed)), epoch(black, number=1)[0])


def test_dynamic_draws_differ_by_epoch_and_static_ones_do_not(black, grey):
    """The test sorts the images of two epochs by the grey images that they were drawn from."""
    def by_image(seed, number):
        keys = [image.tobytes() for image in epoch(grey, seed, number)[0]]
        return epoch(black, seed, number)[0][np.argsort(keys, kind='stable')]
    one, two, three = by_image(3, 0), by_image(3, 1), by_image(4, 0)
    for other in (two, three):
        share = np.mean(one != other)
        assert share == 0 if black.binarize == 'static' else share > .05


def test_draws_do_not_depend_on_the_batch(folder):
    """With `static`, they do not depend on whether they train either."""
    images = data.load('digits', folder, binarize='static')
    whole = images.take('test', 180)
    parts = list(images.evaluation('test', 7, limit=33).as_numpy_iterator())
    np.testing.assert_array_equal(np.concatenate(parts), whole[:33])
    trained = sorted(image.tobytes() for image in images.take('train', 1437))
    assert sorted(image.tobytes() for image in epoch(images)[0]) == trained
    dynamic = data.load('digits', folder, binarize='dynamic')
    np.testing.assert_array_equal(dynamic.take('test', 180), whole)


def test_splits_share_no_draws(folder, monkeypatch):
    """The test uses the same grey images as three splits."""
    monkeypatch.setattr(loading, 'choose_splits', lambda name, counts: dict.fromkeys(
        ('train', 'validation', 'test'), 'test'))
    images = data.load('digits', folder, binarize='static')
    one, two, three = (images.take(split, 180) for split in images.splits)
    for a, b in ((one, two), (one, three), (two, three)):
        assert np.mean(a != b) > .05


def test_streamed_splits_draw_the_same(folder, monkeypatch):
    kept = data.load('digits', folder, binarize='dynamic')
    expected = [kept.take('test', 50), *sorted(x.tobytes() for x in epoch(kept)[0])]
    monkeypatch.setattr(reading, 'MEMORY_LIMIT', 0)
    streamed = data.load('digits', folder, binarize='dynamic')
    np.testing.assert_array_equal(streamed.take('test', 50), expected[0])
    assert sorted(x.tobytes() for x in epoch(streamed)[0]) == expected[1:]


def test_padding_repeats_the_drawn_edges(folder):
    padded = data.load('digits', folder, pad=True, divisor=5, binarize='dynamic')
    plain = data.load('digits', folder, binarize='dynamic')
    expected = np.pad(plain.take('test', 9), [(0, 0), (1, 1), (1, 1), (0, 0)], 'edge')
    np.testing.assert_array_equal(padded.take('test', 9), expected)


def run_of(**training):
    return runs.Run('glow', 'digits', 'digits', False, None, glow.Config(),
                    recipe.Training(**training))


def test_a_run_keeps_how_it_binarises_and_older_ones_can_be_read(folder):
    run = run_of(binarize='static')
    values = json.loads(json.dumps(run.to_json()))
    assert runs.Run.from_json(values) == run
    assert run.load_data(folder).binarize == 'static'
    values = json.loads(json.dumps(run.to_json()))
    del values['training']['binarize']  # Older runs do not have it.
    assert runs.Run.from_json(values) == run_of()
    assert 'binarised once' in run.load_data(folder).describe()


@pytest.mark.parametrize('dataset, training, message', [
    ('digits', {'binarize': 'often'},
     "--binarize must be one of nothing, dynamic, static; got 'often'."),
    ('moons', {'binarize': 'static'},
     "--binarize must be left out for vectors; got 'static'.")])
def test_mistakes(dataset, training, message, folder):
    with pytest.raises(errors.UsageError) as caught:
        dataclasses.replace(run_of(**training), model='maf' if dataset == 'moons' else 'glow',
                            dataset=dataset).load_data(folder)
    assert str(caught.value) == message


def test_bits_of_binarised_images(folder):
    run = run_of(binarize='static', bits=5)
    with pytest.raises(errors.UsageError, match='--bits needs data of 256 levels; digits has 2'):
        run.build(run.load_data(folder))
