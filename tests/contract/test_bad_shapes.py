"""Errors for shapes, dtypes and parts that do not fit give name, rule and value."""

import numpy as np
import pytest
import tensorflow as tf

import tfp_glow
from tfp_glow import bijectors as tgb

PLU = {name: tf.constant(value) for name, value in tgb.plu_parameters(2, 0).items()}


@pytest.fixture(scope='module')
def flow():
    return tfp_glow.flows.glow((8, 8, 1), levels=1, steps_per_level=1, width=4)


@pytest.mark.parametrize('shape', [(2, 2, 2, 1), (2, 16, 16, 1), (4, 8, 1), (2, 8, 8, 3)])
def test_a_flow_refuses_other_images(flow, shape):
    """The smallest of them would broadcast in the base and give a wrong number."""
    with pytest.raises(ValueError, match=r'y must have the event shape \(8, 8, 1\) of glow; '
                                         rf'got event_shape=\({str(shape[-3:])[1:-1]}\)'):
        flow.log_prob(tf.zeros(shape))


@pytest.mark.parametrize('call, message', [
    (lambda f: f.log_prob(tf.zeros([2, 8, 8, 1], tf.uint8)), 'y: .*float32 .* dtype uint8'),
    (lambda f: f.log_prob(tf.zeros([2, 8, 8, 1], tf.float64)), 'y: .*float32 .* dtype float64'),
    (lambda f: f.log_prob(tf.zeros([8, 8])), r'at least 3 dimensions; got shape=\(8, 8\)'),
    (lambda f: f.bijector.forward([tf.zeros([1, 2, 2, 4])]),
     r'the image of x must have the event shape \(8, 8, 1\) .*\(4, 4, 1\)')])
def test_a_flow_names_what_is_wrong(flow, call, message):
    with pytest.raises(ValueError, match=message):
        call(flow)


TWO = tgb.MultiScale([tgb.Squeeze(2), tgb.Squeeze(2)])


def test_unknown_channels_of_a_multi_scale():
    assert [s.as_list() for s in TWO.inverse_event_shape([8, 4, None])] == [
        [4, 2, None], [2, 1, None]]
    assert [s.as_list() for s in TWO.inverse_event_shape(None)] == [[None] * 3] * 2


def images(*shape):
    return tf.zeros([1, *shape])


def unbuilt():
    from keras import layers
    return layers.Dense(2, name='forgotten')


