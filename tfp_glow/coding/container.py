r"""The file format `.tfg`, version 4, and its writer. The module `reader` reads the format.

```none
header   4 bytes  magic  89 54 46 47
         u8       version of the format, 4
         u8       layout: 0 one array, 1 a list of arrays, 2 named files
         n x 3    height, width, channels of the model's images, which tiles have (channels 1 or 3)
         n        batch: tiles that the networks were given at once, and in each chunk but the last
         32 bytes SHA-256 of the model (`fingerprint`)
         n, text  what computed it, ASCII: TensorFlow's version, oneDNN's settings

chunk    n        8 * tiles in it, 1 .. batch; plus 4 where its first tiles are of the array that
                  the chunk before began, plus 2 in the file's last chunk, plus 1 where it is stored
         n        arrays that begin in this chunk
         items    of these, in order:
                    n, text  name, UTF-8, a relative path with /; only in layout 2
                    u8       number of dimensions, 2 .. 4; plus 8 where copies follow
                    n each   dimensions: [H, W], [H, W, C], [N, H, W] or [N, H, W, C]
                    n        number of copies, less than 2**14: tiles that are not coded (`repeats`)
                    copies   of these, in order:
                               n    tiles between this copy and the one before
                               n    5 * tile + 4: all of that tile, counted among the array's coded
                                    ones; or 5 * tile + its quarter for each quarter of the copy:
                                    top left, top right, bottom left, bottom right
         u32 each CRCs: of the pixels of the tiles of each array that has any in this chunk
         n        words of the payload, only where it is coded
         payload  stored: the tiles' pixels, h * w * c bytes each.
                  coded: u32 words of one range coder's stream (`constriction` 0.5's RangeEncoder),
                  fewer bytes than stored: the integers of the top level, then of each finer one
                  (`entropy`)
         u32      CRC of the file up to here, less the CRCs of earlier chunks of this kind
```

Numbers u32 are little-endian. A number n is below 2**32. It is written in groups of seven bits, the
lowest first, one group to a byte. All bytes of a number but the last have their highest bit set. No
number is longer than it must be. CRC is CRC-32 (zlib's). The file ends with its last chunk.

Array after array, the tiles follow each other as `tiling.Grid` cuts them, without those that are
copies. Each chunk's CRC goes on from the CRC of the chunk before, so that parts of different files,
or parts in another order, do not fit together.
"""

import dataclasses
import hashlib
import struct
import zlib
from typing import BinaryIO

import numpy as np

from tfp_glow.coding.model import IntegerModel

MAGIC = b'\x89TFG'
VERSION = 4
ARRAY, LIST, FILES = range(3)  # These are the layouts.
CODED, STORED = range(2)  # These are the modes of a chunk.
CONTINUES, LAST = 4, 2  # These flags of a chunk stand beside the mode.
MAX_BATCH = 1024
COPIES = 8  # This flag of an item stands beside the number of its dimensions.
WHOLE = 4  # This stands in place of one of a tile's quarters, 0 .. 3.
NO_COPIES = np.zeros([0, 5], np.uint32)
CRC = struct.Struct('<I')


class DecodingError(ValueError):
    """Says that data cannot be decoded.

    The data are damaged, are of another model, or were computed differently.
    """


@dataclasses.dataclass(frozen=True)
class Header:
    """What holds for a whole file.

    The module's docstring describes the fields.

    Attributes:
        layout: `ARRAY`, `LIST` or `FILES`.
        tile: The shape of a tile, `(h, w, c)`.
        batch: The number of tiles that the networks were given at once.
        model: The `fingerprint` of the model.
        settings: What computed the file, as `streams.settings` says it.
    """

    layout: int
    tile: tuple[int, ...]
    batch: int
    model: bytes
    settings: str

    def to_bytes(self) -> bytes:
        """Returns the header as it is at the start of a file."""
        return (MAGIC + bytes([VERSION, self.layout]) + numbers(*self.tile, self.batch) + self.model
                + _text(self.settings, 'ascii'))


