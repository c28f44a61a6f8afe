"""A run, a preset, a bundle and a compressed picture of version 0.1 can be read."""

import csv
import json
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
import tiny_run
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


def test_a_run_is_gone_on_with(copy, data_dir):
    """It is trained for a third epoch, and keeps the figures of the first two."""
    def figures():
        with (copy.path / 'metrics.csv').open(newline='') as file:
            return [{name: float(text) for name, text in row.items()}
                    for row in csv.DictReader(file)]
    old = figures()
    done = tiny_run.finish('train', '--resume', f'--workdir={copy.path}', '--epochs=3',
                           f'--data_dir={data_dir}', '--verbose=0', '--sample_images=4')
    assert done.returncode == 0, done.stderr
    rows = figures()
    assert rows[:2] == old and len(rows) == 3
    assert rows[2]['step'] == 1.5 * old[1]['step'] and rows[2]['loss'] < 3
    config = json.loads((copy.path / 'config.json').read_text())
    assert config['format'] == 3 and config['data_dir'] == str(data_dir)
    assert config['changes'][0]['epochs'] == [2, 3] and config['changes'][0]['epoch'] == 2


def test_a_damaged_checkpoint_is_no_new_beginning(copy, data_dir):
    run = copy.read()
    model = run.build(run.load_data(data_dir))
    (copy.path / 'checkpoints' / 'checkpoint').unlink()  # The pointer says nothing new.
    assert opening.resumed(model, copy, print).epoch == 2
    data, = (copy.path / 'checkpoints').glob('ckpt-2.data*')
    data.write_bytes(data.read_bytes()[:-1000])
    said = []
    with pytest.raises(errors.UsageError, match='--resume needs a checkpoint that is whole'):
        opening.resumed(model, copy, said.append)
    assert len(said) == 1 and 'ckpt-2' in said[0]


def test_a_bundle():
    bundle = reading.open_bundle(OLD / 'bundle')
    assert (bundle.kind, bundle.columns) == ('vectors', ['x1', 'x2'])
    lines = list(verification.verify(bundle))
    assert len(lines) == len(bundle.about['signatures']) + 1
    model = bundle.load()
    drawn = model.sample(tf.constant(5), tf.constant(1.), tf.constant(0)).numpy()
    assert drawn.shape == (5, 2) and np.all(np.isfinite(drawn))


@pytest.mark.slow
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
