"""Turns one batch of tiles into the payload of a chunk, and back."""

import contextlib
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
from constriction import stream

from tfp_glow.coding import container, network
from tfp_glow.coding.model import IntegerModel

_WORD = np.dtype('<u4')


class ChunkCoder:
    """Codes up to `batch` tiles at once by a model.

    Args:
        model: An `IntegerFlow`.
        batch: The number of tiles that the model's networks are given at once.

    Attributes:
        symbols: The number of integers coded or decoded so far.
        coder_seconds: The time spent on them, from the parameters of the priors to the words of the
            stream. It does not include the time in the networks.
        stored: The number of chunks that were stored without coding.
    """

    def __init__(self, model: IntegerModel, batch: int) -> None:
        self._network = network.FixedBatch(model, batch)
        self._levels = range(len(self._network.shapes))
        self.batch, self.symbols, self.coder_seconds, self.stored = batch, 0, 0., 0

    @property
    def network_seconds(self) -> float:
        """The time spent in the networks so far."""
        return self._network.seconds

    def encode(self, tiles: np.ndarray) -> tuple[int, bytes]:
        """Returns `(mode, payload)` of a `container.Chunk` of uint8 tiles `[n, h, w, c]`.

        Tiles are stored where coding would take at least as many bytes. They are also stored where
        the model cannot represent them: it gives no finite numbers, or none that float32 holds
        exactly.
        """
        with self._measured():
            payload = self._coded(tiles)
        if payload is None or len(payload) >= tiles.nbytes:
            self.stored += 1
            return container.STORED, tiles.tobytes()
        return container.CODED, payload

    def decode(self, chunk: container.Chunk, shape: tuple[int, ...], levels: int | None = None,
               seed: int = 0) -> np.ndarray:
        """Returns the tiles of a `container.Chunk`: uint8 `[n, h, w, c]`.

        Args:
            chunk: The chunk.
            shape: The shape of a tile, `(h, w, c)`.
            levels: How many levels to decode, from the top. The other levels are drawn from their
                priors. By default all levels are decoded.
            seed: The seed of what is drawn.

        Raises:
            DecodingError: If `encode` cannot have given this payload.
        """
        if chunk.mode == container.STORED:
            return np.frombuffer(chunk.payload, np.uint8).reshape([chunk.tiles, *shape])
        with self._measured():
            tiles = self._decoded(chunk, levels or len(self._levels), seed)[:chunk.tiles]
        return np.clip(np.nan_to_num(tiles), 0, 255).astype(np.uint8)

    def _coded(self, tiles: np.ndarray) -> bytes | None:
        """Returns the payload, or None if the model cannot represent the tiles.

        The method takes the steps of decoding, with the numbers that decoding would compute.
        """
        parts = self._network.decompose(tiles)
        if parts is None:
            return None
        coder = stream.queue.RangeEncoder()
        stays: Any = None
        for level in reversed(self._levels):
            prior = self._network.prior(level, stays, len(tiles))
            if prior is None:
                return None
            prior.encode(coder, parts[level])
            self.symbols += parts[level].size
            stays = self._network.merge(level, parts[level], stays)
        if not np.array_equal(stays[:len(tiles)], tiles):
            return None
        return coder.get_compressed().astype(_WORD).tobytes()

    def _decoded(self, chunk: container.Chunk, levels: int, seed: int) -> np.ndarray:
        words = np.frombuffer(chunk.payload, _WORD).astype(np.uint32)
        coder = stream.queue.RangeDecoder(words)
        stays: Any = None
        for level in reversed(self._levels):
            if len(self._levels) - level <= levels:
                z = self._decoded_level(coder, level, stays, chunk.tiles)
            else:
                z = self._network.sample(level, stays, [seed, level])
            stays = self._network.merge(level, z, stays)
        return stays

    def _decoded_level(self, coder: stream.queue.RangeDecoder, level: int, stays: np.ndarray | None,
                       count: int) -> np.ndarray:
        prior = self._network.prior(level, stays, count)
        if prior is None:
            raise container.DecodingError('a prior is not finite, unlike when the file was '
                                          'written.')
        try:
            z = prior.decode(coder, (count, *self._network.shapes[level][1:]))
        except AssertionError:  # The coder raises this where no symbol fits.
            raise container.DecodingError('the payload is no code under this model.') from None
        self.symbols += z.size
        return z

    @contextlib.contextmanager
    def _measured(self) -> Iterator[None]:
        start, network_start = time.perf_counter(), self._network.seconds
        yield
        self.coder_seconds += (time.perf_counter() - start
                               - (self._network.seconds - network_start))
