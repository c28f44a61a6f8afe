"""Pictures of how a model sees images of several kinds, as PNG files."""

import numpy as np
from matplotlib.figure import Figure

from zoo.cli import files

_CELLS = 60
SHOWN = 6  # Images of each kind.


def histograms(path, bits):
    """Draws the histograms of bits/dim of several data sets on one axis.

    Args:
        path: the PNG file.
        bits: `{name: [N]}`; what is not finite is left out.
    """
    finite = {name: values[np.isfinite(values)] for name, values in bits.items()}
    everything = np.concatenate(list(finite.values()))
    edges = np.histogram_bin_edges(everything, _CELLS)
    figure = Figure(figsize=(7, 4), dpi=110, layout='constrained')
    axes = figure.subplots()
    for index, (name, values) in enumerate(finite.items()):
        if len(values):
            axes.hist(values, edges, density=True, histtype='stepfilled' if not index else 'step',
                      alpha=.4 if not index else 1., label=name, color=f'C{index}')
    axes.set(xlabel='bits/dim', ylabel='density', yticks=[])
    axes.legend()
    files.write_whole(path, lambda file: figure.savefig(file, format='png'))


def maps(path, kinds, bins):
    """Draws images of several data sets, below each the map of its bits, a scale for each set.

    Args:
        path: the PNG file.
        kinds: `{name: (uint8 [N, H, W, C], float [N, H, W])}`; the first six of each are shown.
        bins: number of grey levels.
    """
    figure = Figure(figsize=(1.2 * SHOWN + 2, 2.4 * len(kinds)), dpi=90, layout='constrained')
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
    files.write_whole(path, lambda file: figure.savefig(file, format='png'))
