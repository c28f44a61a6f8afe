"""Images that no data set holds, to see what a model makes of them."""

import numpy as np
from scipy import ndimage

_BLURS = 8  # In a side of a smooth image, about.


def make(kind, images, bins, seed=0):
    """Returns strange images in the shape and number of `images`, uint8 of 0 .. bins-1.

    Args:
        kind: one of `KINDS`; see the function of that name.
        images: uint8 [N, H, W, C], what the model knows.
        bins: number of grey levels.
        seed: an int; the same one gives the same images.
    """
    return KINDS[kind](images, bins, np.random.default_rng(seed)).astype(np.uint8)


def noise(images, bins, generator):
    """Each number uniform on its own."""
    return generator.integers(bins, size=images.shape)


def constant(images, bins, generator):
    """Each image one colour, uniform."""
    colours = generator.integers(bins, size=(len(images), 1, 1, images.shape[3]))
    return np.broadcast_to(colours, images.shape)


def smooth(images, bins, generator):
    """Gaussian noise blurred over an eighth of the sides, stretched to all grey levels."""
    sides = np.array(images.shape[1:3]) / _BLURS
    blurred = ndimage.gaussian_filter(generator.standard_normal(images.shape), (0, *sides, 0))
    low, high = (end(blurred, axis=(1, 2, 3), keepdims=True) for end in (np.min, np.max))
    return np.round((blurred - low) / (high - low) * (bins - 1))


def inverted(images, bins, generator):
    """Light for dark."""
    del generator
    return bins - 1 - images


def shuffled_pixels(images, bins, generator):
    """The pixels of each image in an order of its own; channels stay together."""
    del bins
    pixels = images.reshape(len(images), -1, images.shape[3])
    order = generator.permuted(np.tile(np.arange(pixels.shape[1]), (len(images), 1)), axis=1)
    return np.take_along_axis(pixels, order[..., np.newaxis], axis=1).reshape(images.shape)


KINDS = {f.__name__: f for f in (noise, constant, smooth, inverted, shuffled_pixels)}
