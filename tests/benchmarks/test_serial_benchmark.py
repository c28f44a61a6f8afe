"""The benchmark of the serial direction measures the same thing twice and says so."""

import json
import subprocess
import sys

import pytest
import tensorflow as tf
import tiny_run
from tensorflow_probability import bijectors as tfb

from zoo.benchmarks import serial
from zoo.cli import errors


def run(*flags):
    return subprocess.run([sys.executable, '-m', 'zoo.benchmark', '--serial', *flags],
                          capture_output=True, text=True, timeout=300, check=False)


def test_table_and_json(tmp_path):
    out = tmp_path / 'figures.json'
    result = tiny_run.finish('benchmark', '--serial', '--size=3', '--width=8', '--batch=2',
                             '--rounds=1', '--seconds=.01', f'--out={out}')
    assert result.returncode == 0, result.stderr
    report = json.loads(out.read_text())
    assert report['dimensions'] == 9 and report['hidden'] == [8, 8]
    assert report['difference'] < 1e-5
    assert [row['peer'] for row in report['rows']] == ['tfp_glow', 'tfb']
    for row in report['rows']:
        assert row['peer'] in result.stdout
        assert min(row['images_per_second'], row['first_seconds']) > 0
    assert report['rows'][0]['speed_ratio'] == 1
    ours, theirs = (row['images_per_second'] for row in report['rows'])
    assert report['rows'][1]['speed_ratio'] == pytest.approx(ours / theirs)
    assert f'{ours / theirs:.2f}x' in result.stdout


def test_both_transform_and_agree(assert_close):
    ours, theirs = serial.flows(6, (8, 8)).values()
    assert ours.network.layer.order.size == 6
    x = tf.random.stateless_normal([3, 6], seed=[0, 1])
    y = ours.forward(x)
    assert_close(theirs.forward(x), y, 1e-5)
    assert_close(theirs.inverse(tf.identity(y)), x, 1e-5)
    assert len(set((y - x)[0].numpy().round(4).tolist())) == 6


def test_values_that_differ_fail(monkeypatch):
    peers = {'tfp_glow': tfb.Identity(), 'tfb': tfb.Shift(.1)}
    monkeypatch.setattr(serial, 'flows', lambda dimensions, hidden: peers)
    with pytest.raises(errors.Failure, match='less than 0.001; got a difference of 1.0e-01'):
        serial.run(4, (4, 4), batch=2, rounds=1, seconds=.001, progress=print)


@pytest.mark.parametrize('flag, message', [
    ('--depth', '--depth must be given alone; got --serial as well.'),
    ('--peers=tfb', '--peers must be left out with --serial'),
    ('--width=0', '--width must be at least 1; got 0.')])
def test_bad_flags(flag, message):
    result = run(flag)
    assert result.returncode == 2
    assert message in result.stderr
