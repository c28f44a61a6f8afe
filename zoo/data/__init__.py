"""Data sets: images through TFDS, `load(name)`; densities and tables, `load_vectors(name)`."""

import importlib
from typing import Any

_HOMES = {'ImageData': 'image_data', 'PictureOptions': 'picture_options',
          'VectorData': 'vector_data', 'check': 'dataset_names', 'is_folder': 'dataset_names',
          'is_vectors': 'dataset_names', 'load': 'loading', 'load_vectors': 'vector_data',
          'names': 'sources'}

__all__ = ['ImageData', 'PictureOptions', 'VectorData', 'check', 'is_folder', 'is_vectors', 'load',
           'load_vectors', 'names']


def __getattr__(name: str) -> Any:
    """Imports a name when it is first used: TFDS takes seconds, and a preset does not need it.

    Raises:
        AttributeError: If the package has no such name.
    """
    if name not in _HOMES:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    return getattr(importlib.import_module(f'{__name__}.{_HOMES[name]}'), name)
