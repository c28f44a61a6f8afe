"""Measurements -> plain dicts, one per row of a report, and the report's text."""

import statistics

from zoo.benchmarks import flops

_BUSY_CORES = .1


def matmul_peak(measurements):
    """The best GFLOP/s of any round of the 'matmul' jobs among `measurements`; None without any."""
    rates = [rate for measurement in measurements if measurement.job.what == 'matmul'
             for rate in measurement.per_round('gflops')]
    return max(rates, default=None)


def peak_line(report):
    peak = report['matmul_gflops']
    return f'matmul peak {peak:.0f} GFLOP/s (float32)' if peak else 'matmul peak not measured'


def row(measurement, reference=None, peak_gflops=None):
    """The figures of one measurement: medians over its rounds, and ratios to `reference`.

    `speed_ratio` is the median over the rounds of the reference's images/s divided by this one's
    in the same round. `first_ratio` is this one's time to the end of its first call divided by the
    reference's. `other_cores` is the load from outside, `load.OtherLoad`, its median.
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
    if reference and reference.rounds:
        values['speed_ratio'] = speed_ratio(reference, measurement)
        values['first_ratio'] = values['first_seconds'] / reference.first['first_seconds']
    return values


def speed_ratio(reference, measurement):
    """The median over the rounds of the reference's images/s over the other's; None without."""
    if not (reference and reference.rounds and measurement.rounds):
        return None
    return median_ratio(reference.per_round('images_per_second'),
                        measurement.per_round('images_per_second'))


def median_ratio(speeds, others):
    """The median over the rounds of the ratios of two peers' speeds."""
    return statistics.median(a / b for a, b in zip(speeds, others))


def median_load(loads):
    """The median of what `load.OtherLoad` said in the rounds; None where the system does not."""
    return None if None in loads else statistics.median(loads)


def busy_warning(rows):
    """A line that says so if other processes kept the machine busy in any row's rounds, or ''."""
    loads = [values['other_cores'] for values in rows if values.get('other_cores') is not None]
    if max(loads, default=0.) < _BUSY_CORES:
        return ''
    return (f'WARNING: other processes used up to {max(loads):.1f} cores during the rounds; repeat '
            'on an idle machine. PyTorch suffers most.')


def table(rows, columns):
    """Text: a line of titles and a line per row. `columns` is title -> (key, format).

    A row that failed shows why behind what it has.
    """
    lines = [list(columns)]
    for values in rows:
        lines.append([form.format(values[key]) if values.get(key) is not None else '-'
                      for key, form in columns.values()])
    widths = [max(map(len, column)) for column in zip(*lines)]
    text = ['  '.join(cell.rjust(width) for cell, width in zip(line, widths)) for line in lines]
    reasons = [''] + [f'  {values["failure"]}' if values.get('failure') else '' for values in rows]
    return '\n'.join(map(str.__add__, text, reasons))