@dataclasses.dataclass(frozen=True)
class Item:
    """An array that begins in a chunk.

    Attributes:
        name: The array's name.
        shape: The array's shape.
        copies: The tiles that are not coded, a row of five numbers for each. The first number is
            the tile's own, and these numbers ascend. The other four, one for each of its quarters,
            are 4 * tile + quarter of the place that the quarter is from. There, `tile` is the
            number of a coded tile, counted among the array's coded tiles.
    """

    name: str
    shape: tuple[int, ...]
    copies: np.ndarray = dataclasses.field(default_factory=lambda: NO_COPIES, compare=False)

    def to_bytes(self, layout: int) -> bytes:
        """Returns the item as it is in a chunk."""
        count = len(self.copies)
        parts = [_text(self.name) if layout == FILES else b'',
                 bytes([len(self.shape) + COPIES * bool(count)]), numbers(*self.shape),
                 numbers(count) if count else b'']
        before = -1
        for number, *sources in self.copies.tolist():
            parts.append(numbers(number - before - 1, *_shortened(sources)))
            before = number
        return b''.join(parts)


@dataclasses.dataclass(frozen=True)
class Chunk:
    """Up to a batch of tiles.

    Attributes:
        tiles: The number of tiles.
        mode: How the payload stands for the tiles: `CODED` or `STORED`.
        continues: Whether the first of `crcs` is of the array that an earlier chunk began.
        last: Whether the file ends with this chunk.
        items: The arrays that begin in this chunk.
        crcs: The CRCs of the pixels of the tiles of each array that has any in this chunk.
        payload: The tiles, coded or stored.
    """

    tiles: int
    mode: int
    continues: bool
    last: bool
    items: list[Item]
    crcs: list[int]
    payload: bytes

    def to_bytes(self, layout: int) -> bytes:
        """Returns all of the chunk but the CRC at its end."""
        flags = self.mode + CONTINUES * self.continues + LAST * self.last
        length = numbers(len(self.payload) // 4) if self.mode == CODED else b''
        return b''.join([
            numbers(8 * self.tiles + flags, len(self.items)),
            *(item.to_bytes(layout) for item in self.items), *map(CRC.pack, self.crcs), length,
            self.payload])


class Writer:
    """Writes the parts of a file in order.

    Args:
        file: A binary file, which is written from its current position on.
        header: The `Header`.
    """

    def __init__(self, file: BinaryIO, header: Header) -> None:
        self._file, self._layout = file, header.layout
        data = header.to_bytes()
        self._crc = zlib.crc32(data)
        file.write(data)

    def chunk(self, chunk: Chunk) -> None:
        """Writes a `Chunk`."""
        data = chunk.to_bytes(self._layout)
        self._crc = zlib.crc32(data, self._crc)
        self._file.write(data + CRC.pack(self._crc))


def numbers(*values: int) -> bytes:
    """Returns numbers in 0 .. 2**32 - 1 as the format has them."""
    data = bytearray()
    for value in values:
        while value > 127:
            data.append(value & 127 | 128)
            value >>= 7
        data.append(value)
    return bytes(data)


def fingerprint(model: IntegerModel) -> bytes:
    """Returns the SHA-256 of an integer flow.

    The hash is of the model's event shape and of the values of all its variables. It does not
    depend on how the weights are stored, only on their values. A model that is trained further, or
    that has other permutations, has another hash.
    """
    sha = hashlib.sha256(repr(tuple(model.event_shape)).encode())
    for variable in model.variables:
        value = np.asarray(variable)
        sha.update(f'{value.dtype.str}{value.shape}'.encode())
        sha.update(value.tobytes())
    return sha.digest()


def _shortened(sources: list[int]) -> list[int]:
    """Returns the sources of a copy as the format has them.

    If they are all quarters of one tile, in order, this is one number for the whole tile.
    """
    tile = sources[0] // 4
    if sources == [4 * tile + quarter for quarter in range(4)]:
        return [5 * tile + WHOLE]
    return [5 * (source // 4) + source % 4 for source in sources]


def _text(text: str, encoding: str = 'utf-8') -> bytes:
    data = text.encode(encoding)
    return numbers(len(data)) + data
