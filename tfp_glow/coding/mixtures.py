"""Integers under mixtures of logistics, each under another one, into a range coder's stream.

Tables would be as many as integers. Instead an integer is coded as the digits, to base 4, of its
cell's distance from the start of a window around all components: with each digit the window becomes
the quarter that it names, so that the distribution function is wanted at three places a digit only.
Its values are integers: sums of weights, in units of 2**-16, times entries of one table of the
logistic function, in steps of 2**-11.
"""

import constriction
import numpy as np

from tfp_glow.coding import bits, tables

_QUARTERS = constriction.stream.model.Categorical(perfect=False)
_INSIDE = constriction.stream.model.Categorical(
    np.array([2.**11 - 1, 1.]), perfect=False, lazy=False)  # Or an escape.
_STEPS = 1 << 11  # Of the table, in a scale.
_END = 16 * _STEPS  # Beyond it, the table is as good as 0 or 1.
_WEIGHTS = 1 << 16
_REACH = 12  # Of the window, in scales.
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
        self._shift = np.maximum(np.frexp(np.min(scale, 0))[1] - 1 - _WIDE, 0).astype(np.int32)
        ends = [np.floor(end).astype(np.int32) >> self._shift for end in (
            np.min(loc - _REACH * scale, 0), np.max(loc + _REACH * scale, 0))]
        self._first, size = ends[0], ends[1] - ends[0] + 1
        self._digits = np.maximum((np.frexp((size - 1).astype(np.float64))[1] + 1) // 2, 1)
        # Those with most digits come first, so that those with another digit are the first ones.
        self._order = np.argsort(-self._digits, kind='stable')
        self._counts = [int(np.count_nonzero(self._digits > digit))
                        for digit in range(int(self._digits.max()))]
        for name in ('_shift', '_first', '_digits'):
            setattr(self, name, getattr(self, name)[self._order])
        weights = tables.exp(np.maximum(logits.astype(np.float64) - np.max(logits, 0), -50.))
        self._weights = (np.floor(weights / _sum(weights) * _WEIGHTS) + 1)[:, self._order]
        self._total = _sum(self._weights) * 2.**tables.PRECISION
        self._loc = loc[:, self._order]
        self._rate = (np.float32(_STEPS) / scale)[:, self._order]

    def encode(self, coder, values):
        """Appends integers, |value| <= 2**23, to a `RangeEncoder`."""
        k = values.ravel()[self._order].astype(np.int64)
        cells = (k >> self._shift) - self._first
        inside = (cells >= 0) & (cells < self._sizes())
        coder.encode(np.where(inside, 0, 1).astype(np.int32), _INSIDE)
        # Escapes go through the digits as well, so that all arrays stay whole: they cost bits.
        cells = np.where(inside, cells, 0)

        def digit(number, rows):
            found = ((cells[:len(rows)] >> 2 * number) & 3).astype(np.int32)
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
        cells = np.zeros([len(self._order)], np.int64)
        below, above = np.zeros_like(self._total), self._total.copy()
        for number in reversed(range(len(self._counts))):
            some = slice(self._counts[number])
            start, width = cells[some], 1 << 2 * number
            edges = [below[some], *(self._cdf(start + j * width, some) for j in (1, 2, 3)),
                     above[some]]
            rows = np.empty([len(start), 4])
            for j in range(4):
                np.subtract(edges[j + 1], edges[j], out=rows[:, j])
            rows += 1
            found = digit(number, rows)
            cells[some] += found.astype(np.int64) << 2 * number
            below[some] = np.choose(found, edges[:4])
            above[some] = np.choose(found, edges[1:])
        return cells

    def _cdf(self, cells, some):
        """The masses below the first integers of these cells, in units of 2**-40."""
        edges = (((cells + self._first[some]) << self._shift[some]) - .5).astype(np.float32)
        total = np.zeros([len(edges)])
        for weight, loc, rate in zip(self._weights, self._loc, self._rate):
            steps = np.clip((edges - loc[some]) * rate[some], -_END, _END - 1)
            total += weight[some] * _LOGISTIC[steps.astype(np.int32) + _END]
        return total


def _sum(rows):
    """Of the first axis, in order."""
    total = np.zeros_like(rows[0])
    for row in rows:
        total += row
    return total


def _logistic():
    middles = (np.arange(-_END, _END) + .5) / _STEPS
    return np.floor(tables.sigmoid(middles) * 2**tables.PRECISION + .5)


_LOGISTIC = _logistic()
