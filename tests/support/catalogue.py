"""Lists every bijector of the library, one a line: name -> (bijector, event shape of its data)."""

import functools
import zlib

import numpy as np
import tensorflow as tf
from tensorflow_probability import bijectors as tfb

import tfp_glow
from tfp_glow import bijectors as tgb
from tfp_glow.internal import keras_bridge

DTYPE = tf.float64  # Jacobians and round trips agree to many digits.


def variable(*shape):
    return tf.Variable(np.zeros(shape), dtype=DTYPE)


def plu(channels, seed=1):
    values = tgb.plu_parameters(channels, seed, DTYPE.as_numpy_dtype)
    return {name: tf.Variable(value, trainable=name not in ('permutation', 'sign'))
            for name, value in values.items()}


def network(input_shape, outputs, **options):
    return tfp_glow.networks.conv_network(
        input_shape, outputs, width=4, dtype=DTYPE.name, **options)


def dense(inputs, outputs):
    """Returns a conditioner that is not a Keras network: a module with two variables."""
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
    """Returns a `Repeat` of an actnorm, a permutation and a linear additive coupling."""
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


def residual_coupling(event_shape):
    conditioner = tfp_glow.networks.residual_network(
        event_shape, 2 * event_shape[-1], width=4, blocks=1, mask=[[True, False], [False, True]],
        zero_outputs=event_shape[-1], dtype=DTYPE.name)
    return tgb.Coupling(conditioner, tgb.AffineInner(tgb.scale_maps.bounded_tanh(variable(1))),
                        tgb.splits.checkerboard())


def bound_tfp_step(p):
    """Returns a coupling with a TFP bijector inside, whose log-det is constant."""
    return tgb.Coupling(lambda kept: kept * p, tfb.Shift)


def statistics(*shape):
    """Returns parameters of a `BatchNorm` whose statistics are not those of the data."""
    mean, variance = np.random.default_rng(7).uniform(.5, 2., [2, *shape])
    return {'shift': variable(*shape), 'log_scale': variable(*shape),
            'mean': tf.Variable(mean, trainable=False, dtype=DTYPE),
            'variance': tf.Variable(variance, trainable=False, dtype=DTYPE)}


def whitening(kind, *event_shape):
    data = np.random.default_rng(8).standard_normal([50, *event_shape])
    return tgb.fit_whitening(data.cumsum(-1) + 1, kind, dtype=DTYPE)


def made(event_size, outputs, **options):
    return tfp_glow.networks.made(
        event_size, outputs, hidden=[4], activation='tanh', dtype=DTYPE.name, **options)


def masked_conv(event_shape, outputs, **options):
    return tfp_glow.networks.masked_conv(
        event_shape, outputs, width=2, blocks=1, activation='tanh', dtype=DTYPE.name, **options)


def stacked_autoregressive(of, times=2):
    weights = keras_bridge.StackedNetwork(made(3, 2, order='reversed'), times, seed=0)
    return tgb.Repeat(lambda p: of(weights.bind(p)), weights.weights, times)


def over_pixels(inputs, outputs):
    """Returns a conditioner that sees neighbours: a masked pixel alone tells nothing."""
    class OverPixels(tf.Module):
        def __init__(self):
            super().__init__()
            self.dense = dense(inputs, outputs)

        def __call__(self, kept):
            return self.dense(tf.roll(kept, 1, -2) + tf.roll(kept, 1, -3))
    return OverPixels()


def repeat_of(inner, **more):
    """Returns a `Repeat` of couplings of two channels; `inner` takes the step's parameters."""
    def make_step(p):
        transform = inner(p)
        return tgb.Chain([tgb.Reverse(2, DTYPE), tgb.Coupling(
            lambda kept: tf.tanh(kept @ p['kernel'] + p['bias']), transform)])
    outputs = inner({name: v[0] for name, v in more.items()}).outputs_per_channel
    params = {'kernel': variable(2, 1, outputs), 'bias': variable(2, outputs), **more}
    return tgb.Repeat(make_step, params, 2)


def integer(**options):
    """Returns an integer coupling whose shifts are a few units."""
    return tgb.IntegerCoupling(dense(3, 1), unit=8., **options)


