"""A run is resumed by its directory alone; what may change is recorded, the rest is refused."""

import dataclasses
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import threading
from unittest import mock

import numpy as np
import pytest
import tiny_run
from absl.testing import flagsaver

from zoo.cli import parsing
from zoo.evaluation import cards
from zoo.runs import lock
from zoo.runs.directory import Directory

_SMALL = ('--model=maf', '--dataset=moons', '--hidden=8', '--layers=1', '--batch_size=2000',
          '--learning_rate=.01', '--verbose=0')


def train(*flags):
    return tiny_run.finish('train', *flags)


def config(folder):
    return json.loads((folder / 'config.json').read_text())


@pytest.fixture(scope='module')
def finished(tmp_path_factory):
    """Returns a run of two epochs that was stopped after the first, and then resumed."""
    folder = tmp_path_factory.mktemp('runs') / 'run'
    done = train(*_SMALL, '--epochs=2', '--stop_after=1', '--keep=3', f'--workdir={folder}')
    assert done.returncode == 0, done.stderr
    assert 'stopped after epoch 1 of 2; go on with --resume.' in done.stdout
    assert not (folder / 'test.json').exists()
    done = train('--resume', f'--workdir={folder}', '--verbose=2')
    assert done.returncode == 0, done.stderr
    assert 'epoch 2/2' in done.stdout and 'epoch 1/2' not in done.stdout
    return folder


@pytest.fixture
def run(finished, tmp_path):
    return pathlib.Path(shutil.copytree(finished, tmp_path / 'run'))


def test_it_needs_no_other_flag(finished):
    test = json.loads((finished / 'test.json').read_text())
    assert (test['epoch'], test['epochs'], test['selected']) == (2, 2, 'best')
    assert config(finished)['settings']['keep'] == 3 and config(finished)['changes'] == []
    assert sorted(p.name for p in finished.iterdir()) == [
        'checkpoints', 'config.json', 'metrics.csv', 'samples.png', 'saved_model', 'tensorboard',
        'test.json'] and [p.name for p in (finished / 'saved_model').iterdir()] == ['1']


def test_a_run_that_has_ended_stays_as_it_is(run):
    before = {p: p.read_bytes() for p in run.rglob('*') if p.is_file()}
    done = train('--resume', f'--workdir={run}')
    assert done.returncode == 0 and 'the run has ended after epoch 2' in done.stdout
    assert before == {p: p.read_bytes() for p in run.rglob('*') if p.is_file()}


def test_longer_training_is_recorded(run):
    old = json.loads((run / 'test.json').read_text())
    done = train('--resume', f'--workdir={run}', '--epochs=3', '--learning_rate=.02',
                 '--select=last')
    assert done.returncode == 0, done.stderr
    change, = config(run)['changes']
    assert change == {'epoch': 2, 'step': change['step'], 'epochs': [2, 3],
                      'learning_rate': [.01, .02], 'select': ['best', 'last'], 'test': old}
    test = json.loads((run / 'test.json').read_text())
    assert (test['epoch'], test['selected']) == (3, 'last')
    assert sorted(p.name for p in (run / 'saved_model').iterdir()) == ['1', '2']


@pytest.mark.parametrize('flags, words', [
    (['--model=made'], 'model (maf there, made asked for)'),
    (['--dataset=rings'], 'dataset (moons there, rings asked for)'),
    (['--hidden=16'], "hidden (8 there, 16 asked for)"),
    (['--batch_size=1000'], 'batch_size (2000 there, 1000 asked for)'),
    (['--seed=1'], 'seed (0 there, 1 asked for)'),
    (['--overwrite'], '--overwrite must be left out with --resume'),
    (['--from=glow_digits'], '--from must be left out with --resume'),
    (['--levels=3'], '--levels must be left out for --model=maf'),
    (['--stop_after=1'], '--stop_after must be at least the 2 epochs that are done'),
    (['--epochs=1'], '--epochs must be at least the 2 epochs that are done; got 1'),
    (['--epochs=5', '--stop_after=1'], '--stop_after must be at least the 2 epochs'),
    (['--from='], "--from must name a preset or another run directory; got ''"),
    (['--save_every=10'], '--save_every must be a time such as'),
    (['--save_every=0m'], '--save_every must be a time such as'),
    (['--replicas=2'], '--replicas must be left out with --strategy=none'),
    (['--strategy=mirrored'], '--replicas of at least 2')])
def test_another_run_is_refused(finished, flags, words):
    before = {p: p.read_bytes() for p in finished.rglob('*') if p.is_file()}
    done = train('--resume', f'--workdir={finished}', *flags)
    assert done.returncode == 2 and words in done.stderr, done.stderr
    assert before == {p: p.read_bytes() for p in finished.rglob('*') if p.is_file()}


