"""What a program reports in one line instead of a traceback."""


class UsageError(ValueError):
    """A user's mistake: one line that names the flag, the rule and the value; exit status 2."""


class Failure(RuntimeError):
    """Something went wrong that the user did not ask for, such as divergence; exit status 1."""
