"""Tests the programs that read bundles, and the pictures they write."""

import os
import pathlib
import shutil
import subprocess
import sys

import alone
import numpy as np
import pytest
from PIL import Image

import tfp_glow
from zoo.bundles import reading as bundles
from zoo.cli import errors
from zoo.pictures import grids

ROOT = pathlib.Path(__file__).parents[2]

# Runs a program of the zoo where neither this package's library nor what it needs is installed.
ALONE = alone.without({'tfp_glow', 'tensorflow_probability', 'tf_keras', 'keras', 'normflows'}, '''
    import runpy
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name='__main__')
''')


@pytest.fixture(scope='module')
def versions(tmp_path_factory):
    """Returns a folder of one bundle of 17 grey levels."""
    flow = tfp_glow.flows.glow((8, 8, 1), levels=2, steps_per_level=1, width=4)
    folder = tmp_path_factory.mktemp('versions')
    tfp_glow.serving.export(flow, folder, bins=17)
    return folder


@pytest.fixture
def copy(versions, tmp_path):
    return shutil.copytree(versions, tmp_path / 'copy')


def run_alone(folder, *arguments):
    (folder / 'alone.py').write_text(ALONE)
    environment = dict(os.environ, PYTHONPATH=str(ROOT))
    return subprocess.run([sys.executable, 'alone.py', *map(str, arguments)], cwd=folder,
                          env=environment, capture_output=True, text=True, timeout=900)


def error_lines(done):
    """Returns the lines that the program itself wrote, among TensorFlow's."""
    assert 'Traceback' not in done.stderr
    return [line for line in done.stderr.splitlines() if line.startswith('error: ')]


def test_sample_writes_the_same_images_for_the_same_seed(versions, tmp_path):
    arguments = ('zoo.sample', f'--saved_model={versions}', '--temperature=.8', '--seed=3')
    done = run_alone(tmp_path, *arguments, '--num=70', '--out=many.npy')
    assert done.returncode == 0, done.stderr
    assert 'many.npy: 70 images, temperature 0.8, seed 3' in done.stdout
    many = np.load(tmp_path / 'many.npy')
    assert many.shape == (70, 8, 8, 1) and many.dtype == np.uint8 and many.max() < 17
    assert len({image.tobytes() for image in many}) == 70
    done = run_alone(tmp_path, *arguments, '--num=64', '--out=grid.png')
    assert done.returncode == 0, done.stderr
    expected = grids.grid(many[:64], bins=17)
    np.testing.assert_array_equal(Image.open(tmp_path / 'grid.png'), expected)


def test_verify_prints_ok(versions, tmp_path):
    done = run_alone(tmp_path, 'zoo.export', f'--verify={versions}')
    assert done.returncode == 0, done.stderr
    *lines, last = done.stdout.splitlines()
    assert [line.split(':')[0] for line in lines] == [
        'sample', 'log_prob', 'bits_per_dim', 'encode', 'decode', 'interpolate',
        'decode(encode(images))']
    assert last == f'OK: {versions}/1'


@pytest.mark.parametrize('flags, message', [
    (['--num=0'], '--num must be at least 1; got 0.'),
    (['--temperature=-1'], '--temperature must be finite and at least 0; got -1.'),
    (['--temperature=nan'], '--temperature must be finite and at least 0; got nan.'),
    (['--seed=-1'], '--seed must be at least 0; got -1.'),
    (['--out=samples.jpg'], "--out must end in .png or .npy; got 'samples.jpg'."),
    (['--out=none/samples.png'], '--out must be in a folder that is there and can be written; '
     "got 'none/samples.png'."),
    (['--out=there.npy'], "--out must be a new file, or give --overwrite; 'there.npy' is there."),
    (['--saved_model='], 'give --saved_model=DIR, a bundle that zoo.export wrote, '
     '--workdir=RUN or --preset=NAME; got neither.'),
    (['--saved_model=nowhere'], '--saved_model must be a folder that zoo.export wrote; '
     "there is none at 'nowhere'."),
    (['samples.png'], "every option must be a flag, --name=value; got 'samples.png'."),
])
def test_sample_names_the_flag_that_is_wrong(versions, flags, message, tmp_path):
    (tmp_path / 'there.npy').write_bytes(b'kept')
    done = run_alone(tmp_path, 'zoo.sample', f'--saved_model={versions}', *flags)
    assert done.returncode == 2 and error_lines(done) == [f'error: {message}']
    assert (tmp_path / 'there.npy').read_bytes() == b'kept'
    assert sorted(p.name for p in tmp_path.iterdir()) == ['alone.py', 'there.npy']


@pytest.mark.parametrize('flags, message', [
    ([], 'give --workdir=RUN or --preset=NAME to export, or --verify=DIR to check; got neither.'),
    (['--verify=a', '--workdir=b'], "--workdir must be left out with --verify; got 'b'."),
    (['--verify=a', '--preset=b'], "--preset must be left out with --verify; got 'b'."),
    (['--verify=a', '--out=b'], "--out must be left out with --verify; got 'b'."),
])
def test_export_names_the_flag_that_is_wrong(flags, message, tmp_path):
    done = run_alone(tmp_path, 'zoo.export', *flags)
    assert done.returncode == 2 and error_lines(done) == [f'error: {message}']


