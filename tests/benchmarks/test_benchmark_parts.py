"""Tests the benchmark: counts against independent ones, fairness to peers, worker processes."""

import importlib
import io
import json
import sys

import numpy as np
import pytest

from zoo.benchmarks import flops, load, memory, rows, session, worker
from zoo.benchmarks import job as jobs


def tiny_job(peer, what='train'):
    return jobs.Job(peer, what, size=8, levels=2, steps_per_level=2, width=8, batch=2, seconds=.01)


def need(peer):
    missing = jobs.missing_packages(peer)
    if missing:
        pytest.skip(f'{", ".join(missing)} not installed (extra `{jobs.EXTRA}`)')


def test_flops_by_hand():
    # One level of 4x4 images has 2x2 pixels of 12 channels, 6 in each half, and a step of width 5.
    job = jobs.Job('tfp_glow', 'log_prob', size=4, levels=1, steps_per_level=1, width=5)
    multiply_adds = 4 * (9 * 6 * 5 + 5 * 5 + 9 * 5 * 12)
    assert flops.flops(job) == 2 * multiply_adds
    # 32x32, L=3, K=16, width 128: a pixel of level 1 has 6912 + 16384 + 13824 = 37120, and so on.
    job = jobs.Job('tfp_glow', 'train', size=32, levels=3, steps_per_level=16, width=128)
    assert flops.flops(job) == 3 * 2 * 16 * (256 * 37120 + 64 * 57856 + 16 * 99328)


def test_flops_and_parameters_against_keras():
    """It counts the convolutions of the networks' graphs, which know nothing of our formula."""
    import tensorflow as tf  # pylint: disable=g-import-not-at-top

    import tfp_glow  # pylint: disable=g-import-not-at-top
    job = jobs.Job('tfp_glow', 'log_prob', size=8, levels=2, steps_per_level=3, width=7)
    counted = parameters = 0
    for size, channels in ((4, 12), (2, 24)):
        network = tfp_glow.networks.conv_network(
            (size, size, channels // 2), channels, width=7, act_norm=False, edge_indicator=False)
        graph = tf.function(network).get_concrete_function(
            tf.TensorSpec([1, size, size, channels // 2])).graph
        counted += sum(_convolution_flops(op) for op in graph.get_operations())
        parameters += network.count_params()
    assert flops.flops(job) == job.steps_per_level * counted
    assert flops.network_parameters(job) == job.steps_per_level * parameters


def _convolution_flops(op):
    if op.type != 'Conv2D':
        return 0
    height, width, inputs, _ = op.inputs[1].shape
    return 2 * height * width * inputs * int(np.prod(op.outputs[0].shape))


QUICK = ('tfp_glow', 'unrolled', 'normflows')  # The others differ in options, or take long.


@pytest.mark.parametrize('peer', [
    pytest.param(peer, marks=[pytest.mark.slow] * (peer not in QUICK))
    for peer in jobs.PEERS])
def test_peer_works_and_trains_every_weight(peer):
    need(peer)
    how = jobs.PEERS[peer]
    model = importlib.import_module(f'zoo.benchmarks.peer_{how.module}').build(
        tiny_job(peer), **{k: v for k, v in how.options.items() if k != 'towers'})
    before = [_copy(weight) for weight in model.weights]
    train = model.task('train')
    model.initialize('train')
    losses = [float(train()) for _ in range(4)]
    assert losses[-1] < losses[0]
    for old, weight in zip(before, model.weights):
        assert not np.array_equal(old, _copy(weight))
    assert model.task('log_prob')().shape == (2,)
    sample = model.task('sample')()
    assert sample.size == 2 * 8 * 8 * jobs.CHANNELS and np.all(np.isfinite(sample))


def _copy(weight):
    return (weight.detach() if hasattr(weight, 'detach') else weight).numpy().copy()


def test_peers_have_the_same_networks(monkeypatch, capsys):
    """A step also has actnorm's 2 C parameters and those of the 1x1 convolution."""
    for peer, mixing in (('tfp_glow', lambda c: 2 * c * c + c), ('tfb', lambda c: c * c),
                         ('normflows', lambda c: 2 * c * c + c)):
        need(peer)
        job = tiny_job(peer, 'log_prob')
        monkeypatch.setattr(sys, 'stdin', io.StringIO())  # It asks for no round.
        worker.main(job.arguments())
        report = json.loads(capsys.readouterr().out.splitlines()[-1])
        others = job.steps_per_level * sum(2 * c + mixing(c) for _, c in flops.level_shapes(job))
        assert report['parameters'] == flops.network_parameters(job) + others, peer


def test_slow_peer_is_given_up():
    measurement, = session.measure([tiny_job('tfp_glow')], rounds=1, timeout=.01, progress=print)
    assert measurement.failure == 'timed out after 0.01 s'
    assert 'timed out' in rows.table([rows.row(measurement)], {'peer': ('peer', '{}')})


def test_failing_peer_says_why():
    measurement, = session.measure([jobs.Job('nobody', 'train')], 1, 60, progress=print)
    assert "'nobody'" in measurement.failure
    assert not measurement.rounds


def test_ratios_pair_the_rounds():
    ours = _measured(tiny_job('tfp_glow'), [10., 20., 30.], first_seconds=2.)
    theirs = _measured(tiny_job('tfb'), [5., 5., 5.], first_seconds=12.)
    values = rows.row(theirs, ours, peak_gflops=1e-9 * 5 * flops.flops(theirs.job))
    assert values['speed_ratio'] == 4  # It is the median of 2, 4, 6.
    assert values['first_ratio'] == 6
    assert values['fraction_of_peak'] == pytest.approx(1)


class _measured:  # pylint: disable=invalid-name
    """Has what `session.Measurement` has once its process is gone."""
    failure = None

    def __init__(self, job, speeds, first_seconds):
        self.job = job
        self.first = {'first_seconds': first_seconds}
        self.rounds = [{'images_per_second': speed, 'other_cores': 0.} for speed in speeds]

    def per_round(self, key):
        return [report[key] for report in self.rounds]


def test_busy_machine_is_reported():
    assert rows.busy_warning([{'other_cores': 0.}, {'other_cores': None}, {}]) == ''
    assert '1.5 cores' in rows.busy_warning([{'other_cores': 1.5}])
    others = load.OtherLoad().cores()
    assert others is None or others >= 0


def test_peak_memory_sees_what_came_and_went():
    before = np.ones(40_000_000 // 8)
    del before  # A peak before the mark does not hide a smaller one after it.
    peak = memory.PeakMemory()
    block = np.ones(20_000_000 // 8)
    del block
    if peak.exact:
        assert 19 < peak.beyond_mb() < 30
    assert peak.peak_mb() > peak.beyond_mb() >= 0
