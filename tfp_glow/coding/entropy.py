"""Writes integers under tables into a range coder's stream, and reads them back.

The symbols are sorted by their table, so that `constriction` is called once for each table that
occurs. After the symbols come the lower bits of integers in wide cells. Then come the integers that
escaped, as their distances from their windows.
"""

from collections.abc import Callable, Iterator

import numpy as np
from constriction import stream

from tfp_glow.coding import bits, tables


class TablePrior:
    """The tables of the integers of one level.

    Args:
        keys: An integer array. Integers with equal keys have the same table.
        centres: An int32 array, which is subtracted from what is coded. Both arrays broadcast to
            the shape of the values.
        table: A function of a key (a Python int) that returns the key's `tables.Table`.
    """

    def __init__(self, keys: np.ndarray, centres: np.ndarray,
                 table: Callable[[int], tables.Table]) -> None:
        self._keys, self._centres, self._table = keys, centres, table

    def encode(self, coder: stream.queue.RangeEncoder, values: np.ndarray) -> None:
        """Appends integers to a `constriction.stream.queue.RangeEncoder`.

        Args:
            coder: The encoder.
            values: An integer array with |value| <= 2**23, which is not empty.
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

    def decode(self, coder: stream.queue.RangeDecoder, shape: tuple[int, ...]) -> np.ndarray:
        """Returns the int32 array of `shape` that `encode` wrote to what the coder reads."""
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

    def _groups(self, shape: tuple[int, ...]) -> '_Groups':
        return _Groups(np.broadcast_to(self._keys, shape).ravel(),
                       np.broadcast_to(self._centres, shape).ravel(), self._table)


class _Groups:
    """Values in the order of their keys."""

    def __init__(self, keys: np.ndarray, centres: np.ndarray,
                 table: Callable[[int], tables.Table]) -> None:
        self.order = np.argsort(keys, kind='stable')
        keys = keys[self.order]
        self.starts = np.flatnonzero(np.append(True, keys[1:] != keys[:-1]))
        self.counts = np.diff(np.append(self.starts, len(keys)))
        self.tables = [table(key) for key in keys[self.starts].tolist()]
        self.centres = centres[self.order]
        self.low, self.shift, self.size = (
            np.repeat(np.array([getattr(t, name) for t in self.tables], np.int32), self.counts)
            for name in ('low', 'shift', 'size'))

    def slices(self) -> Iterator[tuple[stream.model.Categorical, slice]]:
        """Yields `(model, slice)` of each table's values."""
        for table, start, count in zip(self.tables, self.starts.tolist(), self.counts.tolist()):
            yield table.model, slice(start, start + count)

    def window(self, escaped: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns the first integer in the window of each escaped value, and the first after it.
        """
        low, shift = self.low[escaped].astype(np.int64), self.shift[escaped]
        return low << shift, (low + self.size[escaped]) << shift
