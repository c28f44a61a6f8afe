r"""The file format `.tfg`, version 2. All numbers are little-endian; CRC is CRC-32 (zlib's).

```none
header   8 bytes  magic  89 54 46 47 0D 0A 1A 0A
         u16      version of the format, 2
         u8       layout: 0 one array, 1 a list of arrays, 2 named files
         u16 x 3  height, width, channels of the model's images, which tiles have (channels 1 or 3)
         u16      batch: tiles that the networks were given at once, and in each chunk but the last
         32 bytes SHA-256 of the model (`fingerprint`)
         u8, text what computed it, ASCII: TensorFlow's version, oneDNN's instructions
         u32      CRC of the header up to here

chunk    u8       1
         u16      tiles in it, 1 .. batch
         u8       0 coded, 1 stored
         u32      CRC of the tiles' pixels, h * w * c bytes each
         u32      length of the items
         u32      length of the payload
         items    of the arrays whose first tile is in this chunk, in order:
                    u16, text  name, UTF-8, a relative path with /; empty unless layout is 2
                    u8         number of dimensions, 2 .. 4
                    u32 each   dimensions: [H, W], [H, W, C], [N, H, W] or [N, H, W, C]
                    u32        CRC of the array's bytes, uint8 in C order
         payload  stored: the tiles' pixels.
                  coded: u32 words of one range coder's stream (`constriction` 0.5's RangeEncoder),
                  fewer bytes than stored: the integers of the top level, then of each finer one
                  (`entropy`)
         u32      CRC of the chunk up to here, begun with the last CRC before it

end      u8       0
         u32      arrays in the file
         u32      tiles in the file
         u32      CRC of these, begun with the last CRC before it; then the file ends
```

Tiles follow each other as `tiling.Grid` cuts them, array after array. As each CRC begins with the
one before it, parts of different files, or in another order, do not fit together.
"""

import dataclasses
import hashlib
import struct
import zlib

import numpy as np

MAGIC = b'\x89TFG\r\n\x1a\n'
VERSION = 2
ARRAY, LIST, FILES = range(3)  # Layouts.
CODED, STORED = range(2)
MAX_BATCH = 1024
_MAX_SIDE = 4096  # Of a tile.
_HEADER, _SHA = struct.Struct('<8sHB4H'), 32
_CHUNK, _END, _CRC = struct.Struct('<BHBIII'), struct.Struct('<BII'), struct.Struct('<I')
_LEAST_CHUNK = _CHUNK.size + _CRC.size


class DecodingError(ValueError):
    """The data cannot be decoded: they are damaged, of another model, or computed differently."""


@dataclasses.dataclass(frozen=True)
class Header:
    """What holds for a whole file; see the module's text."""

    layout: int
    tile: tuple
    batch: int
    model: bytes
    settings: str

    def to_bytes(self):
        """The header with its CRC."""
        text = self.settings.encode('ascii')
        data = (_HEADER.pack(MAGIC, VERSION, self.layout, *self.tile, self.batch) + self.model
                + bytes([len(text)]) + text)
        return data + _CRC.pack(zlib.crc32(data))


@dataclasses.dataclass(frozen=True)
class Item:
    """An array that starts in a chunk: its name, its shape and the CRC of its bytes."""

    name: str
    shape: tuple
    crc: int

    def to_bytes(self):
        """As it is in a chunk."""
        name = self.name.encode()
        return struct.pack(f'<H{len(name)}sB{len(self.shape)}II', len(name), name,
                           len(self.shape), *self.shape, self.crc)


@dataclasses.dataclass(frozen=True)
class Chunk:
    """Up to a batch of tiles: how many, how and of which items, their CRC and their payload."""

    tiles: int
    mode: int
    crc: int
    items: list
    payload: bytes


class Writer:
    """Writes the parts of a file in order.

    Args:
        file: a binary file, written from where it stands.
        header: the `Header`.
    """

    def __init__(self, file, header):
        self._file = file
        self._items = self._tiles = 0
        data = header.to_bytes()
        self._crc, = _CRC.unpack(data[-_CRC.size:])
        file.write(data)

    def chunk(self, chunk):
        """Writes a `Chunk`."""
        items = b''.join(item.to_bytes() for item in chunk.items)
        self._write(_CHUNK.pack(1, chunk.tiles, chunk.mode, chunk.crc, len(items),
                                len(chunk.payload)) + items + chunk.payload)
        self._items += len(chunk.items)
        self._tiles += chunk.tiles

    def end(self):
        """Writes what shows that the file is whole."""
        self._write(_END.pack(0, self._items, self._tiles))

    def _write(self, data):
        self._crc = zlib.crc32(data, self._crc)
        self._file.write(data + _CRC.pack(self._crc))


