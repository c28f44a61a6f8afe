"""Arrays of images to a file and back one after the other, with a batch of them in memory."""

import os
import zlib

import numpy as np
import tensorflow as tf

from tfp_glow.coding import container, tiling


class Encoder:
    """Writes arrays to a file one after the other, keeping a batch of tiles at most.

    Args:
        codec: the `Codec`.
        file: a binary file.
        layout: one of `container.ARRAY`, `LIST` and `FILES`; only with the last have arrays names.
        batch: tiles that the networks are given at once, 1 .. 1024; by default what
            `Codec.batch_for` says.
        on_batch: called with the number of tiles encoded so far.

    Raises:
        ValueError: `batch` is out of its range.
    """

    def __init__(self, codec, file, layout, batch=None, on_batch=lambda tiles: None):
        batch = codec.batch_for() if batch is None else batch
        if not 1 <= batch <= container.MAX_BATCH:
            raise ValueError(f'batch must be in 1 .. {container.MAX_BATCH}; got {batch}.')
        self._tile, self._coder = codec.tile, codec.coder(batch)
        self._writer = container.Writer(file, container.Header(
            layout, codec.tile, batch, container.fingerprint(codec.model), settings()))
        self._tiles, self._items, self._count = [], [], 0
        self._encoded, self._on_batch = 0, on_batch

    def add(self, array, name=''):
        """Encodes an array of images; a memory map is read a batch at a time.

        Raises:
            ValueError: it is not uint8, has no shape of images, or is empty.
        """
        if getattr(array, 'dtype', None) != np.uint8:
            raise ValueError('images must be uint8 (8 bits, grey or RGB); '
                             f'got {getattr(array, "dtype", type(array).__name__)}.')
        array = np.ascontiguousarray(array)
        grid = tiling.Grid(array.shape, self._tile)
        self._items.append(container.Item(name, array.shape, crc(array)))
        start = 0
        while start < len(grid):
            stop = min(start + self._coder.batch - self._count, len(grid))
            self._tiles.append(grid.cut(array, start, stop))
            self._count += stop - start
            if self._count == self._coder.batch:
                self._flush()
            start = stop

    def finish(self):
        """Encodes what is left and ends the file."""
        if self._count:
            self._flush()
        self._writer.end()

    def _flush(self):
        self._writer.chunk(self._coder.encode(np.concatenate(self._tiles), self._items))
        self._encoded += self._count
        self._on_batch(self._encoded)
        self._tiles, self._items, self._count = [], [], 0


