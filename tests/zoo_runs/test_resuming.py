"""A run that is interrupted anywhere is the run it would have been, to the bit."""

import csv
import signal

import numpy as np
import pytest
import tensorflow as tf
import tiny_training
from tiny_training import Killed, TinyRun

from zoo.runs.settings import Settings
from zoo.runs.signals import Stopped


def arrays_and_state(run):
    state, arrays = run.directory.checkpoints().newest()
    return arrays, state


def without_times(state):
    rows = [{k: v for k, v in row.items() if k != 'seconds'} for row in state.rows]
    return {**state.to_json(), 'seconds': None, 'rows': rows}


@pytest.fixture(scope='module')
def straight(tmp_path_factory):
    run = TinyRun(tmp_path_factory.mktemp('straight') / 'run')
    run.go_on()
    return run


def check_equal(run, straight):
    (arrays, state), (expected, expected_state) = map(arrays_and_state, (run, straight))
    assert arrays.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(arrays[name], array, name)
    assert without_times(state) == without_times(expected_state)


def test_killed_within_an_epoch_and_after_one(straight, tmp_path):
    run = TinyRun(tmp_path / 'run')
    for step in (2, 5, 11):
        with pytest.raises(Killed):
            run.go_on(at=step)
    run.go_on()
    assert arrays_and_state(run)[1].step == 14
    check_equal(run, straight)


@pytest.mark.parametrize('step', [4, 7])
def test_a_signal_ends_a_run_after_the_step_and_saves_it(straight, tmp_path, step):
    run = TinyRun(tmp_path / 'run', settings=Settings(save_every='1h'))
    with run.stop.installed(), pytest.raises(Stopped) as stopped:
        run.go_on(at=step, action=lambda: signal.raise_signal(signal.SIGTERM))
    assert stopped.value.status == 143
    assert run.directory.checkpoints().steps()[0] == step
    run.stop = tiny_training.Stop()
    run.go_on()
    check_equal(run, straight)


def test_tables_have_no_doubles(straight, tmp_path):
    run = TinyRun(tmp_path / 'run', settings=Settings(save_every='1h'))
    with pytest.raises(Killed):
        run.go_on(at=13)
    for path in (tmp_path / 'run' / 'checkpoints').glob('step-7.*'):
        path.write_bytes(b'')  # The first epoch is lost too.
    run.go_on()
    assert len(run.said) == 2 and 'step-7.checkpoint' in run.said[0]
    assert run.said[1] == 'the run goes on from step 0, in epoch 1; 7 steps are lost.'
    check_equal(run, straight)
    with (run.directory.path / 'metrics.csv').open(newline='') as file:
        assert [row['epoch'] for row in csv.DictReader(file)] == ['1', '2']


def test_charts_have_no_doubles(tmp_path):
    run = TinyRun(tmp_path / 'run', tmp_path / 'data', 'dense_vae', Settings(save_every='1h'))
    with pytest.raises(Killed):
        run.go_on(at=13)
    (run.directory.path / 'checkpoints' / 'step-7.checkpoint').unlink()
    run.go_on()
    seen = []
    for path in sorted((run.directory.path / 'tensorboard').rglob('*.tfevents.*')):
        for event in tf.compat.v1.train.summary_iterator(str(path)):
            seen += [(path.parent.name, event.step, v.tag) for v in event.summary.value]
    assert len(seen) == len(set(seen))
    assert {('train', 2, 'bits_per_dim'), ('validation', 2, 'bits_per_dim'),
            ('validation', 1, 'latents/layer_0'), ('validation', 2, 'samples')} <= set(seen)
