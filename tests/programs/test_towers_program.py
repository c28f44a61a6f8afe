"""`--towers` of zoo.train and its siblings: what is refused, and what a resume may change."""

import dataclasses
import json
import os
import subprocess
import sys

import numpy as np
import pytest
import tiny_run

from zoo.cli import errors, processor
from zoo.models import glow, options, real_nvp, recipe
from zoo.runs import machine
from zoo.runs.directory import Directory
from zoo.runs.settings import Settings

_TINY = ('--model=nice', '--dataset=digits', '--width=8', '--depths=1', '--couplings=2',
         '--batch_size=500', '--verbose=0')


def train(*flags):
    return tiny_run.finish('train', *flags)


@pytest.mark.parametrize('flags, words', [
    (['--towers=0'], '--towers must be auto or a positive integer'),
    (['--towers=many'], '--towers must be auto or a positive integer'),
    (['--towers=-1'], '--towers must be auto or a positive integer'),
    (['--towers=501'], '--towers must be at most --batch_size=500; got 501'),
    (['--towers=2', '--strategy=mirrored', '--replicas=2'],
     '--towers must be left out with --strategy=mirrored'),
    (['--towers=2', '--jit_compile'], '--towers must be 1 with --jit_compile; got 2')])
def test_mistakes_are_one_line(flags, words, tmp_path):
    done = train(*_TINY, f'--workdir={tmp_path / "run"}', *flags)
    assert done.returncode == 2 and f'error: {words}' in done.stderr
    assert 'Traceback' not in done.stderr and not (tmp_path / 'run').exists()


def test_batch_norm_is_named(tmp_path):
    done = train('--model=real_nvp', '--dataset=digits', '--towers=2',
                 f'--workdir={tmp_path / "run"}')
    assert done.returncode == 2 and '--towers must be 1 with --batch_norm; got 2' in done.stderr


_TRAINING = recipe.Training()


def resolved(config, training=_TRAINING, gains=True, **settings):
    return machine.resolved(config, training, Settings(**settings), gains, True)[1].towers


def test_auto_is_one_for_each_core_where_that_gains(monkeypatch):
    monkeypatch.setattr(processor, 'cores', lambda: 6)
    assert resolved(glow.Config(width=128)) == '6'
    assert resolved(glow.Config(width=512)) == resolved(real_nvp.Config()) == '1'
    assert resolved(glow.Config(width=8), dataclasses.replace(_TRAINING, jit_compile=True)) == '1'
    assert resolved(glow.Config(width=8), strategy='multi_worker') == '1'
    assert resolved(glow.Config(width=512), towers='3') == '3'
    assert resolved(glow.Config(width=128), gains=False) == '1'
    assert glow.RECIPES['fashion_mnist'].towers and not glow.RECIPES['digits'].towers


def test_there_is_one_tower_beside_a_gpu(monkeypatch):
    monkeypatch.setattr(machine.tf.config, 'list_physical_devices', lambda kind: [kind])
    assert machine.for_evaluation('auto') == machine.for_evaluation('1') == 1
    assert resolved(glow.Config(width=8), towers='auto') == '1'
    for choose in (machine.for_evaluation, lambda n: resolved(glow.Config(width=8), towers=n)):
        with pytest.raises(errors.UsageError, match='--towers must be 1 beside a GPU; got 2'):
            choose('2')


def test_a_kept_number_gives_way_where_it_cannot_be(capsys):
    """Only a number that the user asks for is refused."""
    kept = Settings(towers='3', strategy='mirrored')
    assert machine.resolved(glow.Config(), _TRAINING, kept, True, False)[1].towers == '1'
    assert capsys.readouterr().out == 'towers: 1 in place of 3, with --strategy=mirrored.\n'


@pytest.mark.parametrize('flags, unit, dtype', [
    ('fpu avx512f avx512_bf16', 'avx512_bf16', 'mixed_bfloat16'),
    ('avx512f amx_tile amx_bf16', 'amx_bf16', 'mixed_bfloat16'),
    ('fpu avx2 avx512f', None, 'float32'), (None, None, 'float32')])
def test_bfloat16_is_taken_where_the_processor_has_it(flags, unit, dtype, tmp_path, monkeypatch):
    cpuinfo = tmp_path / 'cpuinfo'
    if flags:
        cpuinfo.write_text(f'processor\t: 0\nmodel name\t: Some Processor\nflags\t\t: {flags}\n')
    monkeypatch.setattr(processor, '_CPUINFO', cpuinfo)
    assert processor.bfloat16_unit() == unit
    assert processor.name() == ('Some Processor' if flags else 'unknown processor')
    assert options.precision('auto') == dtype and options.precision('float64') == 'float64'
    config, _ = machine.resolved(
        glow.Config(network_dtype='auto'), _TRAINING, Settings(), False, False)
    assert config.network_dtype == dtype


def weights(folder):
    state, arrays = next(Directory(folder).checkpoints().whole())
    return state, arrays


@pytest.mark.slow
def test_a_resumed_run_has_the_towers_that_it_had(tmp_path, monkeypatch):
    """It is then, to the bit, the run that it would have been; another number is recorded."""
    monkeypatch.setattr(processor, 'cores', lambda: 3)
    straight, parts = tmp_path / 'straight', tmp_path / 'parts'
    done = train(*_TINY, '--epochs=2', '--towers=3', f'--workdir={straight}')
    assert done.returncode == 0, done.stderr
    assert 'towers: 3' in done.stdout
    assert train(*_TINY, '--epochs=2', '--towers=3', '--stop_after=1',
                 f'--workdir={parts}').returncode == 0
    monkeypatch.setattr(processor, 'cores', lambda: 1)
    assert train('--resume', f'--workdir={parts}').returncode == 0
    for name, value in weights(straight)[1].items():
        np.testing.assert_array_equal(value, weights(parts)[1][name], err_msg=name)
    done = train('--resume', f'--workdir={parts}', '--epochs=3', '--towers=2')
    assert done.returncode == 0, done.stderr
    done = train('--resume', f'--workdir={parts}', '--towers=501')
    assert done.returncode == 2 and '--towers must be at most --batch_size=500' in done.stderr
    config = json.loads((parts / 'config.json').read_text())
    assert config['settings']['towers'] == '2'
    assert config['changes'][0]['towers'] == ['3', '2']
    done = tiny_run.finish('evaluate', f'--workdir={parts}', '--towers=2')
    assert done.returncode == 0 and 'towers: 2' in done.stdout


@pytest.mark.slow
def test_threads_of_the_environment_stay(tmp_path):
    done = subprocess.run(
        [sys.executable, '-m', 'zoo.train', *_TINY, '--epochs=1', '--stop_after=1', '--towers=2',
         f'--workdir={tmp_path / "run"}'], capture_output=True, text=True, check=False,
        env=dict(os.environ, TF_NUM_INTRAOP_THREADS='2'))
    assert done.returncode == 0, done.stderr
    assert ('towers: 2; the threads are those of the environment, TF_NUM_INTRAOP_THREADS=2.'
            in done.stdout)
