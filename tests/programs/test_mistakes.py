"""Mistakes of a user that other programs answer by a traceback, or not at all."""

import json
import os
import pathlib

import pytest
import tiny_run

from zoo.cli import errors
from zoo.pictures import learning_curves
from zoo.runs import preset_folder
from zoo.runs.run import Run

_LONG = 'n' * 300


@pytest.mark.parametrize('program, arguments, words', [
    ('train', ['--workdir', '--model=maf', '--dataset=digits'],
     '--workdir must be given a value, --workdir=value; got --model=maf.'),
    ('train', ['--epochs'], '--epochs must be given a value, --epochs=value; got nothing.'),
    ('train', ['--undefok=posterior', '--posterior=iaf'], '--undefok must be left out'),
    ('train', ['--flips=maybe'], "--flips must be true or false; got 'maybe'."),
    ('train', ['--noresume=x'], "--noresume must be given without a value; got 'x'."),
    ('train', ['--binarize=x'], "--binarize must be one of nothing, dynamic, static; got 'x'."),
    ('train', ['--dataset=Digits', '--workdir=x'], "Did you mean 'digits'?"),
    ('train', ['--learning_rate=1e300'], '--learning_rate must be finite and above 0'),
    ('train', ['--model=maf', f'--dataset={_LONG}.csv', '--workdir=x'],
     '--dataset must be a path that can be used'),
    ('curve', [f'--workdir={_LONG}'], '--workdir must be a path that can be used'),
    ('evaluate', [f'--preset={_LONG}'], '--preset must be a path that can be used'),
    ('evaluate', ['--preset=.'], '--preset must be a folder with config.json'),
    ('benchmark', ['--peers='], "--peers must hold something; got ''."),
    ('benchmark', ['--serial', '--out=x.txt'], "--out must end in .json; got 'x.txt'."),
    ('posteriors', ['--model=glow', '--recipe=small', '--dataset=digits', '--workdir=x'],
     '--model must be one of conv_vae, dense_vae, pixel_vae, resnet_vae; got '),
    ('latents', ['--tool=attribute', '--preset=glow_digits', '--positive=1', '--negative=1',
                 '--out=x.png'], '--negative must be another class than --positive; got 1.'),
    ('train', ['--flagfile=~nobodyx/foo'], '--flagfile must be a text file in UTF-8'),
])
def test_it_is_named_in_one_line(tmp_path, monkeypatch, program, arguments, words):
    monkeypatch.chdir(tmp_path)
    done = tiny_run.finish(program, *arguments)
    assert done.returncode == 2 and done.stderr.count('\n') == 1
    assert done.stderr.startswith('error: ') and words in done.stderr
    assert not list(tmp_path.iterdir())


def test_flagfiles_that_name_each_other_twice_end(tmp_path):
    for number in range(25):
        inner = f'--flagfile={tmp_path / f"{number + 1}.flags"}\n'
        (tmp_path / f'{number}.flags').write_text(inner * 2)
    (tmp_path / '25.flags').write_text('--epochs=3\n')
    done = tiny_run.finish('train', f'--flagfile={tmp_path / "0.flags"}')
    assert done.returncode == 2 and '--flagfile must ' in done.stderr


@pytest.mark.parametrize('text', ['', 'epoch\n', 'epoch,a\n1,2\n', 'epoch,bits_per_dim,'
                                  'val_bits_per_dim,seconds\n1,x,1,1\n'])
def test_metrics_that_are_none(tmp_path, text):
    (tmp_path / 'metrics.csv').write_text(text)
    with pytest.raises(errors.UsageError, match=r'--workdir must hold a metrics\.csv of zoo'):
        learning_curves.read(tmp_path / 'metrics.csv')


@pytest.mark.parametrize('content', [b'[]', b'{', b'\xff\xfe', b'[' * 100_000])
def test_presets_whose_files_are_none(tmp_path, content):
    (tmp_path / 'card.json').write_bytes(content)
    with pytest.raises(errors.UsageError, match=r'has a card\.json that cannot be read'):
        preset_folder.card(tmp_path)


@pytest.mark.parametrize('change', [
    {'dataset': ['a']}, {'data_dir': 5}, {'pad': 'yes'}, {'flips': 'maybe'}, {'recipe': 5},
    {'format': float('nan')}, {'format': 'x'}])
def test_a_config_of_other_types(change):
    values = json.loads((preset_folder.FOLDER / 'glow_digits' / 'config.json').read_text())['run']
    with pytest.raises(ValueError):
        Run.from_json(values | change)


def test_runs_to_compare_keep_their_settings(tmp_path):
    out = tmp_path / 'runs'
    flags = ['--dataset=digits', f'--workdir={out}', '--resume']
    out.mkdir()
    settings = {'dataset': 'digits', 'recipe': 'ablation', 'epochs': 1, 'seed': None}
    (out / 'settings.json').write_text(json.dumps(settings))
    done = tiny_run.finish('ablation', *flags, '--epochs=2')
    assert done.returncode == 2
    assert f"--epochs must be as in the runs that '{out}' holds, 1; got 2." in done.stderr


def test_a_data_dir_that_is_a_file(tmp_path):
    file = tmp_path / 'file'
    file.touch()
    done = tiny_run.finish('train', '--dataset=digits', f'--data_dir={file}',
                           f'--workdir={pathlib.Path(os.devnull)}/x')
    assert done.returncode == 2
    assert f"--data_dir must be a folder, or one that can be made; got '{file}'." in done.stderr
