"""Tests the densities that `zoo.data.load_vectors` draws, their batches, and plots of them."""

import sys

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from zoo import data
from zoo.cli import errors
from zoo.data import densities
from zoo.pictures import densities as density_plots


@pytest.fixture(scope='module')
def moons():
    return data.load_vectors('moons')


@pytest.mark.parametrize('name', densities.NAMES)
def test_draws_depend_on_the_seed_alone(name):
    points, labels = densities.draw(name, 1000, 3)
    again, _ = densities.draw(name, 1000, 3)
    np.testing.assert_array_equal(points, again)
    assert not set(points[:, 0]) & set(densities.draw(name, 1000, 4)[0][:, 0])
    assert points.shape == (1000, 2) and labels.shape == (1000,)
    counts = np.bincount(labels) * densities.classes(name) / 1000
    assert len(counts) == densities.classes(name) and np.all(np.abs(counts - 1) < .4)


def test_checkerboard_is_uniform_on_the_dark_squares():
    points, labels = densities.draw('checkerboard', 40_000, 0)
    cells = np.floor(points).astype(int)
    assert np.all(cells.sum(1) % 2 == 0) and points.min() >= -2 and points.max() < 2
    squares, counts = np.unique(cells, axis=0, return_counts=True)
    # The bound of .06 is four standard errors.
    assert len(squares) == 8 and np.all(np.abs(counts / 5000 - 1) < .06)
    for i, cell in enumerate(squares):
        assert np.all(cells[labels == i] == cell)
    assert np.all(np.abs((points - cells).mean(0) - .5) < .006)


def test_rings_have_their_radii():
    points, labels = densities.draw('rings', 40_000, 0)
    radius, angle = np.hypot(*points.T), np.arctan2(*points.T)
    for k in range(4):
        np.testing.assert_allclose(radius[labels == k].mean(), k + 1, atol=.004)
        np.testing.assert_allclose(radius[labels == k].std(), .1, atol=.003)
        assert abs(np.exp(1j * angle[labels == k]).mean()) < .04


def test_moons_are_half_circles_with_noise():
    points, labels = densities.draw('moons', 40_000, 0)
    upper, lower = points[labels == 0], points[labels == 1]
    # E cos t = 0, E sin t = 2/pi; noise of .1 makes E|x|^2 1.02.
    np.testing.assert_allclose(upper.mean(0), [0, 2 / np.pi], atol=.02)
    np.testing.assert_allclose(lower.mean(0), [1, .5 - 2 / np.pi], atol=.02)
    for moon in (upper, lower - [1., .5]):
        np.testing.assert_allclose((moon**2).sum(1).mean(), 1.02, atol=.006)
    assert upper[:, 1].min() > -.5 and lower[:, 1].max() < 1.


def test_pinwheel_unwound_is_gaussian():
    points, labels = densities.draw('pinwheel', 40_000, 0)
    # |x| / 2 = sqrt(r^2 + s^2): the loop unwinds by the mean radius' angle, iterating r.
    z = (points[:, 0] + 1j * points[:, 1]) / 2 * np.exp(-2j * np.pi * labels / 5)
    r = np.abs(z)
    for _ in range(20):
        unwound = z * np.exp(-1j * np.exp(r) / 4)
        r = unwound.real
    typical = np.abs(r - 1) < .6  # The iteration converges within two standard deviations.
    s = unwound.imag[typical]
    np.testing.assert_allclose([r[typical].mean(), s.mean()], [1, 0], atol=.01)
    np.testing.assert_allclose([r[typical].std(), s.std()], [.3 * .8796, .1], atol=.006)


def test_standardised_by_the_training_split(moons):
    points, labels = densities.draw('moons', 50_000, 0)
    assert moons.sizes == {'train': 50_000, 'validation': 5_000, 'test': 10_000}
    assert moons.splits == {'train': 'generated, seed 0', 'validation': 'generated, seed 1',
                            'test': 'generated, seed 2'}
    batch, classes = next(iter(moons.evaluation('train', 50_000, labels=True)))
    expected = (points - points.mean(0)) / points.std(0)
    assert batch.dtype == tf.float32
    np.testing.assert_allclose(batch, expected, atol=1e-5)
    np.testing.assert_array_equal(classes, labels)
    test = moons.take('test', 10_000)
    np.testing.assert_allclose(moons.unscale(test), densities.draw('moons', 10_000, 2)[0],
                               atol=1e-6)
    np.testing.assert_allclose(moons.scale(moons.unscale(test)), test, atol=1e-6)
    assert moons.scale(points).dtype == np.float32
    assert abs(test.mean()) > 1e-6  # It is not standardised by itself.
    np.testing.assert_allclose(moons.log_scale_correction, -np.log(points.std(0)).sum())
    assert (moons.event_shape, moons.dims, moons.bins, moons.num_classes) == ((2,), 2, None, 2)
    assert moons.describe() == (
        'moons: 2 columns, standardised, 2 classes; train 50,000 (generated, seed 0), '
        'validation 5,000 (generated, seed 1), test 10,000 (generated, seed 2).')


