"""zoo.train on two devices of one machine; the processes divide the processor in two."""

import json

import numpy as np
import pytest
import training_processes
from training_processes import TERM, TINY

MIRRORED = ('--strategy=mirrored', '--replicas=2')


def train(folder, name, *flags):
    status, process = training_processes.run(folder, *flags, f'--workdir={folder / name}')
    assert status == 0, process.output
    return process


@pytest.fixture(scope='module')
def straight(tmp_path_factory):
    """Returns the directory of a run on two devices: 50 steps in two epochs."""
    folder = tmp_path_factory.mktemp('mirrored')
    train(folder, 'straight', *TINY, *MIRRORED, '--epochs=2')
    return folder / 'straight'


@pytest.mark.slow
def test_two_devices_are_one(straight, tmp_path):
    train(tmp_path, 'one', *TINY, '--epochs=2')
    (state, arrays), (other, others) = map(
        training_processes.newest, (straight, tmp_path / 'one'))
    assert arrays.keys() == others.keys()
    for name, array in others.items():
        np.testing.assert_allclose(arrays[name], array, 1e-5, 1e-5, err_msg=name)
    for row, other_row in zip(state.rows, other.rows, strict=True):  # 5,000 rows in 250s.
        for measure in ('loss', 'nats', 'val_loss', 'val_nats'):
            assert row[measure] == pytest.approx(other_row[measure], abs=1e-5)
    tests = [json.loads((d / 'test.json').read_text()) for d in (straight, tmp_path / 'one')]
    assert tests[0]['log_likelihood'] == pytest.approx(tests[1]['log_likelihood'], abs=1e-5)
    assert (straight / 'saved_model' / '1' / 'saved_model.pb').exists()


@pytest.mark.slow
def test_a_stopped_run_goes_on_to_the_bit_and_on_other_devices(straight, tmp_path):
    flags = (*TINY, *MIRRORED, '--batch_size=100', '--epochs=2')  # 500 steps an epoch.
    train(tmp_path, 'straight', *flags)
    process = training_processes.Process(
        tmp_path / 'log', *flags, f'--workdir={tmp_path / "run"}')
    process.send(TERM, after='epoch 1/2')
    assert process.wait() == 143
    assert '--resume' in process.errors[-1] and len(process.errors) == 1
    assert training_processes.newest(tmp_path / 'run')[0].batch > 0
    train(tmp_path, 'run', '--resume')
    training_processes.assert_same_run(tmp_path / 'run', tmp_path / 'straight')
    train(tmp_path, 'run', '--resume', '--strategy=none', '--epochs=3')
    config = json.loads((tmp_path / 'run' / 'config.json').read_text())
    assert config['changes'][-1]['strategy'] == ['mirrored', 'none']
    assert training_processes.newest(tmp_path / 'run')[0].epoch == 3


@pytest.mark.slow
@pytest.mark.parametrize('flags', [
    ('--model=dense_vae', '--dataset=digits', '--hidden=8', '--latent_dims=2'),
    ('--dataset=digits', '--levels=1', '--steps_per_level=1', '--width=8', '--ema=.5')])
def test_models_with_noise(flags, tmp_path):
    """Digits have 180 validation images: a batch of 180, or a short one, on two devices."""
    train(tmp_path, 'run', *flags, *MIRRORED, '--batch_size=256', '--epochs=2')
    rows = training_processes.newest(tmp_path / 'run')[0].rows
    assert all(np.isfinite(list(row.values())).all() for row in rows)
    assert rows[1]['loss'] < rows[0]['loss']


@pytest.mark.slow
@pytest.mark.parametrize('flags, message', [
    (('--batch_size=2001', *MIRRORED), '--batch_size must be divisible by the 2 devices; '
     'got 2001.'),
    (('--jit_compile', *MIRRORED), '--jit_compile must be left out with several devices'),
    (('--strategy=mirrored',), '--strategy=mirrored needs GPUs, of which this machine has none, '
     'or --replicas of at least 2, which divide the processor; got --replicas=0.'),
    (('--replicas=2',), '--replicas must be left out with --strategy=none'),
    ((*MIRRORED, '--peer_seconds=3'), '--peer_seconds must be left out with --strategy=mirrored')])
def test_mistakes(flags, message, tmp_path):
    status, process = training_processes.run(
        tmp_path, *TINY, *flags, f'--workdir={tmp_path / "run"}')
    assert status == 2 and process.output.startswith(f'error: {message}')
    assert process.output.count('\n') == 1
    assert not (tmp_path / 'run').exists()
