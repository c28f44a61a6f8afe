"""Matplotlib figures, and how they become PNG files."""

import os
from typing import TYPE_CHECKING

from zoo.cli import errors, files

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def make(width: float, height: float, dpi: int = 110) -> 'Figure':
    """Returns an empty figure of this width and height in inches.

    Raises:
        Failure: If matplotlib is missing.
    """
    try:
        from matplotlib.figure import Figure  # Late: nothing else needs matplotlib.
    except ImportError:
        raise errors.Failure('matplotlib is missing: pip install matplotlib.') from None
    return Figure(figsize=(width, height), dpi=dpi, layout='constrained')


def save(figure: 'Figure', path: str | os.PathLike) -> None:
    """Writes a figure as a PNG file, whole or not at all; one that is there is replaced."""
    files.write_whole(path, lambda file: figure.savefig(file, format='png'))
