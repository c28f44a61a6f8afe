"""Tests `zoo.ood`: the report of a tiny run, users' mistakes."""

import dataclasses
import json
import pathlib
import subprocess
import sys
import types
import zlib

import numpy as np
import pytest
import tiny_run

import zoo.data
from zoo.cli import errors
from zoo.data import densities, synthetic
from zoo.runs import preset, preset_folder

PNG = b'\x89PNG\r\n\x1a\n'


@pytest.fixture(scope='module')
def ood(digits_preset):
    del digits_preset  # Another program, whose flags have the same names, made it before.
    with tiny_run.program('ood') as run:
        yield run


@pytest.fixture(scope='module')
def loaded(digits_preset):
    return preset.read(digits_preset)


@pytest.fixture
def given(digits_preset, digits_run, loaded, monkeypatch, tmp_path):
    """Returns flags that are right, of a preset that is loaded already."""
    monkeypatch.setattr(preset, 'read', lambda _: loaded)
    return {'preset': digits_preset, 'data_dir': digits_run.parent / 'data',
            'against': 'constant,noise', 'out': tmp_path / 'new' / 'report'}


def test_the_program_writes_a_report(ood, given, loaded, digits_run, capsys):
    ood(**given, images=100, background=digits_run, compressor='zlib')
    out = given['out']
    report = json.loads((out / 'report.json').read_text())
    own, constant, noise = report['sets']
    assert [own['name'], constant['name'], noise['name']] == ['test', 'constant', 'noise']
    assert all(row['images'] == 100 and row['not_finite'] == 0 for row in report['sets'])
    images = loaded.run.load_data(given['data_dir']).take('test', 100)
    bits = loaded.model.bits(images, [0, 0]).numpy()
    assert own['bits_per_dim'] == pytest.approx(bits.mean(), rel=1e-5)
    made = synthetic.make('noise', images, 17)
    other = loaded.model.bits(made, [0, 0]).numpy()
    assert noise['auroc']['bits'] == pytest.approx(
        np.mean(other[:, np.newaxis] > bits), abs=.01)
    ratios = [b - np.array([8 * len(zlib.compress(x.tobytes(), 9)) for x in i]) / 64
              for b, i in ((bits, images), (other, made))]
    assert noise['auroc']['compressor'] == pytest.approx(
        np.mean(ratios[1][:, np.newaxis] > ratios[0]), abs=.01)
    assert 0 <= noise['auroc']['background'] <= 1  # Only rounding errors differ.
    printed = capsys.readouterr().out
    text = (out / 'report.md').read_text()
    assert text.startswith(printed.split('report: ')[0].rstrip())
    assert 'AUROC ratio to zlib | AUROC ratio to background |' in text
    for name in ('histograms.png', 'bits_map.png'):
        assert name in text and (out / name).read_bytes().startswith(PNG)


@pytest.mark.parametrize('change, message', [
    ({'preset': ''}, 'give --workdir=RUN, .* or --preset=NAME; got neither.'),
    ({'workdir': 'run'}, 'give --workdir=RUN, .* or --preset=NAME; got both.'),
    ({'out': ''}, '--out must be given; see --help.'),
    ({'out': '.'}, "--out must be a new folder; '.' exists."),
    ({'against': ''}, "--against must be names .* each once; got ''."),
    ({'against': 'noise,noise'}, "--against must be names .* each once; got 'noise,noise'."),
    ({'against': 'test'}, "--against must be names .*; got 'test'."),
    ({'images': 9}, '--images must be at least 10; got 9.'),
    ({'against': 'nois'}, r"--against must be one of digits, .*; got 'nois'\. Did you mean '.*'\?"),
])
def test_mistakes_name_the_flag(ood, given, change, message):
    with pytest.raises(errors.UsageError, match=f'^{message}$'):
        ood(**(given | change))
    assert not given['out'].exists()


@pytest.mark.parametrize('flag, words', [
    ('--compressor=rar', ['compressor', 'png', 'rar']),
    ('--images=some', ['images', 'some']), ('--images=1', ['--images', 'at least 10', '1'])])
def test_a_mistake_is_one_line_and_status_2(flag, words, tmp_path):
    done = subprocess.run(
        [sys.executable, '-m', 'zoo.ood', '--preset=any', '--against=noise',
         f'--out={tmp_path}/new', flag], check=False, capture_output=True, text=True, timeout=300,
        cwd=pathlib.Path(__file__).parents[2])
    line, = done.stderr.splitlines()
    assert done.returncode == 2 and line.startswith('error: ')
    assert all(word in line for word in words)


@pytest.mark.parametrize('shape, bins, count, message', [
    ((32, 32, 3), 256, 99, '--against must name images like those of digits, 8x8x1 with 17 levels; '
                           'patches has 32x32x3 with 256 levels.'),
    ((8, 8, 1), 17, 9, '--against must name data with 10 test images or more; patches has 9.')])
def test_other_data_must_fit(ood, given, monkeypatch, shape, bins, count, message):
    fitting = zoo.data.load
    other = types.SimpleNamespace(original_shape=shape, original_bins=bins, sizes={'test': count})
    monkeypatch.setattr(zoo.data, 'load', lambda name, *args, **options: (
        other if name == 'patches' else fitting(name, *args, **options)))
    with pytest.raises(errors.UsageError, match=f'^{message}$'):
        ood(**(given | {'against': 'patches'}))


def test_models_must_fit(ood, given, loaded, monkeypatch, tmp_path):
    with pytest.raises(errors.UsageError, match='^--workdir must be a run directory with'):
        ood(**(given | {'preset': '', 'workdir': tmp_path}))
    with pytest.raises(errors.UsageError, match='^--background must be a run directory with'):
        ood(**given, background=tmp_path)
    other = types.SimpleNamespace(run=loaded.run, model=types.SimpleNamespace(
        bins=256, flow=loaded.flow))
    monkeypatch.setattr(preset, 'read', lambda name: other if name == 'other' else loaded)
    find = preset_folder.find
    monkeypatch.setattr(preset_folder, 'find', lambda name, *called: (
        name if name == 'other' else find(name, *called)))
    with pytest.raises(errors.UsageError, match=(
            r"^--background must be a model of 17 levels and images \(8, 8, 1\); 'other' is one "
            r'of \(256, \(8, 8, 1\)\)\.$')):
        ood(**given, background='other')
    other.run = dataclasses.replace(loaded.run, model='maf', dataset=densities.NAMES[0])
    with pytest.raises(errors.UsageError, match='^--preset must be of a model of images, 10 or '):
        ood(**(given | {'preset': 'other'}))


def test_an_unknown_preset_is_named_by_its_flag(ood, given, monkeypatch):
    monkeypatch.undo()
    with pytest.raises(errors.UsageError, match="^--preset must be .* folder; got 'no_such'"):
        ood(**(given | {'preset': 'no_such'}))
