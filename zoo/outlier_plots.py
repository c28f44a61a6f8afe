"""Pictures of how a model sees images of several kinds, as PNG files."""

import numpy as np
from matplotlib.figure import Figure

from zoo import images as zoo_images

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
    zoo_images.write_atomically(path, lambda file: figure.savefig(file, format='png'))


def maps(path, kinds, bins):
    """Draws images of several data sets, below each the map of its bits, on one scale.

    Args:
        path: the PNG file.
        kinds: `{name: (uint8 [N, H, W, C], float [N, H, W])}`; the first six of each are shown.
        bins: number of grey levels.
    """
    figure = Figure(figsize=(1.2 * SHOWN + 1.5, 2.4 * len(kinds)), dpi=110, layout='constrained')
    panels = figure.subplots(2 * len(kinds), SHOWN, squeeze=False)
    values = np.concatenate([m[:SHOWN].ravel() for _, m in kinds.values()])
    low, high = np.quantile(values[np.isfinite(values)], [.01, .99])
    for panel in panels.ravel():
        panel.set(xticks=[], yticks=[])
    for row, (name, (pictures, spent)) in enumerate(kinds.items()):
        panels[2 * row, 0].set_ylabel(name)
        panels[2 * row + 1, 0].set_ylabel('bits')
        for column, (picture, bits) in enumerate(zip(pictures[:SHOWN], spent)):
            shown = np.squeeze(picture / (bins - 1), axis=2) if picture.shape[2] == 1 else (
                picture / (bins - 1))
            panels[2 * row, column].imshow(shown, cmap='gray', vmin=0, vmax=1)
            drawn = panels[2 * row + 1, column].imshow(bits, cmap='inferno', vmin=low, vmax=high)
    figure.colorbar(drawn, ax=panels, label='bits of a pixel', shrink=.5)
    zoo_images.write_atomically(path, lambda file: figure.savefig(file, format='png'))
