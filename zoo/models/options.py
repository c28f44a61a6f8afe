"""Flags that hold several sizes, such as the units of each hidden layer."""

from zoo.cli import errors


def sizes(flag, text):
    """The positive integers of `text`, which are separated by commas, as a tuple.

    Raises:
      UsageError: there is none, or one is no positive integer; the message names `flag`.
    """
    found = tuple(int(part) if part.strip().isdecimal() else 0 for part in text.split(','))
    if min(found) < 1:
        raise errors.UsageError(f'--{flag} must be positive integers separated by commas; '
                                f'got {text!r}.')
    return found


def any_side(config):
    """What the sides of an image must be divisible by, of a model that takes all: 1."""
    del config
    return 1
