"""Integer tables of logistics: the same from the same float32 parameters, on every machine.

A table gives integer masses, which sum to 2**24, to a window of cells and to one more symbol, the
escape, which stands for all integers outside. Parameters reach a table by one rounding only:

* the scale by its binary exponent and the first four bits of its mantissa: 16 steps an octave,
  2**-5 .. 2**18, beyond which it is clipped;
* the location of a single logistic by its integer part, which is subtracted from what is coded, and
  by its fraction, in steps of at most an eighth of the scale (1/64 at the finest).

What is lost by this is below 2e-3 bits a symbol, for scales from 1/8 on. No function of a
mathematics library, whose last bits differ between machines, is called: `exp` adds, multiplies and
divides. Bounds `low` and `high` of a distribution are not used: the tables have room outside.
"""

import dataclasses
import functools

import constriction
import numpy as np

PRECISION = 24
_TOTAL = 1 << PRECISION
_ESCAPE = 1 << 11  # Least mass of the escape: 2**-13, which costs 1.8e-4 bits a symbol.
_REACH = 12  # Half the window, in scales: beyond it is a mass of 6e-6 on either side.
_MANTISSA_BITS = 4
_STEPS = 1 << _MANTISSA_BITS
_EXPONENTS = (-5, 18)  # Of the least scale, and one past that of the greatest.
_WIDE = 4  # From scales of 2**(_WIDE + 1) on, cells hold several integers.
_FINEST = 64  # Fractions of a location.
_CELLS = 4096  # Of a mixture's table, at most; before its cells hold several integers.
_LEAST_MIXTURE_SCALE = 2.**-6
LIMIT = 1 << 23  # Locations and coded integers are below it: float32 holds them exactly.


@dataclasses.dataclass(frozen=True, eq=False)
class Table:
    """Masses of cells of 2**shift integers from low * 2**shift on, and of the escape.

    Attributes:
        low: number of the first cell.
        shift: binary logarithm of a cell's integers.
        masses: positive integers that sum to 2**24, the last one the escape's.
        model: the same for `constriction`.
    """

    low: int
    shift: int
    masses: np.ndarray
    model: object = dataclasses.field(init=False, repr=False)

    def __post_init__(self):
        # The library adds 1 to each weight and scales the rest so that they sum to 2**24: it leaves
        # integers alone that do so already.
        model = constriction.stream.model.Categorical(
            (self.masses - 1).astype(np.float64), perfect=False, lazy=False)
        object.__setattr__(self, 'model', model)

    @property
    def size(self):
        """The number of cells, which is the escape's symbol."""
        return len(self.masses) - 1


def logistic_keys(loc, scale):
    """What a logistic's parameters are rounded to.

    Args:
        loc, scale: finite float32 arrays of one shape, |loc| < 2**23, scale > 0.

    Returns:
        `(centres, keys)`, int32 and int16: `logistic_table(key)` is the table of k - centre.
    """
    bits = np.ascontiguousarray(scale, np.float32).view(np.int32)
    steps = (bits >> (23 - _MANTISSA_BITS)) - ((127 + _EXPONENTS[0]) << _MANTISSA_BITS)
    steps = np.clip(steps, 0, len(_FRACTIONS) - 1)
    centres = np.floor(loc)
    count = _FRACTIONS[steps]
    fractions = np.minimum(((loc - centres) * count).astype(np.int32), count - 1)
    return centres.astype(np.int32), (steps * _FINEST + fractions).astype(np.int16)


@functools.cache
def logistic_table(key):
    """The `Table` of one of `logistic_keys`."""
    step, fraction = divmod(key, _FINEST)
    exponent, mantissa = divmod(step, _STEPS)
    exponent += _EXPONENTS[0]
    scale = (1 + (mantissa + .5) / _STEPS) * 2.**exponent
    loc = (fraction + .5) / _FRACTIONS[step]
    shift = max(0, exponent - _WIDE)
    reach = int(np.ceil(_REACH * scale / 2**shift)) + 1
    cells = np.arange(-reach, reach + 2, dtype=np.float64)
    return _table(-reach, shift, sigmoid((cells * 2**shift - .5 - loc) / scale))


@functools.lru_cache(maxsize=1 << 14)
def mixture_table(parameters):
    """The `Table` of a mixture of K logistics; no bit of its parameters is rounded.

    Args:
        parameters: the bytes of a float32 array [3 K] of all logits, locations and scales: finite,
            |loc| < 2**23, scale > 0.
    """
    logits, loc, scale = np.frombuffer(parameters, np.float32).astype(np.float64).reshape([3, -1])
    scale = np.clip(scale, _LEAST_MIXTURE_SCALE, 2.**_EXPONENTS[1])
    first = int(np.floor(np.min(loc - _REACH * scale))) - 1
    last = int(np.ceil(np.max(loc + _REACH * scale))) + 1
    shift = 0
    while (last >> shift) - (first >> shift) >= _CELLS:
        shift += 1
    low = first >> shift
    cells = np.arange(low, (last >> shift) + 2, dtype=np.float64)
    weights = exp(np.maximum(logits - np.max(logits), -50.))
    cdf = np.zeros_like(cells)
    for weight, middle, width in zip(weights, loc, scale):  # Summed in this order.
        cdf += weight * sigmoid((cells * 2**shift - .5 - middle) / width)
    return _table(low, shift, cdf / functools.reduce(float.__add__, weights.tolist()))


def _table(low, shift, cdf):
    """Integer masses of the cells between values of the distribution function."""
    shared = _TOTAL - len(cdf) - _ESCAPE  # What the least mass of each symbol leaves.
    cuts = np.floor(np.clip(cdf, 0., 1.) * shared).astype(np.int64)
    cells = np.diff(cuts)
    return Table(low, shift, np.append(cells, shared - cells.sum() + _ESCAPE) + 1)


def sigmoid(t):
    """1 / (1 + exp(-t)) of a float64 array, by `exp`."""
    return 1 / (1 + exp(np.clip(-t, -50., 50.)))


def exp(t):
    """exp(t) for |t| <= 50, right to 1e-12: exp(t / 1024) by its series, squared ten times."""
    t = t / 1024
    value = np.ones_like(t)
    for n in range(12, 0, -1):
        value = 1 + value * t / n
    for _ in range(10):
        value = value * value
    return value


def _fractions():
    """How many fractions of a location are told apart, for each step of the scale."""
    exponents = np.repeat(np.arange(*_EXPONENTS), _STEPS)
    return np.clip(2.**(3 - exponents), 1, _FINEST).astype(np.int32)


_FRACTIONS = _fractions()
