"""How every program of the zoo starts and fails: one line, no traceback, an exit status."""

import contextlib
import logging
import sys

from absl import app, flags
from absl import logging as absl_logging

from zoo.cli import errors


def run(main, operands=()):
    """Runs `main(argv)` under absl; a user's mistake is printed in one line, exit status 2.

    Args:
        main: function of the program's name and its operands.
        operands: names of what must be given beside the flags, such as a file to read.
    """
    app.run(lambda argv: _guarded(main, argv), flags_parser=lambda argv: _parse(argv, operands))


def require(*names):
    """Raises a `UsageError` for a flag that must be given and is not."""
    for name in names:
        if flags.FLAGS[name].value in (None, ''):
            raise errors.UsageError(f'--{name} must be given; see --help.')


@contextlib.contextmanager
def naming_flags():
    """Within it, a library's complaint about an argument becomes one about the flag of its name."""
    try:
        yield
    except errors.UsageError:
        raise
    except ValueError as error:
        name = str(error).split(' ', 1)[0]
        known = name.isidentifier() and name in flags.FLAGS
        raise errors.UsageError(f'--{error}' if known else str(error)) from error


def _parse(argv, operands):
    try:
        rest = flags.FLAGS(argv, known_only=False)
    except flags.Error as error:
        _fail(error, 2)
    if len(rest) > 1 and not operands:
        _fail(f'every option must be a flag, --name=value; got {rest[1]!r}.', 2)
    if len(rest) != 1 + len(operands):
        _fail(f'{" and ".join(operands)} must be given, all else being flags, --name=value; '
              f'got {" ".join(rest[1:])!r}.', 2)
    return rest


def _guarded(main, argv):
    absl_logging.set_verbosity(absl_logging.ERROR)
    logging.getLogger('tensorflow').setLevel(logging.ERROR)
    try:
        main(argv)
    except errors.UsageError as error:
        _fail(error, 2)
    except errors.Failure as error:
        _fail(error, 1)
    except KeyboardInterrupt:
        _fail('interrupted.', 130)


def _fail(error, status):
    print(f'error: {" ".join(str(error).split())}', file=sys.stderr)
    sys.exit(status)
