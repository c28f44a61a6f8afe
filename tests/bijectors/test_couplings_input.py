"""Errors name the input that a coupling and its split cannot work with."""

import numpy as np
import pytest
import tensorflow as tf

from tfp_glow import bijectors as tgb

splits = tgb.splits
ENTRIES = np.random.default_rng(2).random([2, 3, 2]) < .5


def ones(*shape):
    return tf.ones([1, *shape])


def through(split, *shape, conditioner=tf.identity, inner=None, event_ndims=3):
    coupling = tgb.Coupling(conditioner, inner or tgb.Additive(), split, event_ndims)
    return coupling.inverse(ones(*shape))


@pytest.mark.parametrize('make, message', [
    (lambda: splits.even_odd(2), 'parity must be 0 or 1; got parity=2'),
    (lambda: splits.checkerboard(-1), 'parity must be 0 or 1; got parity=-1'),
    (lambda: splits.mask([1, 0]), 'mask must be boolean; got dtype=int64'),
    (lambda: splits.mask([True, True]), 'False somewhere.*got True everywhere'),
    (lambda: splits.mask([[False], [False]]), 'True somewhere.*got False everywhere'),
    (lambda: tgb.Coupling(tf.identity, split=splits.mask([[True, False]]), event_ndims=1),
     r'at most the 1 dim.*shape=\(1, 2\)'),
    (lambda: tgb.Coupling(tf.identity, split=splits.checkerboard(), event_ndims=1),
     'event_ndims=3; got event_ndims=1'),
    (lambda: tgb.Coupling(tf.identity, event_ndims=0), 'event_ndims must be pos.*event_ndims=0'),
    (lambda: through(splits.mask(ENTRIES), 2, 3, 3),
     r'mask must broadcast.*\(2, 3, 3\); got shape=\(2, 3, 2\)'),
    (lambda: through(splits.checkerboard(), 1, 1, 1), 'False somewhere.*True everywhere'),
    (lambda: through(splits.checkerboard(halves=True), 2, 3, 1), 'width must be even.*got 3'),
    (lambda: through(splits.even_odd(), 1, event_ndims=1), r'2 channels.*\(1, 1\)'),
    (lambda: through(None, 2, 2, 4, inner=tgb.AffineInner()),
     'must give 4 channels, 2 for each of 2, as AffineInner wants; got 2'),
    (lambda: through(splits.checkerboard(), 2, 2, 1, inner=tgb.SplineInner(3)),
     'must give 8 channels, 8 for each of 1, as SplineInner wants; got 1'),
    (lambda: through(splits.mask(ENTRIES), 2, 3, 2, inner=tgb.MixtureCDFInner(1)),
     'must give 10 channels, 5 for each of 2, as MixtureCDFInner wants; got 2'),
    (lambda: through(splits.checkerboard(), 2, 2, 1, conditioner=lambda k: k[:, :1]),
     r'an output for each pixel, \(2, 2\); got shape=\(1, 1, 2, 1\)')])
def test_bad_input_is_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_mask_needs_a_known_shape():
    coupling = tgb.Coupling(tf.identity, tgb.Additive(), splits.mask([[[True]], [[False]]]))
    with pytest.raises(ValueError, match="needs to know the event's shape"):
        tf.function(coupling.inverse, [tf.TensorSpec([None, None, 2, 1])]).get_concrete_function()
