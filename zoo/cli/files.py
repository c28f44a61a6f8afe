"""Files that are there whole or not at all, and places where a program may write."""

import json
import os
import pathlib
from collections.abc import Callable, Sequence
from typing import Any, BinaryIO

from zoo.cli import errors

PathLike = str | os.PathLike


def write_whole(path: PathLike, content: str | bytes | Callable[[BinaryIO], Any]) -> None:
    """Writes a file so that `path` is there whole or not at all; replaces one that is there.

    Args:
        path: The file.
        content: A text, written as UTF-8; bytes; or a function that writes to a binary file.
    """
    path = pathlib.Path(path)
    unfinished = path.with_name(f'.{path.name}.{os.getpid()}')
    try:
        with unfinished.open('wb') as file:
            if callable(content):
                content(file)
            else:
                file.write(content.encode() if isinstance(content, str) else content)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def write_json(path: PathLike, values: Any) -> None:
    """Writes `values` as strict JSON, whole or not at all.

    Raises:
        ValueError: If a number is not finite: JSON cannot say so.
    """
    write_whole(path, json.dumps(values, indent=2, allow_nan=False) + '\n')


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
