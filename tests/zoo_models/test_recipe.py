"""Tests the hyper-parameters of training: what they do to the learning rate, and their ranges."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from zoo.cli import errors
from zoo.data import image_data
from zoo.models import recipe, registry
from zoo.runs import optimizer as optimizers
from zoo.runs import run as runs


def run_with(**training):
    chosen = registry.recipe('glow', None, 'digits')
    return runs.Run('glow', 'digits', chosen.name, False, None, chosen.config,
                    dataclasses.replace(chosen.training, **training))


def test_learning_rates():
    """The rate is linear over the warm-up, then constant, times a factor for each past epoch."""
    training = run_with(learning_rate=.5, schedule='constant', warmup_epochs=2., epochs=5,
                        decay=.9).training
    optimizer = optimizers.make(training, steps_per_epoch=10)
    steps = np.arange(50)
    optimizer.build([])
    rates = []
    for step in steps:
        optimizer.iterations.assign(step)
        rates.append(float(optimizer.learning_rate))
    np.testing.assert_allclose(
        rates, .5 * np.minimum(steps / 20, 1) * .9**(steps // 10), rtol=1e-5)


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


class Levels:
    """Reads four images, each of one grey level, with labels."""

    def in_order(self, batch_size, limit):
        images = np.array([0, 7, 8, 255], np.uint8)[:, np.newaxis, np.newaxis, np.newaxis]
        images = np.broadcast_to(images, [4, 4, 4, 1])
        return tf.data.Dataset.from_tensor_slices((images, [9] * 4)).take(limit).batch(batch_size)


def test_fewer_bits():
    """The lowest bits of each channel are dropped, and the model has fewer levels."""
    tiny = image_data.ImageData(
        name='tiny', image_shape=(4, 4, 1), original_shape=(4, 4, 1), bins=32, num_classes=10,
        sizes={'train': 4}, splits={'train': 'train'}, flips=False, readers={'train': Levels()},
        bits=5)
    np.testing.assert_array_equal(tiny.keep_bits(np.array([0, 7, 8, 255])), [0, 0, 1, 31])
    images, labels = next(tiny.evaluation('train', 4, labels=True).as_numpy_iterator())
    assert images.dtype == np.uint8 and list(labels) == [9, 9, 9, 9]
    np.testing.assert_array_equal(images[:, 0, 0, 0], [0, 0, 1, 31])
    np.testing.assert_array_equal(tiny.take('train', 4), images)
    run = run_with(bits=5, batch_size=4)
    run = dataclasses.replace(run, config=dataclasses.replace(
        run.config, levels=1, steps_per_level=1, width=4))
    assert run.build(tiny).bins == 32