@pytest.mark.parametrize('make, message', [
    (lambda: TWO.forward([images(4, 4, 2), tf.zeros([2, 2, 2, 8])]),
     r'parts of the input must have one batch shape, \(1,\); got shape=\(2, 2, 2, 8\)'),
    (lambda: TWO.forward([images(2, 4, 2), images(2, 2, 8)]), r'x must hold .*; got .*, 2, 4, 2\)'),
    (lambda: TWO.forward([images(4, 4, 5), images(2, 2, 8)]), r'x must hold .*; got .*, 4, 4, 5\)'),
    (lambda: TWO.forward([images(4, 4, 2), tf.zeros([1, 2, 2, 8], tf.float64)]),
     'one floating dtype; got dtype=float32, float64'),
    (lambda: TWO.forward([images(4, 4, 2)]), 'sequence length'),
    (lambda: TWO.inverse_event_shape([8, 8]), r'\(8, 8\) must have rank 3'),
    (lambda: tgb.MultiScale([tgb.Squeeze()], event_shape=[8, 8]), r'\(8, 8\) must have rank 3'),
    (lambda: tgb.ActNorm([0., 1.], [0.]), r'log_scale must have 2 entries, as shift; .*\(1,\)'),
    (lambda: tgb.ActNorm(np.zeros(1), [0.]), 'one floating dtype; got shift=float64, .*float32'),
    (lambda: tgb.InvertibleConv1x1(**{**PLU, 'sign': [1.]}), r'sign must have 2 .*\(1,\)'),
    (lambda: tgb.InvertibleConv1x1(**{**PLU, 'upper': [[1.]]}), r'upper must be a .*\(1, 1\)'),
    (lambda: tgb.InvertibleConv1x1(**{**PLU, 'permutation': [0., 1.]}), r'permutation must .*\(2'),
    (lambda: tgb.DenseConv1x1(3.), r'kernel must be a square matrix .*shape=\(\)'),
    (lambda: tgb.DenseConv1x1(tf.eye(2, dtype=tf.int32)), 'floating dtype; got kernel=int32'),
    (lambda: tgb.Shuffle([0., 1.]), 'permutation must hold integers; got dtype=float32'),
    (lambda: tgb.Chain([tgb.Reverse(2), tgb.Reverse(2, tf.float64)]),
     r'parts must have one dtype; got parts\[0\]=float32, parts\[1\]=float64'),
    (lambda: tgb.MultiScale([tgb.Squeeze(), tgb.Reverse(2)], [tgb.Reverse(2, tf.float64)]),
     r'levels and exits must have one dtype; got levels\[1\]=float32, exits\[0\]=float64'),
    (lambda: tgb.Chain([tgb.Reverse(4), tgb.ActNorm([0., 1., 2.], [0., 0., 0.])]),
     'parts must have one number of channels where they are neighbours; got 3, 4'),
    (lambda: tgb.Chain([tf.sin]), 'each of parts must be a bijector; got function'),
    (lambda: tgb.Reversible(tf.sin), 'bijector must be a bijector; got function'),
    (lambda: tgb.Flattened(tf.sin, [2]), 'bijector must be a bijector; got function'),
    (lambda: tgb.MultiScale([5]), 'each of levels must be a bijector; got int'),
    (lambda: tgb.MultiScale([tgb.Squeeze()] * 2, [5]), 'each of exits must be a bijector; got int'),
    (lambda: tgb.Repeat(tf.sin, tf.ones([2]), 2),
     'what make_step returns must be a bijector; got EagerTensor'),
    (lambda: tgb.Repeat(lambda p: tgb.Squeeze(2), tf.ones([2]), 2).inverse(images(4, 4, 1)),
     r'make_step returns must keep the shape .*, \(1, 4, 4, 1\); got shape=\(1, 2, 2, 4\)'),
    (lambda: tgb.Coupling(tf.sin, split=tgb.splits.mask([True, False, True])).inverse(
        images(2, 2, 2)), r'mask must broadcast to the event, \(2, 2, 2\); got shape=\(3,\)'),
    (lambda: tgb.Coupling(tf.sin, split=tgb.splits.mask([True, False]), event_ndims=1).inverse(
        tf.zeros([1, 3])), r'mask must broadcast to the event, \(3,\); got shape=\(2,\)'),
    (lambda: tgb.splits.mask(np.zeros([2, 2, 1], bool)), 'True somewhere.*; got False everywhere'),
    (lambda: tgb.splits.mask(np.ones([2, 2, 1], bool)), 'False somewhere.*; got True everywhere'),
    (lambda: tgb.splits.mask([1., 0.]), 'mask must be boolean; got dtype=float64'),
    (lambda: tgb.Coupling(tf.sin, tgb.Additive()).inverse(images(2, 2, 3)),
     r'conditioner must give 1 channels, 1 for each of 1, as Additive wants; got 2'),
    (lambda: tgb.Coupling(tf.sin).inverse(images(2, 2, 2)), 'must give 2 channels.*; got 1'),
    (lambda: tgb.Coupling(lambda y1: y1[:, :2], tgb.Additive()).inverse(images(4, 4, 2)),
     r'output for each pixel.* \(1, 4, 4, 1\); got shape=\(1, 2, 4, 1\)'),
    (lambda: tgb.MaskedAutoregressive(lambda y: y[..., None]).inverse(tf.zeros([1, 2])),
     r'network must return the shape \[batch, 2, 2\].*; got shape=\(1, 2, 1\)'),
    (lambda: tgb.Conditioned(lambda c: c).inverse(images(1, 1, 1), condition=images(2, 2, 2)),
     r'broadcasts to the input, of shape=\(1, 1, 1, 1\); got shape=\(1, 2, 2, 1\)'),
    (lambda: tgb.Coupling(unbuilt()), "conditioner must be built .*'forgotten' is not"),
    (lambda: tgb.Conditioned(unbuilt()), "conditioner must be built .*'forgotten' is not"),
    (lambda: tgb.MaskedAutoregressive(unbuilt()), "network must be built .*'forgotten' is not"),
    (lambda: tgb.InverseAutoregressive(5), 'network must be callable; got int')])
def test_what_does_not_fit_is_named(make, message):
    with pytest.raises((ValueError, TypeError), match=message):
        make()
