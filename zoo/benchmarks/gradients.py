"""Compares gradients of K steps at constant memory with those of ordinary backprop.

The comparison is made bijector by bijector.
"""

import typing
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow_probability import bijectors as tfb

from tfp_glow import bijectors as tgb
from zoo.benchmarks import rows

LIMITS = {'float32': 1e-4, 'float64': 1e-10}  # The relative difference may be so large.
_NOISE = .02  # Parameters have this noise about their start: training begins near to them.
_FIXED = ('permutation', 'sign', 'mean', 'variance')  # These parameters are not trained.
_FLOOR = 1e-3  # Gradients smaller than this are compared as if they were so large.
_BATCH = 2
_PAIRS = (('Repeat', 'float32'), ('Reversible', 'float32'),
          ('Repeat', 'float64'), ('Reversible', 'float64'))
_COLUMNS = {'bijector': ('bijector', '{}'),
            **{f'{of} {dtype}': (f'{of} {dtype}', '{:.1e}') for of, dtype in _PAIRS}}


class Kind(typing.NamedTuple):
    """A form of step.

    Attributes:
        event_shape: The shape of the events.
        start: A function of k that returns the parameters with which step k begins.
        make: A function of parameters that returns the step's bijector of events.
    """
    event_shape: tuple[int, ...]
    start: Callable[[int], dict[str, np.ndarray]]
    make: Callable[[dict[str, Any]], tfb.Bijector]


class Conditioner(tf.Module):
    """Maps `[..., n] -> [..., m]` by tanh(x @ kernel).

    Args:
        kernel: The kernel, `[n, m]`.
        neighbours: Whether to take x from neighbouring pixels too. Flows that mask pixels need it.
    """

    def __init__(self, kernel: tf.Tensor, neighbours: bool = False) -> None:
        super().__init__()
        self.kernel, self._neighbours = kernel, neighbours

    def __call__(self, kept: tf.Tensor) -> tf.Tensor:
        if self._neighbours:
            kept = tf.roll(kept, 1, -2) + tf.roll(kept, 1, -3)
        return tf.tanh(tf.tensordot(kept, self.kernel, 1))


class Autoregressive(tf.Module):
    """Maps `[B, D] -> [B, D, n]` by the tanh of the earlier dimensions times the kernel.

    Args:
        kernel: The kernel, `[D, D, n]`.
    """

    def __init__(self, kernel: tf.Tensor) -> None:
        super().__init__()
        self.kernel = kernel

    def __call__(self, value: tf.Tensor) -> tf.Tensor:
        size = self.kernel.shape[0]
        earlier = np.triu(np.ones([size, size]), 1)[..., np.newaxis]
        return tf.tanh(tf.tensordot(value, self.kernel * tf.cast(earlier, value.dtype), 1))


def _zeros(**shapes: tuple[int, ...]) -> Callable[[int], dict[str, np.ndarray]]:
    return lambda k: {name: np.zeros(shape) for name, shape in shapes.items()}


def _coupling(outputs: int, inner: Any, split: Any = None,
              event_shape: tuple[int, ...] = (2, 2, 4), seen: int = 2,
              neighbours: bool = False) -> Kind:
    return Kind(event_shape, _zeros(kernel=(seen, outputs)), lambda p: tgb.Coupling(
        Conditioner(p['kernel'], neighbours), inner, split, event_ndims=len(event_shape)))


def _autoregressive(of: Callable[..., tfb.Bijector], outputs: int, inner: Any) -> Kind:
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


def run(times: int, progress: Callable[[str], object],
        kinds: Sequence[str] | None = None) -> dict[str, Any]:
    """Compares the gradients of `Repeat`, and of `Reversible` around a `Repeat` that keeps all.

    Args:
        times: The number of steps, K.
        progress: A function of a line of text.
        kinds: Names of `KINDS`. By default they are all names.

    Returns:
        A dict with 'rows': for each kind, the largest relative difference of a gradient, by the
        input or by a parameter, in either direction.
    """
    differences: list[dict[str, Any]] = []
    for name in kinds or KINDS:
        progress(f'gradients of {name}')
        differences.append({'bijector': name, **{f'{of} {dtype}': 0. for of, dtype in _PAIRS}})
        for dtype in LIMITS:
            for direction in ('inverse', 'forward'):
                for of, difference in _differences(KINDS[name], times, dtype, direction).items():
                    key = f'{of} {dtype}'
                    differences[-1][key] = max(differences[-1][key], difference)
    return {'rows': differences}


def beyond(report: dict[str, Any]) -> list[str]:
    """Returns a sentence for each difference that is beyond its limit or is not a number."""
    return [f'{row["bijector"]} in {of} {dtype}: {row[f"{of} {dtype}"]:.1e} is beyond '
            f'{LIMITS[dtype]:g}.' for row in report['rows'] for of, dtype in _PAIRS
            if not row[f'{of} {dtype}'] <= LIMITS[dtype]]


def text(report: dict[str, Any]) -> str:
    """Returns the report as text."""
    limits = ', '.join(f'{limit:g} in {dtype}' for dtype, limit in LIMITS.items())
    return '\n'.join([rows.table(report['rows'], _COLUMNS), '',
                      'largest difference of a gradient from ordinary backprop\'s, relative to the '
                      f'largest entry; limits: {limits}', *beyond(report)])


def _differences(kind: Kind, times: int, dtype: str, direction: str) -> dict[str, float]:
    """Returns `{'Repeat': difference, 'Reversible': difference}`."""
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


def _gradients(bijector: tfb.Bijector, direction: str, value: tf.Tensor) -> list[tf.Tensor]:
    """Returns gradients of a function of value and log-det.

    They are by the input and by the parameters that are trained.
    """
    def gradients(value: tf.Tensor) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(value)
            output = getattr(bijector, direction)(value)
            log_det = getattr(bijector, f'{direction}_log_det_jacobian')(
                value, value.shape.rank - 1)
            loss = tf.reduce_mean(tf.cos(output) * output) + tf.reduce_mean(tf.sin(log_det))
        return tape.gradient(loss, [value, *bijector.trainable_variables],
                             unconnected_gradients='zero')
    return tf.function(gradients, autograph=False)(value)


def _largest(actual: Iterable[tf.Tensor], expected: Iterable[tf.Tensor]) -> float:
    """Returns the largest relative difference of two lists of tensors; NaN counts as infinite."""
    differences = [np.max(np.abs(a - b)) / max(np.max(np.abs(b)), _FLOOR)
                   for a, b in zip(map(np.asarray, actual), map(np.asarray, expected), strict=True)]
    return float(max(np.inf if np.isnan(difference) else difference
                     for difference in differences))
