"""Writes arrays of images to a file, and reads them, with a batch of tiles in memory at a time."""

import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import tensorflow as tf

from tfp_glow.coding import container, reader, repeats, tiling
from tfp_glow.coding.names import Names

if TYPE_CHECKING:  # The module `codec` imports this one.
    from tfp_glow.coding.codec import Codec


class Encoder:
    """Writes arrays to a file one after the other, and keeps at most a batch of tiles.

    Those of an array's tiles that repeat, whole or in quarters, are written once (`repeats`).

    Args:
        codec: The `Codec`.
        file: A binary file.
        layout: One of `container.ARRAY`, `LIST` and `FILES`. Only with the last do arrays have
            names.
        batch: The number of tiles that the networks are given at once, 1 .. 1024. By default it is
            what `Codec.batch_for` returns.
        on_batch: A function that is called with the number of tiles encoded so far.

    Raises:
        ValueError: If `batch` is out of its range.
    """

    def __init__(self, codec: 'Codec', file: BinaryIO, layout: int, batch: int | None = None,
                 on_batch: Callable[[int], object] = lambda tiles: None) -> None:
        batch = codec.batch_for() if batch is None else batch
        if not 1 <= batch <= container.MAX_BATCH:
            raise ValueError(f'batch must be in 1 .. {container.MAX_BATCH}; got {batch}.')
        self._tile, self._coder = codec.tile, codec.coder(batch)
        self._writer = container.Writer(file, container.Header(
            layout, codec.tile, batch, container.fingerprint(codec.model), settings()))
        self._layout, self._names, self._arrays = layout, Names(), 0
        self._pieces: list[np.ndarray] = []
        self._items: list[container.Item] = []
        self._count = 0
        self._continues, self._encoded, self._on_batch = False, 0, on_batch

    def add(self, array: np.ndarray, name: str = '') -> None:
        """Encodes an array of images.

        A memory map is read a part at a time, and most of it is read twice.

        Raises:
            ValueError: If the array is not uint8, has no shape of images or is empty, if a decoder
                would refuse its name, or if it is the second where the layout is one array.
        """
        if getattr(array, 'dtype', None) != np.uint8:
            raise ValueError('images must be uint8 (8 bits, grey or RGB); '
                             f'got {getattr(array, "dtype", type(array).__name__)}.')
        array = np.ascontiguousarray(array)
        grid = tiling.Grid(array.shape, self._tile)
        self._check(name)
        coded, copies = repeats.find(grid, array)
        start = 0
        while start < len(coded):
            if self._count == self._coder.batch:
                self._flush(last=False)
                self._continues = start > 0
            if start == 0:
                self._items.append(container.Item(name, array.shape, copies))
            stop = min(start + self._coder.batch - self._count, len(coded))
            self._pieces.append(grid.cut(array, coded[start:stop]))
            self._count += stop - start
            start = stop

    def _check(self, name: str) -> None:
        if self._layout == container.ARRAY and self._arrays:
            raise ValueError('images must be one array in this layout; got another one.')
        if self._layout == container.FILES and not self._names.add(name):
            raise ValueError(f'name must be a relative path that none before is; got {name!r}.')
        self._arrays += 1

    def finish(self) -> None:
        """Encodes what is left and ends the file.

        Raises:
            ValueError: If nothing was added.
        """
        if not self._count:
            raise ValueError('images must not be empty; got none.')
        self._flush(last=True)

    def _flush(self, last: bool) -> None:
        mode, payload = self._coder.encode(np.concatenate(self._pieces))
        self._writer.chunk(container.Chunk(
            self._count, mode, self._continues, last, self._items,
            [zlib.crc32(piece.data) for piece in self._pieces], payload))
        self._encoded += self._count
        self._on_batch(self._encoded)
        self._pieces, self._items, self._count = [], [], 0


