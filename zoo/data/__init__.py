"""Data sets: images through TFDS, `load(name)`; densities and tables, `load_vectors(name)`."""

from zoo.data.loading import load
from zoo.data.pipeline import ImageData
from zoo.data.sources import names
from zoo.data.vectors import VectorData, is_vectors, load_vectors

__all__ = ['ImageData', 'VectorData', 'is_vectors', 'load', 'load_vectors', 'names']
