"""Integers under tables into a range coder's stream and back, all of one table at once.

The symbols are sorted by their table, so that `constriction` is called once for each table that
occurs. After them come the lower bits of integers in wide cells, and the distances from their
windows of the integers that escaped.
"""

import numpy as np

from tfp_glow.coding import bits


class TablePrior:
    """The tables of the integers of one level.

    Args:
        keys: integer array; integers with equal keys have the same table.
        centres: int32 array, subtracted from what is coded; both broadcast to the values' shape.
        table: function of a key (a Python int): its `tables.Table`.
    """

    def __init__(self, keys, centres, table):
        self._keys, self._centres, self._table = keys, centres, table

    def encode(self, coder, values):
        """Appends integers to a `constriction.stream.queue.RangeEncoder`.

        Args:
            coder: the encoder.
            values: integer array, |value| <= 2**23; not empty.
        """
        groups = self._groups(values.shape)
        k = values.ravel()[groups.order].astype(np.int32) - groups.centres
        symbols = (k >> groups.shift) - groups.low
        escaped = (symbols < 0) | (symbols >= groups.size)
        symbols = np.where(escaped, groups.size, symbols)
        for model, part in groups.slices():
            coder.encode(symbols[part], model)
        wide = ~escaped & (groups.shift > 0)
        bits.encode_bits(coder, k[wide] & ((1 << groups.shift[wide]) - 1), groups.shift[wide])
        first, after = groups.window(escaped)
        k = k[escaped].astype(np.int64)
        bits.encode_escaped(coder, np.where(k < first, k - first, k - after))

    def decode(self, coder, shape):
        """The int32 array of `shape` that `encode` wrote to what this `RangeDecoder` reads."""
        groups = self._groups(shape)
        symbols = np.empty([len(groups.order)], np.int32)
        for model, part in groups.slices():
            symbols[part] = coder.decode(model, part.stop - part.start)
        escaped = symbols == groups.size
        k = (symbols + groups.low) << groups.shift
        wide = ~escaped & (groups.shift > 0)
        k[wide] |= bits.decode_bits(coder, groups.shift[wide]).astype(np.int32)
        first, after = groups.window(escaped)
        distance = bits.decode_escaped(coder, len(first))
        k[escaped] = (distance + np.where(distance < 0, first, after)).astype(np.int32)
        values = np.empty_like(k)
        values[groups.order] = k + groups.centres
        return values.reshape(shape)

    def _groups(self, shape):
        return _Groups(np.broadcast_to(self._keys, shape).ravel(),
                       np.broadcast_to(self._centres, shape).ravel(), self._table)


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
