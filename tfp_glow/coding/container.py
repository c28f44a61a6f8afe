r"""The file format `.tfg`, version 4, and its writer; `reader` reads it.

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

Numbers u32 are little-endian. Numbers n are below 2**32, in groups of seven bits, the lowest first,
one to a byte; all bytes but a number's last have their highest bit set; no number is longer than it
must be. CRC is CRC-32 (zlib's). The file ends with its last chunk.

Tiles follow each other as `tiling.Grid` cuts them, but for the copies, array after array. As each
chunk's CRC goes on from the one before it, parts of different files, or in another order, do not
fit together.
"""

import dataclasses
import hashlib
import struct
import zlib

import numpy as np

MAGIC = b'\x89TFG'
VERSION = 4
ARRAY, LIST, FILES = range(3)  # Layouts.
CODED, STORED = range(2)
CONTINUES, LAST = 4, 2  # Flags of a chunk, beside the mode.
MAX_BATCH = 1024
COPIES = 8  # Flag of an item, beside its dimensions.
WHOLE = 4  # In place of one of a tile's quarters, 0 .. 3.
NO_COPIES = np.zeros([0, 5], np.uint32)
CRC = struct.Struct('<I')


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
        """As it is at the start of a file."""
        return (MAGIC + bytes([VERSION, self.layout]) + numbers(*self.tile, self.batch) + self.model
                + _text(self.settings, 'ascii'))


@dataclasses.dataclass(frozen=True)
class Item:
    """An array that begins in a chunk: its name, its shape, and its tiles that are not coded.

    `copies` has a row for each of these: its number, ascending, and for each of its quarters
    4 * tile + quarter, where that is from: a tile that is coded, counted among the array's.
    """

    name: str
    shape: tuple
    copies: np.ndarray = dataclasses.field(default_factory=lambda: NO_COPIES, compare=False)

    def to_bytes(self, layout):
        """As it is in a chunk."""
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
    """Up to a batch of tiles: how many, the arrays they are of with their CRCs, and their payload.

    `continues` says that the first of `crcs` is of the array that an earlier chunk began, `last`
    that the file ends here, `mode` how the payload stands for the tiles.
    """

    tiles: int
    mode: int
    continues: bool
    last: bool
    items: list
    crcs: list
    payload: bytes

    def to_bytes(self, layout):
        """All of it but the CRC at its end."""
        flags = self.mode + CONTINUES * self.continues + LAST * self.last
        length = numbers(len(self.payload) // 4) if self.mode == CODED else b''
        return b''.join([
            numbers(8 * self.tiles + flags, len(self.items)),
            *(item.to_bytes(layout) for item in self.items), *map(CRC.pack, self.crcs), length,
            self.payload])


class Writer:
    """Writes the parts of a file in order.

    Args:
        file: a binary file, written from where it stands.
        header: the `Header`.
    """

    def __init__(self, file, header):
        self._file, self._layout = file, header.layout
        data = header.to_bytes()
        self._crc = zlib.crc32(data)
        file.write(data)

    def chunk(self, chunk):
        """Writes a `Chunk`."""
        data = chunk.to_bytes(self._layout)
        self._crc = zlib.crc32(data, self._crc)
        self._file.write(data + CRC.pack(self._crc))


def numbers(*values):
    """Numbers in 0 .. 2**32 - 1 as the format has them."""
    data = bytearray()
    for value in values:
        while value > 127:
            data.append(value & 127 | 128)
            value >>= 7
        data.append(value)
    return bytes(data)


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


def _shortened(sources):
    """As the format has them: the whole tile if they are all its quarters in order."""
    tile = sources[0] // 4
    if sources == [4 * tile + quarter for quarter in range(4)]:
        return [5 * tile + WHOLE]
    return [5 * (source // 4) + source % 4 for source in sources]


def _text(text, encoding='utf-8'):
    data = text.encode(encoding)
    return numbers(len(data)) + data
