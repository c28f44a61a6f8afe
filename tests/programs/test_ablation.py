"""Tests `zoo.ablation`: six runs, their curves and their table."""

import itertools
import json
import subprocess
import sys

import pytest
import tiny_run
from PIL import Image

PERMUTATIONS, COUPLINGS = ('reverse', 'shuffle', 'conv'), ('additive', 'affine')


def ablation(*flags):
    return subprocess.run([sys.executable, '-m', 'zoo.ablation', *flags], capture_output=True,
                          text=True, check=False)


def test_reports_six_finished_runs(tmp_path):
    """With --resume, runs that are finished are not trained again."""
    for number, (permutation, coupling) in enumerate(itertools.product(PERMUTATIONS, COUPLINGS)):
        folder = tmp_path / f'{permutation}_{coupling}'
        folder.mkdir()
        (folder / 'metrics.csv').write_text(
            f'epoch,val_bits_per_dim\n1,{5 - number / 10}\n2,{4 - number / 10}\n')
        (folder / 'test.json').write_text(json.dumps(
            {'bits_per_dim': 4.1 - number / 10, 'standard_error': .01, 'training_seconds': 7.}))
    done = tiny_run.finish('ablation', '--dataset=digits', f'--workdir={tmp_path}', '--resume')
    assert done.returncode == 0, done.stderr
    table = json.loads((tmp_path / 'ablation.json').read_text())
    assert table['conv_affine'] == {'validation': 3.5, 'test': pytest.approx(3.6),
                                    'standard_error': .01, 'seconds': 7.}
    assert len(table) == 6 and Image.open(tmp_path / 'curves.png').format == 'PNG'
    assert [line.split()[0] for line in done.stdout.splitlines()[1:7]] == list(table)


@pytest.mark.parametrize('flags, words', [
    (['--workdir=new'], '--dataset must be given'),
    (['--dataset=digits', '--workdir={there}'], '--workdir must be new or empty'),
    (['--dataset=nothing', '--workdir={new}'], 'zoo.train ended with status 2')])
def test_mistakes_get_one_line(flags, words, tmp_path):
    (tmp_path / 'there').mkdir()
    (tmp_path / 'there' / 'file').touch()
    places = {'there': tmp_path / 'there', 'new': tmp_path / 'new'}
    done = ablation(*(flag.format(**places) for flag in flags))
    assert done.returncode == 2 and 'Traceback' not in done.stderr
    assert f'error: {words}' in done.stderr


@pytest.mark.slow
def test_trains_what_it_reports(tmp_path):
    done = ablation('--dataset=digits', f'--workdir={tmp_path / "runs"}', '--epochs=1')
    assert done.returncode == 0, done.stderr
    config = json.loads((tmp_path / 'runs' / 'shuffle_additive' / 'config.json').read_text())
    assert (config['config']['permutation'], config['config']['coupling']) == (
        'shuffle', 'additive')
    table = json.loads((tmp_path / 'runs' / 'ablation.json').read_text())
    assert all(1 < row['test'] < 9 for row in table.values())