class Decoder:
    """Reads the arrays of a file one after the other.

    Args:
        codec: the `Codec`.
        file: a seekable binary file.
        levels, seed: as of `Codec.decode`.

    Attributes:
        layout: of the file, as of `Encoder`.

    Raises:
        DecodingError: the file is none, or of another model.
        ValueError: `levels` is not in 1 .. the model's levels.
    """

    def __init__(self, codec, file, levels=None, seed=0):
        if levels is not None and not 1 <= levels <= codec.model.num_levels:
            raise ValueError(f'levels must be in 1 .. {codec.model.num_levels}, the number of the '
                             f'model\'s levels; got {levels}.')
        self._reader, self._levels, self._seed = container.Reader(file), levels, seed
        header = self._reader.header
        model = container.fingerprint(codec.model)
        if header.model != model or header.tile != codec.tile:
            raise container.DecodingError(
                'model must be the one that encoded: the file names the SHA-256 '
                f'{header.model.hex()[:16]}..., this model\'s is {model.hex()[:16]}...')
        self._coder, self.layout = codec.coder(header.batch), header.layout

    def check(self, on_batch=lambda tiles: None):
        """Decodes all tiles and keeps none: their CRCs were made from the images.

        Args:
            on_batch: called with the number of tiles decoded so far.

        Raises:
            DecodingError: as `arrays`.
        """
        tiles = 0
        for chunk in self._reader.chunks():
            tiles += len(self._tiles(chunk))
            on_batch(tiles)

    def arrays(self, make=lambda name, shape: np.empty(shape, np.uint8),
               on_batch=lambda tiles: None):
        """Yields `(name, array)`, each when it is whole and its CRC is right.

        Args:
            make: function of a name and a shape that gives an array to be filled, such as a memory
                map. The shape is one that the file is long enough for.
            on_batch: called with the number of tiles decoded so far.

        Raises:
            DecodingError: what follows is damaged, or was computed differently.
        """
        header, waiting, names, count, done = self._reader.header, [], set(), 0, 0
        for chunk in self._reader.chunks():
            waiting.extend(chunk.items)
            tiles, used = self._tiles(chunk), 0
            done += len(tiles)
            on_batch(done)
            while used < len(tiles):
                if not waiting:
                    raise container.DecodingError('there are more tiles than arrays for them.')
                if isinstance(waiting[0], container.Item):
                    self._check(waiting[0], names, count)
                    waiting[0] = _Unfinished(waiting[0], header.tile, make)
                    count += 1
                used += waiting[0].fill(tiles[used:])
                if waiting[0].whole:
                    yield waiting.pop(0).result(self._levels is None)
            if any(isinstance(item, container.Item) for item in waiting):
                raise container.DecodingError('there are more arrays than tiles for them.')
        if waiting or not count:
            raise container.DecodingError('tiles of the last array are missing.')

    def _tiles(self, chunk):
        try:
            return self._coder.decode(chunk, self._reader.header.tile, self._levels, self._seed)
        except container.DecodingError as error:
            raise container.DecodingError(
                f'{error} It was written with {self._reader.header.settings}; '
                f'this is {settings()}.') from None

    def _check(self, item, names, count):
        """Refuses an item before anything is allocated for it."""
        try:
            tiles = len(tiling.Grid(item.shape, self._reader.header.tile))
        except ValueError as error:
            raise container.DecodingError(str(error)) from None
        if tiles > self._reader.plausible_tiles() + self._coder.batch:
            raise container.DecodingError(f'the file is too short for an array {item.shape}.')
        if self.layout == container.ARRAY and count:
            raise container.DecodingError('there must be one array; there are more.')
        if self.layout == container.FILES:
            if item.name in names or not is_safe(item.name):
                raise container.DecodingError('names must be different relative paths; '
                                              f'got {item.name!r}.')
            names.add(item.name)


class _Unfinished:
    """An array that tiles are pasted into."""

    def __init__(self, item, tile, make):
        self._item, self._grid, self._done = item, tiling.Grid(item.shape, tile), 0
        self._array = make(item.name, item.shape)

    @property
    def whole(self):
        return self._done == len(self._grid)

    def fill(self, tiles):
        """Takes the tiles that it lacks; their number."""
        tiles = tiles[:len(self._grid) - self._done]
        self._grid.paste(self._array, self._done, tiles)
        self._done += len(tiles)
        return len(tiles)

    def result(self, check):
        """Its name and itself."""
        if check and crc(self._array) != self._item.crc:
            raise container.DecodingError(f'array {self._item.name!r} is not what was encoded '
                                          '(CRC-32).')
        return self._item.name, self._array


def crc(array):
    """CRC-32 of an array's bytes in C order, read in parts."""
    flat, value = array.reshape(-1), 0
    for start in range(0, flat.size, 1 << 24):
        value = zlib.crc32(flat[start:start + (1 << 24)], value)
    return value


def is_safe(name):
    """Whether a name is a relative path below a folder, on any system."""
    parts = name.split('/')
    return bool(name) and not any(part in ('', '.', '..') for part in parts) and not (
        set(name) & set('\\:\0'))


def settings():
    """What the floats depend on besides the model and the batch: TensorFlow, oneDNN's settings."""
    instructions = os.environ.get('ONEDNN_MAX_CPU_ISA', 'ALL')
    without = ' without oneDNN' * (os.environ.get('TF_ENABLE_ONEDNN_OPTS') == '0')
    return f'TensorFlow {tf.__version__} {instructions}{without}'
