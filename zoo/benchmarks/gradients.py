"""Gradients of K steps at constant memory against ordinary backprop's, bijector by bijector."""

import typing

import numpy as np
import tensorflow as tf

from tfp_glow import bijectors as tgb
from zoo.benchmarks import rows

LIMITS = {'float32': 1e-4, 'float64': 1e-10}  # Of the relative difference.
_NOISE = .02  # Of the parameters about their start: steps near to where training begins.
_FIXED = ('permutation', 'sign', 'mean', 'variance')  # Parameters that are not trained.
_FLOOR = 1e-3  # Gradients smaller than this are compared as if they were so large.
_BATCH = 2
_PAIRS = (('Repeat', 'float32'), ('Reversible', 'float32'),
          ('Repeat', 'float64'), ('Reversible', 'float64'))
_COLUMNS = {'bijector': ('bijector', '{}'),
            **{f'{of} {dtype}': (f'{of} {dtype}', '{:.1e}') for of, dtype in _PAIRS}}


class Kind(typing.NamedTuple):
    """A form of step: `make(parameters)` acts on events; `start(k)` is where step k begins."""
    event_shape: tuple
    start: typing.Callable
    make: typing.Callable


class Conditioner(tf.Module):
    """`[..., n] -> [..., m]`: tanh(x @ kernel), of neighbouring pixels too if they are masked."""

    def __init__(self, kernel, neighbours=False):
        super().__init__()
        self.kernel, self._neighbours = kernel, neighbours

    def __call__(self, kept):
        if self._neighbours:
            kept = tf.roll(kept, 1, -2) + tf.roll(kept, 1, -3)
        return tf.tanh(tf.tensordot(kept, self.kernel, 1))


class Autoregressive(tf.Module):
    """`[B, D] -> [B, D, n]`: tanh of what the kernel `[D, D, n]` makes of earlier dimensions."""

    def __init__(self, kernel):
        super().__init__()
        self.kernel = kernel

    def __call__(self, value):
        size = self.kernel.shape[0]
        earlier = np.triu(np.ones([size, size]), 1)[..., np.newaxis]
        return tf.tanh(tf.tensordot(value, self.kernel * tf.cast(earlier, value.dtype), 1))


def _zeros(**shapes):
    return lambda k: {name: np.zeros(shape) for name, shape in shapes.items()}


def _coupling(outputs, inner, split=None, event_shape=(2, 2, 4), seen=2, neighbours=False):
    return Kind(event_shape, _zeros(kernel=(seen, outputs)), lambda p: tgb.Coupling(
        Conditioner(p['kernel'], neighbours), inner, split, event_ndims=len(event_shape)))


def _autoregressive(of, outputs, inner):
    return Kind((3,), _zeros(kernel=(3, 3, outputs)),
                lambda p: of(Autoregressive(p['kernel']), inner))


_NORMALISER = {'shift': (4,), 'log_scale': (4,)}
KINDS = {
    'ActNorm': Kind((2, 2, 4), _zeros(**_NORMALISER), lambda p: tgb.ActNorm(**p)),
    'BatchNorm': Kind(
        (2, 2, 4), lambda k: {**_zeros(**_NORMALISER)(k), 'mean': np.full(4, .1),
                              'variance': np.linspace(.9, 1.1, 4)},
        lambda p: tgb.BatchNorm(**p)),
    'InvertibleConv1x1': Kind((2, 2, 4), lambda k: tgb.plu_parameters(4, k, np.float64),
                              lambda p: tgb.InvertibleConv1x1(**p)),
    'DenseConv1x1': Kind((2, 2, 4), lambda k: {'kernel': tgb.rotation(4, k)},
                         lambda p: tgb.DenseConv1x1(**p)),
    'ShiftScale': Kind((2, 2, 4), _zeros(**_NORMALISER), lambda p: tgb.ShiftScale(**p)),
    'Spline': Kind((2, 2, 4), _zeros(raw=(4, 8)), lambda p: tgb.Spline(p['raw'])),
    'MixtureLogisticCDF': Kind(
        (2, 2, 4), _zeros(logits=(4, 2), means=(4, 2), log_scales=(4, 2)),
        lambda p: tgb.MixtureLogisticCDF(**p)),
    'Coupling, additive': _coupling(2, tgb.Additive()),
    'Coupling, multiplicative': _coupling(2, tgb.Multiplicative()),
    'Coupling, affine': _coupling(4, tgb.AffineInner()),
    'Coupling, affine, bounded tanh': _coupling(
        4, tgb.AffineInner(tgb.scale_maps.bounded_tanh(.5))),
    'Coupling, affine, clamped exp': _coupling(
        4, tgb.AffineInner(tgb.scale_maps.clamped_exp(2.))),
    'Coupling, spline': _coupling(16, tgb.SplineInner(3)),
    'Coupling, mixture': _coupling(16, tgb.MixtureCDFInner(2)),
    'Coupling, channels reversed': _coupling(
        4, tgb.AffineInner(), tgb.splits.channels(reverse=True)),
    'Coupling, even and odd': _coupling(
        4, tgb.AffineInner(), tgb.splits.even_odd(1), event_shape=(4,)),
    'Coupling, checkerboard': _coupling(
        8, tgb.AffineInner(), tgb.splits.checkerboard(1), seen=4, neighbours=True),
    'Coupling, mask': _coupling(
        8, tgb.AffineInner(), tgb.splits.mask([[[True], [False]], [[False], [False]]]), seen=4,
        neighbours=True),
    'MaskedAutoregressive, affine': _autoregressive(
        tgb.MaskedAutoregressive, 2, tgb.AffineInner(tgb.scale_maps.clamped_exp(2.))),
    'MaskedAutoregressive, spline': _autoregressive(
        tgb.MaskedAutoregressive, 8, tgb.SplineInner(3)),
    'InverseAutoregressive, affine': _autoregressive(
        tgb.InverseAutoregressive, 2, tgb.AffineInner(tgb.scale_maps.clamped_exp(2.))),
}


