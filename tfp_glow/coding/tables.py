"""Integer tables of logistics, which are the same on every machine for the same float32 parameters.

A table gives integer masses, which sum to 2**24, to a window of cells and to one more symbol. This
symbol, the escape, stands for all integers outside. A table depends on parameters that are rounded
once:

* The scale is rounded to its binary exponent and the first four bits of its mantissa. These are 16
  steps an octave, from 2**-5 to 2**18, and a scale beyond is clipped.
* The location of a single logistic is rounded to its integer part, which is subtracted from what is
  coded, and its fraction, in steps of at most an eighth of the scale (1/64 at the finest).

This loses less than 2e-3 bits a symbol, for scales from 1/8 on. The module calls no function of a
mathematics library, as the last bits of these differ between machines: `exp` adds, multiplies and
divides. The tables do not use the bounds `low` and `high` of a distribution: they have room outside
of them.
"""

import dataclasses
import functools

import constriction
import numpy as np

PRECISION = 24
_TOTAL = 1 << PRECISION
_ESCAPE = 1 << 11  # The escape has at least this mass, 2**-13. It costs 1.8e-4 bits a symbol.
_REACH = 12  # Half the window, in scales. Beyond the window is a mass of 6e-6 on either side.
_MANTISSA_BITS = 4
_STEPS = 1 << _MANTISSA_BITS
_EXPONENTS = (-5, 18)  # The exponent of the least scale, and one past that of the greatest.
_WIDE = 4  # From scales of 2**(_WIDE + 1) on, cells hold several integers.
_FINEST = 64  # So many fractions of a location are told apart at most.
_CELLS = 4096  # A mixture that needs more cells gets cells of several integers.
_LEAST_MIXTURE_SCALE = 2.**-6
LIMIT = 1 << 23  # Locations and coded integers are below this, so float32 holds them exactly.


@dataclasses.dataclass(frozen=True, eq=False)
class Table:
    """Masses of cells of 2**shift integers from low * 2**shift on, and of the escape.

    Attributes:
        low: The number of the first cell.
        shift: The binary logarithm of the number of integers in a cell.
        masses: Positive integers that sum to 2**24. The last one is the mass of the escape.
        model: The same masses as a model of `constriction`.
    """

    low: int
    shift: int
    masses: np.ndarray
    model: constriction.stream.model.Categorical = dataclasses.field(init=False, repr=False)

    def __post_init__(self) -> None:
        # The library adds 1 to each weight and scales the rest so that they sum to 2**24. It does
        # not change integers that have this sum already.
        model = constriction.stream.model.Categorical(
            (self.masses - 1).astype(np.float64), perfect=False, lazy=False)
        object.__setattr__(self, 'model', model)

    @property
    def size(self) -> int:
        """The number of cells, which is also the symbol of the escape."""
        return len(self.masses) - 1


def logistic_keys(loc: np.ndarray, scale: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns what the parameters of logistics are rounded to.

    Args:
        loc: A finite float32 array with |loc| < 2**23.
        scale: A finite float32 array of the same shape with scale > 0.

    Returns:
        `(centres, keys)`, int32 and int16. `logistic_table(key)` is the table of k - centre.
    """
    bits = np.ascontiguousarray(scale, np.float32).view(np.int32)
    steps = (bits >> (23 - _MANTISSA_BITS)) - ((127 + _EXPONENTS[0]) << _MANTISSA_BITS)
    steps = np.clip(steps, 0, len(_FRACTIONS) - 1)
    centres = np.floor(loc)
    count = _FRACTIONS[steps]
    fractions = np.minimum(((loc - centres) * count).astype(np.int32), count - 1)
    return centres.astype(np.int32), (steps * _FINEST + fractions).astype(np.int16)


@functools.cache
def logistic_table(key: int) -> Table:
    """Returns the `Table` of one key of `logistic_keys`."""
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
def mixture_table(parameters: bytes) -> Table:
    """Returns the `Table` of a mixture of K logistics.

    No bit of the parameters is rounded.

    Args:
        parameters: The bytes of a float32 array `[3 K]` of all logits, all locations and all
            scales. They are finite, |loc| < 2**23 and scale > 0.
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
    for weight, middle, width in zip(weights, loc, scale):  # The sum is made in this order.
        cdf += weight * sigmoid((cells * 2**shift - .5 - middle) / width)
    return _table(low, shift, cdf / functools.reduce(float.__add__, weights.tolist()))


def _table(low: int, shift: int, cdf: np.ndarray) -> Table:
    """Returns the integer masses of the cells between values of the distribution function."""
    shared = _TOTAL - len(cdf) - _ESCAPE  # The least masses of all symbols leave this.
    cuts = np.floor(np.clip(cdf, 0., 1.) * shared).astype(np.int64)
    cells = np.diff(cuts)
    return Table(low, shift, np.append(cells, shared - cells.sum() + _ESCAPE) + 1)


def sigmoid(t: np.ndarray) -> np.ndarray:
    """Returns 1 / (1 + exp(-t)) of a float64 array, by `exp`."""
    return 1 / (1 + exp(np.clip(-t, -50., 50.)))


def exp(t: np.ndarray) -> np.ndarray:
    """Returns exp(t) for |t| <= 50, right to 1e-12.

    This is exp(t / 1024), computed by its series, squared ten times.
    """
    t = t / 1024
    value = np.ones_like(t)
    for n in range(12, 0, -1):
        value = 1 + value * t / n
    for _ in range(10):
        value = value * value
    return value


def _fractions() -> np.ndarray:
    """Returns how many fractions of a location are told apart for each step of the scale."""
    exponents = np.repeat(np.arange(*_EXPONENTS), _STEPS)
    return np.clip(2.**(3 - exponents), 1, _FINEST).astype(np.int32)


_FRACTIONS = _fractions()
