"""Learning curves as PNG files."""

import csv
import pathlib

from zoo.cli import errors, files


def read(path):
    """The rows of a run's metrics.csv, as dictionaries of texts."""
    with pathlib.Path(path).open(newline='') as file:
        return list(csv.DictReader(file))


def draw(curves, path, unit='bits/dim', title=None):
    """Draws curves over epochs as a PNG file; one that is there is replaced.

    Args:
        curves: `{label: (epochs, values)}`.
        path: the file.
        unit: what the values are.
        title: what the epochs took, for instance; written under them.

    Raises:
        Failure: matplotlib is missing.
    """
    try:
        from matplotlib.figure import Figure  # pylint: disable=g-import-not-at-top
    except ImportError:
        raise errors.Failure('matplotlib is missing: pip install matplotlib.') from None
    figure = Figure(figsize=(6, 3.5), dpi=110, layout='constrained')
    axes = figure.subplots()
    for label, (epochs, values) in curves.items():
        axes.plot(epochs, values, label=label, marker='.' if len(epochs) < 30 else None)
    axes.set(xlabel='epoch' + (f' ({title})' if title else ''), ylabel=unit)
    axes.grid(alpha=.3)
    axes.legend()
    files.write_whole(path, lambda file: figure.savefig(file, format='png'))


def unit(rows):
    """What a run was measured in, 'nats' or 'bits/dim', from the rows of its metrics.csv."""
    return 'nats' if 'val_nats' in rows[0] else 'bits/dim'


def validation(rows):
    """`(epochs, values)`: the validation curve of one run from the rows of its metrics.csv."""
    return _curve(rows, f'val_{_metric(rows)}')


def draw_run(rows, path):
    """Draws training and validation of one run from the rows of its metrics.csv."""
    draw({'training, as it goes': _curve(rows, _metric(rows)),
          'validation, averaged weights': validation(rows)},
         path, unit(rows), f'{float(rows[-1]["seconds"]) / 60:.0f} minutes in all')


def draw_runs(runs, path):
    """Draws the validation curves of `{label: rows of a metrics.csv}`, all in one unit."""
    draw({label: validation(rows) for label, rows in runs.items()}, path,
         unit(next(iter(runs.values()))), 'validation, averaged weights')


def _metric(rows):
    return 'nats' if unit(rows) == 'nats' else 'bits_per_dim'


def _curve(rows, key):
    return [int(row['epoch']) for row in rows], [float(row[key]) for row in rows]
