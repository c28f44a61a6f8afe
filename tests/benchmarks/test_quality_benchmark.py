"""`zoo.benchmark --quality` trains to a mark, and says after how many seconds it was reached."""

import json

import pytest
import tiny_run

from zoo.benchmarks import quality
from zoo.cli import errors
from zoo.runs import metrics_file


@pytest.mark.parametrize('flags, words', [
    ([], '--workdir must be given'),
    (['--models=dense_vae'], '--models must be of '), (['--models=glwo'], '--models must be of '),
    (['--marks=0'], '--marks must be'), (['--dataset=digitz', '--workdir=x'], '--dataset must be '),
    (['--dataset=moons', '--workdir=x'], "--dataset must be one of images with --quality; got"),
    (['--marks='], '--marks must'), (['--peers=tfb'], '--peers must be left out with --quality'),
    (['--depth'], '--depth must be given alone; got --quality as well')])
def test_mistakes_are_one_line(flags, words):
    done = tiny_run.finish('benchmark', '--quality', *flags)
    assert done.returncode == 2 and f'error: {words}' in done.stderr


@pytest.mark.slow
def test_marks_of_the_digits(tmp_path):
    """The second mark is one that no model reaches; the recipe stops early before it."""
    out, table = tmp_path / 'runs', tmp_path / 'quality.json'
    done = tiny_run.finish('benchmark', '--quality', '--dataset=digits', '--models=made',
                           '--marks=4,1', f'--workdir={out}', f'--out={table}')
    assert done.returncode == 0, done.stderr
    first, second = json.loads(table.read_text())['rows']
    epochs, _ = metrics_file.read(out / 'made' / 'metrics.csv')
    reached = epochs[first['epoch'] - 1]
    assert first['test'] <= 4 and first['seconds'] == reached.value('seconds')
    assert reached.figure <= 4
    assert second['seconds'] is None and second['failure'] == 'the recipe ended before'
    assert 1 < second['test'] < first['test']
    assert 'the recipe ended before' in done.stdout


@pytest.mark.parametrize('content', ['[', '[]', '{}', '{"rows": 3}'])
def test_rows_that_cannot_be_read_are_named(content, tmp_path):
    (tmp_path / 'rows.json').write_text(content)
    with pytest.raises(errors.UsageError, match=r'--workdir must hold a rows.json of --quality'):
        quality.run(['made'], [4.], 'digits', tmp_path, [], print)


def test_the_table():
    rows = [{'model': 'glow', 'mark': 3.2, 'epoch': 7, 'seconds': 1234.5, 'test': 3.1987,
             'standard_error': .0085, 'failure': None}]
    assert quality.text({'rows': rows}).splitlines()[1].split() == [
        'glow', '3.20', '1,234', 's', '7', '3.1987', '0.0085']
