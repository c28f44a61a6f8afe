"""Writes integers, each under a mixture of logistics of its own, into a range coder's stream.

There would be as many tables as integers. Instead, an integer is coded by its cell's distance from
the start of a window around all components. This distance is written as digits to base 4. With each
digit, the window becomes the quarter that the digit names, so that the distribution function is
needed at only three places for each digit. Its values are 32-bit integers: sums of weights times
entries of one table of the logistic function, which has steps of 2**-9 scales.
"""

import functools
from collections.abc import Callable

import numpy as np
from constriction import stream

from tfp_glow.coding import bits, tables

_QUARTERS = stream.model.Categorical(perfect=False)
# The two symbols say that an integer is inside the window, or that it escapes.
_INSIDE = stream.model.Categorical(np.array([2.**11 - 1, 1.]), perfect=False, lazy=False)
_STEPS = 1 << 9  # The table of the logistic function has so many steps in a scale.
_END = 16 * _STEPS  # Beyond this step, the table is as good as 0 or 1.
_PRECISION = 17  # The table's entries have so many bits. With the weights' sum they fill 32 bits.
_WEIGHTS = (1 << 15) - 1  # The weights of a mixture sum to no more than this.
_LOGIT_STEPS = 1 << 8  # A table of weights has so many steps for a logit's unit.
_REACH = 12  # The window reaches so many scales from a component that has all the weight.
_BLOCK = 1 << 13  # For so many integers at a time, the arrays stay in a processor's caches.
_INNER = np.arange(1, 4, dtype=np.int32)[:, np.newaxis]  # Three edges part a window's quarters.
_SCALES = 2.**-6, 2.**18  # Scales are clipped to this range.
_WIDE = 4  # As for single logistics, cells hold several integers from scales of 32 on.


