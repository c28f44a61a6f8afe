"""`tfb.Glow` and our bijectors with the same weights give the same numbers.

The tests match these parts of two levels of two steps each:

* the squeeze: `tfb.Glow` goes channel by channel, which is our order 'glow';
* actnorm: TFP computes scale * (y + m); ours is (y - shift) * exp(-log_scale);
* the 1x1 convolution: TFP computes W v for each pixel v, with W as lower_upper and permutation;
  ours is v @ W', with W' in the PLU form;
* the coupling: both have one network. TFP's gives [s, shift], ours gives [shift, s]. TFP computes
  scale * y2 + shift, ours (y2 + shift) * scale. Both have the scale sigmoid(s + 2);
* the exit of half of the channels: it is the same with the scale exp(s + 2);
* the latents: TFP has one vector. Each pixel of the coarsest image has its last latent first, then
  the squeezed latents that left before. Ours is a list.
"""

import numpy as np
import pytest
import scipy.linalg
import tensorflow as tf
from tensorflow_probability import bijectors as tfb

from tfp_glow import bijectors as tgb

RNG = np.random.default_rng(11)


class Network(tf.Module):
    """A convolution and tanh. `tfb.Glow` takes its dtype from the variables."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.kernel = tf.Variable(RNG.standard_normal([3, 3, inputs, outputs]) / 3)
        self.bias = tf.Variable(RNG.standard_normal(outputs))

    def __call__(self, kept):
        return tf.tanh(tf.nn.conv2d(kept, self.kernel, 1, 'SAME') + self.bias)


@pytest.fixture(scope='module')
def theirs():
    glow = tfb.Glow([8, 8, 1], num_glow_blocks=2, num_steps_per_block=2,
                    coupling_bijector_fn=lambda shape: Network(shape[-1], 2 * shape[-1]),
                    exit_bijector_fn=lambda shape, output_chan: Network(shape[-1], 2 * output_chan))
    for v in glow.variables:
        if 'lower_upper' in v.name:
            v.assign(np.eye(v.shape[0]) + .2 * RNG.standard_normal(v.shape))
        elif 'permutation' in v.name:
            v.assign(RNG.permutation(v.shape[0]))
        elif v.dtype == tf.bool:
            v.assign(True)  # The actnorms initialise themselves otherwise.
        else:
            v.assign_add(.3 * RNG.standard_normal(v.shape))
    return glow


def act_norm(theirs):
    return tgb.ActNorm(shift=-theirs._m, log_scale=-tf.math.log(tf.convert_to_tensor(theirs._s)))


def convolution(theirs):
    matrix = theirs.forward(tf.eye(theirs._bijector.permutation.shape[0], dtype=tf.float64)).numpy()
    permutation, lower, upper = scipy.linalg.lu(matrix)
    diagonal = np.diag(upper)
    return tgb.InvertibleConv1x1(permutation, lower, upper, np.sign(diagonal),
                                 np.log(np.abs(diagonal)))


def coupling(network, log_scale):
    def ours(kept):
        s, shift = tf.split(network(kept), 2, -1)
        return tf.concat([shift * tf.exp(-log_scale(s)), s], -1)
    return tgb.Coupling(ours, tgb.AffineInner(log_scale))


def level(block):
    """Returns our level for a `GlowBlock` of actnorm, convolution, coupling, ..., identity."""
    parts = [tgb.Squeeze(2, 'glow')]
    for actnorm, conv, real_nvp in zip(*[iter(block.bijectors[:-1])] * 3):
        parts += [act_norm(actnorm), convolution(conv.bijector),
                  coupling(real_nvp.coupling_bijector_layer, lambda s: tf.math.log_sigmoid(s + 2))]
    return tgb.Chain(parts)


@pytest.fixture(scope='module')
def ours(theirs):
    _, fine, exit_, _, coarse, *_ = theirs.bijectors
    return tgb.MultiScale([level(fine), level(coarse.bijectors[0])],
                          [coupling(exit_.bijector.exit_layer, lambda s: s + 2)])


def as_vector(latents):
    left, last = latents
    return tf.reshape(tf.concat([last, tgb.Squeeze(2, 'glow').inverse(left)], -1), [-1, 64])


def as_list(vector):
    last, left = tf.split(tf.reshape(vector, [-1, 2, 2, 16]), 2, -1)
    return [tgb.Squeeze(2, 'glow').forward(left), last]


def close(actual, expected):
    np.testing.assert_allclose(actual, expected, 1e-11, 1e-11)


def test_inverse(theirs, ours):
    y = RNG.standard_normal([3, 8, 8, 1])
    close(as_vector(ours.inverse(y)), theirs.inverse(y))
    log_det = ours.inverse_log_det_jacobian(y, 3)
    close(log_det, theirs.inverse_log_det_jacobian(tf.constant(y), 3))
    assert np.ptp(log_det) > 1  # The couplings' log-det depends on the image.


def test_forward(theirs, ours):
    vector = tf.constant(RNG.standard_normal([3, 64]))
    close(ours.forward(as_list(vector)), theirs.forward(vector))
    close(ours.forward_log_det_jacobian(as_list(vector), [3, 3]),
          theirs.forward_log_det_jacobian(tf.identity(vector), 1))
