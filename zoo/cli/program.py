"""How every program of the zoo starts and fails: with one line and an exit status, no traceback."""

import contextlib
import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import NoReturn, TypeVar

from absl import app, flags
from absl import logging as absl_logging

import zoo
from zoo.cli import errors, help_text, parsing, quiet

T = TypeVar('T')
Main = Callable[[list[str]], None]


def run(main: Main, operands: Sequence[str] = (), define: parsing.Define | None = None) -> None:
    """Runs `main(argv)` under absl; prints a user's mistake in one line, with exit status 2.

    Args:
        main: A function of the program's name and its operands.
        operands: The names of what must be given beside the flags, such as a file to read; a last
            '...' stands for any number of more.
        define: Called with the arguments before flags are parsed; see `parsing.Define`.
    """
    def parse_or_fail(argv: list[str]) -> list[str]:
        try:
            return parsing.parse(argv, operands, define)
        except errors.UsageError as error:
            _fail(error, 2)
    app.run(lambda argv: _guarded(main, argv), flags_parser=parse_or_fail)


def start_tensorflow() -> None:
    """Imports TensorFlow, without the lines that it logs when it starts.

    Programs call this after all checks that need no TensorFlow. What TensorFlow logs is shown if
    the user has set TF_CPP_MIN_LOG_LEVEL.
    """
    quiet.import_tensorflow(show_log=not zoo.LOG_LEVEL_IS_OURS)
    logging.getLogger('tensorflow').setLevel(logging.ERROR)


def require(*names: str) -> None:
    """Checks that flags of these names are given.

    Raises:
        UsageError: If one is not, or is empty.
    """
    for name in names:
        if flags.FLAGS[name].value in (None, '', []):
            raise errors.UsageError(f'--{name} must be given; see --help.')


def required(flag: flags.FlagHolder[T | None]) -> T:
    """Returns the value of a flag that must be given.

    Raises:
        UsageError: If it is not given, or is empty.
    """
    value = flag.value
    if value is None or value in ('', []):
        raise errors.UsageError(f'--{flag.name} must be given; see --help.')
    return value


def is_given(name: str) -> bool:
    """Returns whether the user gave the flag `name`."""
    return flags.FLAGS[name].present > 0


def given() -> Iterator[tuple[str, object]]:
    """Yields the names and values of the program's flags that the user gave."""
    for name, flag in help_text.program_flags().items():
        if flag.present:
            yield name, flag.value


def refuse(rule: str, *names: str) -> None:
    """Checks that flags that have no use are not given.

    Args:
        rule: When they have none: 'for vectors' in '--pad must be left out for vectors'.
        *names: The names of the flags.

    Raises:
        UsageError: If one is given.
    """
    for name in names:
        if is_given(name):
            raise errors.UsageError(f'--{name} must be left out {rule}; '
                                    f'got {flags.FLAGS[name].value!r}.')


def check_not_empty(*names: str) -> None:
    """Checks that lists that are given hold something.

    Raises:
        UsageError: If one is empty.
    """
    for name in names:
        if is_given(name) and not flags.FLAGS[name].value:
            raise errors.UsageError(f"--{name} must hold something; got ''.")


@contextlib.contextmanager
def naming_flags() -> Iterator[None]:
    """Returns a context that turns an error about an argument into one about the flag of its name.

    Raises:
        UsageError: In place of a `ValueError`.
    """
    try:
        yield
    except errors.UsageError:
        raise
    except ValueError as error:
        name = str(error).split(' ', 1)[0]
        known = name.isidentifier() and name in flags.FLAGS
        raise errors.UsageError(f'--{error}' if known else str(error)) from error


def _guarded(main: Main, argv: list[str]) -> None:
    absl_logging.set_verbosity(absl_logging.ERROR)
    logging.getLogger('tensorflow').setLevel(logging.ERROR)
    try:
        main(argv)
    except errors.UsageError as error:
        _fail(error, 2)
    except errors.Failure as error:
        _fail(error, 1)
    except OSError as error:  # A name that is too long, a disk that is full.
        _fail(*_about_path(error))
    except KeyboardInterrupt:
        _fail('interrupted.', 130)
    except Exception as error:
        message = errors.in_pipeline(error)
        if message is None:
            raise
        _fail(message, 1)


def _about_path(error: OSError) -> tuple[str, int]:
    """Returns what to say of an error about a path, naming the flag that holds it, and a status."""
    path = str(error.filename2 or error.filename or '')
    reason = error.strerror or str(error)
    for name, value in given():
        for part in value if isinstance(value, list) else [value]:
            if path and isinstance(part, str) and part and part in path:
                place = '' if part == path else f', at {path!r}'
                return (f'--{name} must be a path that can be used ({reason}{place}); '
                        f'got {part!r}.'), 2
    return f'{path!r} cannot be used: {reason}.' if path else f'{reason}.', 1


def _fail(error: object, status: int) -> NoReturn:
    text = ' '.join(str(error).split())
    if text.startswith('preset ') and 'preset' in flags.FLAGS:
        text = f'--{text}'  # The rooms below know no flags.
    print(f'error: {text}', file=sys.stderr)
    sys.exit(status)
