"""Reads the file format `.tfg`, which `container` describes, and trusts no byte of it."""

import zlib
from collections.abc import Iterator, Sequence
from typing import BinaryIO

import numpy as np

from tfp_glow.coding import container, repeats
from tfp_glow.coding.container import DecodingError

_MAX_SIDE = 4096  # No side of a tile is longer.
# A chunk has at least so many bytes: flags, items, a CRC, the payload's length and the CRC.
_LEAST_CHUNK = 11
_OLDER = 13, 3  # Versions 1 and 2 had a carriage return, 13, in the place of the version.
_DAMAGED = 'the file is damaged or cut short.'


class Reader:
    """Reads the parts of a file in order.

    The reader reads a file's first chunk with the header, as the CRC there is of both.

    Args:
        file: A seekable binary file at the start of the header.

    Attributes:
        header: The `container.Header`.

    Raises:
        DecodingError: If the file is damaged. The methods raise it too.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        start = file.tell()
        self._left = file.seek(0, 2) - start
        file.seek(start)
        self._crc = 0
        self.header = self._read_header()
        self._first = self._read_chunk()

    def chunks(self) -> Iterator[container.Chunk]:
        """Yields all `container.Chunk`s and checks that the file ends with the last one."""
        chunk = self._first
        yield chunk
        while not chunk.last:
            chunk = self._read_chunk()
            yield chunk
        if self._left:
            raise DecodingError(f'{self._left} bytes follow the end: {_DAMAGED}')

    def plausible_tiles(self) -> int:
        """Returns a number of tiles; what is left of the file cannot hold more."""
        return (self._left // _LEAST_CHUNK + 1) * self.header.batch

    def _read_header(self) -> container.Header:
        if (self._left < len(container.MAGIC)
                or self._take(len(container.MAGIC)) != container.MAGIC):
            raise DecodingError('the data must begin as a .tfg file does; they do not.')
        version, layout = self._take(2)
        if version in _OLDER:
            raise DecodingError('the file is of an older version of the format, which is not read '
                                f'any more; this is version {container.VERSION}.')
        if version != container.VERSION:
            raise DecodingError(f'version of the format must be {container.VERSION}; '
                                f'got {version}.')
        tile, batch = tuple(self._number() for _ in range(3)), self._number()
        model, settings = self._take(32), self._text('ascii')
        if not (layout <= container.FILES and 1 <= batch <= container.MAX_BATCH
                and tile[2] in (1, 3) and all(1 <= side <= _MAX_SIDE for side in tile)):
            raise DecodingError(f'{layout=}, {tile=} or {batch=} is impossible: {_DAMAGED}')
        return container.Header(layout, tile, batch, model, settings)

    def _read_chunk(self) -> container.Chunk:
        flags, count = self._number(), self._number()
        tiles, continues = flags >> 3, bool(flags & container.CONTINUES)
        full = tiles == self.header.batch or flags & container.LAST
        if (not 1 <= tiles <= self.header.batch or not 1 <= count + continues <= tiles
                or not full):
            raise DecodingError(f'a chunk of {tiles} tiles of {count + continues} arrays is '
                                f'impossible: {_DAMAGED}')
        items = [self._item() for _ in range(count)]
        crcs = [container.CRC.unpack(self._take(4))[0] for _ in range(count + continues)]
        mode, length = flags & 1, tiles * int(np.prod(self.header.tile))
        if mode == container.CODED:
            words = self._number()
            if 4 * words >= length:
                raise DecodingError(f'{words} words for {tiles} tiles are impossible: {_DAMAGED}')
            length = 4 * words
        payload = self._take(length)
        if container.CRC.pack(self._crc) != self._take(4, checked=False):
            raise DecodingError(f'a checksum does not fit: {_DAMAGED}')
        return container.Chunk(tiles, mode, continues, bool(flags & container.LAST), items, crcs,
                               payload)

    def _item(self) -> container.Item:
        name = self._text('utf-8') if self.header.layout == container.FILES else ''
        flags, = self._take(1)
        rank = flags & ~container.COPIES
        if not 2 <= rank <= 4:
            raise DecodingError(f'an array of {rank} dimensions is impossible: {_DAMAGED}')
        shape = tuple(self._number() for _ in range(rank))
        return container.Item(
            name, shape, self._copies() if flags & container.COPIES else container.NO_COPIES)

    def _copies(self) -> np.ndarray:
        count, number = self._number(), -1
        if not 1 <= count < min(repeats.MOST, self._left):
            raise DecodingError(f'{count} copies in an array are impossible: {_DAMAGED}')
        copies = np.empty([count, 5], np.uint32)
        for row in copies:
            number += 1 + self._number()
            if number >= 1 << 32:
                raise DecodingError(f'a copy of number {number} is impossible: {_DAMAGED}')
            row[0], row[1:] = number, self._sources()
        return copies

    def _sources(self) -> Sequence[int]:
        tile, part = divmod(self._number(), 5)
        if part == container.WHOLE:
            return range(4 * tile, 4 * tile + 4)
        parts = [(tile, part), *(divmod(self._number(), 5) for _ in range(3))]
        if any(part == container.WHOLE for _, part in parts):
            raise DecodingError(f'a quarter that is a whole tile is impossible: {_DAMAGED}')
        return [4 * tile + part for tile, part in parts]

    def _text(self, encoding: str) -> str:
        try:
            return self._take(self._number()).decode(encoding)
        except UnicodeDecodeError as error:
            raise DecodingError(f'a text cannot be read ({error}): {_DAMAGED}') from None

    def _number(self) -> int:
        value = 0
        for place in range(0, 35, 7):
            byte, = self._take(1)
            value |= (byte & 127) << place
            if byte < 128:
                break
        if byte > 127 or value >= 1 << 32 or (place and not byte):
            raise DecodingError(f'a number is too long: {_DAMAGED}')
        return value

    def _take(self, count: int, checked: bool = True) -> bytes:
        if count > self._left:
            raise DecodingError(f'{count} bytes must follow, {self._left} do: {_DAMAGED}')
        self._left -= count
        data = self._file.read(count)
        if len(data) < count:
            raise DecodingError(f'the file ended while it was read: {_DAMAGED}')
        if checked:
            self._crc = zlib.crc32(data, self._crc)
        return data


def read_header(file: BinaryIO) -> container.Header:
    """Returns the `container.Header` at the start of a seekable binary file.

    The position of the file is then the same as before.

    Raises:
        DecodingError: If there is no header, or if the first chunk after it is damaged. The file
            then has any position.
    """
    start = file.tell()
    header = Reader(file).header
    file.seek(start)
    return header
