"""Npz files of arrays of images as data sets."""

import numpy as np
import pytest

from zoo import data
from zoo.cli import errors

RNG = np.random.default_rng(0)


def images(count, *shape, levels=256):
    return RNG.integers(0, levels, [count, *shape]).astype(np.uint8)


def saved(tmp_path, **arrays):
    path = str(tmp_path / 'x.npz')
    np.savez(path, **arrays)
    return path


def every(loaded, split):
    return loaded.take(split, loaded.sizes[split])


def test_one_array_is_split_and_keeps_its_labels(tmp_path):
    x = images(40, 6, 5)
    x[:, 0, 0] = range(40)
    loaded = data.load(saved(tmp_path, x=x, y=np.arange(40)[:, None] % 3), pad=True, divisor=2)
    assert loaded.original_shape == (6, 5, 1) and loaded.image_shape == (6, 6, 1)
    assert loaded.sizes == {'train': 32, 'validation': 4, 'test': 4} and loaded.num_classes == 3
    seen = []
    for split in loaded.sizes:
        for image, label in loaded.evaluation(split, 9, labels=True).unbatch().as_numpy_iterator():
            assert image[0, 0, 0] % 3 == label
            seen.append(int(image[0, 0, 0]))
    assert sorted(seen) == list(range(40))


@pytest.mark.parametrize('names', [
    ('train', 'test', 'train_label', 'test_label'), ('x_train', 'x_test', 'y_train', 'y_test')])
def test_arrays_by_split(tmp_path, names):
    x, y, x_labels, y_labels = images(30, 4, 4, 3), images(7, 4, 4, 3), [0, 1] * 15, [1] * 7
    loaded = data.load(saved(tmp_path, **dict(zip(names, (x, y, x_labels, y_labels)))))
    np.testing.assert_array_equal(every(loaded, 'test'), y)
    assert loaded.sizes == {'train': 27, 'validation': 3, 'test': 7} and loaded.num_classes == 2
    assert loaded.bins == 256 and not loaded.flips


@pytest.mark.parametrize(('arrays', 'message'), [
    ({'x': images(9, 4, 4).astype(np.float32) / 255}, 'images must be uint8, levels 0 .. 255; '
     'those of train are float32'),
    ({'x': images(9, 4, 4).astype(np.int64)}, 'those of train are int64'),
    ({'x': images(9, 4, 4, 2)}, 'images must be [N, H, W] or [N, H, W, 1 or 3]'),
    ({'x': images(9, 3, 4, 4)}, 'those of train are [9, 3, 4, 4]'),
    ({'x': images(0, 4, 4)}, 'with N > 0'),
    ({'x': images(2, 4, 4)}, 'it must have 3 images or more; it has 2'),
    ({'a': images(9, 4, 4), 'b': images(9, 4, 4)}, 'and none that is not used; it has a, b'),
    ({'x': images(9, 4, 4), 'extra': np.ones(3)}, 'of which extra is not used'),
    ({'train': images(9, 4, 4), 'test': images(9, 4, 5)}, 'must have images of one shape; got'),
    ({'train': images(9, 4, 4), 'test': images(9, 4, 4), 'train_label': np.zeros(9, int)},
     'all splits must have labels, or none; those of test are missing'),
    ({'x': images(9, 4, 4), 'y': np.zeros(8, int)}, 'labels must be integers, one for each of the '
     '9 images of train; got int64 [8]'),
    ({'x': images(9, 4, 4), 'y': np.zeros(9)}, 'got float64 [9]'),
    ({'x': images(9, 4, 4), 'y': np.int64(3)}, 'got int64 []'),
    ({'x': images(9, 4, 4), 'y': np.r_[np.zeros(8, int), 2**40]}, 'labels must be classes, fewer'),
    ({'train': images(9, 4, 4), 'x_train': images(9, 4, 4)}, 'of which x_train is not used'),
    ({'x': images(9, 4, 4), 'y': np.arange(9) - 1}, 'labels must be in 0 .. 7'),
    ({'train': images(9, 4, 4), 'test': images(9, 4, 4), 'train_label': np.zeros(9, int),
      'test_label': np.ones(9, int)}, 'labels must be in 0 .. 0, the greatest of train; test'),
])
def test_what_is_wrong_is_named(tmp_path, arrays, message):
    path = saved(tmp_path, **arrays)
    with pytest.raises(errors.UsageError) as caught:
        data.load(path)
    assert message in str(caught.value) and path in str(caught.value)
    assert '\n' not in str(caught.value)


def test_options_that_have_no_use(tmp_path):
    path = saved(tmp_path, x=images(9, 4, 4))
    assert not data.is_vectors(path)
    with pytest.raises(errors.UsageError, match='--binarize must be left out for an npz file'):
        data.load(path, binarize='static')
    with pytest.raises(errors.UsageError, match=r'--size must be left out for --dataset=.*; got 2'):
        data.load(path, pictures=data.PictureOptions(size=2))
    assert data.is_vectors(saved(tmp_path, x=np.ones([40, 3])))
