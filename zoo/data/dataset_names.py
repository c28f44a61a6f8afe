"""Tells from the name of a data set what it is. This needs no TensorFlow."""

import pathlib

from zoo.cli import errors
from zoo.data import densities, folders

TABLES = ('.csv', '.npz')
EMBEDDED = ('digits', 'photo_patches')


def is_vectors(name: str) -> bool:
    """Returns whether a data set is one of vectors: a density, or the path of a table."""
    return name in densities.NAMES or str(name).endswith(TABLES)


def default(data_dir: str | None) -> str:
    """Returns fashion_mnist if TFDS has prepared it, and digits otherwise.

    Args:
        data_dir: The folder where TFDS keeps data sets. Default: TFDS's own.
    """
    places = [folders.expand(data_dir)] if data_dir else folders.default_folders()
    return 'fashion_mnist' if any((place / 'fashion_mnist').is_dir() for place in places) else (
        'digits')


def check(name: str, data_dir: str | None = None) -> None:
    """Checks that there is a data set of this name, which takes less than a second.

    Args:
        name: The name, or the path of a table.
        data_dir: The folder where TFDS keeps data sets. Default: TFDS's own.

    Raises:
        UsageError: If there is none; the message names the nearest one.
    """
    if name in densities.NAMES or name in EMBEDDED:
        return
    if name.lower() in (*densities.NAMES, *EMBEDDED):
        raise errors.UsageError(f'--dataset must be a name as it is written; got {name!r}. Did you '
                                f'mean {name.lower()!r}?')
    if is_vectors(name):
        if not pathlib.Path(name).is_file():
            raise errors.UsageError(f'--dataset={name}: it must be a file that can be read; there '
                                    'is none.')
        return
    from zoo.data import sources  # Late: TFDS takes half a second.
    sources.find_builder(name, data_dir)
