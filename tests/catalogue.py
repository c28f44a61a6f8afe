"""Every bijector of the library, one line each: name -> (bijector, event shape of its data)."""

import zlib

import numpy as np
import tensorflow as tf
from tensorflow_probability import bijectors as tfb

import tfp_glow
from tfp_glow import bijectors as tgb

DTYPE = tf.float64  # So that Jacobians and round trips can be compared to many digits.


def variable(*shape):
    return tf.Variable(np.zeros(shape), dtype=DTYPE)


def plu(channels, seed=1):
    values = tgb.plu_parameters(channels, seed, np.float64)
    return {name: tf.Variable(value, trainable=name not in ('permutation', 'sign'))
            for name, value in values.items()}


def network(input_shape, outputs, **options):
    return tfp_glow.networks.conv_network(
        input_shape, outputs, width=4, dtype=DTYPE.name, **options)


def dense(inputs, outputs):
    """A conditioner that is no Keras network: a module with two variables."""
    class Dense(tf.Module):
        def __init__(self):
            super().__init__()
            self.kernel, self.bias = variable(inputs, outputs), variable(outputs)

        def __call__(self, kept):
            return tf.tanh(tf.linalg.matvec(self.kernel, kept, transpose_a=True) + self.bias)
    return Dense()


def affine(scale_map=None, inputs=2, outputs=4):
    return tgb.Coupling(dense(inputs, outputs), tgb.AffineInner(scale_map))


def stacked(times=3, reversible=True, channels=4):
    """A `Repeat` written by hand: actnorm, a permutation and a linear additive coupling."""
    params = {'shift': variable(times, channels), 'log_scale': variable(times, channels),
              'kernel': variable(times, channels // 2, channels // 2)}

    def make_step(p):
        return tgb.Chain([
            tgb.ActNorm(p['shift'], p['log_scale']), tgb.Reverse(channels, DTYPE),
            tgb.Coupling(lambda kept: tf.tanh(kept @ p['kernel']), tgb.Additive())])
    return tgb.Repeat(make_step, params, times, reversible)


def glow(event_shape=(4, 4, 1), **options):
    options = dict({'levels': 2, 'steps_per_level': 2, 'width': 4, 'dtype': DTYPE}, **options)
    return tfp_glow.flows.glow(event_shape, **options)


def bound_tfp_step(p):
    """A step whose coupling has a TFP bijector inside, with a constant log-det."""
    return tgb.Coupling(lambda kept: kept * p, tfb.Shift)


CATALOGUE = {
    'act_norm': lambda: (tgb.ActNorm(variable(3), variable(3)), (2, 3, 3)),
    'conv1x1': lambda: (tgb.InvertibleConv1x1(**plu(3)), (2, 2, 3)),
    'dense_conv1x1': lambda: (tgb.DenseConv1x1(tf.Variable(tgb.rotation(3, 1))), (2, 2, 3)),
    'shuffle': lambda: (tgb.Shuffle([2, 0, 3, 1], DTYPE), (2, 1, 4)),
    'reverse': lambda: (tgb.Reverse(3, DTYPE), (1, 2, 3)),
    'squeeze': lambda: (tgb.Squeeze(2), (4, 2, 2)),
    'squeeze_3': lambda: (tgb.Squeeze(3), (3, 6, 1)),
    'shift_scale': lambda: (tgb.ShiftScale(tf.constant(.3, DTYPE), tf.constant(-.2, DTYPE)), (2,)),
    'shift': lambda: (tgb.ShiftScale(tf.constant(.3, DTYPE)), ()),
    'additive': lambda: (tgb.Coupling(dense(2, 2), tgb.Additive()), (2, 2, 4)),
    'affine': lambda: (affine(), (2, 2, 4)),
    'affine_odd': lambda: (affine(outputs=2), (2, 2, 3)),
    'affine_floor': lambda: (affine(tgb.scale_maps.sigmoid(minimum=.2, maximum=2.)), (1, 2, 4)),
    'affine_exp': lambda: (affine(tgb.scale_maps.exponential()), (1, 2, 4)),
    'affine_bounded': lambda: (affine(tgb.scale_maps.exponential(bound=.5)), (1, 2, 4)),
    'coupling_keras': lambda: (tgb.Coupling(network((4, 3, 1), 2)), (4, 3, 2)),
    'coupling_plain': lambda: (tgb.Coupling(network(
        (2, 2, 1), 2, act_norm=False, edge_indicator=False)), (2, 2, 2)),
    'coupling_position': lambda: (tgb.Coupling(network(
        (2, 2, 1), 2, position_bias=True)), (2, 2, 2)),
    'coupling_tfp': lambda: (tgb.Coupling(dense(1, 1), tfb.Shift), (2, 2, 2)),
    'chain': lambda: (tgb.Chain([
        tgb.Squeeze(2), tgb.ActNorm(variable(4), variable(4)), tgb.InvertibleConv1x1(**plu(4)),
        tgb.Shuffle([1, 3, 0, 2], DTYPE), affine()]), (2, 4, 1)),
    'chain_tfp': lambda: (tgb.Chain([
        tfb.Shift(variable(2)), tgb.ActNorm(variable(2), variable(2)),
        tfb.Scale(log_scale=variable(2)), tfb.Invert(tfb.Softsign())]), (1, 2, 2)),
    'chain_nested': lambda: (tgb.Chain([tgb.Chain([tgb.Reverse(4, DTYPE), affine()])]), (1, 2, 4)),
    'repeat': lambda: (stacked(), (2, 2, 4)),
    'repeat_backprop': lambda: (stacked(reversible=False), (2, 2, 4)),
    'repeat_tfp': lambda: (tgb.Repeat(bound_tfp_step, variable(2, 1), 2), (1, 2, 2)),
    'multi_scale': lambda: (tgb.MultiScale([tgb.Squeeze(2), tgb.Squeeze(2)]), (4, 4, 1)),
    'multi_scale_exit': lambda: (tgb.MultiScale(
        [tgb.Squeeze(2), affine(inputs=1, outputs=2)], [affine()]), (4, 2, 1)),
    'glow': lambda: (glow().bijector, (4, 4, 1)),
    'glow_odd': lambda: (glow((2, 2, 3), levels=1, steps_per_level=1).bijector, (2, 2, 3)),
    'glow_shuffle': lambda: (glow(
        (2, 2, 1), levels=1, permutation='shuffle', coupling='additive').bijector, (2, 2, 1)),
    'glow_dense': lambda: (glow(
        (2, 2, 1), levels=1, permutation='dense', reversible=False).bijector, (2, 2, 1)),
}


def perturb(module, seed=0, scale=.3):
    """Adds seeded noise to every trainable variable, so that nothing is at its initial value."""
    rng = np.random.default_rng(seed)
    for v in module.trainable_variables:
        v.assign_add(tf.cast(scale * rng.standard_normal(v.shape), v.dtype))
    return module


def build(name):
    bijector, event_shape = CATALOGUE[name]()
    return perturb(bijector, zlib.crc32(name.encode())), event_shape
