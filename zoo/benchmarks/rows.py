"""Turns measurements into plain dicts, one per row of a report, and these into its text."""

import statistics
from collections.abc import Sequence
from typing import Any

from zoo.benchmarks import flops
from zoo.benchmarks.job import PEERS
from zoo.benchmarks.session import Measurement

_BUSY_CORES = .1


def matmul_peak(measurements: Sequence[Measurement], bfloat16: bool = False) -> float | None:
    """Returns the best GFLOP/s of any round of the 'matmul' jobs, or None without such jobs.

    Args:
        measurements: The measurements.
        bfloat16: Whether to take the jobs that multiply in bfloat16, and not those in float32.
    """
    rates = [rate for measurement in measurements if measurement.job.what == 'matmul'
             and PEERS[measurement.job.peer].bfloat16 == bfloat16
             for rate in measurement.per_round('gflops')]
    return max(rates, default=None)


def peak_line(report: dict[str, Any]) -> str:
    """Returns the line of a report that says the matmul peaks."""
    peaks = [f'{report[key]:.0f} GFLOP/s ({dtype})'
             for key, dtype in (('matmul_gflops', 'float32'), ('matmul_bfloat16', 'bfloat16'))
             if report.get(key)]
    return f'matmul peak {", ".join(peaks)}' if peaks else 'matmul peak not measured'


def row(measurement: Measurement, reference: Measurement | None = None,
        peak_gflops: float | None = None) -> dict[str, Any]:
    """Returns the figures of one measurement: medians over its rounds, and ratios to `reference`.

    `speed_ratio` is the median over the rounds of the reference's images/s divided by this
    measurement's images/s in the same round. `first_ratio` is this measurement's time to the end of
    its first call divided by the reference's. `other_cores` is the median of the load from outside,
    `load.OtherLoad`.
    """
    job = measurement.job
    values = {'what': job.what, 'peer': job.peer, 'steps_per_level': job.steps_per_level,
              'failure': measurement.failure, **(measurement.first or {})}
    if not measurement.rounds:
        return values
    speeds = measurement.per_round('images_per_second')
    speed = statistics.median(speeds)
    values.update(measurement.rounds[-1], images_per_second=speed, images_per_second_rounds=speeds,
                  other_cores=median_load(measurement.per_round('other_cores')))
    if peak_gflops:
        values['fraction_of_peak'] = speed * flops.flops(job) / (peak_gflops * 1e9)
    if reference and reference.first and reference.rounds:
        values['speed_ratio'] = speed_ratio(reference, measurement)
        values['first_ratio'] = values['first_seconds'] / reference.first['first_seconds']
    return values


def speed_ratio(reference: Measurement | None, measurement: Measurement) -> float | None:
    """Returns the median over the rounds of the reference's images/s over the other's.

    It is None if one of them has no rounds.
    """
    if not (reference and reference.rounds and measurement.rounds):
        return None
    return median_ratio(reference.per_round('images_per_second'),
                        measurement.per_round('images_per_second'))


def add_best_ratio(values: Sequence[dict[str, Any]], measurements: Sequence[Measurement],
                   prefix: str) -> None:
    """Adds `best_ratio` to the rows of other peers than those whose name begins with `prefix`.

    It is the peer's images/s over those of the fastest peer of that name in the same precision, the
    median of the rounds' ratios.

    Args:
        values: The rows.
        measurements: A measurement for each row.
        prefix: The beginning of the name.
    """
    for one, measurement in zip(values, measurements):
        own = PEERS[measurement.job.peer]
        rivals = [m for m in measurements if m.rounds and m.job.peer.startswith(prefix)
                  and PEERS[m.job.peer].bfloat16 == own.bfloat16]
        if rivals and measurement.rounds and not measurement.job.peer.startswith(prefix):
            best = max(rivals, key=lambda m: statistics.median(m.per_round('images_per_second')))
            one['best_ratio'] = speed_ratio(measurement, best)


def median_ratio(speeds: Sequence[float], others: Sequence[float]) -> float:
    """Returns the median over the rounds of the ratios of two peers' speeds."""
    return statistics.median(a / b for a, b in zip(speeds, others))


def median_load(loads: Sequence[float | None]) -> float | None:
    """Returns the median of what `load.OtherLoad` said in the rounds.

    It is None if the system does not tell.
    """
    told = [load for load in loads if load is not None]
    return statistics.median(told) if len(told) == len(loads) else None


def busy_warning(rows: Sequence[dict[str, Any]]) -> str:
    """Returns a warning if other processes kept the machine busy in any row's rounds, or else ''.
    """
    loads = [values['other_cores'] for values in rows if values.get('other_cores') is not None]
    if max(loads, default=0.) < _BUSY_CORES:
        return ''
    return (f'WARNING: other processes used up to {max(loads):.1f} cores during the rounds; repeat '
            'on an idle machine. PyTorch suffers most.')


def table(rows: Sequence[dict[str, Any]], columns: dict[str, tuple[str, str]]) -> str:
    """Returns the text of a table: a line of titles and a line per row.

    `columns` is title -> (key, format). A row that failed shows the reason behind its figures.
    """
    lines = [list(columns)]
    for values in rows:
        lines.append([form.format(values[key]) if values.get(key) is not None else '-'
                      for key, form in columns.values()])
    widths = [max(map(len, column)) for column in zip(*lines)]
    text = ['  '.join(cell.rjust(width) for cell, width in zip(line, widths)) for line in lines]
    reasons = [''] + [f'  {values["failure"]}' if values.get('failure') else '' for values in rows]
    return '\n'.join(map(str.__add__, text, reasons))