class Decoder:
    """Reads the arrays of a file one after the other.

    Args:
        codec: The `Codec`.
        file: A seekable binary file.
        levels: How many levels to decode, as for `Codec.decode`.
        seed: The seed of what is drawn, as for `Codec.decode`.

    Attributes:
        layout: The layout of the file, as for `Encoder`.

    Raises:
        DecodingError: If the file is no `.tfg` file or is of another model, or if its first chunk
            is damaged.
        ValueError: If `levels` is not in 1 .. the number of the model's levels.
    """

    def __init__(self, codec: 'Codec', file: BinaryIO, levels: int | None = None,
                 seed: int = 0) -> None:
        if levels is not None and not 1 <= levels <= codec.model.num_levels:
            raise ValueError(f'levels must be in 1 .. {codec.model.num_levels}, the number of the '
                             f'model\'s levels; got {levels}.')
        self._reader, self._levels, self._seed = reader.Reader(file), levels, seed
        header = self._reader.header
        model = container.fingerprint(codec.model)
        if header.model != model or header.tile != codec.tile:
            raise container.DecodingError(
                'model must be the one that encoded: the file names the SHA-256 '
                f'{header.model.hex()[:16]}..., this model\'s is {model.hex()[:16]}...')
        self._coder, self.layout = codec.coder(header.batch), header.layout

    def check(self, on_batch: Callable[[int], object] = lambda tiles: None) -> None:
        """Decodes all tiles and keeps none.

        This checks the images, as the tiles' CRCs were made from them.

        Args:
            on_batch: A function that is called with the number of tiles decoded so far.

        Raises:
            DecodingError: Where `arrays` raises it.
        """
        for _ in self._parts(on_batch):
            pass

    def arrays(self, make: Callable[[str, tuple[int, ...]], np.ndarray] = (
                   lambda name, shape: np.empty(shape, np.uint8)),
               on_batch: Callable[[int], object] = lambda tiles: None,
               ) -> Iterator[tuple[str, np.ndarray]]:
        """Yields `(name, array)`, each when it is whole and its tiles' CRCs are right.

        Args:
            make: A function of a name and a shape that returns an array to be filled, such as a
                memory map. The file has coded tiles or copies for all of this shape.
            on_batch: A function that is called with the number of tiles decoded so far.

        Raises:
            DecodingError: If what follows is damaged, or was computed differently.
        """
        for item, tiles in self._parts(on_batch):
            if item is not None:  # The first one never is None.
                array = _Unfinished(item, self._reader.header.tile, make)
            array.fill(tiles)
            if array.whole:
                yield array.result

    def _parts(self, on_batch: Callable[[int], object],
               ) -> Iterator[tuple[container.Item | None, np.ndarray]]:
        """Yields `(item, tiles)` for each of a chunk's arrays.

        The item is None where the array began in an earlier chunk.
        """
        left, names, arrays, done = 0, Names(), 0, 0  # The last array lacks `left` tiles.
        for chunk in self._reader.chunks():
            if chunk.continues != (left > 0):
                raise container.DecodingError('tiles of an array are missing.')
            tiles = self._guarded(self._coder.decode, chunk, self._reader.header.tile,
                                  self._levels, self._seed)
            done += len(tiles)
            on_batch(done)
            checks = self._levels is None or chunk.mode == container.STORED
            for item, crc in zip([*[None] * chunk.continues, *chunk.items], chunk.crcs):
                if item is not None:
                    left = self._check(item, names, arrays)
                    arrays += 1
                part, tiles = tiles[:left], tiles[left:]
                if not len(part):
                    raise container.DecodingError('there are more arrays than tiles for them.')
                if checks:
                    self._guarded(_check_crc, part, crc)
                left -= len(part)
                yield item, part
            if len(tiles):
                raise container.DecodingError('there are more tiles than arrays for them.')
        if left:
            raise container.DecodingError('tiles of the last array are missing.')

    def _guarded(self, work: Callable[..., Any], *args: Any) -> Any:
        """Returns the result of `work(*args)`.

        This fails where networks compute something else than before. The error then says with what
        the file was written.
        """
        try:
            return work(*args)
        except container.DecodingError as error:
            raise container.DecodingError(
                f'{error} It was written with TensorFlow {self._reader.header.settings!r}; '
                f'this is TensorFlow {settings()!r}.') from None

    def _check(self, item: container.Item, names: Names, before: int) -> int:
        """Returns the number of an item's coded tiles.

        The method refuses a bad item before anything is allocated for it.

        Args:
            item: The item.
            names: The names of the arrays before it.
            before: The number of the arrays before it.
        """
        short = container.DecodingError(f'the file is too short for an array {item.shape}.')
        try:
            whole = len(tiling.Grid(item.shape, self._reader.header.tile))
        except ValueError as error:
            raise container.DecodingError(str(error)) from None
        except OverflowError:  # There are more tiles than `len` may return.
            raise short from None
        tiles = whole - len(item.copies)
        repeats.check(item.copies, self._reader.header.tile, whole, tiles)
        if tiles > self._reader.plausible_tiles() + self._coder.batch:
            raise short
        if self.layout == container.ARRAY and before:
            raise container.DecodingError('there must be one array; there are more.')
        if self.layout == container.FILES and not names.add(item.name):
            raise container.DecodingError('names must be different relative paths; '
                                          f'got {item.name!r}.')
        return tiles


class _Unfinished:
    """An array that tiles are pasted into."""

    def __init__(self, item: container.Item, tile: tuple[int, ...],
                 make: Callable[[str, tuple[int, ...]], np.ndarray]) -> None:
        self._name, self._grid, self._done = item.name, tiling.Grid(item.shape, tile), 0
        self._copies = item.copies
        self._coded: Sequence[int] | np.ndarray = range(len(self._grid))
        if len(self._copies):
            self._coded = np.delete(self._coded, self._copies[:, 0])
        try:
            self._array = make(item.name, item.shape)
        except MemoryError as error:
            raise container.DecodingError(
                f'an array {item.shape} does not fit in memory: {error}') from error

    @property
    def whole(self) -> bool:
        """Whether the array has all of its tiles."""
        return self._done == len(self._coded)

    def fill(self, tiles: np.ndarray) -> None:
        """Takes the array's next tiles."""
        stop = self._done + len(tiles)
        self._grid.paste(self._array, self._coded[self._done:stop], tiles)
        self._done = stop
        if self.whole:
            repeats.paste(self._grid, self._array, self._coded, self._copies)

    @property
    def result(self) -> tuple[str, np.ndarray]:
        """The array's name and the array."""
        return self._name, self._array


def _check_crc(tiles: np.ndarray, crc: int) -> None:
    if zlib.crc32(np.ascontiguousarray(tiles).data) != crc:
        raise container.DecodingError('the networks computed something else than when the file was '
                                      'written (CRC-32 of the pixels).')


def settings() -> str:
    """Returns what floats depend on besides the model and the batch.

    This is TensorFlow's version and the settings of oneDNN.
    """
    instructions = os.environ.get('ONEDNN_MAX_CPU_ISA', '').upper()
    without = 'without oneDNN' * (os.environ.get('TF_ENABLE_ONEDNN_OPTS') == '0')
    return ' '.join(filter(None, [tf.__version__, instructions, without]))
