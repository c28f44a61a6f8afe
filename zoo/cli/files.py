"""Files that are there whole or not at all, and places where a program may write."""

import json
import math
import os
import pathlib
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, BinaryIO

from zoo.cli import errors

PathLike = str | os.PathLike

_UNFINISHED = re.compile(r'\.unfinished-\d+-[0-9a-f]{8}')


def write_whole(path: PathLike, content: str | bytes | Callable[[BinaryIO], Any]) -> None:
    """Writes a file so that `path` is there whole or not at all; replaces one that is there.

    The file is on the disk, not in the system's buffers alone, before it gets its name.

    Args:
        path: The file.
        content: A text, written as UTF-8; bytes; or a function that writes to a binary file.
    """
    path = pathlib.Path(path)
    unfinished = unfinished_path(path)
    try:
        with unfinished.open('wb') as file:
            if callable(content):
                content(file)
            else:
                file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
        sync_folder(path.parent)
    finally:
        unfinished.unlink(missing_ok=True)


def unfinished_path(path: pathlib.Path) -> pathlib.Path:
    """Returns the name that a file has before it is finished, see `remove_unfinished`."""
    number = zlib.crc32(os.fsencode(path.name))  # The name itself may be as long as a name can be.
    return path.with_name(f'.unfinished-{os.getpid()}-{number:08x}')


def sync_folder(folder: PathLike) -> None:
    """Sees to it that the names of the files in a folder are on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_unfinished(folder: PathLike) -> None:
    """Removes what `write_whole` could not finish in a folder, as its process was killed."""
    for path in pathlib.Path(folder).glob('.*'):
        if path.is_file() and is_unfinished(path):
            path.unlink(missing_ok=True)


def is_unfinished(path: pathlib.Path) -> bool:
    """Returns whether a file has a name that `write_whole` gives before the file is finished."""
    return _UNFINISHED.fullmatch(path.name) is not None


def write_json(path: PathLike, values: Any) -> None:
    """Writes `values` as strict JSON, whole or not at all.

    Raises:
        Failure: If a number is not finite: JSON cannot say so.
    """
    check_finite(values, pathlib.Path(path).name)
    write_whole(path, json.dumps(values, indent=2, allow_nan=False) + '\n')


def read_object(path: PathLike) -> dict[str, Any]:
    """Returns the object that a JSON file holds.

    Raises:
        OSError: If the file cannot be read.
        ValueError: If it holds something else.
    """
    return parse_object(pathlib.Path(path).read_text(encoding='utf-8'))


def parse_object(text: str, **options: Any) -> dict[str, Any]:
    """Returns the object that a text in JSON stands for.

    Args:
        text: The text.
        **options: Further arguments of `json.loads`.

    Raises:
        ValueError: If it stands for something else.
    """
    try:
        values = json.loads(text, **options)
    except RecursionError:
        raise ValueError('it is nested too deeply') from None
    if not isinstance(values, dict):
        raise ValueError(f'it must hold an object; it holds {type(values).__name__}')
    return values


def check_finite(values: Any, name: str) -> None:
    """Checks that what a JSON file is to hold is finite.

    Args:
        values: Nested dictionaries and lists.
        name: The name of the file.

    Raises:
        Failure: If a number is not finite; the message says where it is.
    """
    for place, value in _leaves(values, ''):
        if isinstance(value, float) and not math.isfinite(value):
            raise errors.Failure(f'{name} must hold finite numbers; {place} is {value}.')


def _leaves(values: Any, place: str) -> Iterator[tuple[str, Any]]:
    """Yields what nested dictionaries and lists hold, each with its place."""
    if isinstance(values, dict):
        for key, value in values.items():
            yield from _leaves(value, f'{place}.{key}' if place else str(key))
    elif isinstance(values, (list, tuple)):
        for index, value in enumerate(values):
            yield from _leaves(value, f'{place}[{index}]')
    else:
        yield place, values


def check_output(path: PathLike, suffixes: Sequence[str], overwrite: bool = False,
                 name: str = '--out') -> None:
    """Checks that `path` can become a new file that ends in one of `suffixes`.

    Args:
        path: The file to write.
        suffixes: Endings such as '.png'.
        overwrite: Whether a file that is there may be replaced.
        name: What an error calls the path.

    Raises:
        UsageError: If `path` cannot become such a file.
    """
    out = pathlib.Path(path)
    if out.suffix not in suffixes:
        raise errors.UsageError(f'{name} must end in {" or ".join(suffixes)}; got {str(path)!r}.')
    if out.is_dir():
        raise errors.UsageError(f'{name} must be a file; got the folder {str(path)!r}.')
    check_parent(path, name)
    if out.exists() and not overwrite:
        raise errors.UsageError(f'{name} must be a new file, or give --overwrite; {str(path)!r} is '
                                'there.')


def check_parent(path: PathLike, name: str = '--out') -> None:
    """Checks that `path` lies in a folder that is there and can be written.

    Args:
        path: The file to write.
        name: What an error calls the path.

    Raises:
        UsageError: If it does not.
    """
    folder = pathlib.Path(path).parent
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise errors.UsageError(f'{name} must be in a folder that is there and can be written; '
                                f'got {str(path)!r}.')


def check_new_folder(path: PathLike, name: str = '--out') -> pathlib.Path:
    """Checks that `path` can become a new folder, and returns it.

    Args:
        path: The folder to make.
        name: What an error calls the path.

    Raises:
        UsageError: If it is there, or cannot be made.
    """
    out = pathlib.Path(path)
    if out.exists():
        raise errors.UsageError(f'{name} must be a new folder; {str(path)!r} exists.')
    parent = next(p for p in out.absolute().parents if p.exists())
    if not parent.is_dir() or not os.access(parent, os.W_OK):
        raise errors.UsageError(f'{name} must be in a folder that can be written; '
                                f'got {str(path)!r}.')
    return out