def test_a_damaged_bundle_gives_no_samples(copy, tmp_path):
    file = copy / '1' / 'variables' / 'variables.data-00000-of-00001'
    file.write_bytes(file.read_bytes()[:-100])
    for arguments in (['zoo.sample', f'--saved_model={copy}'], ['zoo.export', f'--verify={copy}']):
        done = run_alone(tmp_path, *arguments)
        line, = error_lines(done)
        assert done.returncode == 2 and 'is cut short or changed' in line
    assert not (tmp_path / 'samples.png').exists()


@pytest.mark.parametrize('name', ['saved_model.pb', 'golden.npz', 'variables/variables.index',
                                  'variables/variables.data-00000-of-00001'])
def test_every_byte_is_checked(copy, name):
    file = copy / '1' / name
    whole = file.read_bytes()
    middle = len(whole) // 2
    flipped = whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1:]
    for content in (whole[:-1], flipped, b''):
        file.write_bytes(content)
        with pytest.raises(errors.UsageError, match=f'{name} in .*is cut short or changed'):
            bundles.open_bundle(copy)
    file.unlink()
    with pytest.raises(errors.UsageError, match=f'must be a whole bundle; .* lacks {name}'):
        bundles.open_bundle(copy)


@pytest.mark.parametrize('content, message', [
    ('{"format": 1', 'with a whole bundle.json'),
    ('[]', 'with a whole bundle.json'),
    ('{"format": 2, "sha256": {}}', 'must be a bundle of format 1; .* has format 2'),
])
def test_a_bundle_says_what_it_is(copy, content, message):
    (copy / '1' / 'bundle.json').write_text(content)
    with pytest.raises(errors.UsageError, match=f'--saved_model.*{message}'):
        bundles.open_bundle(copy)
    (copy / '1' / 'bundle.json').unlink()
    with pytest.raises(errors.UsageError, match='with a whole bundle'):
        bundles.open_bundle(copy)


def test_a_model_that_tensorflow_cannot_read_is_one_line(tmp_path):
    (tmp_path / 'bundle.json').write_text('{"format": 1, "sha256": {}}')
    (tmp_path / 'saved_model.pb').write_bytes(b'\xff' * 100)
    with pytest.raises(errors.UsageError, match=r'--verify must be .* can read') as caught:
        bundles.open_bundle(tmp_path, '--verify').load()
    assert '\n' not in str(caught.value)


def test_the_newest_version_is_taken(tmp_path):
    for name in ('2', '10', 'notes', '.unfinished-3'):
        (tmp_path / name).mkdir()
        (tmp_path / name / 'bundle.json').write_text('{"format": 1, "sha256": {}}')
    assert bundles.open_bundle(tmp_path).path == tmp_path / '10'
    assert bundles.open_bundle(tmp_path / '2').path == tmp_path / '2'
    shutil.rmtree(tmp_path / '2'), shutil.rmtree(tmp_path / '10')
    with pytest.raises(errors.UsageError, match=r'neither a bundle.json nor version folders'):
        bundles.open_bundle(tmp_path)


def test_grid_stretches_levels_and_enlarges_pixels(tmp_path):
    images = np.zeros([3, 2, 2, 1], np.uint8)
    images[0, 0, 1], images[2] = 8, 16
    grids.save_grid(images, tmp_path / 'grid.png', bins=17, scale=3)
    picture = np.asarray(Image.open(tmp_path / 'grid.png'))
    assert picture.shape == (14, 14)  # Two by two images have 6 pixels each and 2 between them.
    np.testing.assert_array_equal(picture[:3, :6], [[0] * 3 + [128] * 3] * 3)
    assert np.all(picture[8:, :6] == 255) and np.all(picture[:6, 8:] == 0)
    assert list(tmp_path.iterdir()) == [tmp_path / 'grid.png']


def test_grid_keeps_colours_and_enlarges_small_images_only():
    colours = np.random.default_rng(0).integers(0, 256, [1, 64, 64, 3]).astype(np.uint8)
    np.testing.assert_array_equal(grids.grid(colours), colours[0])
    assert grids.grid(colours[:, :8, :8]).shape == (64, 64, 3)


def test_tiny_images_are_interpolated():
    ramp = np.broadcast_to(np.arange(0, 16, 2, np.uint8), [8, 8])[np.newaxis, ..., np.newaxis]
    picture = grids.grid(np.ascontiguousarray(ramp), bins=17).astype(int)
    assert picture.shape == (64, 64)
    assert np.all(np.diff(picture, axis=1) >= 0) and np.all(picture == picture[:1])
    assert len(np.unique(picture)) > 40  # There are not only 8 steps.
    flat = np.full([1, 4, 4, 3], 5, np.uint8)
    assert np.all(grids.grid(flat, bins=6) == 255)


@pytest.mark.parametrize('images, options, message', [
    (np.zeros([1, 8, 8, 2], np.uint8), {}, r'images must be uint8 \[N, H, W, 1 or 3\]'),
    (np.zeros([1, 8, 8, 1]), {}, 'images must be uint8 .* got float64'),
    (np.zeros([0, 8, 8, 1], np.uint8), {}, 'images must hold at least one'),
    (np.full([1, 8, 8, 1], 17, np.uint8), {'bins': 17}, 'bins must .* bins=17 with 17'),
    (np.zeros([1, 8, 8, 1], np.uint8), {'scale': 0}, 'scale must be at least 1; got scale=0'),
])
def test_grid_names_bad_arguments(images, options, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        grids.save_grid(images, tmp_path / 'grid.png', **options)
    assert not list(tmp_path.iterdir())
