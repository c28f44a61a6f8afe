"""Image data sets through TFDS: `load(name)` gives an `ImageData`, `names()` what there is."""

from zoo.data.loading import load
from zoo.data.pipeline import ImageData
from zoo.data.sources import names

__all__ = ['ImageData', 'load', 'names']
