"""Tests `zoo.compare`: which runs are ranked together, what it says of broken ones, its files."""

import csv
import json
import os
import pathlib
import re
import subprocess
import sys

import pytest
import tiny_run

from zoo.comparison import record
from zoo.models import glow, recipe
from zoo.runs import run as runs

IMAGES = 'epoch,step,seconds,val_bits_per_dim'
VAE = f'{IMAGES},val_nats'
VECTORS = 'epoch,step,seconds,val_nats'


def make(name, rows, header=IMAGES, model='glow', dataset='digits', test=None, config=None,
         **training):
    """Writes a run directory in the current folder, as a user has it; returns its path."""
    path = pathlib.Path(name)
    path.mkdir(parents=True)
    values = {'model': model, 'dataset': dataset, 'recipe': 'small', 'format': 2,
              'config': config or {}, 'training': {'epochs': 3, **training}}
    (path / 'config.json').write_text(json.dumps(values))
    (path / 'metrics.csv').write_text('\n'.join([header, *rows, '']))
    if test is not None:
        (path / 'test.json').write_text(json.dumps(test))
    return path


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def compare(*arguments, status=0):
    done = tiny_run.finish('compare', *arguments)
    assert done.returncode == status, done.stderr
    return done


def cells(text, title='run '):
    """Returns the words of the lines of each table, which begins with a line of titles."""
    tables = re.findall(rf'(?m)^{title}.*\n((?:\S.*\n?)+)', text)
    return [[re.split(r'  +', line.strip()) for line in table.splitlines()] for table in tables]


def test_a_folder_of_runs_is_ranked_by_the_best_epoch():
    make('runs/a', ['1,10,60,4.5', '2,20,7300,4.25'], learning_rate=.002,
         test={'bits_per_dim': 4.125, 'standard_error': .0625, 'epoch': 2, 'selected': 'best'})
    make('runs/deep/b', ['1,10,5,3.5', '2,20,9,3.75', '3,30,130,4.5'], learning_rate=.003)
    text = compare('runs').stdout
    figures, settings = cells(text)
    assert figures == [
        ['deep/b', 'glow', '3 of 3', '30', '2 min', '3.5000', '1', '4.5000'],
        ['a', 'glow', '2 of 3', '20', '2.0 h', '4.2500', '2', '4.2500',
         '4.1250 +- 0.0625 (epoch 2)']]
    assert settings == [['deep/b', '0.003'], ['a', '0.002']]
    assert 'run     learning_rate\n' in text  # The only one: steps_per_level and others are equal.
    for order, first in (('last', 'a'), ('test', 'a'), ('name', 'a'), ('best', 'deep/b')):
        assert cells(compare('runs', f'--sort={order}').stdout)[0][0][0] == first


def test_units_and_data_are_never_mixed():
    """A VAE is ranked with flows in bits/dim, and with VAEs alone in nats."""
    make('flow', ['1,1,1,3'])
    make('vae', ['1,1,1,2.5,110'], VAE, 'dense_vae')
    make('five_bits', ['1,1,1,1'], bits=5)
    make('black', ['1,1,1,.5,20'], VAE, 'dense_vae', binarize='dynamic')
    make('black_too', ['1,1,1,.6,10'], VAE, 'conv_vae', binarize='dynamic')
    make('moons', ['1,1,1,2'], VECTORS, 'maf', 'moons', {'log_likelihood': -1.5})
    make('moons_too', ['1,1,1,1'], VECTORS, 'maf', 'moons', {'log_likelihood': -2.5})
    text = compare('.').stdout
    figures = [[(row[0], row[5]) for row in table] for table in cells(text, 'run .*best val')]
    assert figures == [[('vae', '2.5000'), ('flow', '3.0000')], [('five_bits', '1.0000')],
                       [('black_too', '10.0000'), ('black', '20.0000')],
                       [('moons_too', '1.0000'), ('moons', '2.0000')]]
    heads = re.findall(r'(?m)^(\S.*): (bits/dim|nats of an image|validation in nats)', text)
    assert heads == [('digits', 'bits/dim'), ('digits, 5 bits', 'bits/dim'),
                     ('digits, binarised (dynamic)', 'nats of an image'),
                     ('moons', 'validation in nats')]
    by_test = cells(compare('moons', 'moons_too', '--sort=test').stdout)[0]
    assert [row[0] for row in by_test] == ['moons', 'moons_too']  # More is better.