def idf(event_shape=(4, 4, 1), **options):
    options = dict({'levels': 2, 'steps_per_level': 2, 'width': 4, 'depth': 2, 'dtype': DTYPE},
                   **options)
    return tfp_glow.flows.idf(event_shape, **options)


CATALOGUE = {
    'act_norm': lambda: (tgb.ActNorm(variable(3), variable(3)), (2, 3, 3)),
    'act_norm_vector': lambda: (tgb.ActNorm(variable(3), variable(3), event_ndims=1), (3,)),
    'conv1x1': lambda: (tgb.InvertibleConv1x1(**plu(3)), (2, 2, 3)),
    'dense_conv1x1': lambda: (tgb.DenseConv1x1(
        tf.Variable(tgb.rotation(3, 1), dtype=DTYPE)), (2, 2, 3)),
    'shuffle': lambda: (tgb.Shuffle([2, 0, 3, 1], DTYPE), (2, 1, 4)),
    'reverse': lambda: (tgb.Reverse(3, DTYPE), (1, 2, 3)),
    'shuffle_vector': lambda: (tgb.Shuffle([2, 0, 1], DTYPE, event_ndims=1), (3,)),
    'reverse_sequence': lambda: (tgb.Reverse(3, DTYPE, event_ndims=2), (2, 3)),
    'squeeze': lambda: (tgb.Squeeze(2), (4, 2, 2)),
    'squeeze_3': lambda: (tgb.Squeeze(3), (3, 6, 1)),
    'squeeze_glow': lambda: (tgb.Squeeze(2, 'glow'), (4, 2, 2)),
    'squeeze_realnvp': lambda: (tgb.Squeeze(2, 'realnvp'), (2, 4, 2)),
    'batch_norm': lambda: (tgb.BatchNorm(**statistics(3)), (2, 1, 3)),
    'batch_norm_vector': lambda: (tgb.BatchNorm(**statistics(3), event_ndims=1), (3,)),
    'repeat_batch_norm': lambda: (tgb.Repeat(
        lambda p: tgb.BatchNorm(**p), statistics(2, 3), 2), (1, 2, 3)),
    'whitening_pca': lambda: (whitening('pca', 4), (4,)),
    'whitening_zca': lambda: (whitening('zca', 2, 1, 2), (2, 1, 2)),
    'repeat_whitening': lambda: (tgb.Repeat(
        lambda p: tgb.Whitening(**p, event_shape=[1, 1, 3]),
        {'mean': variable(2, 3), 'log_scale': variable(2, 3),
         'axes': tf.constant([tgb.rotation(3, 1), tgb.rotation(3, 2)], DTYPE)}, 2), (1, 1, 3)),
    'logit': lambda: (tgb.Chain([
        tgb.ActNorm(variable(2), variable(2)), tfb.Invert(tfb.Sigmoid()), tgb.Logit(.05)]),
        (1, 2, 2)),
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
    'shift_scale_variables': lambda: (tgb.ShiftScale(variable(2), variable(2)), (2,)),
    'scale': lambda: (tgb.ShiftScale(log_scale=variable(2)), (2,)),
    'spline': lambda: (tgb.Spline(variable(2, 8)), (3, 2)),
    'mixture_cdf': lambda: (tgb.MixtureLogisticCDF(
        variable(2, 3), variable(2, 3), variable(2, 3)), (2, 2)),
    'channels_mixture': lambda: (tgb.Coupling(
        dense(2, 16), tgb.MixtureCDFInner(2)), (1, 2, 4)),
    'channels_reversed': lambda: (tgb.Coupling(
        dense(1, 4), tgb.AffineInner(tgb.scale_maps.bounded_tanh(variable(2))),
        tgb.splits.channels(reverse=True)), (1, 2, 3)),
    'channels_vector': lambda: (tgb.Coupling(dense(3, 4), event_ndims=1), (5,)),
    'even_odd': lambda: (tgb.Coupling(
        dense(3, 2), tgb.Additive(), tgb.splits.even_odd(0), event_ndims=1), (5,)),
    'even_odd_images': lambda: (tgb.Coupling(
        dense(1, 2), tgb.Multiplicative(tgb.scale_maps.clamped_exp(1.)),
        tgb.splits.even_odd(1)), (1, 2, 3)),
    'even_odd_mixture': lambda: (tgb.Coupling(
        dense(1, 5), tgb.MixtureCDFInner(1), tgb.splits.even_odd(1), event_ndims=1), (2,)),
    'checkerboard': lambda: (tgb.Coupling(
        over_pixels(2, 4), tgb.AffineInner(), tgb.splits.checkerboard(0)), (2, 4, 2)),
    'checkerboard_odd_width': lambda: (tgb.Coupling(
        over_pixels(1, 1), tgb.Additive(), tgb.splits.checkerboard(1)), (2, 3, 1)),
    'checkerboard_halves': lambda: (tgb.Coupling(
        dense(2, 4), tgb.AffineInner(), tgb.splits.checkerboard(1, halves=True)), (2, 2, 2)),
    'checkerboard_keras': lambda: (tgb.Coupling(
        network((2, 4, 1), 2), split=tgb.splits.checkerboard(1)), (2, 4, 1)),
    'checkerboard_spline': lambda: (tgb.Coupling(
        over_pixels(1, 5), tgb.SplineInner(2), tgb.splits.checkerboard(0)), (2, 2, 1)),
    'checkerboard_mixture': lambda: (tgb.Coupling(
        over_pixels(1, 8), tgb.MixtureCDFInner(2), tgb.splits.checkerboard(1)), (2, 2, 1)),
    'mask_pixels': lambda: (tgb.Coupling(
        over_pixels(2, 4), tgb.AffineInner(),
        tgb.splits.mask([[[True], [False]], [[False], [False]]])), (2, 2, 2)),
    'mask_entries': lambda: (tgb.Coupling(
        over_pixels(2, 4), tgb.AffineInner(),
        tgb.splits.mask([[[True, False], [False, True]]])), (2, 2, 2)),
    'mask_vector': lambda: (tgb.Coupling(
        dense(3, 24), tgb.MixtureCDFInner(2), tgb.splits.mask([True, False, False]),
        event_ndims=1), (3,)),
    'repeat_spline': lambda: (repeat_of(lambda p: tgb.SplineInner(2)), (1, 2, 2)),
    'repeat_mixture': lambda: (repeat_of(lambda p: tgb.MixtureCDFInner(2)), (1, 2, 2)),
    'repeat_factor': lambda: (repeat_of(lambda p: tgb.AffineInner(
        tgb.scale_maps.bounded_tanh(p['factor'])), factor=variable(2)), (1, 2, 2)),
    'chain': lambda: (tgb.Chain([
        tgb.Squeeze(2), tgb.ActNorm(variable(4), variable(4)), tgb.InvertibleConv1x1(**plu(4)),
        tgb.Shuffle([1, 3, 0, 2], DTYPE), affine()]), (2, 4, 1)),
    'chain_tfp': lambda: (tgb.Chain([
        tfb.Shift(variable(2)), tgb.ActNorm(variable(2), variable(2)),
        tfb.Scale(log_scale=variable(2)), tfb.Invert(tfb.Softsign())]), (1, 2, 2)),
    'chain_vector': lambda: (tgb.Chain([
        tgb.ActNorm(variable(3), variable(3), event_ndims=1), tgb.Shuffle([2, 0, 1], DTYPE, 1),
        tgb.Coupling(dense(2, 1), tgb.Additive(), event_ndims=1)]), (3,)),
    'chain_mixed': lambda: (tgb.Chain([
        tgb.ActNorm(variable(2), variable(2), event_ndims=1), tgb.Reverse(2, DTYPE, 1),
        tgb.ActNorm(variable(2), variable(2))]), (1, 2, 2)),
    'chain_nested': lambda: (tgb.Chain([tgb.Chain([tgb.Reverse(4, DTYPE), affine()])]), (1, 2, 4)),
    'repeat': lambda: (stacked(), (2, 2, 4)),
    'repeat_backprop': lambda: (stacked(reversible=False), (2, 2, 4)),
    'repeat_tfp': lambda: (tgb.Repeat(bound_tfp_step, variable(2, 1), 2), (1, 2, 2)),
    'multi_scale': lambda: (tgb.MultiScale([tgb.Squeeze(2), tgb.Squeeze(2)]), (4, 4, 1)),
    'multi_scale_shares': lambda: (tgb.MultiScale(
        [tgb.Squeeze(2), tgb.Reverse(3, DTYPE), tgb.Squeeze(2)], share=(.75, .34)), (4, 4, 1)),
    'multi_scale_exit': lambda: (tgb.MultiScale(
        [tgb.Squeeze(2), affine(inputs=1, outputs=2)], [affine()]), (4, 2, 1)),
    'glow': lambda: (glow().bijector, (4, 4, 1)),
    'glow_odd': lambda: (glow((2, 2, 3), levels=1, steps_per_level=1).bijector, (2, 2, 3)),
    'glow_shuffle': lambda: (glow(
        (2, 2, 1), levels=1, permutation='shuffle', coupling='additive').bijector, (2, 2, 1)),
    'glow_dense': lambda: (glow(
        (2, 2, 1), levels=1, permutation='dense', reversible=False).bijector, (2, 2, 1)),
    'coupling_residual': lambda: (residual_coupling((2, 2, 1)), (2, 2, 1)),
    'maf': lambda: (tgb.MaskedAutoregressive(made(3, 2, direct=True)), (3,)),
    'maf_additive': lambda: (tgb.MaskedAutoregressive(
        made(3, 1, order='reversed'), tgb.Additive()), (3,)),
    'maf_spline': lambda: (tgb.MaskedAutoregressive(
        made(3, 5, order='random'), tgb.SplineInner(bins=2)), (3,)),
    'maf_image': lambda: (tgb.MaskedAutoregressive(masked_conv((2, 1, 2), 2)), (2, 1, 2)),
    'flattened': lambda: (tgb.Flattened(tgb.Chain([
        tgb.BatchNorm(**statistics(4), event_ndims=1),
        tgb.Coupling(dense(2, 4), split=tgb.splits.even_odd(1), event_ndims=1)]), (1, 2, 2)),
        (1, 2, 2)),
    'flattened_maf': lambda: (tgb.Flattened(tgb.MaskedAutoregressive(made(4, 2)), (2, 1, 2)),
                              (2, 1, 2)),
    'maf_repeat': lambda: (stacked_autoregressive(tgb.MaskedAutoregressive), (3,)),
    'integer': lambda: (integer(), (2, 2, 4)),
    'integer_vector': lambda: (integer(event_ndims=1), (4,)),
    'integer_reversed': lambda: (tgb.IntegerCoupling(
        dense(1, 2), unit=8., split=tgb.splits.channels(True)), (1, 2, 3)),
    'integer_checkerboard': lambda: (tgb.IntegerCoupling(
        over_pixels(1, 1), unit=8., split=tgb.splits.checkerboard()), (2, 2, 1)),
    'reversible_colour': lambda: (tgb.reversible_colour(DTYPE), (2, 2, 3)),
    'idf': lambda: (idf(bins=16).bijector, (4, 4, 1)),
    'iaf': lambda: (tgb.InverseAutoregressive(made(3, 2, order='random', degrees='random')), (3,)),
    'iaf_image': lambda: (tgb.InverseAutoregressive(masked_conv(
        (1, 2, 2), 2, order='reversed')), (1, 2, 2)),
    'iaf_repeat': lambda: (stacked_autoregressive(tgb.InverseAutoregressive), (3,)),
}


@functools.cache
def template(name):
    """Returns the bijector and its event shape, made once, for tests that only read it."""
    return CATALOGUE[name]()


def perturb(module, seed=0, scale=.3):
    """Adds seeded noise to every trainable variable, so that nothing is at its initial value."""
    rng = np.random.default_rng(seed)
    for v in module.trainable_variables:
        v.assign_add(tf.cast(scale * rng.standard_normal(v.shape), v.dtype))
    return module


def build(name):
    bijector, event_shape = CATALOGUE[name]()
    return perturb(bijector, zlib.crc32(name.encode())), event_shape
