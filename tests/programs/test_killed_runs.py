"""A run of the digits is killed thirty times, ten of them within a checkpoint's write."""

import json
import os
import pathlib
import subprocess
import sys
import time

import numpy as np
import pytest
import tiny_run

from zoo.runs.checkpoints import Checkpoints

pytestmark = pytest.mark.slow

KILLS, WITHIN_A_WRITE = 30, 10
FLAGS = ('--model=glow', '--dataset=digits', '--levels=1', '--steps_per_level=1', '--width=8',
         '--batch_size=128', '--epochs=60', '--save_every=2steps', '--early_stopping=0',
         '--verbose=0', '--sample_images=4')


def process(*flags):
    return subprocess.Popen(
        [sys.executable, '-m', 'zoo.train', *flags], stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, cwd=pathlib.Path(__file__).parents[2],
        env=dict(os.environ, TF_CPP_MIN_LOG_LEVEL='3'))


def is_writing(folder):
    """Returns whether a checkpoint is being written."""
    try:
        return any(entry.name.startswith('.unfinished-') for entry in os.scandir(folder))
    except FileNotFoundError:
        return False


def wait_and_kill(running, checkpoints, within_a_write, seconds, first):
    """Kills a process; returns whether a file was left unfinished, and the newest step seen."""
    seen = first
    end = time.monotonic() + 120
    while within_a_write and time.monotonic() < end and running.poll() is None:
        steps = checkpoints.steps()
        if steps and steps[0] > first + seconds and is_writing(checkpoints.folder):
            break
    if not within_a_write:
        time.sleep(seconds)
    seen = max([seen, *checkpoints.steps()])
    running.kill()
    running.wait()
    return is_writing(checkpoints.folder), seen


def test_thirty_kills_change_nothing(tmp_path):
    rng = np.random.default_rng(0)
    straight, killed = tmp_path / 'straight', tmp_path / 'killed'
    done = process(*FLAGS, f'--workdir={straight}')
    assert done.wait() == 0, done.stdout.read()
    checkpoints = Checkpoints(killed / 'checkpoints')
    within, kills = 0, 0
    for kills in range(1, 200):
        resumed = (killed / 'config.json').exists()
        first = max([-1, *checkpoints.steps()])
        running = process(*(['--resume'] if resumed else FLAGS), f'--workdir={killed}')
        # Steps after which a write is waited for, or seconds, of which the start takes most.
        wait = rng.integers(0, 4) if kills % 2 else rng.uniform(0, 14)
        was_writing, seen = wait_and_kill(running, checkpoints, kills % 2 == 1, wait, first)
        if running.returncode != -9:
            assert running.returncode == 0, running.stdout.read()
            break
        within += was_writing
        newest = next(checkpoints.whole(), None)
        assert max([-1, *checkpoints.steps()]) == (newest[0].step if newest else -1) >= seen
        if kills >= KILLS and within >= WITHIN_A_WRITE:
            done = process('--resume', f'--workdir={killed}')
            assert done.wait() == 0, done.stdout.read()
            break
    print(f'{kills} kills, {within} of them within the write of a checkpoint')
    assert kills >= KILLS and within >= WITHIN_A_WRITE
    check_equal(straight, killed, tmp_path)


def check_equal(straight, killed, tmp_path):
    """Checks that weights, figures and the answers of the bundles are the same, to the bit."""
    (state, arrays), (expected_state, expected) = (
        Checkpoints(run / 'checkpoints').newest() for run in (killed, straight))
    assert state.step == expected_state.step and state.best == expected_state.best
    for name, array in expected.items():
        np.testing.assert_array_equal(arrays[name], array, name)
    tests = [json.loads((run / 'test.json').read_text()) for run in (killed, straight)]
    for test in tests:
        del test['training_seconds']
    assert tests[0] == tests[1]
    for run in (straight, killed):
        done = tiny_run.finish('sample', f'--saved_model={run / "saved_model"}', '--num=4',
                               f'--out={tmp_path / run.name}.npy')
        assert done.returncode == 0, done.stderr
    samples = [np.load(f'{tmp_path / run.name}.npy') for run in (straight, killed)]
    np.testing.assert_array_equal(*samples)
    left = [str(p) for p in killed.rglob('*') if '.unfinished' in p.name or 'damaged' in p.name]
    assert left == [] and [p.name for p in (killed / 'saved_model').iterdir()] == ['1']
