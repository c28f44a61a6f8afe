"""One batch of tiles to a payload and back."""

import contextlib
import time

import constriction
import numpy as np

from tfp_glow.coding import container, network

_WORD = np.dtype('<u4')


class ChunkCoder:
    """Codes up to `batch` tiles at once by a model.

    Args:
        model: an `IntegerFlow`.
        batch: tiles that its networks are given at once.

    Attributes:
        symbols: integers coded or decoded so far.
        coder_seconds: time spent on them, from parameters to words, apart from the networks.
        stored: chunks that were stored as they are.
    """

    def __init__(self, model, batch):
        self._network = network.FixedBatch(model, batch)
        self._levels = range(len(self._network.shapes))
        self.batch, self.symbols, self.coder_seconds, self.stored = batch, 0, 0., 0

    @property
    def network_seconds(self):
        """Time spent in the networks so far."""
        return self._network.seconds

    def encode(self, tiles):
        """`(mode, payload)` of a `container.Chunk` of uint8 tiles `[n, h, w, c]`.

        Tiles are stored where coding would take more bytes, and where the model cannot represent
        them: it gives no finite numbers, or none that float32 holds exactly.
        """
        with self._measured():
            mode, payload = container.CODED, self._coded(tiles)
        if payload is None or len(payload) >= tiles.nbytes:
            mode, payload = container.STORED, tiles.tobytes()
            self.stored += 1
        return mode, payload

    def decode(self, chunk, shape, levels=None, seed=0):
        """The tiles of a `container.Chunk`: uint8 `[n, h, w, c]`.

        Args:
            chunk: the chunk.
            shape: `(h, w, c)`.
            levels: how many levels to decode, from the top; the others are drawn from their priors.
                By default all.
            seed: of what is drawn.

        Raises:
            DecodingError: the payload is none that `encode` gives.
        """
        if chunk.mode == container.STORED:
            return np.frombuffer(chunk.payload, np.uint8).reshape([chunk.tiles, *shape])
        with self._measured():
            found = self._decoded(chunk, levels or len(self._levels), seed)[:chunk.tiles]
        return np.clip(np.nan_to_num(found), 0, 255).astype(np.uint8)

    def _coded(self, tiles):
        """The payload, or None. Decoding is gone through, with what it would compute."""
        parts = self._network.decompose(tiles)
        if parts is None:
            return None
        coder, stays = constriction.stream.queue.RangeEncoder(), None
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

    def _decoded(self, chunk, levels, seed):
        words = np.frombuffer(chunk.payload, _WORD).astype(np.uint32)
        coder, stays = constriction.stream.queue.RangeDecoder(words), None
        for level in reversed(self._levels):
            if len(self._levels) - level <= levels:
                z = self._decoded_level(coder, level, stays, chunk.tiles)
            else:
                z = self._network.sample(level, stays, [seed, level])
            stays = self._network.merge(level, z, stays)
        return stays

    def _decoded_level(self, coder, level, stays, count):
        prior = self._network.prior(level, stays, count)
        if prior is None:
            raise container.DecodingError('a prior is not finite, unlike when the file was '
                                          'written.')
        try:
            z = prior.decode(coder, (count, *self._network.shapes[level][1:]))
        except AssertionError:  # That is what the coder raises where no symbol fits.
            raise container.DecodingError('the payload is no code under this model.') from None
        self.symbols += z.size
        return z

    @contextlib.contextmanager
    def _measured(self):
        start, network_start = time.perf_counter(), self._network.seconds
        yield
        self.coder_seconds += (time.perf_counter() - start
                               - (self._network.seconds - network_start))