class MixturePrior:
    """Mixtures of K logistics, one for each integer.

    Args:
        logits: A finite float32 array `[..., K]`.
        loc: A finite float32 array `[..., K]` with |loc| < 2**23.
        scale: A finite float32 array `[..., K]` with scale > 0.
    """

    def __init__(self, logits: np.ndarray, loc: np.ndarray, scale: np.ndarray) -> None:
        count = loc.shape[-1]
        logits, loc, scale = (np.ascontiguousarray(p.reshape([-1, count]).T, np.float32)
                              for p in (logits, loc, scale))
        scale = np.clip(scale, *_SCALES)
        self._shift = np.maximum(_octave(np.min(scale, 0)) - _WIDE, 0)
        below = np.max(logits, 0) - logits
        # At this distance, a component's share of the mass is as small as that of another component
        # of more weight at its own distance.
        reach = (_REACH - below) * scale
        ends = [np.floor(end).astype(np.int32) >> self._shift for end in (
            np.min(np.where(below < _REACH, loc - reach, np.inf), 0),
            np.max(np.where(below < _REACH, loc + reach, -np.inf), 0))]
        self._first, size = ends[0], ends[1] - ends[0] + 1
        # A size that float32 rounds up to a power of two has at most one digit too many.
        digits = np.maximum((_octave((size - 1).astype(np.float32)) + 2) >> 1, 1).astype(np.int8)
        # The integers with the most digits come first, so that those that have another digit are
        # always the first ones of all.
        self._order = np.argsort(-digits, kind='stable')
        self._counts = [int(np.count_nonzero(digits > digit)) for digit in range(digits.max())]
        weights = _weights(count)[np.minimum(
            below * np.float32(_LOGIT_STEPS), np.float32(16 * _LOGIT_STEPS - 1)).astype(np.int32)]
        self._shift, self._first, self._digits, self._weights, self._loc, self._rate = (
            np.take(array, self._order, axis=-1) for array in (
                self._shift, self._first, digits, weights, loc, np.float32(_STEPS) / scale))

    def encode(self, coder: stream.queue.RangeEncoder, values: np.ndarray) -> None:
        """Appends integers with |value| <= 2**23 to a `RangeEncoder`."""
        k = values.ravel()[self._order].astype(np.int64)
        cells = (k >> self._shift) - self._first
        inside = (cells >= 0) & (cells < self._sizes())
        coder.encode(np.where(inside, 0, 1).astype(np.int32), _INSIDE)
        # Escaped integers go through the digits as well, so that all arrays stay whole. This costs
        # bits.
        cells = np.where(inside, cells, 0).astype(np.int32)

        def digit(number: int, rows: np.ndarray) -> np.ndarray:
            digits = (cells[:len(rows)] >> 2 * number) & 3
            coder.encode(digits, _QUARTERS, rows)
            return digits
        self._walk(digit)
        low = np.where(inside, self._shift, 0)
        bits.encode_bits(coder, k & ((1 << low.astype(np.int64)) - 1), low)
        bits.encode_escaped(coder, k[~inside])

    def decode(self, coder: stream.queue.RangeDecoder, shape: tuple[int, ...]) -> np.ndarray:
        """Returns the int32 array of `shape` that `encode` wrote."""
        inside = coder.decode(_INSIDE, len(self._order)) == 0
        cells = self._walk(lambda number, rows: coder.decode(_QUARTERS, rows))
        low = np.where(inside, self._shift, 0)
        k = ((cells + self._first) << self._shift) + bits.decode_bits(coder, low)
        k[~inside] = bits.decode_escaped(coder, int(np.count_nonzero(~inside)))
        values = np.empty([len(k)], np.int32)
        values[self._order] = k.astype(np.int32)
        return values.reshape(shape)

    def _sizes(self) -> np.ndarray:
        return np.int64(1) << 2 * self._digits.astype(np.int64)

    def _walk(self, digit: Callable[[int, np.ndarray], np.ndarray]) -> np.ndarray:
        """Returns the cells whose digits `digit(number, masses of the quarters [n, 4])` gives."""
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
            digits = digit(number, rows)
            cells[:count] += digits << 2 * number
            place = digits * np.intp(len(cells)) + np.arange(count)
            some[0], some[4] = edges.ravel()[place], edges.ravel()[place + len(cells)]
        return cells.astype(np.int64)

    def _cdf(self, cells: np.ndarray, out: np.ndarray) -> None:
        """Writes the masses below the first integers of `cells` into `out`.

        Both arrays are `[3, n]`, for the first n of the integers that are coded.
        """
        count = cells.shape[1]
        edges = ((cells + self._first[:count]) << self._shift[:count]).astype(np.float32)
        edges -= np.float32(.5)
        for start in range(0, count, _BLOCK):
            some = slice(start, min(start + _BLOCK, count))
            steps = edges[:, np.newaxis, some] - self._loc[:, some]
            steps *= self._rate[:, some]
            steps += _END
            np.clip(steps, 0, 2 * _END - 1, out=steps)
            # This is by far faster than without `mode`.
            masses = _LOGISTIC.take(steps.astype(np.int32), mode='clip')
            masses *= self._weights[:, some]
            np.add.reduce(masses, axis=1, out=out[:, some])


def _sum(rows: np.ndarray) -> np.ndarray:
    """Returns the sum over the first axis, added in order."""
    total = np.zeros_like(rows[0])
    for row in rows:
        total += row
    return total


def _octave(x: np.ndarray) -> np.ndarray:
    """Returns the binary logarithm of float32 numbers, rounded down, and -127 for 0."""
    return (np.ascontiguousarray(x).view(np.int32) >> 23) - 127


@functools.cache
def _weights(count: int) -> np.ndarray:
    """Returns a table of the weights of one of `count` components.

    The index is the distance of the component's logit below the greatest logit, in steps.
    """
    steps = np.arange(16 * _LOGIT_STEPS) + .5
    return (np.floor(tables.exp(-steps / _LOGIT_STEPS) * (_WEIGHTS // count - 1)) + 1).astype(
        np.uint32)


def _logistic() -> np.ndarray:
    middles = (np.arange(-_END, _END) + .5) / _STEPS
    return np.floor(tables.sigmoid(middles) * 2**_PRECISION + .5).astype(np.uint32)


_LOGISTIC = _logistic()