def test_settings_are_those_that_several_models_have():
    """What one model alone has is no difference; what an older version lacked is its default."""
    make('a', ['1,1,1,3'], config={'width': 8})
    make('b', ['1,1,1,4'], config={'width': 512})  # It is the default, as in c.
    make('c', ['1,1,1,5'])
    make('d', ['1,1,1,6'], model='real_nvp', config={'no_such_field': 3}, shifts=.5)
    text = compare('.', '--out=x.csv').stdout
    with open('x.csv', newline='') as file:
        rows = list(csv.DictReader(file))
    assert [row['setting width'] for row in rows][:3] == ['8', '512', '512']
    assert [row['setting shifts'] for row in rows] == ['0.0', '0.0', '0.0', '0.5']
    assert not {'setting no_such_field', 'setting coupling'} & set(rows[0])
    assert ' width ' in text and ' shifts' in text and ' coupling' not in text
    assert compare('b', 'c').stdout.endswith('these runs do not differ in any setting.\n\nnotes:\n'
                                             '  b: not finished: 1 of 3 epochs\n'
                                             '  c: not finished: 1 of 3 epochs\n')


def test_too_many_settings_for_the_terminal_continue_below(monkeypatch):
    monkeypatch.setenv('COLUMNS', '40')
    make('a', ['1,1,1,3'], learning_rate=1e-3, clip_norm=1., batch_size=8)
    make('b', ['1,1,1,4'], learning_rate=2e-3, clip_norm=2., batch_size=9)
    assert cells(compare('.').stdout)[1:] == [[['a', '0.001', '8'], ['b', '0.002', '9']],
                                              [['a', '1'], ['b', '2']]]


@pytest.mark.parametrize('file, content, words', [
    ('config.json', '[1]', 'it must hold an object; it holds list'),
    ('config.json', 'null', 'it must hold an object; it holds NoneType'),
    ('config.json', '{"model": "glow"}'.encode('utf-16'), 'it is not UTF-8'),
    ('config.json', '[' * 100_000, 'it is nested too deep'),
    ('config.json', '{"format": 99, "tfp_glow_version": "9.0"}',
     'it has format 99, of tfp_glow 9.0; this version reads up to'),
    ('config.json', '{"format": [1]}', 'it has format [1]'),
    ('config.json', '{"model": 3}', 'model must not be 3'),
    ('config.json', '', 'Expecting value'),
    ('config.json', None, 'there is no config.json'),
    ('metrics.csv', None, 'there is no metrics.csv'),
    ('metrics.csv', b'\xff\xfe\0', 'it is not UTF-8'),
    ('metrics.csv', '', 'its first line must name the columns epoch and'),
    ('metrics.csv', f'{IMAGES}\n', 'no epoch is finished'),
    ('metrics.csv', f'{IMAGES}\n1,1,1,8.5\nx\n', '1 of the 2 lines of metrics.csv cannot be read'),
    ('metrics.csv', f'{IMAGES}\n1,1,1,8.5\n2,2,2,4.2', '1 of the 2 lines'),  # Of 4.25, it may be.
    ('metrics.csv', f'{IMAGES}\n1,1,1,8.5\n2,2,2,nan\n3,3,3,inf\n',
     'no finite number in 2 of 3 epochs, first in epoch 2'),
    ('test.json', '{"bits_per_dim": NaN}', 'it holds NaN'),
    ('test.json', '{"bits_per_dim": 1e999}', 'test.json holds no finite test figure'),
    ('test.json', '[]', 'it must hold an object; it holds list'),
])
def test_what_is_wrong_is_said_in_one_line(file, content, words):
    """The whole run beside it is shown as ever, and no number that is not finite is a figure."""
    make('whole', ['1,1,1,9'], test={'bits_per_dim': 9.})
    broken = make('broken', ['1,1,1,8.5'], test={'bits_per_dim': 8.})
    (broken / file).unlink()
    if content is not None:
        (broken / file).write_bytes(content if isinstance(content, bytes) else content.encode())
    done = compare('.')
    note, = [line for line in done.stdout.splitlines() if line.startswith('  broken: ')]
    assert words in note and len(note) < 250 and not done.stderr
    tables, _, _ = done.stdout.partition('notes:')
    rows = {row[0]: row for row in cells(tables)[0]}
    assert '9.0000' in rows['whole']
    assert ('broken' in rows) == (file != 'config.json')
    assert not re.search(r'\b(nan|inf|None|4\.2000)\b', tables)


def test_a_pipe_is_not_waited_for():
    broken = make('broken', ['1,1,1,8'])
    (broken / 'metrics.csv').unlink()
    os.mkfifo(broken / 'metrics.csv')
    done = compare('broken', status=1)
    assert 'broken: metrics.csv cannot be read (it is no regular file)' in done.stdout
    assert done.stderr == 'error: no run has figures; the notes say why.\n'


