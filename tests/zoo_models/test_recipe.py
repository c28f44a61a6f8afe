"""The hyper-parameters of training: what they do to the learning rate, and their ranges."""

import dataclasses
import types

import numpy as np
import pytest

from zoo.cli import errors
from zoo.models import recipe, registry
from zoo.runs import optimizer as optimizers
from zoo.runs import run as runs


def run_with(**training):
    chosen = registry.recipe('glow', None, 'digits')
    return runs.Run('glow', 'digits', chosen.name, False, None, chosen.config,
                    dataclasses.replace(chosen.training, **training))


def test_learning_rates():
    """Linear over the warm-up, then constant, times a factor for each epoch that is over."""
    training = run_with(learning_rate=.5, schedule='constant', warmup_epochs=2., epochs=5,
                        decay=.9).training
    optimizer = optimizers.make(training, steps_per_epoch=10)
    steps = np.arange(50)
    optimizer.build([])
    found = []
    for step in steps:
        optimizer.iterations.assign(step)
        found.append(float(optimizer.learning_rate))
    np.testing.assert_allclose(
        found, .5 * np.minimum(steps / 20, 1) * .9**(steps // 10), rtol=1e-5)


@pytest.mark.parametrize('values, message', [
    ({'decay': 0.}, r'--decay must be in \(0, 1\]; got 0.0'),
    ({'decay': 1.1}, r'--decay must be in \(0, 1\]; got 1.1'),
    ({'shifts': 1.}, r'--shifts must be in \[0, 1\); got 1.0'),
    ({'ema': -1.}, r'--ema must be in \[0, 1\); got -1.0')])
def test_values_out_of_range_are_refused(values, message):
    with pytest.raises(errors.UsageError, match=message):
        recipe.Training(**values)


@pytest.mark.parametrize('flag, value', [('shifts', .1), ('upside_down', True)])
def test_vectors_are_not_moved(flag, value):
    chosen = registry.recipe('maf', None, 'moons', vectors=True)
    moved = dataclasses.replace(chosen.training, **{flag: value})
    with pytest.raises(errors.UsageError,
                       match=f'--{flag} must be left out for vectors; got {value}'):
        runs.Run('maf', 'moons', chosen.name, False, None, chosen.config, moved).load_data()


def test_fewer_bits():
    """The lowest of each channel go, and the model has as many levels fewer."""
    run = run_with(bits=5)
    np.testing.assert_array_equal(run.prepare(np.array([0, 7, 8, 255])), [0, 0, 1, 31])
    images, labels = run.prepare(np.array([9]), np.array([9]))
    assert images == 1 and labels == 9
    data = types.SimpleNamespace(event_shape=(4, 4, 1), bins=256, num_classes=None, dims=16,
                                 sizes={'train': 64}, steps_per_epoch=lambda batch: 1)
    run = dataclasses.replace(run, config=dataclasses.replace(
        run.config, levels=1, steps_per_level=1, width=4))
    assert run.build(data).bins == 32
