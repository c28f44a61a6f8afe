"""The benchmark of the input pipeline counts what waits, and nothing else, and says so."""

import itertools
import json

import pytest
import tiny_run

from zoo.benchmarks import input_pipeline
from zoo.data import dataset_names, splits


class Clock:
    """A clock that only those advance who are said to take time."""

    def __init__(self):
        self.now = 0.

    def __call__(self):
        return self.now

    def batches(self, seconds):
        """Yields batches that take so many seconds each, but those that were ready none."""
        for number in itertools.count():
            self.now += seconds if number >= splits.MOST_AHEAD else 0.
            yield number

    def step(self, batch):
        self.now += .75


def measured(wait, rounds=1):
    clock = Clock()
    return input_pipeline.measure(clock.batches(wait), 'x', clock.step, 64, rounds, 10.,
                                  lambda text: None, clock)


def test_the_share_is_that_of_the_wait():
    """Batches that were ready before a turn do not count."""
    pipeline, constant = measured(.25)
    assert pipeline['share'] == pytest.approx(.25)
    assert pipeline['wait_milliseconds'] == pytest.approx(250)
    assert pipeline['longest_wait_milliseconds'] == pytest.approx(250)
    assert (pipeline['milliseconds'], pipeline['examples_per_second']) == pytest.approx((1000, 64))
    assert (constant['milliseconds'], constant['steps']) == (pytest.approx(750), 14)
    assert 'share' not in constant
    assert pipeline['steps'] == 10 and measured(0., rounds=2)[0]['share'] == 0.


@pytest.mark.parametrize('wait, alone, words', [
    (0., .1, None), (.25, 2., 'the pipeline alone is slower than the model'),
    (.25, .1, 'the pipeline alone is faster than the model')])
def test_the_report_says_why(wait, alone, words):
    table = measured(wait)
    last = {'what': 'the pipeline alone', 'milliseconds': 1e3 * alone, 'steps': 3,
            'examples_per_second': 64 / alone, 'wait_milliseconds': 1., 'other_cores': 0.,
            'longest_wait_milliseconds': 1.}
    text = input_pipeline.text(
        {'rows': [*table, last], 'share': table[0]['share'], 'first_seconds': 1.5})
    assert f'{100 * wait:.2f}% of a training step waits for data; the goal is at most 3%' in text
    assert (words or 'the first batch came after 1.5 s') in text
    assert ('than the model' in text) == (words is not None)


def test_table_and_json(tmp_path):
    out = tmp_path / 'figures.json'
    done = tiny_run.finish('benchmark', '--input', '--model=made', '--dataset=moons',
                           '--rounds=1', '--seconds=.05', f'--out={out}')
    assert done.returncode == 0, done.stderr
    report = json.loads(out.read_text())
    assert (report['model'], report['recipe'], report['dataset']) == ('made', 'vectors', 'moons')
    assert [row['what'] for row in report['rows']] == [
        'training on the pipeline', 'training on one batch again', 'the pipeline alone']
    assert 0 < report['share'] < 1 and report['share'] == report['rows'][0]['share']
    assert report['rows'][2]['steps'] == 50_000 // report['batch']
    for row in report['rows']:
        assert f'{row["milliseconds"]:.1f} ms' in done.stdout
    assert f'{report["share"]:.2%} of a training step waits for data' in done.stdout


def test_the_default_is_fashion_mnist_where_it_is(tmp_path, monkeypatch):
    monkeypatch.setenv('TFDS_DATA_DIR', str(tmp_path / 'a'))
    monkeypatch.setenv('HOME', str(tmp_path))
    assert dataset_names.default(None) == 'digits'
    (tmp_path / 'a' / 'fashion_mnist').mkdir(parents=True)
    assert dataset_names.default(None) == 'fashion_mnist'
    assert dataset_names.default(str(tmp_path / 'b')) == 'digits'


@pytest.mark.parametrize('flags, words', [
    (['--model=glwo'], "--model must be one of conv_vae"),
    (['--dataset=moons'], "--dataset must be one of images for --model=glow; got 'moons'."),
    (['--dataset=digit'], "Did you mean 'digits'?"),
    (['--width=3'], '--width must be left out with --input; got 3.'),
    (['--serial'], '--serial must be given alone; got --input as well.')])
def test_mistakes_are_one_line(flags, words):
    done = tiny_run.finish('benchmark', '--input', *flags)
    assert done.returncode == 2 and words in done.stderr and done.stderr.count('\n') == 1


def test_flags_of_input_need_it():
    done = tiny_run.finish('benchmark', '--serial', '--model=glow')
    assert '--model must be left out with --serial' in done.stderr and done.returncode == 2