def test_changes_on_the_way_are_told():
    path = make('a', ['1,1,1,3', '2,2,2,2.5', '3,3,3,2'], test={'bits_per_dim': 2.})
    values = json.loads((path / 'config.json').read_text())
    values['changes'] = [{'epoch': 2, 'learning_rate': [.002, .001]}, 'x', {}]
    values['something'] = {'new': 1}
    (path / 'config.json').write_text(json.dumps(values))
    assert 'a: changed after epoch 2: learning_rate 0.002 -> 0.001' in compare('a').stdout


def test_files():
    make('a|b', ['1,10,60,4.123456789'], learning_rate=.002)
    make('c', ['1,10,60,3.5'], learning_rate=.003, test={'bits_per_dim': 3.25})
    make('broken', [])
    (pathlib.Path('broken') / 'config.json').write_text('null')
    compare('.', '--out=x.csv')
    with open('x.csv', newline='') as file:
        rows = list(csv.DictReader(file))
    assert [row['run'] for row in rows] == ['c', 'a|b', 'broken']
    assert (rows[1]['best'], rows[1]['unit'], rows[1]['data'], rows[1]['setting learning_rate'],
            rows[0]['test'], rows[1]['test']) == (
                '4.123456789', 'bits/dim', 'digits', '0.002', '3.25', '')
    assert 'config.json cannot be read' in rows[2]['problems'] and not rows[2]['best']
    compare('.', '--out=x.md')
    lines = pathlib.Path('x.md').read_text().splitlines()
    assert lines[0] == '## digits: bits/dim, less is better'
    assert lines[2:6] == [
        '| run | model | epochs | steps | time | best val | in epoch | last val | test |',
        '| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |',
        '| c | glow | 1 of 3 | 10 | 60 s | 3.5000 | 1 | 3.5000 | 3.2500 |',
        '| a\\|b | glow | 1 of 3 | 10 | 60 s | 4.1235 | 1 | 4.1235 |  |']
    refused = compare('.', '--out=x.md', status=2)
    assert "--out must be a new file, or give --overwrite; 'x.md' is there." in refused.stderr
    compare('c', '--out=x.md', '--overwrite')
    assert 'a\\|b' not in pathlib.Path('x.md').read_text()


def test_a_run_is_listed_once_under_a_name_of_its_own():
    make('x/run', ['1,1,1,3'])
    make('y/run\n', ['1,1,1,4'])
    make('y/run', ['1,1,1,5'])
    text = compare('x', 'y', 'x/run').stdout
    assert [row[0] for row in cells(text)[0]] == ['x/run', "'run\\n'", 'y/run']


@pytest.mark.parametrize('arguments, words', [
    ([], "DIR must be given, all else being flags, --name=value; got ''."),
    (['none'], "DIR must be a run directory, or a folder that holds some; got 'none', which is "
               'no folder.'),
    (['a', 'empty'], "got 'empty', which holds no config.json."),
    (['a/config.json'], "got 'a/config.json', which is no folder."),
    (['a', '--out=x.txt'], "--out must end in .csv or .md; got 'x.txt'."),
    (['a', '--sort=worst'], "--sort must be one of best, last, test, name; got 'worst'."),
    (['a', '--sort'], '--sort must be given a value')])
def test_mistakes_are_one_line(arguments, words):
    make('a', ['1,1,1,3'])
    pathlib.Path('empty').mkdir()
    done = compare(*arguments, status=2)
    assert words in done.stderr and done.stderr.count('\n') == 1 and not done.stdout


def test_it_reads_the_config_that_the_zoo_writes():
    path = make('a', ['1,1,1,3'], test={'bits_per_dim': 3.})
    written = runs.Run('glow', 'digits', 'small', False, None, glow.Config(width=8),
                       recipe.Training(epochs=7, seed=5)).to_json()
    (path / 'config.json').write_text(json.dumps(written))
    read = record.read(path, 'a')
    assert read.problems == () and read.planned == 7
    assert read.settings == {'recipe': 'small', 'pad': False, 'flips': None, **written['config'],
                             **written['training']}
    (path / 'config.json').write_text(json.dumps(written | {'format': runs.FORMAT + 1}))
    assert f'this version reads up to {runs.FORMAT}' in record.read(path, 'a').problems[0]


def test_it_needs_no_tensorflow(tmp_path):
    make('a', ['1,1,1,3'])
    source = ("import sys; sys.argv = ['compare', 'a']; import runpy\n"
              "try: runpy.run_module('zoo.compare', run_name='__main__')\n"
              "finally: print({'tensorflow', 'keras', 'tensorflow_datasets'} & set(sys.modules))")
    root = pathlib.Path(record.__file__).parents[2]
    done = subprocess.run([sys.executable, '-c', source], check=True, capture_output=True,
                          text=True, env={**os.environ, 'PYTHONPATH': str(root)})
    assert done.stdout.endswith('set()\n') and '3.0000' in done.stdout
