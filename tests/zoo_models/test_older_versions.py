"""A run, a preset, a bundle and a compressed picture of version 0.1 can be read."""

import dataclasses
import json
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import zoo
from tfp_glow.coding import reader
from zoo.bundles import reading, verification
from zoo.cli import errors
from zoo.evaluation import families
from zoo.runs import opening, preset
from zoo.runs.directory import Directory

OLD = pathlib.Path(__file__).parents[1] / 'support' / 'version_0_1'
TOLD = json.loads((OLD / 'run' / 'evaluation.json').read_text())


@pytest.fixture(scope='module')
def data_dir(tmp_path_factory):
    return tmp_path_factory.mktemp('data')


@pytest.fixture
def copy(tmp_path):
    return Directory(shutil.copytree(OLD / 'run', tmp_path / 'run'))


def check_figures(trained):
    """The figures are those that version 0.1 found, on the same images with the same noise."""
    figures = families.family_of(trained).figures('test')
    assert {key: figures[key] for key in ('split', 'dims', 'images', 'draws')} == {
        key: TOLD[key] for key in ('split', 'dims', 'images', 'draws')}
    for key in ('bits_per_dim', 'standard_error'):
        np.testing.assert_allclose(figures[key], TOLD[key], rtol=0, atol=1e-5)


def test_a_run(data_dir):
    trained = opening.load(OLD / 'run', data_dir)
    assert trained.run.recipe == 'digits' and trained.run.training.epochs == 2
    assert trained.run.data_dir is None  # Format 1 does not know it.
    check_figures(trained)


def test_a_preset(data_dir):
    trained = opening.open_run_or_preset(None, str(OLD / 'preset'), data_dir)
    assert trained.run == Directory(OLD / 'run').read()
    check_figures(trained)
    card = preset.read(OLD / 'preset').card
    assert card['bits_per_dim'] == TOLD['bits_per_dim']


def test_a_run_is_resumed_as_the_same_run_only(copy, data_dir):
    run = copy.read()
    with pytest.raises(errors.UsageError, match='must be new, or give --resume'):
        copy.create_or_resume(run, resume=False)
    longer = dataclasses.replace(run, training=dataclasses.replace(run.training, epochs=3))
    with pytest.raises(errors.UsageError,
                       match=r'differs in epochs \(2 there, 3 asked for\)\.'):
        copy.create_or_resume(longer, resume=True)
    before = (copy.path / 'config.json').read_bytes()
    copy.create_or_resume(run, resume=True)
    assert (copy.path / 'config.json').read_bytes() == before
    model = run.build(run.load_data(data_dir))
    assert copy.restore(copy.checkpoints(model)) == 2
    copy.keep_metrics(2)
    assert (copy.path / 'metrics.csv').read_text() == (OLD / 'run' / 'metrics.csv').read_text()


def test_a_run_learns_where_its_data_are_when_it_is_resumed(copy):
    """The folder of the data is no part of the run's identity: it is the same run."""
    run = copy.read()
    copy.create_or_resume(dataclasses.replace(run, data_dir='/elsewhere'), resume=True)
    again = copy.read()
    assert again == run and again.data_dir == '/elsewhere'
    assert json.loads((copy.path / 'config.json').read_text())['format'] == 2


def test_a_bundle():
    bundle = reading.open_bundle(OLD / 'bundle')
    assert (bundle.kind, bundle.columns) == ('vectors', ['x1', 'x2'])
    lines = list(verification.verify(bundle))
    assert len(lines) == len(bundle.about['signatures']) + 1
    model = bundle.load()
    drawn = model.sample(tf.constant(5), tf.constant(1.), tf.constant(0)).numpy()
    assert drawn.shape == (5, 2) and np.all(np.isfinite(drawn))


def test_a_compressed_picture(tmp_path):
    """A process of its own reads it: its networks use the instructions that wrote the file."""
    with (OLD / 'picture.tfg').open('rb') as file:
        settings = reader.read_header(file).settings
    if tf.__version__ not in settings:
        pytest.skip(f'The file was written with {settings}; only the same TensorFlow reads it.')
    done = subprocess.run(
        [sys.executable, '-m', 'zoo.decompress', '--preset=idf_fashion_mnist',
         OLD / 'picture.tfg', tmp_path / 'picture.png'], capture_output=True, text=True,
        check=False, cwd=pathlib.Path(zoo.__file__).parents[1])
    assert done.returncode == 0, done.stderr
    expected = 20 + np.add.outer(8 * np.arange(12), 5 * np.arange(20))
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / 'picture.png')), expected)
