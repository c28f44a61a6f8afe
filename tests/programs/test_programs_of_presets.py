"""Tests programs that take a preset in place of a run directory or a bundle."""

import dataclasses
import json

import numpy as np
import pytest
import tiny_run
from PIL import Image

from zoo.bundles import writing
from zoo.cli import errors
from zoo.models import maf
from zoo.models.recipe import Training
from zoo.runs import publishing
from zoo.runs.run import Run, Trained


def drawn(out, **given):
    with tiny_run.program('sample') as sample:
        sample(out=out, **given)
    return np.load(out)


@pytest.mark.slow
def test_samples_of_a_preset_are_those_of_its_bundle(digits_preset, digits_run, tmp_path, capsys):
    given = {'num': 70, 'seed': 3, 'temperature': .8}
    samples = drawn(tmp_path / 'preset.npy', preset=digits_preset, **given)
    assert samples.shape == (70, 8, 8, 1) and samples.dtype == np.uint8
    assert 'temperature 0.8, seed 3, tiny_digits in' in capsys.readouterr().out
    with tiny_run.program('export') as export:
        export(preset=digits_preset, out=tmp_path / 'bundle', data_dir=digits_run.parent / 'data')
    assert f'OK: {tmp_path}/bundle/1' in capsys.readouterr().out
    of_bundle = drawn(tmp_path / 'bundle.npy', saved_model=tmp_path / 'bundle', **given)
    assert np.mean(samples != of_bundle) < .002  # A sample may be at the edge of a grey level.
    assert np.ptp(samples) > 4
    with pytest.raises(errors.UsageError, match=r'--label must be left out: .*without classes'):
        drawn(tmp_path / 'no.npy', preset=digits_preset, label=1)


def test_samples_of_a_preset_of_vectors(tmp_path):
    """A preset does not hold the scale of its data: the data set does."""
    rows = np.random.default_rng(0).normal([3., -200.], [5., .1], [400, 2])
    table = tmp_path / 'rows.csv'
    np.savetxt(table, rows, delimiter=',', header='a,b', comments='')
    run = Run('maf', str(table), 'vectors', False, None, maf.Config(hidden='8', layers=1,
              batch_norm=False), Training(ema=0.))
    data = run.load_data()
    trained = Trained(run, data, run.build(data))

    def fill(folder):
        (folder / 'card.json').write_text('{}')
        for name in ('card.md', 'curve.png', 'samples.png'):
            (folder / name).touch()
    publishing.write(trained, tmp_path / 'vectors', fill)
    bundle = writing.write(trained, tmp_path / 'bundle')
    samples = drawn(tmp_path / 'a.npy', preset=tmp_path / 'vectors', num=500)
    np.testing.assert_allclose(samples, drawn(tmp_path / 'b.npy', saved_model=bundle, num=500),
                               rtol=1e-4)
    assert samples.shape == (500, 2) and abs(samples[:, 1].mean() + 200) < .1
    with tiny_run.program('sample') as sample:
        sample(preset=tmp_path / 'vectors', num=2, out=tmp_path / 'a.csv')
        sample(preset=tmp_path / 'vectors', num=99, out=tmp_path / 'a.png')
    assert (tmp_path / 'a.csv').read_text().splitlines()[0] == 'a,b'
    assert Image.open(tmp_path / 'a.png').format == 'PNG'


def test_diagnose_of_a_preset_prints_and_writes_nothing(digits_preset, digits_run, capsys):
    before = {path: path.read_bytes() for path in digits_preset.iterdir()}
    with tiny_run.program('diagnose') as diagnose:
        given = {'preset': digits_preset, 'data_dir': digits_run.parent / 'data', 'images': 20}
        diagnose(**given)
        with pytest.raises(errors.UsageError, match='--draws must be left out for a flow, which'):
            diagnose(**given, draws=2)
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == 'the first 20 examples of validation; averaged weights'
    assert any(line.startswith('level_1/repeat[0]/coupling ') for line in lines)
    assert before == {path: path.read_bytes() for path in digits_preset.iterdir()}


def test_a_preset_keeps_no_folder_of_this_machine(digits_preset, digits_run, tmp_path):
    """It drops the data folder of the run that it was made of."""
    config = json.loads((digits_preset / 'config.json').read_text())
    assert config['run']['data_dir'] is None
    run = Run.from_json(config['run'])
    moved = dataclasses.replace(run, data_dir=str(tmp_path))
    assert moved == run and Run.from_json(moved.to_json()).data_dir == str(tmp_path)
    assert config['run']['folder'] is None
    change = {'epoch': 1, 'data_dir': [None, str(tmp_path)], 'epochs': [1, 2]}
    moved = dataclasses.replace(moved, folder=str(tmp_path), changes=(change,))
    assert str(tmp_path) not in json.dumps(moved.portable().to_json())
    assert moved.portable().changes == ({'epoch': 1, 'epochs': [1, 2]},)


@pytest.mark.parametrize('name, given, words', [
    ('sample', {}, 'give --saved_model=DIR, .* or --preset=NAME; got neither'),
    ('sample', {'preset': 'a', 'saved_model': 'b'}, 'NAME; got --saved_model and --preset'),
    ('sample', {'preset': 'glow_digit'}, "--preset must .*Did you mean 'glow_digits'"),
    ('export', {'preset': 'glow_digits'}, '--out must be given with --preset; got none'),
    ('diagnose', {'preset': 'glow_digits', 'workdir': 'x'}, '--preset=NAME; got both'),
    ('diagnose', {'preset': 'no_such'}, "--preset must be one of .*; got 'no_such'")])
def test_mistakes_about_a_preset(name, given, words):
    with tiny_run.program(name) as run, pytest.raises(errors.UsageError, match=words):
        run(**given)