class Reader:
    """Reads the parts of a file in order and trusts none of them.

    Args:
        file: a seekable binary file at the start of the header.

    Attributes:
        header: the `Header`.

    Raises:
        DecodingError: also by the methods: the file is damaged.
    """

    def __init__(self, file):
        self._file = file
        start = file.tell()
        self._left = file.seek(0, 2) - start
        file.seek(start)
        self._items = self._tiles = 0
        self.header = self._read_header()

    def chunks(self):
        """Yields all `Chunk`s; stops when it has read the end and checked that it is one."""
        while (data := self._take(1)) == b'\1':
            yield self._read_chunk(data)
        if data != b'\0':
            raise DecodingError(f'a chunk must begin with 0 or 1; got {data[0]}: {_DAMAGED}')
        data += self._take(_END.size - 1)
        self._check_crc(data)
        if _END.unpack(data)[1:] != (self._items, self._tiles):
            raise DecodingError(f'the counts at its end are wrong: {_DAMAGED}')
        if self._left:
            raise DecodingError(f'{self._left} bytes follow the end: {_DAMAGED}')

    def plausible_tiles(self):
        """More tiles than this cannot be in what is left of the file."""
        return (self._left // _LEAST_CHUNK + 1) * self.header.batch

    def _read_header(self):
        if self._left < len(MAGIC) or (data := self._take(len(MAGIC))) != MAGIC:
            raise DecodingError('the data must begin as a .tfg file does; they do not.')
        data += self._take(_HEADER.size - len(MAGIC))
        _, version, layout, *tile, batch = _HEADER.unpack(data)
        if version != VERSION:
            raise DecodingError(f'version of the format must be {VERSION}; got {version}.')
        model = self._take(_SHA)
        length = self._take(1)
        text = self._take(length[0])
        self._crc = 0
        self._check_crc(data + model + length + text)
        if not (layout <= FILES and 1 <= batch <= MAX_BATCH and tile[2] in (1, 3)
                and all(1 <= side <= _MAX_SIDE for side in tile) and text.isascii()):
            raise DecodingError(f'{layout=}, {tile=} or {batch=} is impossible: {_DAMAGED}')
        return Header(layout, tuple(tile), batch, model, text.decode('ascii'))

    def _read_chunk(self, data):
        data += self._take(_CHUNK.size - 1)
        _, tiles, mode, crc, items_length, length = _CHUNK.unpack(data)
        pixels = tiles * int(np.prod(self.header.tile))
        possible = length == pixels if mode == STORED else length < pixels and length % 4 == 0
        if not (1 <= tiles <= self.header.batch and mode in (CODED, STORED) and possible):
            raise DecodingError(f'a chunk of {tiles} tiles, {mode=}, has an impossible length '
                                f'{length}: {_DAMAGED}')
        items, payload = self._take(items_length), self._take(length)
        self._check_crc(data + items + payload)
        items = _items(items, self.header.layout)
        self._items += len(items)
        self._tiles += tiles
        return Chunk(tiles, mode, crc, items, payload)

    def _take(self, count):
        if count > self._left:
            raise DecodingError(f'{count} bytes must follow, {self._left} do: {_DAMAGED}')
        self._left -= count
        data = self._file.read(count)
        if len(data) < count:
            raise DecodingError(f'the file ended while it was read: {_DAMAGED}')
        return data

    def _check_crc(self, data):
        self._crc = zlib.crc32(data, self._crc)
        if _CRC.pack(self._crc) != self._take(_CRC.size):
            raise DecodingError(f'a checksum does not fit: {_DAMAGED}')


def read_header(file):
    """The `Header` at the start of a seekable binary file, which then stands where it stood.

    Raises:
        DecodingError: there is none.
    """
    start = file.tell()
    header = Reader(file).header
    file.seek(start)
    return header


def fingerprint(model):
    """The SHA-256 of an integer flow: of its event shape and of the values of all its variables.

    It does not depend on how weights are stored, only on them: a model that is trained further, or
    whose permutations are others, is another one.
    """
    sha = hashlib.sha256(repr(tuple(model.event_shape)).encode())
    for variable in model.variables:
        value = np.asarray(variable)
        sha.update(f'{value.dtype.str}{value.shape}'.encode())
        sha.update(np.ascontiguousarray(value))
    return sha.digest()


_DAMAGED = 'the file is damaged or cut short.'


def _items(data, layout):
    """The `Item`s in a chunk."""
    found = []
    try:
        while data:
            length, = struct.unpack_from('<H', data)
            name, (rank,) = data[2:2 + length].decode(), data[2 + length:3 + length]
            if not 2 <= rank <= 4 or (layout != FILES and name):
                raise ValueError(f'{rank=}, {name=}')
            *shape, crc = struct.unpack_from(f'<{rank + 1}I', data, 3 + length)
            data = data[3 + length + 4 * (rank + 1):]
            found.append(Item(name, tuple(shape), crc))
    except (struct.error, ValueError) as error:
        raise DecodingError(f'an item cannot be read ({error}): {_DAMAGED}') from None
    return found
