"""Compares MAF's sampling, one dimension after the other, here and in TFP, around one network."""

import functools
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow_probability import bijectors as tfb

import tfp_glow
from zoo.benchmarks import load, rows
from zoo.cli import errors

_COLUMNS = {
    'peer': ('peer', '{}'),
    'a batch': ('milliseconds', '{:.1f} ms'),
    'images/s': ('images_per_second', '{:.1f}'),
    'tfp_glow is': ('speed_ratio', '{:.2f}x'),
    'first call': ('first_seconds', '{:.1f} s'),
}
_TOLERANCE = 1e-3  # The values of both may differ by less than this, in float32.
_SHIFT_STD = .02  # The last layer's weights are drawn with this scale, as they are zero at first.


def run(dimensions: int, hidden: Sequence[int], batch: int, rounds: int, seconds: float,
        progress: Callable[[str], object]) -> dict[str, Any]:
    """Times both bijectors in turns, in this process.

    Args:
        dimensions: The number of dimensions, D.
        hidden: The units of the MADE network's hidden layers.
        batch: The number of vectors per call.
        rounds: The number of turns of each bijector.
        seconds: The least length of one turn.
        progress: A function of a line of text.

    Returns:
        A dict with 'rows' and 'difference', the largest difference between the values of both.

    Raises:
        errors.Failure: If the values differ by more than rounding.
    """
    x = tf.constant(np.random.default_rng(0).standard_normal([batch, dimensions]), tf.float32)
    results: list[dict[str, Any]] = []
    values = []
    calls = {name: tf.function(bijector.forward, autograph=False)
             for name, bijector in flows(dimensions, hidden).items()}
    for name, call in calls.items():
        progress(f'sample of {name}: starting')
        start = time.perf_counter()
        values.append(_called(call, x))
        results.append({'what': 'sample', 'peer': name, 'failure': None,
                        'first_seconds': time.perf_counter() - start,
                        'images_per_second_rounds': [], 'other_cores_rounds': []})
    difference = float(np.max(np.abs(values[0] - values[1])))
    if not difference < _TOLERANCE:
        raise errors.Failure(f'the values of both must differ by less than {_TOLERANCE:g}; '
                             f'got a difference of {difference:.1e}.')
    for number in range(rounds):
        progress(f'round {number + 1} of {rounds}')
        for row, call in zip(results, calls.values()):
            duration, others = load.timed(functools.partial(_called, call, x), seconds)
            row['images_per_second_rounds'].append(batch / duration)
            row['other_cores_rounds'].append(others)
    reference = results[0]['images_per_second_rounds']
    for row in results:
        speeds, loads = row['images_per_second_rounds'], row.pop('other_cores_rounds')
        speed = statistics.median(speeds)
        row.update(images_per_second=speed, milliseconds=1e3 * batch / speed,
                   speed_ratio=rows.median_ratio(reference, speeds),
                   other_cores=rows.median_load(loads))
    return {'rows': results, 'difference': difference}


def flows(dimensions: int, hidden: Sequence[int]) -> dict[str, tfb.Bijector]:
    """Returns the same affine MAF twice: `tfp_glow`'s and `tfb`'s bijector of one network."""
    network = tfp_glow.networks.made(dimensions, outputs_per_dim=2, hidden=hidden)
    kernel = network.last.kernel
    kernel.assign(_SHIFT_STD * np.random.default_rng(1).standard_normal(kernel.shape))
    scale_map = tfp_glow.bijectors.scale_maps.sigmoid(minimum=.1)

    # TFP scales before it shifts, in the direction of sampling.
    def shift_and_log_scale(y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        shift, s = tf.unstack(network(y), axis=-1)
        return -shift, -scale_map(s)
    inner = tfp_glow.bijectors.AffineInner(scale_map)
    return {'tfp_glow': tfp_glow.bijectors.MaskedAutoregressive(network, inner),
            'tfb': tfb.MaskedAutoregressiveFlow(shift_and_log_scale)}


def _called(function: Callable[[tf.Tensor], tf.Tensor], x: tf.Tensor) -> np.ndarray:
    return function(x).numpy()


def text(report: dict[str, Any]) -> str:
    """Returns the report as text."""
    return '\n'.join([
        rows.table(report['rows'], _COLUMNS), '',
        'tfp_glow is: its images/s over the other\'s, the median of the rounds\' ratios',
        f'largest difference between the values of both: {report["difference"]:.1e}',
        rows.busy_warning(report['rows'])]).strip()