def test_workers_may_stand_in_different_folders(finished):
    """What they must have in common is the run without the folders of each machine."""
    values = []
    used = mock.Mock(check_equal=lambda rule, kept: values.append(kept))
    with tiny_run.imported('train') as program, flagsaver.flagsaver():
        parsing.parse(['train', '--resume', f'--workdir={finished}'],
                      define=program.training_flags.define)
        run = Directory(finished).read()
        for place in ('/here', '/there'):
            program._check_alike(used, dataclasses.replace(run, folder=place, data_dir=place))
        program._check_alike(used, dataclasses.replace(run, dataset='rings'))
    assert values[0] == values[1] != values[2]


@pytest.mark.parametrize('content, words', [
    (b'[1]', 'must hold an object; it holds list'), (b'null', 'it holds NoneType'),
    ('{}'.encode('utf-16'), 'utf-8'), (b'{"format": 99}', 'cannot be read'), (b'', 'cannot'),
    (b'[' * 100_000, 'cannot be read')])
def test_a_config_that_cannot_be_read(tmp_path, content, words):
    (tmp_path / 'config.json').write_bytes(content)
    done = train('--resume', f'--workdir={tmp_path}')
    assert done.returncode == 2 and words in done.stderr and '--workdir' in done.stderr
    assert 'Traceback' not in done.stderr


def test_a_newer_format_is_named(run):
    (run / 'config.json').write_text(json.dumps(config(run) | {'format': 99}))
    done = train('--resume', f'--workdir={run}')
    assert done.returncode == 2 and 'it has format 99' in done.stderr


@pytest.mark.parametrize('name', ['none', 'empty', 'file'])
def test_there_must_be_a_run(tmp_path, name):
    (tmp_path / 'empty').mkdir()
    (tmp_path / 'file').write_text('x')
    done = train('--resume', f'--workdir={tmp_path / name}')
    assert done.returncode == 2 and 'must be a run directory with a config.json' in done.stderr


def test_lost_checkpoints_are_no_new_beginning(run):
    shutil.rmtree(run / 'checkpoints')
    before = {p: p.read_bytes() for p in run.rglob('*') if p.is_file()}
    for flags in (['--resume'], [*_SMALL, '--epochs=2']):
        done = train(*flags, f'--workdir={run}')
        assert done.returncode == 2 and '--overwrite' in done.stderr
    assert before == {p: p.read_bytes() for p in run.rglob('*') if p.is_file()}


def test_overwrite_starts_anew(run):
    (run / 'mine.txt').write_text('kept')
    done = train(*_SMALL, '--epochs=1', '--overwrite', f'--workdir={run}')
    assert done.returncode == 0, done.stderr
    assert config(run)['training']['epochs'] == 1 and config(run)['settings']['keep'] == 2
    assert (run / 'metrics.csv').read_text().count('\n') == 2 and (run / 'mine.txt').exists()


def test_overwrite_removes_what_is_a_run_s_alone(run, tmp_path):
    for name in ('saved_model/note', 'checkpoints/mine.bin', 'tensorboard/other/x'):
        (run / name).parent.mkdir(exist_ok=True)
        (run / name).write_text('mine')
    (run / 'checkpoints').rename(tmp_path / 'elsewhere')
    (run / 'checkpoints').symlink_to(tmp_path / 'elsewhere')
    done = train(*_SMALL, '--seed=5', '--epochs=1', '--overwrite', f'--workdir={run}')
    assert done.returncode == 0, done.stderr
    assert json.loads((run / 'test.json').read_text())['epoch'] == 1
    for name in ('saved_model/note', 'checkpoints/mine.bin', 'tensorboard/other/x'):
        assert (run / name).read_text() == 'mine'
    foreign = tmp_path / 'foreign'
    foreign.mkdir()
    (foreign / 'config.json').write_text('{"architectures": ["X"]}')
    done = train(*_SMALL, '--epochs=1', '--overwrite', f'--workdir={foreign}')
    assert done.returncode == 2 and 'is not that of a run' in done.stderr
    assert [p.name for p in foreign.iterdir()] == ['config.json']


def test_a_damaged_table_of_results_is_written_anew(run):
    (run / 'test.json').write_text('{')
    done = train('--resume', f'--workdir={run}', '--select=last')
    assert done.returncode == 0 and 'is set aside' in done.stdout, done.stderr
    assert json.loads((run / 'test.json').read_text())['selected'] == 'last'


