"""Tests the benchmark as a user runs it: table, JSON, plot, and the error for a bad flag."""

import json
import os
import subprocess
import sys

import pytest

TINY = ['--size=8', '--levels=1', '--steps_per_level=1', '--width=8', '--batch=2', '--rounds=1',
        '--seconds=.01']
PNG = b'\x89PNG\r\n\x1a\n'


def run(*flags):
    return subprocess.run([sys.executable, '-m', 'zoo.benchmark', *flags], capture_output=True,
                          text=True, timeout=600, check=False)


@pytest.mark.slow
def test_table_and_json(tmp_path):
    out = tmp_path / 'figures.json'
    result = run(*TINY, '--peers=tfp_glow', f'--out={out}')
    assert result.returncode == 0, result.stderr
    for text in ('train', 'log_prob', 'sample', 'GFLOP/s', 'images/s', 'beyond state'):
        assert text in result.stdout
    report = json.loads(out.read_text())
    assert report['matmul_gflops'] > 0
    assert [row['what'] for row in report['rows']] == ['train', 'log_prob', 'sample']
    for row in report['rows']:
        assert row['failure'] is None
        assert row['speed_ratio'] == row['first_ratio'] == 1
        assert min(row['images_per_second'], row['first_seconds'], row['peak_mb']) > 0
        assert row['peak_mb'] > row['beyond_state_mb'] >= 0


@pytest.mark.slow
def test_depth_table_and_plot(tmp_path):
    out, plot = tmp_path / 'depth.json', tmp_path / 'depth.png'
    result = run(*TINY, '--depth', '--depth_steps=2,1', '--peers=tfp_glow', f'--out={out}',
                 f'--plot={plot}')
    assert result.returncode == 0, result.stderr
    report = json.loads(out.read_text())
    assert [row['steps_per_level'] for row in report['rows']] == [1, 2]
    assert set(report['spreads']['tfp_glow']) == {
        'beyond_state_mb', 'images_times_steps', 'first_seconds'}
    assert plot.read_bytes().startswith(PNG)


@pytest.mark.parametrize('flag, value', [
    ('steps_per_level', '0'), ('width', '-1'), ('batch', '0'), ('levels', '0'), ('rounds', '0'),
    ('peers', 'nflows'), ('size', '12'), ('seconds', '0'), ('timeout', '-1'),
    ('out', 'no_such_folder/figures.json')])
def test_bad_flag_is_named_in_one_line(flag, value):
    result = run(f'--{flag}={value}')
    assert result.returncode == 2
    line, = result.stderr.strip().splitlines()
    assert f'--{flag} must' in line and value in line


def test_bad_depth_steps_are_named_in_one_line():
    result = run('--depth', '--depth_steps=8,x')
    assert result.returncode == 2
    line, = result.stderr.strip().splitlines()
    assert '--depth_steps must' in line and '8,x' in line


@pytest.mark.slow
def test_missing_peer_is_left_out_and_the_extra_named(tmp_path):
    # A package that cannot be imported is the same as one that is not installed.
    (tmp_path / 'sitecustomize.py').write_text(
        'import importlib.util as u\n'
        'find_spec = u.find_spec\n'
        'u.find_spec = lambda name, *a: None if name == "normflows" else find_spec(name, *a)\n')
    path = os.pathsep.join([str(tmp_path), os.environ.get('PYTHONPATH', '')])
    result = subprocess.run(
        [sys.executable, '-m', 'zoo.benchmark', *TINY, '--peers=normflows,tfp_glow'],
        capture_output=True, text=True, timeout=600, check=False,
        env=dict(os.environ, PYTHONPATH=path))
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith('normflows left out: ')
    assert "'tfp-glow[bench]'" in result.stdout.splitlines()[0]
    assert 'sample  tfp_glow' in result.stdout