def test_another_seed_draws_other_splits(moons):
    other = data.load_vectors('moons', seed=1)
    assert list(other.splits.values()) == [f'generated, seed {i}' for i in (3, 4, 5)]
    assert not set(other.take('train', 9)[:, 0]) & set(moons.take('train', 9)[:, 0])


def test_training_resumes_where_it_stopped(moons):
    steps = moons.steps_per_epoch(20_000)
    whole = [b.numpy() for b in moons.train(20_000, 5, repeat=True).take(3 * steps)]
    assert steps == 2 and all(b.shape == (20_000, 2) for b in whole)
    later = [b.numpy() for b in moons.train(20_000, 5, epoch=1, repeat=True).take(2 * steps)]
    np.testing.assert_array_equal(whole[steps:], later)
    single = moons.train(20_000, 5, epoch=2, labels=True)
    assert single.cardinality() == steps
    np.testing.assert_array_equal([x.numpy() for x, _ in single], whole[2 * steps:])
    assert np.any(whole[0] != whole[steps])
    assert np.any(next(iter(moons.train(20_000, 6))) != whole[0])
    known = {tuple(row) for row in moons.take('train', 50_000)}
    epoch = np.concatenate(whole[:steps])
    assert {tuple(row) for row in epoch} <= known and len(np.unique(epoch, axis=0)) > 39_990


@pytest.mark.parametrize('ask, message', [
    (lambda d: data.load_vectors('moon'), '--dataset must be one of checkerboard, moons, pinwheel, '
     "rings or a file that ends in .csv or .npz; got 'moon'."),
    (lambda d: data.load_vectors('moons', '--table', label='y'),
     "--table=moons: it has labels of its own; got the column 'y'."),
    (lambda d: d.train(0, 1), '--batch_size must be at least 1 and at most the 50000 training '
     'rows; got 0.'),
    (lambda d: d.take('train', 0), 'the number of rows must be from 1 to the 50000 of split train; '
     'got 0.'),
    (lambda d: d.evaluation('dev', 1), '--split must be one of train, validation, test; '
     "got 'dev'."),
    (lambda d: d.evaluation('test', 0), '--batch_size and the limit on rows must be at least 1; '
     'got 0 and None.'),
])
def test_bad_requests_are_named(moons, ask, message):
    with pytest.raises(errors.UsageError) as caught:
        ask(moons)
    assert str(caught.value) == message


def test_names_of_vectors_are_known_by_their_looks():
    assert all(map(data.is_vectors, ['rings', 'my/table.csv', 'x.npz']))
    assert not any(map(data.is_vectors, ['mnist', 'ring', 'csv', 'x.npy']))


def gaussian(x):
    return -(x**2).sum(1) / 2 - np.log(2 * np.pi)


@pytest.mark.parametrize('dims, kinds, size', [
    (2, ('data', 'log_prob'), (1320, 462)),  # A panel has 440 pixels.
    (2, (), (440, 462)),
    (1, ('log_prob',), (440, 440)),
    (7, ('data',), (1210, 1210)),
])
def test_plots(dims, kinds, size, tmp_path):
    samples = np.random.default_rng(0).normal(size=[6000, dims])
    asked = []
    options = {'data': samples[:500], 'log_prob': lambda x: asked.append(x) or gaussian(x)}
    density_plots.density(tmp_path / 'plot.png', samples, **{kind: options[kind] for kind in kinds})
    picture = np.asarray(Image.open(tmp_path / 'plot.png').convert('L'))
    assert picture.shape == size[::-1] and [p.name for p in tmp_path.iterdir()] == ['plot.png']
    assert [x.shape for x in asked] == [(200**dims, dims)] * ('log_prob' in kinds)
    assert all(x.dtype == np.float32 for x in asked)


def test_a_density_is_where_it_belongs(tmp_path):
    """The last panel shows a step along the first column."""
    corners = np.array([[-1., -1.], [1., 1.]] * 50)
    density_plots.density(tmp_path / 'plot.png', corners,
                          lambda x: np.where(x[:, 0] > 0, 0., -100.))
    panel = np.asarray(Image.open(tmp_path / 'plot.png').convert('L'))[100:-100, 440:].astype(int)
    left, right = panel[:, 120], panel[:, -60]
    assert np.ptp(left) < 3 and np.ptp(right) < 3 and right[0] > left[0] + 100


@pytest.mark.parametrize('samples, options, message', [
    (np.zeros([5]), {}, r'samples must be finite, \[N, D\] with N and D above 0; got .* \[5\]'),
    (np.full([5, 2], np.nan), {}, 'samples must be finite'),
    (np.zeros([5, 2]), {'data': np.zeros([5, 3])}, 'data must have as many columns as samples'),
])
def test_plots_name_bad_arguments(samples, options, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        density_plots.density(tmp_path / 'plot.png', samples, **options)
    assert not list(tmp_path.iterdir())


def test_plots_say_that_matplotlib_is_missing(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, 'matplotlib.figure', None)
    with pytest.raises(errors.Failure, match='^matplotlib is missing: pip install matplotlib.$'):
        density_plots.density(tmp_path / 'plot.png', np.zeros([5, 2]))
