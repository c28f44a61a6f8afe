"""Images that no data set holds, to see what a model makes of them."""

from collections.abc import Callable

import numpy as np
from scipy import ndimage

_BLURS = 8  # About so many blurred spots lie along a side of a smooth image.


def make(kind: str, images: np.ndarray, bins: int, seed: int = 0) -> np.ndarray:
    """Returns strange images in the shape and number of `images`, uint8 of 0 .. bins-1.

    Args:
        kind: One of `KINDS`; see the function of that name.
        images: uint8 [N, H, W, C], images such as the model knows.
        bins: The number of grey levels.
        seed: The same seed gives the same images.
    """
    return KINDS[kind](images, bins, np.random.default_rng(seed)).astype(np.uint8)


def noise(images: np.ndarray, bins: int, generator: np.random.Generator) -> np.ndarray:
    """Returns images in which each number is uniform and independent of all others."""
    return generator.integers(bins, size=images.shape)


def constant(images: np.ndarray, bins: int, generator: np.random.Generator) -> np.ndarray:
    """Returns images of one colour each; the colours are uniform."""
    colours = generator.integers(bins, size=(len(images), 1, 1, images.shape[3]))
    return np.broadcast_to(colours, images.shape)


def smooth(images: np.ndarray, bins: int, generator: np.random.Generator) -> np.ndarray:
    """Returns Gaussian noise, blurred over an eighth of the sides, stretched to all grey levels."""
    sides = np.array(images.shape[1:3]) / _BLURS
    blurred = ndimage.gaussian_filter(generator.standard_normal(images.shape), (0, *sides, 0))
    low, high = (end(blurred, axis=(1, 2, 3), keepdims=True) for end in (np.min, np.max))
    return np.round((blurred - low) / (high - low) * (bins - 1))


def inverted(images: np.ndarray, bins: int, generator: np.random.Generator) -> np.ndarray:
    """Returns the images with light and dark exchanged."""
    del generator
    return bins - 1 - images


def shuffled_pixels(images: np.ndarray, bins: int, generator: np.random.Generator) -> np.ndarray:
    """Returns the pixels of each image in an order of its own; channels stay together."""
    del bins
    pixels = images.reshape(len(images), -1, images.shape[3])
    order = generator.permuted(np.tile(np.arange(pixels.shape[1]), (len(images), 1)), axis=1)
    return np.take_along_axis(pixels, order[..., np.newaxis], axis=1).reshape(images.shape)


KINDS: dict[str, Callable[[np.ndarray, int, np.random.Generator], np.ndarray]] = {
    f.__name__: f for f in (noise, constant, smooth, inverted, shuffled_pixels)}
