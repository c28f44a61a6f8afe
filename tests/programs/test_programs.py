"""Tests the zoo's programs: a small run from data to samples, in real processes and in this."""

import csv
import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
import tiny_run
from PIL import Image

_SMALL = ('--dataset=digits', '--levels=2', '--steps_per_level=1', '--width=8',
          '--batch_size=256', '--verbose=2', '--sample_images=4')


@pytest.fixture(scope='module')
def place(tmp_path_factory):
    return tmp_path_factory.mktemp('runs')


def run_program(name, *flags, data_dir):
    environment = dict(os.environ, TFDS_DATA_DIR=str(data_dir), TF_CPP_MIN_LOG_LEVEL='3')
    return subprocess.run(
        [sys.executable, '-m', f'zoo.{name}', *map(str, flags)], env=environment, check=False,
        capture_output=True, text=True, timeout=600, cwd=pathlib.Path(__file__).parents[2])


@pytest.fixture(scope='module')
def run(place):
    """Returns a finished run of two epochs."""
    done = run_program('train', *_SMALL, '--epochs=2', f'--workdir={place}/run', data_dir=place)
    assert done.returncode == 0, done.stderr
    return place / 'run', done.stdout


def test_a_run_leaves_what_it_promises(run):
    directory, output = run
    config = json.loads((directory / 'config.json').read_text())
    assert config['training']['epochs'] == 2 and config['config']['width'] == 8
    with (directory / 'metrics.csv').open(newline='') as file:
        rows = list(csv.DictReader(file))
    assert [row['epoch'] for row in rows] == ['1', '2']
    assert all(np.isfinite(float(v)) for row in rows for v in row.values())
    test = json.loads((directory / 'test.json').read_text())
    assert f'test bits/dim {test["bits_per_dim"]:.4f}' in output
    assert (directory / 'saved_model' / '1' / 'saved_model.pb').exists()
    image = np.asarray(Image.open(directory / 'samples.png'))
    assert image.max() > image.min()


def test_a_run_directory_is_sampled_by_its_bundle(run, tmp_path):
    directory, _ = run
    for source, path in ((f'--workdir={directory}', 'a.npy'),
                         (f'--saved_model={directory / "saved_model"}', 'b.npy')):
        done = tiny_run.finish('sample', source, '--num=3', f'--out={tmp_path / path}')
        assert done.returncode == 0, done.stderr
    np.testing.assert_array_equal(np.load(tmp_path / 'a.npy'), np.load(tmp_path / 'b.npy'))


def test_tensorboard_gets_scalars_and_images(run):
    directory, _ = run
    tags = set()
    for path in (directory / 'tensorboard').glob('*/*'):
        for record in tf.compat.v1.train.summary_iterator(str(path)):
            tags.update((path.parent.name, value.tag) for value in record.summary.value)
    assert {('train', 'bits_per_dim'), ('validation', 'bits_per_dim'), ('validation', 'samples'),
            ('validation', 'latents/level_0'), ('train', 'reconstruction_error')} <= tags


def test_evaluate_agrees_with_training(run, place):
    directory, _ = run
    done = tiny_run.finish('evaluate', f'--workdir={directory}', f'--data_dir={place}')
    assert done.returncode == 0, done.stderr
    result = json.loads((directory / 'evaluation.json').read_text())
    trained = json.loads((directory / 'test.json').read_text())
    assert result['bits_per_dim'] == pytest.approx(trained['bits_per_dim'], abs=1e-4)
    assert set(result['round_trip']) == {'test images', 'uniform noise', 'constant images'}
    assert max(result['round_trip'].values()) < 1e-3
    assert 'standard error over 180 images' in done.stdout


