"""Turns arrays of images into the bytes of a file, and back, by one model."""

import io
import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from tfp_glow.coding import chunks, container, streams, tiling
from tfp_glow.coding.model import IntegerModel

# The networks are given tiles of about so many pixels at once, but at least so many tiles.
_PIXELS, _LEAST_BATCH = 1 << 17, 32


class Codec:
    """A lossless image codec around an integer flow, whose functions are traced once.

    The codec takes any 8-bit grey or RGB image of any size. Images that resemble the training data
    take the fewest bytes. Larger images are cut into tiles of the model's size, and edges are
    repeated. If an array has at most 2**14 tiles, then those that repeat, whole or in quarters, are
    coded once (`repeats`).

    Args:
        model: A `tfp_glow.flows.IntegerFlow` over images `[h, w, 1 or 3]`.

    Attributes:
        tile: The shape of the model's images, `(h, w, c)`.
        model: The model.
        coders: A dict from a batch to the `ChunkCoder` made for it so far. The coders count symbols
            and seconds.

    Raises:
        ValueError: If the model's images do not have 1 or 3 channels.
    """

    def __init__(self, model: IntegerModel) -> None:
        self.tile = tuple(int(n) for n in model.event_shape)
        if len(self.tile) != 3 or self.tile[-1] not in (1, 3):
            raise ValueError('model must be one of images [h, w, 1 or 3]; '
                             f'got event_shape={list(self.tile)}.')
        self.model = model
        self.coders: dict[int, chunks.ChunkCoder] = {}

    def encode(self, images: np.ndarray | list[np.ndarray] | tuple[np.ndarray, ...],
               batch: int | None = None, verify: bool = True) -> bytes:
        """Returns the bytes of a `.tfg` file, which `decode` turns back into equal arrays.

        Args:
            images: A uint8 array `[H, W]`, `[H, W, C]`, `[N, H, W]` or `[N, H, W, C]` with C = 1 or
                3, or a list of such arrays.
            batch: The number of tiles that the networks are given at once, filled up if there are
                fewer tiles. By default it is what `batch_for` returns.
            verify: Whether to decode the bytes and to compare the result with the images.

        Raises:
            ValueError: If an argument is out of its range.
            RuntimeError: If decoding gave something else. This machine does not compute reliably
                then.
        """
        if isinstance(images, (list, tuple)):
            layout, arrays = container.LIST, list(images)
        else:
            layout, arrays = container.ARRAY, [images]
        if not arrays:
            raise ValueError('images must not be empty; got an empty list.')
        if batch is None:
            batch = self.batch_for([np.shape(array) for array in arrays])
        file = io.BytesIO()
        writer = streams.Encoder(self, file, layout, batch)
        for array in arrays:
            writer.add(array)
        writer.finish()
        if verify:
            self._verify(file.getvalue(), arrays)
        return file.getvalue()

    def _verify(self, data: bytes, arrays: list[np.ndarray]) -> None:
        try:
            decoded: Any = self.decode(data)
        except container.DecodingError as error:
            raise RuntimeError(f'what was encoded cannot be decoded again: {error}') from error
        if not isinstance(decoded, list):  # It never is a dict, as the file has no names.
            decoded = [decoded]
        if len(decoded) != len(arrays) or not all(map(np.array_equal, decoded, arrays)):
            raise RuntimeError('what was encoded is decoded to other images.')

    def decode(self, data: bytes, levels: int | None = None,
               seed: int = 0) -> np.ndarray | list[np.ndarray] | dict[str, np.ndarray]:
        """Returns what the bytes of a file hold.

        Args:
            data: The bytes of a `.tfg` file.
            levels: How many levels to decode, from the top. The levels below are drawn from their
                priors, which gives a preview and not the images themselves. By default all levels
                are decoded.
            seed: The seed of what is drawn.

        Returns:
            The array, or the list of arrays, or the dict of named arrays.

        Raises:
            DecodingError: If the bytes are damaged, are of another model, or were computed
                differently.
            ValueError: If `levels` is out of its range.
        """
        decoder = streams.Decoder(self, io.BytesIO(data), levels, seed)
        named = list(decoder.arrays())
        if decoder.layout == container.FILES:
            return dict(named)
        arrays = [array for _, array in named]
        return arrays if decoder.layout == container.LIST else arrays[0]

    def coder(self, batch: int) -> chunks.ChunkCoder:
        """Returns the `ChunkCoder` of a batch, which is kept, as it takes seconds to make."""
        if batch not in self.coders:
            self.coders[batch] = chunks.ChunkCoder(self.model, batch)
        return self.coders[batch]

    def batch_for(self, shapes: Iterable[tuple[int, ...]] | None = None) -> int:
        """Returns how many tiles to give to the networks at once.

        The number is a power of two: 32, or more if tiles are small, so that they have about 2**17
        pixels. If `shapes` is given, it is no more than the arrays of these shapes need in all.
        """
        many = 1 << max(_PIXELS // math.prod(self.tile[:2]), 1).bit_length() - 1
        most = min(max(many, _LEAST_BATCH), container.MAX_BATCH)
        if shapes is None:
            return most
        tiles = sum(len(tiling.Grid(shape, self.tile)) for shape in shapes)
        return min(most, 1 << (tiles - 1).bit_length())
