"""Tells from the name of a data set what it is. This needs no TensorFlow."""

import os
import pathlib

from zoo.cli import errors
from zoo.data import densities, folders

TABLES = ('.csv', '.npz')
EMBEDDED = ('digits', 'photo_patches')


def is_vectors(name: str) -> bool:
    """Returns whether a data set is one of vectors: a density, or the path of a table."""
    return name in densities.NAMES or (str(name).endswith(TABLES) and not is_image_file(str(name)))


def is_image_file(name: str) -> bool:
    """Returns whether a data set is an npz file that holds arrays of images."""
    if not name.endswith('.npz') or not pathlib.Path(name).expanduser().is_file():
        return False
    from zoo.data import image_arrays  # Late: it imports TensorFlow.
    return image_arrays.is_images(name)


def is_folder(name: str) -> bool:
    """Returns whether a data set is a folder of pictures.

    It is if it begins as a path does, './photos' or '~/photos'. Another name is that of a folder
    which is there, unless it is the name of a data set.
    """
    if name.startswith(('.', '~', os.sep)):
        return not name.endswith(TABLES)
    if name in ('', *EMBEDDED, *densities.NAMES) or not pathlib.Path(name).is_dir():
        return False
    import tensorflow_datasets as tfds  # Late: it takes half a second.
    return name.split('/')[0] not in tfds.list_builders(with_community_datasets=False)


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
        name: The name, or the path of a table, of a folder or of an npz file.
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
    if is_image_file(name):
        return
    if is_folder(name):
        from zoo.data import picture_files
        picture_files.find(name)
        return
    from zoo.data import sources  # Late: TFDS takes half a second.
    sources.find_builder(name, data_dir)
