"""Errors name the input that MAF and IAF cannot work with."""

import pytest
import tensorflow as tf

from tfp_glow import bijectors as tgb
from tfp_glow import networks


def made(outputs=2):
    return networks.made(4, outputs, hidden=[8, 8], activation='tanh', dtype='float64')


class Described:
    """A network with the attributes that it is given."""

    def __init__(self, **attributes):
        vars(self).update(attributes)

    def __call__(self, y):
        return tf.zeros([*y.shape, 2])


@pytest.mark.parametrize('make, message', [
    (lambda: tgb.MaskedAutoregressive(made(3)),
     'network must have the 2 outputs per dimension that inner takes; got outputs_per_dim=3'),
    (lambda: tgb.InverseAutoregressive(made(2), tgb.Additive()), 'the 1 outputs per dimension'),
    (lambda: tgb.MaskedAutoregressive(networks.MaskedDenseNetwork(4, 2)), 'must be built'),
    (lambda: tgb.MaskedAutoregressive(made(), event_ndims=3),
     r'event_ndims must be .* got event_ndims=3, event_shape=\(4,\)'),
    (lambda: tgb.MaskedAutoregressive(Described(), event_ndims=0), 'got event_ndims=0'),
    (lambda: tgb.MaskedAutoregressive(Described(order=[0, 2])),
     r'order of the network must hold each of 0 .. 1 once; got order=\[0, 2\]'),
    (lambda: tgb.MaskedAutoregressive(Described(order=[0, 1], event_shape=(3,))),
     r'each of 0 .. 2 once; got order=\[0, 1\]'),
    (lambda: tgb.MaskedAutoregressive(made()).inverse(tf.zeros([2, 5], tf.float64)),
     r'masked_autoregressive: the event must have the shape \(4,\) .* got event_shape=\(5,\)'),
    (lambda: tgb.InverseAutoregressive(made()).inverse(tf.zeros([2, 5], tf.float64)),
     r'inverse_autoregressive: the event must have the shape \(4,\) .* got event_shape=\(5,\)'),
    (lambda: tgb.MaskedAutoregressive(Described(order=[1, 0])).forward(tf.zeros([2, 3])),
     r'the event must have 2 dimensions, .* got event_shape=\(3,\)'),
    (lambda: tgb.MaskedAutoregressive(lambda y: y).inverse(tf.zeros([2, 3])),
     r'network must return the shape \[batch, 3, 2\], .* got shape=\(2, 3\)'),
    (lambda: tgb.MaskedAutoregressive(Described(), tgb.Additive()).forward(tf.zeros([2, 3])),
     r'network must return the shape \[batch, 3, 1\], .* got shape=\(2, 3, 2\)'),
    (lambda: tgb.MaskedAutoregressive(Described(), lambda raw: tgb.Reverse(1)).inverse(
        tf.zeros([2, 3])),
     'inner must return an elementwise bijector.*got one with 3')])
def test_bad_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
