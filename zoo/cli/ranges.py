"""`Range`: the numbers that a flag or a hyper-parameter takes. NaN and infinity are in no range."""

import dataclasses
import math

LARGEST_FLOAT = 3.4e38  # Numbers become float32.
LARGEST_INTEGER = 2**31 - 1  # Seeds, steps and sizes are 32-bit integers in TensorFlow.
_GUARD = 1_000_000  # An end from here on is there for safety: only who passes it is told of it.


@dataclasses.dataclass(frozen=True)
class Range:
    """An interval of finite numbers.

    Attributes:
        least: The smallest number in it, or the number that all in it are above; None for none.
        most: The largest number in it, or the number that all in it are below; None for none.
        open_below: Whether `least` itself is left out.
        open_above: Whether `most` itself is left out.
        parity: 'even' or 'odd' if only such numbers are in it.

    ```python
    >>> str(Range(0, 1, open_below=True)), str(COUNT), str(POSITIVE)
    ('in (0, 1]', 'at least 1', 'finite and above 0')
    >>> COUNT.rule(0), COUNT.rule(10**11)
    ('must be at least 1', 'must be at most 2**31 - 1')
    >>> .5 in Range(0, 1), float('nan') in Range(0)
    (True, False)

    ```
    """

    least: float | None = None
    most: float | None = None
    open_below: bool = False
    open_above: bool = False
    parity: str = ''

    def __contains__(self, number: float) -> bool:
        """Returns whether `number` is finite and in the interval."""
        try:
            finite = math.isfinite(number)
        except OverflowError:  # Of an integer that no float holds.
            return False
        if not finite or abs(number) > LARGEST_FLOAT:
            return False
        if self.parity and number % 2 != (self.parity == 'odd'):
            return False
        above = self.least is None or (
            number > self.least if self.open_below else number >= self.least)
        below = self.most is None or (
            number < self.most if self.open_above else number <= self.most)
        return above and below

    def __str__(self) -> str:
        """Returns the interval in words, for help texts: 'at least 1'."""
        parity = f'{self.parity} and ' if self.parity else ''
        if self.least is not None and self.most is not None and self.most < _GUARD:
            left, right = '[('[self.open_below], '])'[self.open_above]
            return f'{parity}in {left}{_text(self.least)}, {_text(self.most)}{right}'
        finite = '' if isinstance(self.most, int) else 'finite and '
        if self.least is None:
            return f'{parity}finite'
        return f'{parity}{finite}{"above" if self.open_below else "at least"} {_text(self.least)}'

    def rule(self, number: float) -> str:
        """Returns the rule that `number` breaks, as the middle of an error message."""
        if self.most is not None and number > self.most >= _GUARD:
            return f'must be at most {_text(self.most)}'
        return f'must be {self}'


def _text(number: float | None) -> str:
    if number == LARGEST_INTEGER:
        return '2**31 - 1'
    return f'{number:,}' if number == int(number or 0) else f'{number:g}'


COUNT = Range(1, LARGEST_INTEGER)
WHOLE = Range(0, LARGEST_INTEGER)
POSITIVE = Range(0, open_below=True)
NOT_NEGATIVE = Range(0)
SHARE = Range(0, 1)
EPOCHS = Range(0, 1e6)
PART = Range(0, 1, open_above=True)
ODD = Range(1, LARGEST_INTEGER, parity='odd')
EVEN = Range(2, LARGEST_INTEGER, parity='even')


def check_towers(text: str) -> None:
    """Checks the number of shares of a batch that are computed beside each other.

    Raises:
        ValueError: If it is neither 'auto' nor a positive integer: 'must be ...'.
    """
    if text != 'auto' and not (text.isascii() and text.isdecimal() and 0 < int(text) < 10_000):
        raise ValueError('must be auto or a positive integer below 10,000')
