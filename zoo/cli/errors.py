"""The errors that a program reports in one line instead of a traceback."""

import difflib
import re
from collections.abc import Iterable


class UsageError(ValueError):
    """A user's mistake: one line that names the flag, the rule and the value. Exit status 2."""


class Failure(RuntimeError):
    """Something that went wrong without a user's mistake, such as divergence. Exit status 1."""


def in_pipeline(error: Exception) -> str | None:
    """Returns the message of a `Failure` within a pipeline of TensorFlow, which is text there."""
    if 'tensorflow' not in type(error).__module__:
        return None
    match = re.search(r'\bFailure: ([^\n]*)', str(error))
    return match[1].strip() if match else None


def did_you_mean(name: str, known: Iterable[str], cutoff: float = .6) -> str:
    """Returns ' Did you mean ...?' with the nearest of the known names, or '' if none is near."""
    near = difflib.get_close_matches(str(name), list(known), n=1, cutoff=cutoff)
    return f' Did you mean {near[0]!r}?' if near else ''
