"""The hyper-parameters of training: what they do to the learning rate, and their ranges."""

import dataclasses

import numpy as np
import pytest

from zoo import errors, recipe, registry, runs


def run_with(**training):
    name, config, plain = registry.recipe('glow', None, 'digits')
    return runs.Run('glow', 'digits', name, False, None, config,
                    dataclasses.replace(plain, **training))


def test_learning_rates():
    """Linear over the warm-up, then constant, times a factor for each epoch that is over."""
    optimizer = run_with(learning_rate=.5, schedule='constant', warmup_epochs=2., epochs=5,
                         decay=.9)._optimizer(steps_per_epoch=10)
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
        recipe.Training(**values).check()


def test_vectors_are_not_moved():
    name, config, training = registry.recipe('maf', None, 'moons')
    moved = dataclasses.replace(training, shifts=.1)
    with pytest.raises(errors.UsageError, match='--shifts must be left out for vectors; got 0.1'):
        runs.Run('maf', 'moons', name, False, None, config, moved).load_data()
