"""Measures what the number of steps per level costs.

The report is on memory, speed and time to the first step against K.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from zoo.benchmarks import rows, session
from zoo.benchmarks.comparison import matmul_jobs
from zoo.benchmarks.job import REFERENCE, Job

_COLUMNS = {
    'K': ('steps_per_level', '{}'),
    'peer': ('peer', '{}'),
    'images/s': ('images_per_second', '{:.1f}'),
    'images/s x K': ('images_times_steps', '{:.0f}'),
    'tfp_glow is': ('speed_ratio', '{:.2f}x'),
    'of peak': ('fraction_of_peak', '{:.0%}'),
    'first step': ('first_seconds', '{:.1f} s'),
    'peak memory': ('peak_mb', '{:.0f} MB'),
    'beyond state': ('beyond_state_mb', '{:.0f} MB'),
}
# These figures should stay the same as K grows: key -> the name in the text.
_FLAT = {'beyond_state_mb': 'memory beyond state', 'images_times_steps': 'images/s x K',
         'first_seconds': 'time to the first step'}


def run(template: Job, peers: Sequence[str], steps: Sequence[int], rounds: int, timeout: float,
        progress: Callable[[str], object]) -> dict[str, Any]:
    """Trains `peers` at each K of `steps`.

    This library's runs at all K take turns with each other, so that their comparison across K is
    fair. Then, for each K, all peers take turns, which gives the ratios.

    Returns:
        A dict with 'matmul_gflops', 'rows', and 'spreads': peer -> key -> max / min - 1 over K.
    """
    def job(peer: str, times: int) -> Job:
        return dataclasses.replace(template, peer=peer, what='train', steps_per_level=times)

    across = [job(REFERENCE, times) for times in steps] if REFERENCE in peers else []
    measurements = session.measure(
        across + matmul_jobs(template, peers), rounds, timeout, progress)
    peak = rows.matmul_peak(measurements)
    result = [rows.row(m, m, peak) for m in measurements if m.job.what == 'train']
    for times in steps if set(peers) - {REFERENCE} else ():
        measurements = session.measure(
            [job(peer, times) for peer in peers], rounds, timeout, progress)
        reference = next((m for m in measurements if m.job.peer == REFERENCE), None)
        result += [rows.row(m, reference, peak) for m in measurements if m is not reference]
    for values in result:
        if 'images_per_second' in values:
            values['images_times_steps'] = values['images_per_second'] * values['steps_per_level']
    result.sort(key=lambda values: (values['steps_per_level'], peers.index(values['peer'])))
    return {'matmul_gflops': peak, 'rows': result,
            'spreads': {peer: _spreads(result, peer) for peer in peers}}


def _spreads(result: list[dict[str, Any]], peer: str) -> dict[str, float]:
    own = [values for values in result if values['peer'] == peer and 'images_per_second' in values]
    return {key: max(v[key] for v in own) / min(v[key] for v in own) - 1
            for key in _FLAT if len(own) > 1}


def text(report: dict[str, Any]) -> str:
    """Returns the report as text."""
    spreads = [
        f'{peer}: ' + ', '.join(f'{_FLAT[key]} {spread:.0%}' for key, spread in values.items())
        for peer, values in report['spreads'].items() if values]
    return '\n'.join([rows.peak_line(report), '', rows.table(report['rows'], _COLUMNS), '',
                      *(['largest over smallest along K, less 1:'] if spreads else []), *spreads,
                      rows.busy_warning(report['rows'])]).strip()


def plot(report: dict[str, Any], path: str) -> None:
    """Draws memory, images/s x K and time to the first step against K into the PNG file `path`."""
    from matplotlib.figure import Figure  # pylint: disable=g-import-not-at-top

    figure = Figure(figsize=(12, 4), layout='constrained')
    panels = [('beyond_state_mb', 'peak memory beyond state [MB]'),
              ('images_times_steps', 'training: images/s x K'),
              ('first_seconds', 'time to the first step [s]')]
    steps = sorted({v['steps_per_level'] for v in report['rows']})
    for axes, (key, label) in zip(figure.subplots(1, len(panels)), panels):
        for peer in report['spreads']:
            points = [(v['steps_per_level'], v[key]) for v in report['rows']
                      if v['peer'] == peer and key in v]
            if points:
                axes.plot(*zip(*points), marker='o', label=peer)
        axes.set_xscale('log', base=2)
        axes.set_xticks(steps, map(str, steps))
        axes.set_ylim(bottom=0)
        axes.set_xlabel('steps per level K')
        axes.set_ylabel(label)
    axes.legend()
    figure.savefig(path, dpi=150)