def test_diagnose_prints_a_table_and_keeps_it(run, place):
    directory, _ = run
    done = tiny_run.finish('diagnose', f'--workdir={directory}', '--images=40',
                           f'--data_dir={place}')
    assert done.returncode == 0, done.stderr
    result = json.loads((directory / 'diagnosis.json').read_text())
    layers = ('squeeze', *(f'repeat[0]/{layer}' for layer in (
        'act_norm', 'invertible_conv1x1', 'coupling')))
    paths = [f'level_{level}/{layer}' for level in (0, 1) for layer in layers]
    assert [layer['path'] for layer in result['layers']] == [*paths[:4], 'level_0/exit', *paths[4:]]
    assert result['images'] == 40 and result['round_trip_error'] < 1e-3
    lines = [line.split() for line in done.stdout.splitlines()]
    rows = {line[0]: line for line in lines if line}
    assert all(path in rows for path in paths) and rows['whole'][1] == 'flow'
    for level in result['levels']:
        assert rows[level['path']] == [
            level['path'], f'{level["mean"]:z.3f}', f'{level["std"]:z.3f}']
    assert len(result['warnings']) == sum(line[:1] == ['warning:'] for line in lines)


@pytest.mark.parametrize('flags, words', [
    (['--images=0'], ['--images', 'at least 1', '0']),
    ([], ['give --workdir', '--preset', 'got neither'])])
def test_mistakes_of_diagnose(flags, words, place):
    workdir = [f'--workdir={place}/run'] if flags else []
    done = tiny_run.finish('diagnose', *workdir, *flags)
    assert done.returncode == 2 and 'Traceback' not in done.stderr
    assert all(word in done.stderr for word in words)


@pytest.mark.slow
def test_a_resumed_run_ends_as_an_uninterrupted_one(run, place):
    """The run stops after the first of two epochs: the test removes the second's traces."""
    straight, _ = run
    for epochs in (1, 2):
        done = run_program('train', *_SMALL, '--epochs=2', f'--stop_after={epochs}', '--resume',
                           f'--workdir={place}/resumed', data_dir=place)
        assert done.returncode == 0, done.stderr
    with (place / 'resumed' / 'metrics.csv').open(newline='') as file:
        resumed = list(csv.DictReader(file))
    with (straight / 'metrics.csv').open(newline='') as file:
        expected = list(csv.DictReader(file))
    assert len(resumed) == 2
    for name in ('loss', 'bits_per_dim', 'val_bits_per_dim'):
        assert float(resumed[1][name]) == pytest.approx(float(expected[1][name]), rel=1e-5)


@pytest.mark.parametrize('flags, words', [
    (['--model=glowing'], ['--model', 'glow', 'glowing']),
    (['--recipe=none'], ['--recipe', 'paper', 'none']),
    (['--dataset=no_such_set'], ['--dataset', 'digits', 'no_such_set']),
    (['--epochs=0'], ['--epochs', 'at least 1', '0']),
    (['--coupling=square'], ['--coupling', 'affine', 'square']),
    (['--learning_rate=fast'], ['learning_rate', 'fast']),
    (['stray'], ['flag', 'stray']),
])
def test_mistakes_get_one_line(flags, words, place):
    done = tiny_run.finish('train', *_SMALL, *flags, f'--workdir={place}/refused',
                           f'--data_dir={place}')
    assert done.returncode == 2
    lines = [line for line in done.stderr.splitlines() if line.startswith('error:')]
    assert len(lines) == 1 and 'Traceback' not in done.stderr
    assert all(word in lines[0] for word in words), lines[0]
    assert not (place / 'refused').exists()


def test_a_mistake_is_one_line_of_a_process(place):
    """The test reaches the last of a program's own checks, made when the data are there."""
    done = run_program('train', *_SMALL, '--levels=4', f'--workdir={place}/refused',
                       data_dir=place)
    assert done.returncode == 2 and 'Traceback' not in done.stderr
    line, = [line for line in done.stderr.splitlines() if line.startswith('error:')]
    assert all(word in line for word in ('--levels', '--pad', '8'))


def test_a_work_directory_is_never_overwritten(run, place):
    directory, _ = run
    before = {p: p.stat().st_mtime_ns for p in directory.rglob('*') if p.is_file()}
    flags = (*_SMALL, '--epochs=2', f'--workdir={directory}', f'--data_dir={place}')
    other = tiny_run.finish('train', *flags, '--width=16', '--resume')
    same = tiny_run.finish('train', *flags)
    assert other.returncode == same.returncode == 2
    assert 'width (8 there, 16 asked for)' in other.stderr
    assert '--resume' in same.stderr
    assert before == {p: p.stat().st_mtime_ns for p in directory.rglob('*') if p.is_file()}
