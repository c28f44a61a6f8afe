"""Tests the data of `zoo.data`: what the sets hold, and that runs can resume."""

import collections
import os
import pathlib

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
from sklearn import datasets as sklearn_datasets
from tiny_scenes import TinyScenes

from zoo import data
from zoo.cli import errors
from zoo.data import reading


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Returns the folder where the module's data sets are prepared, once."""
    path = tmp_path_factory.mktemp('tfds')
    TinyScenes(data_dir=str(path)).download_and_prepare()
    return path


def epoch_bytes(dataset):
    return [batch.tobytes() for batch in dataset.as_numpy_iterator()]


def multiset(images):
    return collections.Counter(image.tobytes() for image in images)


def whole(images, split):
    return images.take(split, images.sizes[split])


def test_digits_are_scikit_learns_each_in_one_split(folder):
    digits = data.load('digits', folder)
    source = sklearn_datasets.load_digits()
    examples = collections.Counter()
    for split in digits.splits:
        (images, labels), = digits.evaluation(split, 2000, labels=True).as_numpy_iterator()
        assert len(images) == digits.sizes[split]
        examples += collections.Counter((i.tobytes(), int(l)) for i, l in zip(images, labels))
    expected = zip(source.images.astype(np.uint8), source.target)
    assert examples == collections.Counter((i.tobytes(), int(l)) for i, l in expected)
    assert (digits.bins, digits.num_classes, digits.flips) == (17, 10, False)
    assert whole(digits, 'train').max() == 16
    assert digits.sizes == {'train': 1437, 'validation': 180, 'test': 180}


def test_photo_patches_share_no_pixel_between_splits(folder):
    """The test looks each patch up in the photographs and marks its pixels, without the builder."""
    patches = data.load('photo_patches', folder)
    photos = [sklearn_datasets.load_sample_image(name) for name in ('china.jpg', 'flower.jpg')]
    places = collections.defaultdict(list)  # Maps a patch's first row to its places.
    for p, photo in enumerate(photos):
        for row in range(photo.shape[0] - 31):
            for column in range(photo.shape[1] - 31):
                places[photo[row, column:column + 32].tobytes()].append((p, row, column))
    covered = {}
    for split in patches.splits:
        covered[split] = [np.zeros(photo.shape[:2], bool) for photo in photos]
        (images, labels), = patches.evaluation(split, 10_000, labels=True).as_numpy_iterator()
        for image, label in zip(images, labels):
            matches = [(p, row, column) for p, row, column in places[image[0].tobytes()]
                       if np.array_equal(photos[p][row:row + 32, column:column + 32], image)]
            assert matches and {p for p, _, _ in matches} == {label}
            for p, row, column in matches:
                covered[split][p][row:row + 32, column:column + 32] = True
    for one, other in (('train', 'validation'), ('train', 'test'), ('validation', 'test')):
        for a, b in zip(covered[one], covered[other]):
            assert a.any() and b.any() and not (a & b).any(), (one, other)
    assert patches.sizes == {'train': 5300, 'validation': 150, 'test': 350}
    assert patches.flips and patches.bins == 256


@pytest.mark.parametrize('memory_limit', [reading.MEMORY_LIMIT, 0], ids=['kept', 'streamed'])
@pytest.mark.parametrize('options', [
    {'flips': False}, {'flips': True}, {'flips': True, 'upside_down': True, 'shifts': .2}])
def test_resuming_gives_the_same_batches(folder, monkeypatch, memory_limit, options):
    monkeypatch.setattr(reading, 'MEMORY_LIMIT', memory_limit)
    images = data.load('digits', folder, **options)
    steps = images.steps_per_epoch(100)
    assert steps == 14
    run = images.train(100, seed=3, repeat=True)
    assert run.element_spec.shape == (100, 8, 8, 1)
    uninterrupted = epoch_bytes(run.take(3 * steps))
    for epoch in range(3):
        resumed = images.train(100, seed=3, epoch=epoch)
        assert int(resumed.cardinality()) == steps
        assert epoch_bytes(resumed) == uninterrupted[epoch * steps:][:steps]
    resumed = data.load('digits', folder, **options).train(
        100, seed=3, epoch=1, repeat=True, skip=2)
    assert epoch_bytes(resumed.take(steps)) == uninterrupted[steps + 2:][:steps]
    for skip in (0, 5, steps):
        rest = images.train(100, seed=3, epoch=1, skip=skip)
        assert int(rest.cardinality()) == steps - skip
        assert epoch_bytes(rest) == uninterrupted[steps + skip:2 * steps]
    assert len(set(uninterrupted)) == 3 * steps
    assert not set(epoch_bytes(images.train(100, seed=4))) & set(uninterrupted)


