"""Pictures of how a model sees images of several kinds, as PNG files."""

import os
from collections.abc import Mapping

import numpy as np

from zoo.pictures import figures

_CELLS = 60  # Of a histogram.
SHOWN = 6  # Images of each kind.


def histograms(path: str | os.PathLike, bits: Mapping[str, np.ndarray]) -> None:
    """Draws the histograms of bits/dim of several data sets on one axis.

    Args:
        path: The PNG file; one that is there is replaced.
        bits: `{name: [N]}`; what is not finite is left out.

    Raises:
        Failure: If matplotlib is missing.
    """
    finite = {name: values[np.isfinite(values)] for name, values in bits.items()}
    everything = np.concatenate(list(finite.values()))
    edges = np.histogram_bin_edges(everything, _CELLS).tolist()
    figure = figures.make(7, 4)
    axes = figure.subplots()
    for index, (name, values) in enumerate(finite.items()):
        if len(values):
            axes.hist(values, edges, density=True, histtype='stepfilled' if not index else 'step',
                      alpha=.4 if not index else 1., label=name, color=f'C{index}')
    axes.set(xlabel='bits/dim', ylabel='density', yticks=[])
    axes.legend()
    figures.save(figure, path)


def maps(path: str | os.PathLike, kinds: Mapping[str, tuple[np.ndarray, np.ndarray]],
         bins: int) -> None:
    """Draws images of several data sets, and below each image the map of its bits.

    Each data set has a scale of its own.

    Args:
        path: The PNG file; one that is there is replaced.
        kinds: `{name: (uint8 [N, H, W, C], float [N, H, W])}`; the first six of each are shown.
        bins: The number of grey levels.

    Raises:
        Failure: If matplotlib is missing.
    """
    figure = figures.make(1.2 * SHOWN + 2, 2.4 * len(kinds), dpi=90)
    panels = figure.subplots(2 * len(kinds), SHOWN, squeeze=False)
    for panel in panels.ravel():
        panel.set(xticks=[], yticks=[])
    for row, (name, (pictures, spent)) in enumerate(kinds.items()):
        above, below = panels[2 * row:2 * row + 2]
        above[0].set_ylabel(name, fontsize='small')
        finite = spent[np.isfinite(spent)]
        low, high = np.quantile(finite, [.01, .99]) if len(finite) else (0, 1)
        for column, (picture, bits) in enumerate(zip(pictures[:SHOWN], spent)):
            grey = picture.shape[2] == 1
            above[column].imshow((picture[..., 0] if grey else picture) / (bins - 1), cmap='gray',
                                 vmin=0, vmax=1)
            drawn = below[column].imshow(bits, cmap='inferno', vmin=low, vmax=high)
        figure.colorbar(drawn, ax=below, label='bits')
    figures.save(figure, path)
