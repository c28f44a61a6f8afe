"""Integers into a range coder's stream as they are: low bits, and what escaped from a window."""

import constriction
import numpy as np

_UNIFORM = constriction.stream.model.Uniform()
_LENGTHS = 32  # Of an escaped integer, in bits: more than there can be.
_LENGTH = constriction.stream.model.Uniform(_LENGTHS)
_PART = 12  # Bits that are coded at once.


def encode_bits(coder, values, lengths):
    """Each of `values`, in 0 .. 2**length - 1, as it is: first the lowest bits of all."""
    for start in range(0, int(np.max(lengths, initial=0)), _PART):
        bits = np.clip(lengths - start, 0, _PART)
        some = bits > 0
        part = (values[some] >> start) & ((1 << bits[some]) - 1)
        coder.encode(part.astype(np.int32), _UNIFORM, (1 << bits[some]).astype(np.int32))


def decode_bits(coder, lengths):
    """The int64 array that `encode_bits` was given, of the same lengths."""
    values = np.zeros(lengths.shape, np.int64)
    for start in range(0, int(np.max(lengths, initial=0)), _PART):
        bits = np.clip(lengths - start, 0, _PART)
        some = bits > 0
        part = coder.decode(_UNIFORM, (1 << bits[some]).astype(np.int32))
        values[some] |= part.astype(np.int64) << start
    return values


def encode_escaped(coder, distances):
    """Signed integers below 2**28, small ones in fewer bits.

    With u = 2 d for d >= 0 and -2 d - 1 else: the number of bits of u + 1, then all of these but
    the first, which is 1.
    """
    if len(distances):
        d = distances.astype(np.int64)
        u = 1 + np.where(d >= 0, 2 * d, -2 * d - 1)
        length = np.frexp(u.astype(np.float64))[1].astype(np.int32) - 1
        coder.encode(length, _LENGTH)
        encode_bits(coder, u - (1 << length.astype(np.int64)), length)


def decode_escaped(coder, count):
    """The int64 array of `count` integers that `encode_escaped` was given."""
    if not count:
        return np.zeros([0], np.int64)
    length = coder.decode(_LENGTH, count)
    u = decode_bits(coder, length) + (1 << length.astype(np.int64)) - 1
    return np.where(u & 1, -(u >> 1) - 1, u >> 1)
