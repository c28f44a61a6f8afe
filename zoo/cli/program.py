"""How every program of the zoo starts and fails: with one line and an exit status, no traceback."""

import contextlib
import difflib
import logging
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import NoReturn, TypeVar

from absl import app, flags
from absl import logging as absl_logging

import zoo
from zoo.cli import errors, flagfiles, help_text, quiet

_HELP = ('--help', '-help', '-h', '--helpshort', '--helpfull', '--help=true')

T = TypeVar('T')
Main = Callable[[list[str]], None]
# A function that defines flags that depend on the arguments, and returns how help is arranged.
Define = Callable[[list[str]], help_text.Help]


def run(main: Main, operands: Sequence[str] = (), define: Define | None = None) -> None:
    """Runs `main(argv)` under absl; prints a user's mistake in one line, with exit status 2.

    Args:
        main: A function of the program's name and its operands.
        operands: The names of what must be given beside the flags, such as a file to read.
        define: Called with the arguments before flags are parsed; see `Define`.
    """
    def parse_or_fail(argv: list[str]) -> list[str]:
        try:
            return parse(argv, operands, define)
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


def parse(argv: list[str], operands: Sequence[str] = (),
          define: Define | None = None) -> list[str]:
    """Parses the flags in `argv`; returns the name of the program and its operands.

    If help is asked for, it is printed, and the program ends with status 0 if nothing is wrong.

    Args:
        argv: The name of the program and its arguments.
        operands: As for `run`.
        define: As for `run`.

    Raises:
        UsageError: If a flag or a flagfile is wrong.
    """
    arguments = [argument for argument in argv[1:] if argument not in _HELP]
    wants_help = len(arguments) < len(argv) - 1
    arguments = flagfiles.expand(arguments)
    arrangement = define(arguments) if define else help_text.Help()
    if wants_help:
        print(help_text.text(sys.modules['__main__'].__doc__ or '', arrangement))
    try:
        rest = flags.FLAGS([argv[0], *arguments], known_only=False)
    except flags.UnrecognizedFlagError as error:
        explain, name = arrangement.explain, error.flagname
        raise errors.UsageError(explain(name) or explain(name.removeprefix('no'))
                                or _unknown(error)) from None
    except flags.Error as error:
        raise errors.UsageError(_rule(str(error))) from None
    except ValueError as error:  # A boolean flag raises it for --noflag=value.
        raise errors.UsageError(str(error)) from None
    if wants_help:
        sys.exit(0)
    if len(rest) > 1 and not operands:
        raise errors.UsageError(f'every option must be a flag, --name=value; got {rest[1]!r}.')
    if len(rest) != 1 + len(operands):
        raise errors.UsageError(f'{" and ".join(operands)} must be given, all else being flags, '
                                f'--name=value; got {" ".join(rest[1:])!r}.')
    return rest


def _unknown(error: flags.UnrecognizedFlagError) -> str:
    near = difflib.get_close_matches(error.flagname, list(help_text.program_flags()), n=1)
    return (f'--{error.flagname} is no flag of this program; see --help.'
            + (f' Did you mean --{near[0]}?' if near else ''))


def _rule(text: str) -> str:
    """Returns absl's 'flag --x=0: must be ...' in the form of all our errors."""
    parts = re.match(r'flag --(\w+)=(.*?): (.*)$', text, re.DOTALL)
    if not parts:
        return text
    name, value, rule = parts.groups()
    choices = re.match(r'value should be one of <(.*)>', rule)
    if choices:
        rule = f'must be one of {choices[1].replace("|", ", ")}'
    elif not rule.startswith('must'):
        rule = f'must be given another value ({rule.rstrip(".")})'
    return f'--{name} {rule}; got {value if _is_number(value) else repr(value)}.'


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _guarded(main: Main, argv: list[str]) -> None:
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


def _fail(error: object, status: int) -> NoReturn:
    print(f'error: {" ".join(str(error).split())}', file=sys.stderr)
    sys.exit(status)
