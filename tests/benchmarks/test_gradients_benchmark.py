"""The benchmark of gradients covers the library, sees a wrong gradient and says so."""

import json

import pytest
import tensorflow as tf
import tiny_run

from tfp_glow import bijectors as tgb
from zoo.benchmarks import gradients
from zoo.cli import errors

# They are containers, have no parameters that are trained, or change the shape.
LEFT_OUT = {tgb.Chain, tgb.MultiScale, tgb.Repeat, tgb.Reversible, tgb.Flattened, tgb.Conditioned,
            tgb.Reverse, tgb.Shuffle, tgb.Squeeze, tgb.Logit, tgb.Whitening, tgb.IntegerCoupling}


def test_all_bijectors_with_parameters_are_compared():
    compared = set()
    for kind in gradients.KINDS.values():
        start = {name: tf.constant(value) for name, value in kind.start(0).items()}
        compared.add(type(kind.make(start)))
    classes = {v for v in vars(tgb).values()
               if isinstance(v, type) and issubclass(v, tgb.OnePassBijector)}
    assert compared == classes - LEFT_OUT - {tgb.OnePassBijector}


def test_table_and_json(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(gradients, 'KINDS', {'few': gradients.KINDS['Coupling, affine']})
    with tiny_run.program('benchmark') as benchmark:
        benchmark(gradients=True, steps_per_level=3, out=tmp_path / 'figures.json')
    report = json.loads((tmp_path / 'figures.json').read_text())
    row, = report['rows']
    assert report['steps_per_level'] == 3 and row['bijector'] == 'few'
    assert 0 < row['Repeat float32'] < 1e-6 and row['Reversible float64'] < 1e-14
    printed = capsys.readouterr().out
    assert 'Reversible float32' in printed and 'beyond' not in printed


def test_a_wrong_gradient_fails(monkeypatch, capsys):
    """The inverse of the step does not rebuild its input."""
    class Wrong(tgb.ShiftScale):
        def _forward_and_log_det(self, x):
            y, log_det = super()._forward_and_log_det(x)
            return y * (1 + 1e-3), log_det
    kind = gradients.KINDS['ShiftScale']
    monkeypatch.setattr(gradients, 'KINDS', {'wrong': kind._replace(make=lambda p: Wrong(**p))})
    with tiny_run.program('benchmark') as benchmark, pytest.raises(errors.Failure, match='beyond'):
        benchmark(gradients=True, steps_per_level=2)
    printed = capsys.readouterr().out
    for of in ('Repeat', 'Reversible'):
        for dtype in ('float32', 'float64'):
            assert f'wrong in {of} {dtype}: ' in printed


def test_bad_flags():
    result = tiny_run.finish('benchmark', '--gradients', '--peers=tfb')
    assert result.returncode == 2
    assert '--peers must be left out with --gradients' in result.stderr
