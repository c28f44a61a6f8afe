"""The benchmark of the three tasks tells parallel from serial and runs what it says."""

import json
import subprocess
import sys

import catalogue
import numpy as np
import pytest
import tensorflow as tf
import tiny_run

from zoo.benchmarks import chain, tasks

MODELS = ('NICE', 'RealNVP', 'Glow', 'MAF', 'IAF')
SERIAL = {('MAF', 'sampling'), ('IAF', 'inference'), ('IAF', 'density')}
PNG = b'\x89PNG\r\n\x1a\n'


def run(*flags):
    return subprocess.run([sys.executable, '-m', 'zoo.benchmark', '--tasks', *flags],
                          capture_output=True, text=True, timeout=600, check=False)


@pytest.fixture(scope='module')
def measured(tmp_path_factory):
    """Returns `(standard output, report, plot)` of a tiny run."""
    folder = tmp_path_factory.mktemp('tasks')
    result = tiny_run.finish(
        'benchmark', '--tasks', '--task_sizes=4,2', '--levels=1', '--steps_per_level=1',
        '--width=8', '--batch=2', '--rounds=1', '--seconds=.001',
        f'--out={folder / "tasks.json"}', f'--plot={folder / "tasks.png"}')
    assert result.returncode == 0, result.stderr
    return result.stdout, json.loads((folder / 'tasks.json').read_text()), folder / 'tasks.png'


@pytest.mark.slow
def test_verdicts_are_those_of_the_papers(measured):
    _, report, _ = measured
    assert [(row['model'], row['task']) for row in report['rows']] == [
        (model, task) for model in MODELS for task in ('inference', 'sampling', 'density')]
    for row in report['rows']:
        serial = (row['model'], row['task']) in SERIAL
        assert row['verdict'] == ('serial' if serial else 'parallel')
        few, many = row['chains']  # They have 4 and 16 dimensions.
        assert (3 * few < many < 4 * few) if serial else few == many


@pytest.mark.slow
def test_table_and_plot(measured):
    text, report, plot = measured
    assert report['dimensions'] == [4, 16]
    assert plot.read_bytes().startswith(PNG)
    for row in report['rows']:
        line = next(line for line in text.splitlines()
                    if line.split()[:2] == [row['model'], row['task']])
        few, many = row['milliseconds']
        assert min(few, many) > 0
        assert row['time_slope'] == pytest.approx(np.log(many / few) / np.log(4))
        assert line.split()[2:] == [
            f'{few:.2f}', 'ms', f'{many:.2f}', 'ms', f'D^{row["time_slope"]:.2f}',
            str(row['chains'][0]), '..', str(row['chains'][1]), row['verdict']]


@pytest.mark.slow
def test_the_figure_dashes_what_is_serial(measured):
    _, report, _ = measured
    panels = tasks.figure(report).axes
    assert [panel.get_title().split(':')[0] for panel in panels] == list(tasks.TASKS)
    for panel, task in zip(panels, tasks.TASKS):
        assert [line.get_label() for line in panel.lines] == list(MODELS)
        for line in panel.lines:
            assert (line.get_linestyle() == '--') == ((line.get_label(), task) in SERIAL)
            row = next(row for row in report['rows']
                       if (row['model'], row['task']) == (line.get_label(), task))
            assert list(line.get_xdata()) == [4, 16]
            assert list(line.get_ydata()) == row['milliseconds']


def test_the_tasks_are_what_they_are_called(assert_close):
    flow = catalogue.perturb(tasks.MODELS['NICE']((2, 2, 1), 1, 2, 8), 0, scale=.1)
    functions = tasks.functions(flow, 3)
    (inference, x), (sampling, z), (density, _) = functions.values()
    latent = inference(x)
    assert_close(sampling(latent), x, 1e-4)
    assert_close(inference(sampling(z)), z, 1e-4)
    assert np.ptp(sampling(z) - x) > .1
    log_det = flow.bijector.inverse_log_det_jacobian(tf.identity(x))
    assert_close(density(x), flow.distribution.log_prob(latent) + log_det)


def length(call, *arguments):
    return chain.longest_chain(tf.function(call, autograph=False).get_concrete_function(*arguments))


def sines(x, times):
    for _ in range(times):
        x = tf.sin(x)
    return x


def repeated(x, times, each):
    return tf.while_loop(lambda i, _: i < times, lambda i, x: (i + 1, sines(x, each)),
                         (tf.constant(0), x), maximum_iterations=times)[1]


X = tf.constant(.5)


def test_a_chain_is_the_longest_and_not_the_sum():
    none = length(lambda x: x, X)
    assert length(lambda x: sines(x, 5), X) == none + 5
    assert length(lambda x: sines(x, 5) + sines(x, 3), X) == none + 6
    unused = length(lambda x: (sines(x, 9), sines(x, 2))[1], X)
    assert unused == none + 2


def test_a_loop_counts_by_its_iterations():
    once, twice = (length(lambda x, n=n: repeated(x, n, 3), X) for n in (1, 2))
    assert twice - once >= 3  # It adds the body and what passes its values on.
    assert length(lambda x: repeated(x, 11, 3), X) == once + 10 * (twice - once)
    assert length(lambda x: repeated(x, 11, 5), X) == once + 10 * (twice - once) + 11 * 2


def test_what_functions_hold_counts_wherever_they_are_called():
    inner = tf.function(lambda x: sines(x, 5), autograph=False)
    plain = length(lambda x: sines(x, 5), X)
    assert length(lambda x: inner(x), X) == plain + 1  # An Identity returns the function's value.
    assert length(lambda x: inner(inner(x)), X) == plain + 1 + 6

    def branches(x, longer):
        return tf.cond(x > 0, lambda: sines(x, 2), lambda: sines(x, longer))
    assert length(lambda x: branches(x, 9), X) == length(lambda x: branches(x, 2), X) + 7


def test_a_loop_of_unknown_length_is_refused():
    def call(x):
        return tf.while_loop(lambda x: x < 9, lambda x: [x + 1], [x])[0]
    with pytest.raises(ValueError, match='maximum_iterations of the loop while must be a constant'):
        length(call, X)


def test_slow_growth_is_no_serial_pass():
    assert tasks.verdict([16, 64, 256], [90, 90, 90]) == 'parallel'
    assert tasks.verdict([16, 64, 256], [90, 92, 94]) == 'parallel'
    assert tasks.verdict([16, 64, 256], [490, 1690, 6490]) == 'serial'


@pytest.mark.parametrize('flag, message', [
    ('--serial', '--serial must be given alone; got --tasks as well.'),
    ('--size=8', '--size must be left out with --tasks; got 8.'),
    ('--task_sizes=8', '--task_sizes must be 2 or more different integers with commas between, '
     "each a positive multiple of 2**levels = 4; got '8'."),
    ('--task_sizes=4,6', "= 4; got '4,6'."),
    ('--task_sizes=0,x,4,8', '--task_sizes must be numbers with commas between, each of which '
     "must be at least 1; got '0,x,4,8'."),
    ('--plot=no_such_folder/a.png', '--plot must be in a folder that is there'),
])
def test_bad_flags(flag, message):
    result = run(flag)
    assert result.returncode == 2
    line, = result.stderr.strip().splitlines()
    assert message in line
