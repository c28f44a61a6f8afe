"""Plots of densities over vectors as PNG files."""

import itertools
import math
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.pictures import figures

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_CELLS = 200  # Along a side of the density's grid.
_PAIRS = 5  # So many columns are shown in a plot by pairs.
_DOTS = 2000  # So many points of each kind are shown in one of its panels.
_FEW = 5000  # Fewer points than this are dots; more are counted in cells.

LogProb = Callable[[np.ndarray], Any]  # [M, D] float32 -> [M], in nats.


def density(path: str | os.PathLike, samples: np.ndarray, log_prob: LogProb | None = None,
            data: np.ndarray | None = None, columns: Sequence[str] | None = None) -> None:
    """Draws samples of a model, beside its density and the data it was trained on if given.

    Two columns become panels of the data, the samples and the density, on one scale. Of any other
    number, the first five columns are drawn: each as histograms of data and samples, and each pair
    of them as dots. The density of a single column is a curve.

    Args:
        path: The PNG file; one that is there is replaced.
        samples: [N, D], finite.
        log_prob: `[M, D] float32 -> [M]` in nats, for one or two columns; None leaves it out.
        data: [N, D], finite; None leaves it out.
        columns: The names of the D columns. Default: x1, x2, ...

    Raises:
        ValueError: If an argument is out of its range.
        Failure: If matplotlib is missing.
    """
    points = {name: _checked(name, value) for name, value in (('data', data), ('samples', samples))
              if value is not None}
    dims = {name: value.shape[1] for name, value in points.items()}
    if len(set(dims.values())) > 1:
        raise ValueError(f'data must have as many columns as samples; got {dims}.')
    columns = columns or [f'x{i + 1}' for i in range(dims['samples'])]
    draw = _panels if dims['samples'] == 2 else _pairs
    figures.save(draw(points, log_prob, columns), path)


def _panels(points: dict[str, np.ndarray], log_prob: LogProb | None,
            columns: Sequence[str]) -> 'Figure':
    count = len(points) + (log_prob is not None)
    figure = figures.make(4 * count, 4.2)
    panels = figure.subplots(1, count, squeeze=False)[0]
    low, high = _limits(next(iter(points.values())))
    for panel, (name, values) in zip(panels, points.items()):
        if len(values) < _FEW:
            _dots(panel, values)
        else:
            cells = min(int(math.sqrt(len(values) / 4)), _CELLS // 2)
            x, y = values.T
            counts, *sides = np.histogram2d(x, y, cells, np.stack([low, high], axis=1))
            panel.pcolormesh(*sides, counts.T)
        panel.set_title(f'{len(values):,} {"points of the data" if name == "data" else name}')
    if log_prob is not None:
        edges = [np.linspace(*ends, _CELLS + 1) for ends in zip(low, high)]
        middles = np.meshgrid(*((edge[1:] + edge[:-1]) / 2 for edge in edges))
        grid = np.stack([middle.ravel() for middle in middles], axis=1).astype(np.float32)
        values = np.exp(np.asarray(log_prob(grid), np.float64)).reshape([_CELLS, _CELLS])
        # A few cells on a ridge would leave all others dark.
        panels[-1].pcolormesh(*edges, values, vmin=0, vmax=np.nanquantile(values, .999))
        panels[-1].set_title('density of the model')
    for panel in panels:
        panel.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), xlabel=columns[0])
        panel.set_box_aspect(1)
    panels[0].set_ylabel(columns[1])
    return figure


def _pairs(points: dict[str, np.ndarray], log_prob: LogProb | None,
           columns: Sequence[str]) -> 'Figure':
    columns = columns[:_PAIRS]
    count = len(columns)
    side = max(2.2 * count, 4)
    figure = figures.make(side, side)
    panels = figure.subplots(count, count, squeeze=False, sharex='col')
    low, high = _limits(next(iter(points.values())))
    for row, column in itertools.product(range(count), repeat=2):
        panel = panels[row, column]
        if column > row:
            panel.remove()
            continue
        panel.set_xlim(low[column], high[column])
        for name, values in points.items():
            if row == column:
                panel.hist(values[:, row], np.linspace(low[row], high[row], 50), density=True,
                           histtype='step', label=name)
            else:
                _dots(panel, values[:_DOTS, [column, row]])
        if row == column:
            panel.set_yticks([])
        else:
            panel.set_ylim(low[row], high[row])
        if row == count - 1:
            panel.set_xlabel(columns[column])
        if column == 0:
            panel.set_ylabel('density' if row == 0 else columns[row])
    if count == 1 and log_prob is not None:
        grid = np.linspace(low, high, _CELLS).astype(np.float32)
        panels[0, 0].plot(grid[:, 0], np.exp(log_prob(grid)), label='density of the model')
    figure.legend(*panels[0, 0].get_legend_handles_labels(), loc='upper right')
    return figure


def _dots(panel: 'Axes', values: np.ndarray) -> None:
    panel.plot(*values.T, '.', markersize=3, alpha=.5, markeredgewidth=0)


def _limits(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the ends of the axis of each column; a few far points do not stretch it."""
    low, high = np.quantile(values, [.001, .999], axis=0)
    margin = np.maximum(.1 * (high - low), 1e-6 * np.maximum(1, np.abs(high)))
    return low - margin, high + margin


def _checked(name: str, values: np.ndarray) -> np.ndarray:
    values = np.asarray(values, np.float64)
    if values.ndim != 2 or not values.size or not np.all(np.isfinite(values)):
        raise ValueError(f'{name} must be finite, [N, D] with N and D above 0; got '
                         f'the shape {list(values.shape)}.')
    return values