def test_other_data_of_the_same_name_are_refused(tmp_path, monkeypatch):
    """The table is found from any folder."""
    def write(mean):
        rows = np.random.default_rng(0).normal(mean, 1., [300, 2])
        np.savetxt(tmp_path / 'd.csv', rows, delimiter=',', header='a,b', comments='')
    write(0.)
    monkeypatch.chdir(tmp_path)
    flags = ('--model=maf', '--dataset=d.csv', '--hidden=8', '--layers=1', '--batch_size=50',
             '--epochs=2', '--verbose=0', '--workdir=run')
    assert train(*flags, '--stop_after=1').returncode == 0
    (tmp_path / 'other').mkdir()
    monkeypatch.chdir(tmp_path / 'other')
    write(np.array([0., 500.]) * np.linspace(0, 1, 300)[:, None])
    done = train('--resume', '--workdir=../run')
    assert done.returncode == 2 and '--dataset must hold the data that the run' in done.stderr
    write(0.)
    assert train('--resume', '--workdir=../run').returncode == 0


def test_what_a_kill_left_before_the_first_step_is_no_obstacle(tmp_path):
    run = tmp_path / 'run'
    run.mkdir()
    (run / '.lock').write_text('{}')
    (run / '.unfinished-77-01234567').write_text('half a config')
    done = train(*_SMALL, '--epochs=1', '--stop_after=1', f'--workdir={run}')
    assert done.returncode == 0 and not list(run.glob('.*')), done.stderr


def test_a_kill_while_results_are_written_leaves_nothing_behind(run):
    (run / 'test.json').unlink()
    (run / '.unfinished-results').write_text('1\n')
    (run / 'saved_model' / '.unfinished-xyz').mkdir()
    (run / '.unfinished-77-01234567').write_text('half')
    done = train('--resume', f'--workdir={run}')
    assert done.returncode == 0, done.stderr
    assert [p.name for p in (run / 'saved_model').iterdir()] == ['1']
    assert not list(run.glob('.*')) and (run / 'test.json').exists()


def test_a_folder_in_place_of_the_metrics_is_named(run):
    (run / 'metrics.csv').unlink()
    (run / 'metrics.csv').mkdir()
    done = train('--resume', f'--workdir={run}', '--epochs=3')
    assert done.returncode in (1, 2) and done.stderr.count('\n') == 1
    assert 'metrics.csv' in done.stderr.replace(str(run), 'RUN')


def test_a_bundle_is_not_written_into_a_run_that_is_in_use(run):
    with lock.locked(run):
        done = tiny_run.finish('export', f'--workdir={run}')
    assert done.returncode == 2 and done.stderr.startswith(
        f'error: the run directory of --out must not be in use; {str(run)!r} is used by process')
    assert [p.name for p in (run / 'saved_model').iterdir()] == ['1']


def test_the_card_of_a_run_tells_of_its_changes_and_its_first_weights(run):
    opened = dataclasses.replace(
        Directory(run).read(), start={'from': 'other run', 'fresh': [], 'not_taken': []},
        changes=({'epoch': 1, 'step': 9, 'epochs': [1, 2], 'learning_rate': [.1, .01]},))
    assert " '--from=other run' " in cards.command(opened, 2, 2000)
    card = dict.fromkeys(('model', 'dataset', 'estimate', 'data', 'figure', 'published', 'seed',
                          'command', 'licence', 'note', 'samples'), 'x')
    card |= {'weights': 1, 'epochs': 2, 'training_seconds': 1., 'mantissa_bits': 23,
             'round_trip': {}, 'changes': list(opened.changes)}
    assert '- **Changed** after epoch 1: epochs 1 -> 2, learning_rate 0.1 -> 0.01.' in cards.text(
        'name', card)


def test_a_run_is_one_process_s_and_ends_by_signals(tmp_path):
    """The first process is stopped by SIGTERM once it has said how far it is."""
    words = [sys.executable, '-m', 'zoo.train', *_SMALL[:-1], '--verbose=2', '--epochs=100000',
             f'--workdir={tmp_path / "run"}']
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          env=dict(os.environ, TF_CPP_MIN_LOG_LEVEL='3'),
                          cwd=pathlib.Path(__file__).parents[2]) as first:
        timer = threading.Timer(300, first.kill)
        timer.start()
        while not first.stdout.readline().startswith('epoch 2/'):
            assert first.poll() is None
        done = train('--resume', f'--workdir={tmp_path / "run"}')
        assert done.returncode == 2
        assert f'is used by process {first.pid} on ' in done.stderr
        first.send_signal(signal.SIGTERM)
        _, complaints = first.communicate()
        timer.cancel()
    assert first.returncode == 143
    assert 'stopped by SIGTERM; go on with: python -m zoo.train --resume --workdir=' in complaints
    assert 'Traceback' not in complaints and not (tmp_path / 'run' / '.lock').exists()
