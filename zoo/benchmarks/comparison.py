"""Compares the training step, log_prob and sampling of one Glow for each peer."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from zoo.benchmarks import rows, session
from zoo.benchmarks.job import PEERS, REFERENCE, Job
from zoo.cli import processor

_COLUMNS = {
    'call': ('what', '{}'),
    'peer': ('peer', '{}'),
    'images/s': ('images_per_second', '{:.1f}'),
    'tfp_glow is': ('speed_ratio', '{:.2f}x'),
    'of normflows': ('best_ratio', '{:.2f}x'),
    'of peak': ('fraction_of_peak', '{:.0%}'),
    'first call': ('first_seconds', '{:.1f} s'),
    'of tfp_glow': ('first_ratio', '{:.1f}x'),
    'peak memory': ('peak_mb', '{:.0f} MB'),
    'beyond state': ('beyond_state_mb', '{:.0f} MB'),
}
_LEGEND = """\
tfp_glow is:  its images/s over the peer's, the median of the rounds' ratios. It trains at constant
              memory; backprop is the same flow trained as the peers are, keeping activations;
              towers compute a share of the batch on each core
of normflows: the peer's images/s over those of normflows in the same precision, with one thread or
              one for each core, whichever is faster
of peak:      arithmetic of the networks' convolutions over the matmul peak of float32
first call:   build, trace and the first call; 'of tfp_glow' is the ratio to its
beyond state: peak memory beyond imports, parameters and optimizer state"""


def run(template: Job, peers: Sequence[str], rounds: int, timeout: float,
        progress: Callable[[str], object]) -> dict[str, Any]:
    """Measures `peers` on the model of `template`, whose `peer` and `what` do not matter.

    Returns:
        A dict with 'matmul_gflops' and 'rows'.
    """
    peak = half_peak = None
    result: list[dict[str, Any]] = []
    for what in ('train', 'log_prob', 'sample'):
        jobs = [dataclasses.replace(template, peer=peer, what=what)
                for peer in peers if what in ('train', *PEERS[peer].tasks)]
        if what == 'train':  # The peak is measured in the same turns as the training steps.
            jobs += matmul_jobs(template, peers)
        measurements = session.measure(jobs, rounds, timeout, progress)
        peak = peak or rows.matmul_peak(measurements)
        half_peak = half_peak or rows.matmul_peak(measurements, bfloat16=True)
        by_peer = {m.job.peer: m for m in measurements if m.job.what == what}
        part = [rows.row(m, by_peer.get(REFERENCE), peak) for m in by_peer.values()]
        rows.add_best_ratio(part, list(by_peer.values()), 'normflows')
        result += part
    return {'processor': processor.name(), 'matmul_gflops': peak, 'matmul_bfloat16': half_peak,
            'rows': result}


def matmul_jobs(template: Job, peers: Sequence[str]) -> list[Job]:
    """Returns one job per framework among `peers`, and one in bfloat16.

    These are TensorFlow, also if no peer uses it, and PyTorch.
    """
    frameworks = ['tfp_glow', 'bfloat16'] + ['normflows'] * ('normflows' in peers)
    return [dataclasses.replace(template, peer=peer, what='matmul') for peer in frameworks]


def text(report: dict[str, Any]) -> str:
    """Returns the report as text."""
    return '\n'.join([rows.peak_line(report), '', rows.table(report['rows'], _COLUMNS), '', _LEGEND,
                      rows.busy_warning(report['rows'])]).strip()
