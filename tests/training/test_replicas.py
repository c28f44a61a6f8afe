"""Two replicas, and two workers, train as one device does, also if one has no example."""

import json
import os
import subprocess
import sys

import deterministic_models
import local_cluster
import numpy as np
import pytest


def run(kinds, place, path, sizes=(), **environment):
    """Starts the program: logical devices must be set before TensorFlow starts."""
    return subprocess.Popen(
        [sys.executable, deterministic_models.__file__, kinds, place, str(path),
         *map(str, sizes)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env=dict(os.environ, TF_CPP_MIN_LOG_LEVEL='3', **environment))


def finish(*processes, timeout):
    try:
        for process in processes:
            output = process.communicate(timeout=timeout)[0]
            assert process.returncode == 0, output[-3000:]
    finally:
        for process in processes:
            process.kill()


def assert_same(kind, result, expected):
    assert result['unapplied'] == expected['unapplied']
    assert (kind == 'maf') == (expected['unapplied'] > 0)
    assert result['history'].keys() == expected['history'].keys()
    for part in ('history', 'evaluated'):
        for measure, value in expected[part].items():
            np.testing.assert_allclose(result[part][measure], value, 1e-5, 1e-5, err_msg=measure)
    for part in ('weights', 'averages', 'predicted'):
        for value, other in zip(result[part], expected[part], strict=True):
            np.testing.assert_allclose(value, other, 1e-5, 1e-5)
    losses = expected['history']['loss']
    assert losses[-1] < losses[0]


@pytest.mark.parametrize('kinds', ['maf', *(
    pytest.param(kind, marks=pytest.mark.slow) for kind in deterministic_models.KINDS
    if kind != 'maf')])
def test_two_replicas_are_one_device(kinds, tmp_path):
    path = tmp_path / 'results.json'
    finish(run(kinds, 'replicas', path), timeout=900)
    for kind, (expected, result) in json.loads(path.read_text()).items():
        assert_same(kind, result, expected)


@pytest.mark.slow
@pytest.mark.parametrize('kind, sizes', [
    ('maf', (75, 16, 10)), ('glow', (75, 16, 10)), ('dense_vae', (34, 16, 5))])
def test_two_workers_are_one_process(kind, sizes, tmp_path):
    """The first two see 50 batches, the last of an epoch short; the third has an empty share."""
    paths = [tmp_path / f'{i}.json' for i in range(2)]
    finish(*(run(kind, 'worker', path, sizes, TF_CONFIG=config)
             for path, config in zip(paths, local_cluster.configs(2))), timeout=900)
    alone = tmp_path / 'alone.json'
    finish(run(kind, 'alone', alone, sizes), timeout=900)
    expected = json.loads(alone.read_text())[kind][0]
    for path in paths:
        assert_same(kind, json.loads(path.read_text())[kind][0], expected)