@pytest.mark.parametrize('binarize', ['', 'dynamic'])
@pytest.mark.parametrize('memory_limit', [reading.MEMORY_LIMIT, 0], ids=['kept', 'streamed'])
def test_batches_depend_on_the_given_seed_alone(folder, monkeypatch, memory_limit, binarize):
    """TensorFlow's global seed changes nothing, wherever a run resumes."""
    monkeypatch.setattr(reading, 'MEMORY_LIMIT', memory_limit)
    monkeypatch.setattr(reading, 'SHUFFLE_BYTES', 2**12)
    images = data.load('digits', folder, binarize=binarize)

    def batches(skip, count):
        pairs = images.train(100, seed=3, repeat=True, labels=True, skip=skip).take(count)
        return [(x.tobytes(), y.tobytes()) for x, y in pairs.as_numpy_iterator()]
    uninterrupted = batches(0, 16)
    for global_seed in (1, 2, None):
        tf.random.set_seed(global_seed)
        assert batches(12, 4) == uninterrupted[12:]  # An epoch has 14 batches.


@pytest.mark.parametrize('skip', [-1, 15])
def test_more_batches_cannot_be_skipped_than_an_epoch_has(folder, skip):
    with pytest.raises(ValueError, match=f'at most the 14 batches of an epoch; got skip={skip}'):
        data.load('digits', folder).train(100, seed=0, skip=skip)


def test_skipped_batches_of_kept_data_are_not_gathered():
    gathered = []

    class Reader(reading.ArrayReader):
        def _gather(self, indices):
            tf.numpy_function(gathered.append, [indices], [])
            return super()._gather(indices)
    batches = Reader(np.zeros([90, 2]), np.zeros(90)).shuffled(10, tf.constant([0, 0]), skip=7)
    assert len(list(batches)) == len(gathered) == 2


def test_training_images_are_moved(folder):
    """Each moves by up to 2 pixels in 8 both ways, with repeated edges; no other split does."""
    plain, moved = (data.load('digits', folder, shifts=shifts) for shifts in (0., .2))
    assert 'moved by up to 20% of their sides' in moved.describe()
    np.testing.assert_array_equal(whole(plain, 'validation'), whole(moved, 'validation'))
    seen = set()
    for before, after in zip(*(np.concatenate(list(images.train(100, seed=3).as_numpy_iterator()))
                               for images in (plain, moved)), strict=True):
        moves = [(down, right) for down in range(-2, 3) for right in range(-2, 3)
                 if np.array_equal(after, np.pad(before, ((2, 2), (2, 2), (0, 0)), 'edge')[
                     2 - down:10 - down, 2 - right:10 - right])]
        assert moves
        seen |= set(moves) if len(moves) == 1 else set()
    assert len(seen) == 25


def test_training_images_are_turned_upside_down(folder):
    """Half of them are, whether or not they are also mirrored; no other split is."""
    plain, turned = (data.load('digits', folder, flips=True, upside_down=upside_down)
                     for upside_down in (False, True))
    assert turned.describe().endswith('mirrored; half of the training images upside down.')
    np.testing.assert_array_equal(whole(plain, 'validation'), whole(turned, 'validation'))
    same, count = 0, 0
    for before, after in zip(*(np.concatenate(list(images.train(100, seed=3).as_numpy_iterator()))
                               for images in (plain, turned)), strict=True):
        same, count = same + np.array_equal(before, after), count + 1
        assert np.array_equal(before, after) or np.array_equal(before[::-1], after)
    assert .45 < same / count < .55
    alone = data.load('digits', folder, flips=False, upside_down=True).describe()
    assert alone.endswith('no mirrored images; half of the training images upside down.')


