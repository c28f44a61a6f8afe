"""Tests `zoo.curve`: one run, several in one picture, users' mistakes."""

import pytest
import tiny_run
from PIL import Image

from zoo.pictures import learning_curves

HEADER = {'bits_per_dim': 'epoch,seconds,bits_per_dim,val_bits_per_dim',
          'nats': 'epoch,seconds,nats,val_nats'}


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Returns a folder of three runs of two epochs, the last of them measured in nats."""
    monkeypatch.chdir(tmp_path)
    for name, unit in (('a', 'bits_per_dim'), ('b', 'bits_per_dim'), ('c', 'nats')):
        (tmp_path / name).mkdir()
        (tmp_path / name / 'metrics.csv').write_text(f'{HEADER[unit]}\n1,60,5,4.5\n2,120,4,3.5\n')
    return tmp_path


@pytest.mark.parametrize('runs', ['a', 'a,b', 'c'])
def test_draws_one_run_or_several(runs, folders, monkeypatch):
    drawn = {}
    draw = learning_curves.draw
    monkeypatch.setattr(learning_curves, 'draw', lambda curves, *args: drawn.update(curves) or draw(
        curves, *args))
    done = tiny_run.finish('curve', f'--workdir={runs}', '--out=x.png')
    assert done.returncode == 0, done.stderr
    assert f'{runs[-1]}, 2 epochs: x.png' in done.stdout
    assert Image.open('x.png').format == 'PNG'
    validation = ([1, 2], [4.5, 3.5])
    assert drawn == ({'a': validation, 'b': validation} if runs == 'a,b' else {
        'training, as it goes': ([1, 2], [5, 4]), 'validation, averaged weights': validation})


@pytest.mark.parametrize('text, words', [
    ('1,60,5,4.5\n2,120,4,3.', '1 of its lines cannot be read; --resume writes it anew'),
    ('1,60,5,4.5\n2,120\n', '1 of its lines cannot be read; --resume writes it anew'),
    ('', 'it holds no epochs'), ('1,60,5,inf\n', 'it holds numbers that are not finite')])
def test_damaged_metrics_are_refused(text, words, folders):
    """A last line without its end may be cut within a number."""
    (folders / 'a' / 'metrics.csv').write_text(f'{HEADER["bits_per_dim"]}\n{text}')
    done = tiny_run.finish('curve', '--workdir=a')
    assert done.returncode == 2 and f'({words}).' in done.stderr and 'Trace' not in done.stderr


@pytest.mark.parametrize('flags, words', [
    ([], '--workdir must be given'),
    (['--workdir=a,none'], "--workdir must hold a metrics.csv; got 'none'"),
    (['--workdir=a,a'], "--workdir must be folders of different names"),
    (['--workdir=a,c'], "--workdir must be runs measured in one unit, bits/dim or nats; got 'a,c'"),
    (['--workdir=a', '--out=a'], "--out must end in .png; got 'a'"),
    (['--workdir=a', '--out=folder.png'], "--out must be a file; got the folder 'folder.png'"),
    (['--workdir=a', '--out=there.png'],
     "--out must be a new file, or give --overwrite; 'there.png' is there")])
def test_mistakes_are_one_line(flags, words, folders):
    (folders / 'folder.png').mkdir()
    (folders / 'there.png').touch()
    done = tiny_run.finish('curve', *flags)
    assert done.returncode == 2 and f'error: {words}' in done.stderr
    assert done.stderr.count('\n') == 1 and not (folders / 'curve.png').exists()
