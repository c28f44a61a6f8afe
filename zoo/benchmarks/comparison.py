"""Compares the training step, log_prob and sampling of one Glow for each peer."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from zoo.benchmarks import rows, session
from zoo.benchmarks.job import REFERENCE, TRAINING_MODES, Job

_COLUMNS = {
    'call': ('what', '{}'),
    'peer': ('peer', '{}'),
    'images/s': ('images_per_second', '{:.1f}'),
    'tfp_glow is': ('speed_ratio', '{:.2f}x'),
    'backprop is': ('backprop_ratio', '{:.2f}x'),
    'of peak': ('fraction_of_peak', '{:.0%}'),
    'first call': ('first_seconds', '{:.1f} s'),
    'of tfp_glow': ('first_ratio', '{:.1f}x'),
    'peak memory': ('peak_mb', '{:.0f} MB'),
    'beyond state': ('beyond_state_mb', '{:.0f} MB'),
}
_LEGEND = """\
tfp_glow is:  its images/s over the peer's, the median of the rounds' ratios. It trains at constant
              memory; backprop is the same flow trained as the peers are, keeping activations
of peak:      arithmetic of the networks' convolutions over the matmul peak
first call:   build, trace and the first call; 'of tfp_glow' is the ratio to its
beyond state: peak memory beyond imports, parameters and optimizer state"""


def run(template: Job, peers: Sequence[str], rounds: int, timeout: float,
        progress: Callable[[str], object]) -> dict[str, Any]:
    """Measures `peers` on the model of `template`, whose `peer` and `what` do not matter.

    Returns:
        A dict with 'matmul_gflops' and 'rows'.
    """
    peak: float | None = None
    result: list[dict[str, Any]] = []
    for what in ('train', 'log_prob', 'sample'):
        jobs = [dataclasses.replace(template, peer=peer, what=what)
                for peer in peers if what == 'train' or peer not in TRAINING_MODES]
        if what == 'train':  # The peak is measured in the same turns as the training steps.
            jobs += matmul_jobs(template, peers)
        measurements = session.measure(jobs, rounds, timeout, progress)
        peak = peak or rows.matmul_peak(measurements)
        by_peer = {m.job.peer: m for m in measurements if m.job.what == what}
        for measurement in by_peer.values():
            result.append(rows.row(measurement, by_peer.get(REFERENCE), peak))
            ratio = rows.speed_ratio(by_peer.get('backprop'), measurement)
            result[-1].update({'backprop_ratio': ratio} if ratio else {})
    return {'matmul_gflops': peak, 'rows': result}


def matmul_jobs(template: Job, peers: Sequence[str]) -> list[Job]:
    """Returns one job per framework among `peers`.

    These are TensorFlow, also if no peer uses it, and PyTorch.
    """
    frameworks = ['tfp_glow'] + ['normflows'] * ('normflows' in peers)
    return [dataclasses.replace(template, peer=peer, what='matmul') for peer in frameworks]


def text(report: dict[str, Any]) -> str:
    """Returns the report as text."""
    return '\n'.join([rows.peak_line(report), '', rows.table(report['rows'], _COLUMNS), '', _LEGEND,
                      rows.busy_warning(report['rows'])]).strip()