@pytest.mark.parametrize('memory_limit', [reading.MEMORY_LIMIT, 0], ids=['kept', 'streamed'])
def test_an_epoch_is_the_split_half_of_it_mirrored(folder, monkeypatch, memory_limit):
    monkeypatch.setattr(reading, 'MEMORY_LIMIT', memory_limit)
    tiny = data.load('tiny_scenes', folder, flips=True)
    originals = {image.tobytes(): i for i, image in enumerate(whole(tiny, 'train'))}
    mirrored = {image[:, ::-1].tobytes(): i for i, image in enumerate(whole(tiny, 'train'))}
    seen, flipped, total = [], 0, 0
    for epoch in range(10):
        batch, = tiny.train(32, seed=0, epoch=epoch).as_numpy_iterator()
        keys = [image.tobytes() for image in batch]
        seen.append([originals.get(key, mirrored.get(key)) for key in keys])
        flipped += sum(key in mirrored for key in keys)
        total += len(keys)
        assert sorted(seen[-1]) == list(range(32))
    assert .35 < flipped / total < .65
    assert len({tuple(order) for order in seen}) == 10


def test_streamed_and_kept_evaluation_agree(folder, monkeypatch):
    kept = [whole(data.load('digits', folder), split) for split in ('train', 'test')]
    monkeypatch.setattr(reading, 'MEMORY_LIMIT', 0)
    streamed = data.load('digits', folder)
    np.testing.assert_array_equal(whole(streamed, 'train'), kept[0])
    sizes = [len(batch) for batch in streamed.evaluation('test', 50, limit=120)]
    assert sizes == [50, 50, 20]


def test_labels_stay_with_their_images_in_training(folder):
    digits = data.load('digits', folder)
    (images, labels), = digits.evaluation('train', 2000, labels=True).as_numpy_iterator()
    known = {image.tobytes(): label for image, label in zip(images, labels)}
    for batch, batch_labels in digits.train(64, seed=1, labels=True).as_numpy_iterator():
        assert [known[image.tobytes()] for image in batch] == list(batch_labels)
    with pytest.raises(ValueError, match='tiny_scenes has no classes'):
        data.load('tiny_scenes', folder).train(2, seed=0, labels=True)


def test_padding_repeats_the_edges_and_crop_undoes_it(folder):
    plain = data.load('tiny_scenes', folder)
    padded = data.load('tiny_scenes', folder, pad=True, divisor=8)
    assert (plain.original_shape, plain.image_shape) == ((6, 10, 3), (6, 10, 3))
    assert (padded.original_shape, padded.image_shape) == ((6, 10, 3), (8, 16, 3))
    images, original = whole(padded, 'train'), whole(plain, 'train')
    expected = np.pad(original, [(0, 0), (1, 1), (3, 3), (0, 0)], mode='edge')
    np.testing.assert_array_equal(images, expected)
    np.testing.assert_array_equal(padded.crop(images), original)
    assert padded.dims == 180 and '180 original numbers' in padded.describe()
    assert 'repeated' not in plain.describe()
    assert data.load('tiny_scenes', folder, pad=True, divisor=2).image_shape == (6, 10, 3)
    with pytest.raises(ValueError, match=r'\(8, 16, 3\); got \(2, 8, 8, 1\)'):
        padded.crop(np.zeros([2, 8, 8, 1]))


def test_missing_splits_are_held_out_of_train_and_stated(folder):
    tiny = data.load('tiny_scenes', folder)
    assert tiny.splits == {'train': 'train[:32]', 'validation': 'train[32:36]',
                           'test': 'train[36:]'}
    assert tiny.sizes == {'train': 32, 'validation': 4, 'test': 4}
    parts = sum((multiset(whole(tiny, split)) for split in tiny.splits), collections.Counter())
    builder = TinyScenes(data_dir=str(folder))
    everything = [e['picture'] for e in tfds.as_numpy(builder.as_dataset(split='train'))]
    assert parts == multiset(everything) and len(parts) == 40
    assert 'train[36:]' in tiny.describe()


def test_fashion_mnist():
    folder = pathlib.Path(os.environ.get('TFDS_DATA_DIR') or
                          os.path.expanduser('~/tensorflow_datasets'))
    if not (folder / 'fashion_mnist').exists():
        pytest.skip('fashion_mnist is not prepared in TFDS_DATA_DIR or ~/tensorflow_datasets')
    with pytest.raises(errors.UsageError, match='--pad'):
        data.load('fashion_mnist', folder, divisor=8)
    images = data.load('fashion_mnist', folder, pad=True, divisor=8)
    assert images.sizes == {'train': 55000, 'validation': 5000, 'test': 10000}
    assert images.image_shape == (32, 32, 1) and images.dims == 784
    assert not images.flips and images.num_classes == 10
    test = images.take('test', 100)
    np.testing.assert_array_equal(test[:, 0], test[:, 1])
    assert test.max() == 255 and images.crop(test).shape == (100, 28, 28, 1)
