"""Files of flags: `--flagfile=FILE` stands for the flags in FILE, one on each line."""

import os
import pathlib
import stat
from collections.abc import Iterator

from zoo.cli import errors

_LARGEST = 2**20  # Bytes. No file of flags is as large.
_MOST = 10_000  # No program has as many flags.


def expand(arguments: list[str]) -> list[str]:
    """Returns the arguments with each `--flagfile=FILE` replaced by the flags in FILE.

    The flags of files come first, in their order, so that a flag on the command line wins over the
    same flag in a file. Empty lines and lines that begin with `#` or `//` are comments. A file may
    name other files, relative to the current folder, but not itself.

    Args:
        arguments: What follows the name of the program.

    Raises:
        UsageError: If a file cannot be read as UTF-8, holds something other than flags, or includes
            itself.
    """
    from_files: list[str] = []
    own: list[str] = []
    rest = iter(arguments)
    for argument in rest:
        name = _file_name(argument, rest)
        if name is None:
            own.append(argument)
        else:
            from_files += _read(name)
        if argument == '--':  # What follows are operands.
            own += rest
    return from_files + own


def all_given(arguments: list[str], flag: str) -> list[str]:
    """Returns the values that the arguments give to `--flag=value`, in their order."""
    values, rest = [], iter(arguments)
    for argument in rest:
        name, equals, text = argument.lstrip('-').partition('=')
        if argument.startswith('-') and name == flag:
            values.append(text if equals else next(rest, ''))
    return values


def given(arguments: list[str], flag: str) -> str | None:
    """Returns the last of the values of `all_given`, which is the one that counts, or None."""
    values = all_given(arguments, flag)
    return values[-1] if values else None


def is_set(arguments: list[str], flag: str) -> bool:
    """Returns whether the arguments set a flag that is true or false."""
    result = False
    for argument in arguments:
        name, _, text = argument.lstrip('-').partition('=')
        if argument.startswith('-') and name in (flag, f'no{flag}'):
            result = name == flag and text.lower() not in ('false', 'f', '0', 'no', 'n')
    return result


def _read(name: str) -> list[str]:
    """Returns the flags of a file and of those that it names, read without recursion."""
    flags: list[str] = []
    opened = 1
    open_files = {_path(name): (name, iter(_lines(name)))}  # The innermost one comes last.
    while open_files:
        path, (outer, lines) = next(reversed(open_files.items()))
        line = next(lines, None)
        if line is None:
            del open_files[path]
            continue
        inner = _file_name(line, lines)
        if inner is None:
            flags.append(line)
            if len(flags) > _MOST:
                raise errors.UsageError(f'--flagfile must hold at most {_MOST:,} flags, with the '
                                        f'files that it names; {name!r} holds more.')
            continue
        if _path(inner) in open_files:
            raise errors.UsageError(f'--flagfile must not include itself; {inner!r} is included '
                                    f'by {outer!r} and includes it.')
        opened += 1
        if opened > _MOST:
            raise errors.UsageError(f'--flagfile must name at most {_MOST:,} files in all; '
                                    f'{name!r} names more.')
        open_files[_path(inner)] = (inner, iter(_lines(inner)))
    return flags


def _path(name: str) -> str:
    return os.path.realpath(os.path.expanduser(name))


def _file_name(argument: str, rest: Iterator[str]) -> str | None:
    """Returns FILE of `--flagfile=FILE` or `--flagfile FILE`; None of any other argument.

    Args:
        argument: The argument.
        rest: The arguments after it, of which FILE is taken if it is the first.

    Raises:
        UsageError: If there is no FILE.
    """
    name, equals, value = argument.lstrip('-').partition('=')
    if not argument.startswith('-') or name != 'flagfile':
        return None
    value = value if equals else next(rest, '')
    if not value:
        raise errors.UsageError('--flagfile must name a file of flags; got nothing.')
    return value


def _lines(name: str) -> list[str]:
    """Returns the lines of a file that are flags; raises what `expand` does."""
    path = pathlib.Path(os.path.expanduser(name))
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise errors.UsageError(f'--flagfile must be a regular file; got {name!r}.')
        if status.st_size > _LARGEST:
            raise errors.UsageError(f'--flagfile must be a file of at most {_LARGEST:,} bytes; '
                                    f'{name!r} has {status.st_size:,}.')
        text = path.read_text(encoding='utf-8-sig')
    except (OSError, ValueError) as error:
        if isinstance(error, errors.UsageError):
            raise
        reason = 'it is not UTF-8' if isinstance(error, UnicodeError) else (
            getattr(error, 'strerror', None) or error)
        raise errors.UsageError(f'--flagfile must be a text file in UTF-8 that can be read '
                                f'({reason}); got {name!r}.') from None
    lines = [line.strip() for line in text.splitlines()]
    lines = [line for line in lines if line and not line.startswith(('#', '//'))]
    for line in lines:
        if not line.startswith('-'):
            raise errors.UsageError(f'--flagfile must hold flags, --name=value, one a line; '
                                    f'{name!r} holds {line[:60]!r}.')
    return lines
