"""Arrays of images to the bytes of a file and back, by one model."""

import io
import math

import numpy as np

from tfp_glow.coding import chunks, container, streams, tiling

_PIXELS, _LEAST_BATCH = 1 << 17, 32  # In tiles that the networks are given at once.


class Codec:
    """A lossless image codec around an integer flow, whose functions are traced once.

    Any 8-bit grey or RGB image of any size is coded, those that resemble the training data in the
    fewest bytes. Larger images are cut into tiles of the model's size, edges are repeated. Of an
    array's tiles, if they are at most 2**14, those that repeat, whole or in quarters, are coded
    once (`repeats`).

    Args:
        model: a `tfp_glow.flows.IntegerFlow` over images `[h, w, 1 or 3]`.

    Attributes:
        coders: the `ChunkCoder`s made so far by their batch, which count symbols and seconds.

    Raises:
        ValueError: its images have not 1 or 3 channels.
    """

    def __init__(self, model):
        self.tile = tuple(int(n) for n in model.event_shape)
        if len(self.tile) != 3 or self.tile[-1] not in (1, 3):
            raise ValueError('model must be one of images [h, w, 1 or 3]; '
                             f'got event_shape={list(self.tile)}.')
        self.model, self.coders = model, {}

    def encode(self, images, batch=None, verify=True):
        """The bytes of a `.tfg` file, which `decode` turns back into equal arrays.

        Args:
            images: uint8 `[H, W]`, `[H, W, C]`, `[N, H, W]` or `[N, H, W, C]` with C = 1 or 3, or a
                list of such arrays.
            batch: tiles that the networks are given at once, filled up if there are fewer. By
                default what `batch_for` says.
            verify: whether to decode the bytes and to compare.

        Raises:
            ValueError: an argument is out of its range.
            RuntimeError: decoding gave something else: this machine does not compute reliably.
        """
        single = not isinstance(images, (list, tuple))
        arrays = [images] if single else list(images)
        if not arrays:
            raise ValueError('images must not be empty; got an empty list.')
        if batch is None:
            batch = self.batch_for([np.shape(array) for array in arrays])
        file = io.BytesIO()
        writer = streams.Encoder(self, file, container.ARRAY if single else container.LIST, batch)
        for array in arrays:
            writer.add(array)
        writer.finish()
        if verify:
            self._verify(file.getvalue(), arrays)
        return file.getvalue()

    def _verify(self, data, arrays):
        try:
            found = self.decode(data)
        except container.DecodingError as error:
            raise RuntimeError(f'what was encoded cannot be decoded again: {error}') from error
        if not isinstance(found, list):
            found = [found]
        if len(found) != len(arrays) or not all(map(np.array_equal, found, arrays)):
            raise RuntimeError('what was encoded is decoded to other images.')

    def decode(self, data, levels=None, seed=0):
        """The array, or the list of arrays, or the dict of named arrays in the bytes of a file.

        Args:
            data: bytes.
            levels: how many levels to decode, from the top. Those below are drawn from their
                priors, which gives a preview and no longer the images themselves. All by default.
            seed: of what is drawn.

        Raises:
            DecodingError: the bytes are damaged, of another model, or were computed differently.
            ValueError: `levels` is out of its range.
        """
        decoder = streams.Decoder(self, io.BytesIO(data), levels, seed)
        found = list(decoder.arrays())
        if decoder.layout == container.FILES:
            return dict(found)
        arrays = [array for _, array in found]
        return arrays if decoder.layout == container.LIST else arrays[0]

    def coder(self, batch):
        """The `ChunkCoder` of a batch size: kept, as its making takes seconds."""
        if batch not in self.coders:
            self.coders[batch] = chunks.ChunkCoder(self.model, batch)
        return self.coders[batch]

    def batch_for(self, shapes=None):
        """How many tiles to give to the networks at once.

        A power of two: 32, or more of small tiles, about 2**17 pixels; but not more than are
        needed for arrays of these shapes in all, if they are known.
        """
        many = 1 << max(_PIXELS // math.prod(self.tile[:2]), 1).bit_length() - 1
        most = min(max(many, _LEAST_BATCH), container.MAX_BATCH)
        if shapes is None:
            return most
        tiles = sum(len(tiling.Grid(shape, self.tile)) for shape in shapes)
        return min(most, 1 << (tiles - 1).bit_length())
