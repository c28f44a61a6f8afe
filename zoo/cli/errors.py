"""What a program reports in one line instead of a traceback."""

import difflib
from collections.abc import Iterable


class UsageError(ValueError):
    """A user's mistake: one line that names the flag, the rule and the value; exit status 2."""


class Failure(RuntimeError):
    """Something went wrong that the user did not ask for, such as divergence; exit status 1."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Returns ' Did you mean ...?' about the nearest of the known names, or nothing."""
    near = difflib.get_close_matches(str(name), list(known), n=1)
    return f' Did you mean {near[0]!r}?' if near else ''
