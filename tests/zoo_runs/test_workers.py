"""zoo.train in two processes, the workers of TF_CONFIG."""

import shutil
import time

import numpy as np
import pytest
import training_processes
from training_processes import KILL, TERM, TINY

pytestmark = pytest.mark.slow

FLAGS = (*TINY, '--strategy=multi_worker')
LOST = 'error: another worker has ended or does not answer; the last checkpoint is kept, and all '


def train(folder, name, *flags, own=((), ())):
    """Runs two workers to their end, which must be good; returns the path of their run."""
    processes = training_processes.workers(folder, *flags, f'--workdir={folder / name}', own=own)
    statuses = training_processes.end(processes)
    assert statuses == [0, 0], [process.output for process in processes]
    return folder / name


def fail(folder, *flags, own=((), ()), count=2):
    """Runs workers that must fail, with one line each; returns their statuses and these lines."""
    processes = training_processes.workers(folder, *flags, own=own, count=count)
    statuses = training_processes.end(processes)
    assert [len(process.errors) for process in processes] == [1] * len(own)
    return statuses, [process.errors[0] for process in processes]


@pytest.fixture(scope='module')
def straight(tmp_path_factory):
    """Returns the directory of a run of two workers: 50 steps in two epochs."""
    return train(tmp_path_factory.mktemp('workers'), 'straight', *FLAGS, '--epochs=2')


def test_two_workers_are_one_process(straight, tmp_path):
    status, process = training_processes.run(
        tmp_path, *TINY, '--epochs=2', f'--workdir={tmp_path / "one"}')
    assert status == 0, process.output
    (state, arrays), (other, others) = map(
        training_processes.newest, (straight, tmp_path / 'one'))
    assert state.step == 50 and arrays.keys() == others.keys()
    weights = max(np.abs(arrays[n] - a).max() for n, a in others.items() if 'weights/' in n)
    losses = max(abs(row[name] - other_row[name]) for name in ('loss', 'val_loss')
                 for row, other_row in zip(state.rows, other.rows, strict=True))
    print(f'largest difference after 50 steps: weights {weights:.1e}, losses {losses:.1e}')
    assert weights < 1e-5 and losses < 1e-5


def test_workers_that_are_killed_or_stopped_go_on_to_the_bit(tmp_path):
    flags = (*FLAGS, '--epochs=24', '--save_every=7steps')  # Of 25 steps.
    expected = train(tmp_path, 'straight', *flags)
    flags = (*flags, f'--workdir={tmp_path / "run"}')
    for number, victim, epoch in ((KILL, 1, 2), (KILL, 0, 6), (TERM, 1, 10), (TERM, 0, 14)):
        processes = training_processes.workers(tmp_path, *flags)
        processes[0].send(None, after=f'epoch {epoch}/24')
        processes[victim].send(number)
        begin = time.monotonic()
        statuses = training_processes.end(processes)
        seconds = time.monotonic() - begin
        print(f'{number.name} of worker {victim}: both ended within {seconds:.0f} s')
        assert seconds < 60
        if number is TERM:
            assert statuses == [143, 143]
            assert all('--resume' in line for p in processes for line in p.errors[-1:])
            assert training_processes.newest(tmp_path / 'run')[0].epoch < 24
        else:
            assert statuses[victim] == -9 and statuses[1 - victim] == 1
            assert processes[1 - victim].errors == [f'{LOST}go on with --resume.']
        flags = ('--resume', f'--workdir={tmp_path / "run"}')
    train(tmp_path, 'run', '--resume')
    training_processes.assert_same_run(tmp_path / 'run', expected)


def test_a_worker_that_never_starts(tmp_path):
    begin = time.monotonic()
    statuses, lines = fail(tmp_path, *FLAGS, '--peer_seconds=15', f'--workdir={tmp_path / "run"}',
                           own=((),))
    assert statuses == [1] and time.monotonic() - begin < 60
    assert lines[0].startswith('error: the other workers of TF_CONFIG do not answer: localhost:')
    assert lines[0].endswith(' (15 s).') and not (tmp_path / 'run').exists()


def test_workers_with_different_flags(tmp_path):
    statuses, lines = fail(tmp_path, *FLAGS, f'--workdir={tmp_path / "run"}',
                           own=((), ('--learning_rate=.5', '--stop_after=1')))
    assert statuses == [2, 2] and lines[0] == lines[1]
    assert lines[0] == ('error: all workers must be given the same flags; worker 1 has '
                        'stop_after=1 (the chief None), learning_rate=0.5 (the chief 0.001).')
    assert not (tmp_path / 'run').exists()


def test_a_mistake_of_one_worker_ends_the_other(tmp_path):
    (tmp_path / 'run').mkdir()
    (tmp_path / 'run' / 'letter').write_text('to be kept')
    statuses, lines = fail(tmp_path, *FLAGS, f'--workdir={tmp_path / "run"}')
    assert statuses == [2, 1]
    assert lines[0].startswith('error: --workdir must be new or empty')
    assert lines[1] == 'error: another worker has failed, which says why.'


def test_workers_that_see_different_checkpoints(straight, tmp_path):
    shutil.copytree(straight, tmp_path / 'own')
    (tmp_path / 'own' / 'checkpoints' / 'step-50.checkpoint').unlink()
    statuses, lines = fail(tmp_path, '--resume', own=(
        (f'--workdir={straight}',), (f'--workdir={tmp_path / "own"}',)))
    assert statuses == [2, 2]
    assert lines == 2 * ['error: all workers must see the same checkpoints in --workdir, which '
                         'they share; worker 1 has step=25 (the chief 50).']


def test_a_start_from_weights_that_no_longer_improve(straight, tmp_path):
    path = train(tmp_path, 'run', *FLAGS, f'--from={straight}', '--early_stopping=1',
                 '--learning_rate=1e-12', '--epochs=9', '--save_every=1s')
    state, arrays = training_processes.newest(path)
    assert state.epoch == 2 and state.best.epoch == 1
    weights = training_processes.newest(straight)[1]
    names = [name for name in weights if name.startswith('weights/')]
    for i, name in enumerate(names, 1):  # The averages come after the number of steps.
        np.testing.assert_allclose(arrays[name], weights[f'optimizer/{i}'], 0, 1e-6)


def test_a_loss_that_is_not_finite(tmp_path):
    statuses, lines = fail(tmp_path, *FLAGS, '--learning_rate=1e30', '--patience_nan=2',
                           '--warmup_epochs=0', f'--workdir={tmp_path / "run"}')
    assert statuses == [1, 1]
    assert all('also with an eighth of the step size' in line for line in lines)
    assert len(training_processes.newest(tmp_path / 'run')[0].returned_at) == 3
