"""Integers under mixtures of logistics, each under another one, into a range coder's stream.

Tables would be as many as integers. Instead an integer is coded as the digits, to base 4, of its
cell's distance from the start of a window around all components: with each digit the window becomes
the quarter that it names, so that the distribution function is wanted at three places a digit only.
Its values are 32-bit integers: sums of weights times entries of one table of the logistic function,
in steps of 2**-9 scales.
"""

import functools

import constriction
import numpy as np

from tfp_glow.coding import bits, tables

_QUARTERS = constriction.stream.model.Categorical(perfect=False)
_INSIDE = constriction.stream.model.Categorical(
    np.array([2.**11 - 1, 1.]), perfect=False, lazy=False)  # Or an escape.
_STEPS = 1 << 9  # Of the table, in a scale.
_END = 16 * _STEPS  # Beyond it, the table is as good as 0 or 1.
_PRECISION = 17  # Of the table's entries; with the weights' sum they fill 32 bits.
_WEIGHTS = (1 << 15) - 1
_LOGIT_STEPS = 1 << 8  # Of a table of weights.
_REACH = 12  # Of the window, in scales, from a component that has all the weight.
_BLOCK = 1 << 13  # Integers at a time: their arrays stay in a processor's caches.
_INNER = np.arange(1, 4, dtype=np.int32)[:, np.newaxis]  # Edges between the quarters of a window.
_SCALES = 2.**-6, 2.**18
_WIDE = 4  # As for single logistics: from scales of 32 on, cells hold several integers.


class MixturePrior:
    """Mixtures of K logistics, one for each integer.

    Args:
        logits, loc, scale: finite float32 arrays `[..., K]`, |loc| < 2**23, scale > 0.
    """

    def __init__(self, logits, loc, scale):
        count = loc.shape[-1]
        logits, loc, scale = (np.ascontiguousarray(p.reshape([-1, count]).T, np.float32)
                              for p in (logits, loc, scale))
        scale = np.clip(scale, *_SCALES)
        self._shift = np.maximum(_octave(np.min(scale, 0)) - _WIDE, 0)
        below = np.max(logits, 0) - logits
        # Where a component's share of the mass is as small as another's of more weight.
        reach = (_REACH - below) * scale
        ends = [np.floor(end).astype(np.int32) >> self._shift for end in (
            np.min(np.where(below < _REACH, loc - reach, np.inf), 0),
            np.max(np.where(below < _REACH, loc + reach, -np.inf), 0))]
        self._first, size = ends[0], ends[1] - ends[0] + 1
        # A size that float32 rounds up to a power of two has one digit to spare at most.
        digits = np.maximum((_octave((size - 1).astype(np.float32)) + 2) >> 1, 1).astype(np.int8)
        # Those with most digits come first, so that those with another digit are the first ones.
        self._order = np.argsort(-digits, kind='stable')
        self._counts = [int(np.count_nonzero(digits > digit)) for digit in range(digits.max())]
        weights = _weights(count)[np.minimum(
            below * np.float32(_LOGIT_STEPS), np.float32(16 * _LOGIT_STEPS - 1)).astype(np.int32)]
        self._shift, self._first, self._digits, self._weights, self._loc, self._rate = (
            np.take(array, self._order, axis=-1) for array in (
                self._shift, self._first, digits, weights, loc, np.float32(_STEPS) / scale))

    def encode(self, coder, values):
        """Appends integers, |value| <= 2**23, to a `RangeEncoder`."""
        k = values.ravel()[self._order].astype(np.int64)
        cells = (k >> self._shift) - self._first
        inside = (cells >= 0) & (cells < self._sizes())
        coder.encode(np.where(inside, 0, 1).astype(np.int32), _INSIDE)
        # Escapes go through the digits as well, so that all arrays stay whole: they cost bits.
        cells = np.where(inside, cells, 0).astype(np.int32)

        def digit(number, rows):
            found = (cells[:len(rows)] >> 2 * number) & 3
            coder.encode(found, _QUARTERS, rows)
            return found
        self._walk(digit)
        low = np.where(inside, self._shift, 0)
        bits.encode_bits(coder, k & ((1 << low.astype(np.int64)) - 1), low)
        bits.encode_escaped(coder, k[~inside])

    def decode(self, coder, shape):
        """The int32 array of `shape` that `encode` wrote."""
        inside = coder.decode(_INSIDE, len(self._order)) == 0
        cells = self._walk(lambda number, rows: coder.decode(_QUARTERS, rows))
        low = np.where(inside, self._shift, 0)
        k = ((cells + self._first) << self._shift) + bits.decode_bits(coder, low)
        k[~inside] = bits.decode_escaped(coder, int(np.count_nonzero(~inside)))
        values = np.empty([len(k)], np.int32)
        values[self._order] = k.astype(np.int32)
        return values.reshape(shape)

    def _sizes(self):
        return np.int64(1) << 2 * self._digits.astype(np.int64)

    def _walk(self, digit):
        """The cells whose digits `digit(number, masses of the quarters [n, 4])` gives."""
        cells = np.zeros([len(self._order)], np.int32)
        edges = np.zeros([5, len(cells)], np.uint32)
        edges[4] = _sum(self._weights) << np.uint32(_PRECISION)
        for number in reversed(range(len(self._counts))):
            count, width = self._counts[number], 1 << 2 * number
            some = edges[:, :count]
            self._cdf(cells[:count] + np.int32(width) * _INNER, some[1:4])
            rows = np.empty([count, 4])
            np.subtract(some[1:], some[:-1], out=rows.T)
            rows += 1
            found = digit(number, rows)
            cells[:count] += found << 2 * number
            place = found * np.intp(len(cells)) + np.arange(count)
            some[0], some[4] = edges.ravel()[place], edges.ravel()[place + len(cells)]
        return cells.astype(np.int64)

    def _cdf(self, cells, out):
        """The masses below the first integers of cells `[3, n]` of the first n, into `out`."""
        count = cells.shape[1]
        edges = ((cells + self._first[:count]) << self._shift[:count]).astype(np.float32)
        edges -= np.float32(.5)
        for start in range(0, count, _BLOCK):
            some = slice(start, min(start + _BLOCK, count))
            steps = edges[:, np.newaxis, some] - self._loc[:, some]
            steps *= self._rate[:, some]
            steps += _END
            np.clip(steps, 0, 2 * _END - 1, out=steps)
            # By far faster than without `mode`.
            found = _LOGISTIC.take(steps.astype(np.int32), mode='clip')
            found *= self._weights[:, some]
            np.add.reduce(found, axis=1, out=out[:, some])


def _sum(rows):
    """Of the first axis, in order."""
    total = np.zeros_like(rows[0])
    for row in rows:
        total += row
    return total


def _octave(x):
    """The binary logarithm of float32 numbers, rounded down; -127 of 0."""
    return (np.ascontiguousarray(x).view(np.int32) >> 23) - 127


@functools.cache
def _weights(count):
    """The weight of one of `count` components by how far its logit is below the greatest."""
    steps = np.arange(16 * _LOGIT_STEPS) + .5
    return (np.floor(tables.exp(-steps / _LOGIT_STEPS) * (_WEIGHTS // count - 1)) + 1).astype(
        np.uint32)


def _logistic():
    middles = (np.arange(-_END, _END) + .5) / _STEPS
    return np.floor(tables.sigmoid(middles) * 2**_PRECISION + .5).astype(np.uint32)


_LOGISTIC = _logistic()
