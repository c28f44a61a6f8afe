"""Learning curves as PNG files."""

import math
import os
import pathlib
from collections.abc import Mapping, Sequence

from zoo.cli import errors
from zoo.pictures import figures
from zoo.runs import metrics_file

Rows = list[dict[str, str]]  # Of a metrics.csv: one dictionary of texts for each epoch.
Curve = tuple[list[int], list[float]]  # Epochs, and a value for each of them.


def read(path: str | os.PathLike) -> Rows:
    """Returns the rows of a run's metrics.csv, as dictionaries of texts.

    Raises:
        UsageError: If the file cannot be read, or does not hold the metrics of a run.
    """
    try:
        epochs, lost = metrics_file.read(pathlib.Path(path))
        if lost:
            raise ValueError(f'{lost} of its lines cannot be read; --resume writes it anew')
        if not epochs:
            raise ValueError('it holds no epochs')
        rows = [dict(epoch.texts) for epoch in epochs]
        others = [_curve(rows, key) for key in (_metric(rows), 'seconds') if key in rows[0]]
        for values in (validation(rows), *others):
            if not all(math.isfinite(value) for value in values[1]):
                raise ValueError('it holds numbers that are not finite')
    except (OSError, ValueError, KeyError) as error:
        raise errors.UsageError(f'--workdir must hold a metrics.csv of zoo.train; {str(path)!r} '
                                f'cannot be read ({error}).') from None
    return rows


def draw(curves: Mapping[str, tuple[Sequence[int], Sequence[float]]], path: str | os.PathLike,
         unit: str = 'bits/dim', title: str | None = None) -> None:
    """Draws curves over epochs as a PNG file; one that is there is replaced.

    Args:
        curves: `{label: (epochs, values)}`.
        path: The file.
        unit: The unit of the values.
        title: A text to write under the epochs, for instance how long they took.

    Raises:
        Failure: If matplotlib is missing.
    """
    figure = figures.make(6, 3.5)
    axes = figure.subplots()
    for label, (epochs, values) in curves.items():
        axes.plot(epochs, values, label=label, marker='.' if len(epochs) < 30 else None)
    axes.set(xlabel='epoch' + (f' ({title})' if title else ''), ylabel=unit)
    axes.grid(alpha=.3)
    axes.legend()
    figures.save(figure, path)


def unit(rows: Rows) -> str:
    """Returns the unit in which a run was measured, 'nats' or 'bits/dim'.

    Args:
        rows: The rows of its metrics.csv.
    """
    return 'nats' if 'val_nats' in rows[0] else 'bits/dim'


def validation(rows: Rows) -> Curve:
    """Returns the validation curve of one run from the rows of its metrics.csv."""
    return _curve(rows, f'val_{_metric(rows)}')


def draw_run(rows: Rows, path: str | os.PathLike) -> None:
    """Draws the training and validation curves of one run from the rows of its metrics.csv."""
    draw({'training, as it goes': _curve(rows, _metric(rows)),
          'validation, averaged weights': validation(rows)},
         path, unit(rows), f'{float(rows[-1]["seconds"]) / 60:.0f} minutes in all')


def draw_runs(runs: Mapping[str, Rows], path: str | os.PathLike) -> None:
    """Draws the validation curves of `{label: rows of a metrics.csv}`, all in one unit."""
    draw({label: validation(rows) for label, rows in runs.items()}, path,
         unit(next(iter(runs.values()))), 'validation, averaged weights')


def _metric(rows: Rows) -> str:
    return 'nats' if unit(rows) == 'nats' else 'bits_per_dim'


def _curve(rows: Rows, key: str) -> Curve:
    """Returns the curve of a column; an epoch whose figure was not finite, '', is left out."""
    rows = [row for row in rows if row[key] != '']
    return [int(row['epoch']) for row in rows], [float(row[key]) for row in rows]
