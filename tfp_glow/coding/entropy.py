"""Integers under tables into a range coder's stream and back, all of one table at once.

The symbols are sorted by their table, so that `constriction` is called once for each table that
occurs. After them come the lower bits of integers in wide cells, and the integers that escaped:
with d their distance from the window and u = 2 d + (0 below, 1 above), the number of bits of u + 1,
then all of them but the first, which is 1.
"""

import constriction
import numpy as np

_UNIFORM = constriction.stream.model.Uniform()
_LENGTHS = 32  # Of an escaped integer, in bits: more than there can be.
_LENGTH = constriction.stream.model.Uniform(_LENGTHS)
_PART = 12  # Bits that are coded at once.


class Prior:
    """The tables of the integers of one level.

    Args:
        keys: integer array; integers with equal keys have the same table.
        centres: int32 array, subtracted from what is coded; both broadcast to the values' shape.
        table: function of a key (a Python int): its `tables.Table`.
    """

    def __init__(self, keys, centres, table):
        self.keys, self.centres, self._table = keys, centres, table

    def grouped(self, shape):
        """The `_Groups` of values of this shape."""
        return _Groups(np.broadcast_to(self.keys, shape).ravel(),
                       np.broadcast_to(self.centres, shape).ravel(), self._table)


class _Groups:
    """Values in the order of their keys."""

    def __init__(self, keys, centres, table):
        self.order = np.argsort(keys, kind='stable')
        keys = keys[self.order]
        self.starts = np.flatnonzero(np.append(True, keys[1:] != keys[:-1]))
        self.counts = np.diff(np.append(self.starts, len(keys)))
        self.tables = [table(key) for key in keys[self.starts].tolist()]
        self.centres = centres[self.order]
        self.low, self.shift, self.size = (
            np.repeat(np.array([getattr(t, name) for t in self.tables], np.int32), self.counts)
            for name in ('low', 'shift', 'size'))

    def slices(self):
        """`(model, slice)` of each table's values."""
        for table, start, count in zip(self.tables, self.starts.tolist(), self.counts.tolist()):
            yield table.model, slice(start, start + count)

    def window(self, escaped):
        """First integer of the windows of these values, and the first one after them."""
        low, shift = self.low[escaped].astype(np.int64), self.shift[escaped]
        return low << shift, (low + self.size[escaped]) << shift


def encode(coder, values, prior):
    """Appends integers to a `constriction.stream.queue.RangeEncoder`.

    Args:
        coder: the encoder.
        values: integer array, |value| <= 2**23; not empty.
        prior: their `Prior`.
    """
    groups = prior.grouped(values.shape)
    k = values.ravel()[groups.order].astype(np.int32) - groups.centres
    symbols = (k >> groups.shift) - groups.low
    escaped = (symbols < 0) | (symbols >= groups.size)
    symbols = np.where(escaped, groups.size, symbols)
    for model, part in groups.slices():
        coder.encode(symbols[part], model)
    wide = ~escaped & (groups.shift > 0)
    _encode_bits(coder, k[wide] & ((1 << groups.shift[wide]) - 1), groups.shift[wide])
    if np.any(escaped):
        first, after = groups.window(escaped)
        k = k[escaped].astype(np.int64)
        u = 1 + np.where(k < first, 2 * (first - 1 - k), 2 * (k - after) + 1)
        length = np.frexp(u.astype(np.float64))[1].astype(np.int32) - 1
        coder.encode(length, _LENGTH)
        _encode_bits(coder, u - (1 << length.astype(np.int64)), length)


def decode(coder, shape, prior):
    """The int32 array of `shape` that `encode` wrote; the same `prior` must be given.

    Args:
        coder: a `constriction.stream.queue.RangeDecoder`.
        shape: of the values.
        prior: their `Prior`.
    """
    groups = prior.grouped(shape)
    symbols = np.empty([len(groups.order)], np.int32)
    for model, part in groups.slices():
        symbols[part] = coder.decode(model, part.stop - part.start)
    escaped = symbols == groups.size
    k = (symbols + groups.low) << groups.shift
    wide = ~escaped & (groups.shift > 0)
    k[wide] |= _decode_bits(coder, groups.shift[wide]).astype(np.int32)
    if np.any(escaped):
        first, after = groups.window(escaped)
        length = coder.decode(_LENGTH, int(np.count_nonzero(escaped)))
        u = _decode_bits(coder, length) + (1 << length.astype(np.int64)) - 1
        k[escaped] = np.where(u & 1, after + (u >> 1), first - 1 - (u >> 1)).astype(np.int32)
    values = np.empty_like(k)
    values[groups.order] = k + groups.centres
    return values.reshape(shape)


def _encode_bits(coder, values, lengths):
    """Each of `values`, in 0 .. 2**length - 1, as it is: first the lowest bits of all."""
    for start in range(0, _LENGTHS, _PART):
        bits = np.clip(lengths - start, 0, _PART)
        some = bits > 0
        if np.any(some):
            part = (values[some] >> start) & ((1 << bits[some]) - 1)
            coder.encode(part.astype(np.int32), _UNIFORM, (1 << bits[some]).astype(np.int32))


def _decode_bits(coder, lengths):
    values = np.zeros(lengths.shape, np.int64)
    for start in range(0, _LENGTHS, _PART):
        bits = np.clip(lengths - start, 0, _PART)
        some = bits > 0
        if np.any(some):
            part = coder.decode(_UNIFORM, (1 << bits[some]).astype(np.int32))
            values[some] |= part.astype(np.int64) << start
    return values
