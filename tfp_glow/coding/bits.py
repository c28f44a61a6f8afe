"""Writes integers into a range coder's stream without a model of their distribution.

These are the low bits of integers in wide cells, and the integers that escaped from a window.
"""

import numpy as np
from constriction import stream

_UNIFORM = stream.model.Uniform()
_LENGTHS = 32  # An escaped integer has fewer bits than this.
_LENGTH = stream.model.Uniform(_LENGTHS)
_PART = 12  # So many bits are coded at once.


def encode_bits(coder: stream.queue.RangeEncoder, values: np.ndarray, lengths: np.ndarray) -> None:
    """Writes each of `values`, in 0 .. 2**length - 1, as it is.

    The lowest bits of all values come first.
    """
    for start in range(0, int(np.max(lengths, initial=0)), _PART):
        bits = np.clip(lengths - start, 0, _PART)
        some = bits > 0
        part = (values[some] >> start) & ((1 << bits[some]) - 1)
        coder.encode(part.astype(np.int32), _UNIFORM, (1 << bits[some]).astype(np.int32))


def decode_bits(coder: stream.queue.RangeDecoder, lengths: np.ndarray) -> np.ndarray:
    """Returns the int64 array that `encode_bits` was given with the same lengths."""
    values = np.zeros(lengths.shape, np.int64)
    for start in range(0, int(np.max(lengths, initial=0)), _PART):
        bits = np.clip(lengths - start, 0, _PART)
        some = bits > 0
        part = coder.decode(_UNIFORM, (1 << bits[some]).astype(np.int32))
        values[some] |= part.astype(np.int64) << start
    return values


def encode_escaped(coder: stream.queue.RangeEncoder, distances: np.ndarray) -> None:
    """Writes signed integers below 2**28; small ones take fewer bits.

    Let u = 2 d for d >= 0 and u = -2 d - 1 otherwise. The stream gets the number of bits of u + 1,
    and then all of these bits but the first, which is 1.
    """
    if len(distances):
        d = distances.astype(np.int64)
        u = 1 + np.where(d >= 0, 2 * d, -2 * d - 1)
        length = np.frexp(u.astype(np.float64))[1].astype(np.int32) - 1
        coder.encode(length, _LENGTH)
        encode_bits(coder, u - (1 << length.astype(np.int64)), length)


def decode_escaped(coder: stream.queue.RangeDecoder, count: int) -> np.ndarray:
    """Returns the int64 array of `count` integers that `encode_escaped` was given."""
    if not count:
        return np.zeros([0], np.int64)
    length = coder.decode(_LENGTH, count)
    u = decode_bits(coder, length) + (1 << length.astype(np.int64)) - 1
    return np.where(u & 1, -(u >> 1) - 1, u >> 1)