def run(times, progress, kinds=None):
    """Compares them: of `Repeat`, and of `Reversible` around a `Repeat` that would keep all.

    Args:
      times: K.
      progress: function of a line of text.
      kinds: names of `KINDS`; by default all.

    Returns:
      dict with 'rows': of each kind, the largest relative difference of a gradient, by the input or
      by a parameter, in either direction.
    """
    found = []
    for name in kinds or KINDS:
        progress(f'gradients of {name}')
        found.append({'bijector': name, **{f'{of} {dtype}': 0. for of, dtype in _PAIRS}})
        for dtype in LIMITS:
            for direction in ('inverse', 'forward'):
                for of, difference in _differences(KINDS[name], times, dtype, direction).items():
                    key = f'{of} {dtype}'
                    found[-1][key] = max(found[-1][key], difference)
    return {'rows': found}


def beyond(report):
    """Of each difference beyond its limit, or none at all, a sentence."""
    return [f'{row["bijector"]} in {of} {dtype}: {row[f"{of} {dtype}"]:.1e} is beyond '
            f'{LIMITS[dtype]:g}.' for row in report['rows'] for of, dtype in _PAIRS
            if not row[f'{of} {dtype}'] <= LIMITS[dtype]]


def text(report):
    limits = ', '.join(f'{limit:g} in {dtype}' for dtype, limit in LIMITS.items())
    return '\n'.join([rows.table(report['rows'], _COLUMNS), '',
                      'largest difference of a gradient from ordinary backprop\'s, relative to the '
                      f'largest entry; limits: {limits}', *beyond(report)])


def _differences(kind, times, dtype, direction):
    """`{'Repeat': difference, 'Reversible': difference}`."""
    rng = np.random.default_rng(0)
    starts = [kind.start(k) for k in range(times)]
    params = {}
    for name in starts[0]:
        value = np.stack([start[name] for start in starts])
        trained = name not in _FIXED
        noise = _NOISE * rng.standard_normal(value.shape) if trained else 0.
        params[name] = tf.Variable(value + noise, trained, dtype=dtype)
    value = tf.constant(rng.standard_normal([_BATCH, *kind.event_shape]), dtype)
    kept = tgb.Repeat(kind.make, params, times, reversible=False)
    expected = _gradients(kept, direction, value)
    return {name: _largest(_gradients(bijector, direction, value), expected) for name, bijector in (
        ('Repeat', tgb.Repeat(kind.make, params, times)), ('Reversible', tgb.Reversible(kept)))}


def _gradients(bijector, direction, value):
    """Of a function of value and log-det, by the input and by what is trained."""
    def gradients(value):
        with tf.GradientTape() as tape:
            tape.watch(value)
            output = getattr(bijector, direction)(value)
            log_det = getattr(bijector, f'{direction}_log_det_jacobian')(
                value, value.shape.rank - 1)
            loss = tf.reduce_mean(tf.cos(output) * output) + tf.reduce_mean(tf.sin(log_det))
        return tape.gradient(loss, [value, *bijector.trainable_variables],
                             unconnected_gradients='zero')
    return tf.function(gradients, autograph=False)(value)


def _largest(found, expected):
    """The largest relative difference of two lists of tensors; NaN counts as infinite."""
    differences = [np.max(np.abs(a - b)) / max(np.max(np.abs(b)), _FLOOR)
                   for a, b in zip(map(np.asarray, found), map(np.asarray, expected), strict=True)]
    return float(max(np.inf if np.isnan(difference) else difference
                     for difference in differences))
