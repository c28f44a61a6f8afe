"""MAF's sampling, one dimension after the other, here and in TFP, around one network."""

import statistics
import time

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
_TOLERANCE = 1e-3  # Between the values of both, in float32.
_SHIFT_STD = .02  # Of the last layer's weights, which a new network has at zero.


def run(dimensions, hidden, batch, rounds, seconds, progress):
    """Times both in turns, in this process.

    Args:
      dimensions: D.
      hidden: units of the MADE network's hidden layers.
      batch: vectors per call.
      rounds: turns of each.
      seconds: least length of one turn.
      progress: function of a line of text.

    Returns:
      dict with 'rows' and 'difference', the largest between the values of both.

    Raises:
      errors.Failure: the values differ by more than rounding.
    """
    x = tf.constant(np.random.default_rng(0).standard_normal([batch, dimensions]), tf.float32)
    results, values = [], []
    calls = {name: tf.function(bijector.forward, autograph=False)
             for name, bijector in flows(dimensions, hidden).items()}
    for name, call in calls.items():
        progress(f'sample of {name}: starting')
        start = time.perf_counter()
        values.append(call(x).numpy())
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
            duration, others = load.timed(lambda call=call: call(x).numpy(), seconds)
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


def flows(dimensions, hidden):
    """The same affine MAF twice: `tfp_glow`'s and `tfb`'s bijector of one network."""
    network = tfp_glow.networks.made(dimensions, outputs_per_dim=2, hidden=hidden)
    kernel = network.last.kernel
    kernel.assign(_SHIFT_STD * np.random.default_rng(1).standard_normal(kernel.shape))
    scale_map = tfp_glow.bijectors.scale_maps.sigmoid(minimum=.1)

    def shift_and_log_scale(y):  # TFP scales before it shifts, in the direction of sampling.
        shift, s = tf.unstack(network(y), axis=-1)
        return -shift, -scale_map(s)
    inner = tfp_glow.bijectors.AffineInner(scale_map)
    return {'tfp_glow': tfp_glow.bijectors.MaskedAutoregressive(network, inner),
            'tfb': tfb.MaskedAutoregressiveFlow(shift_and_log_scale)}


def text(report):
    return '\n'.join([
        rows.table(report['rows'], _COLUMNS), '',
        'tfp_glow is: its images/s over the other\'s, the median of the rounds\' ratios',
        f'largest difference between the values of both: {report["difference"]:.1e}',
        rows.busy_warning(report['rows'])]).strip()
