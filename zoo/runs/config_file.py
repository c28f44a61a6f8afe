"""Reads the config.json of a run directory as it is. This needs no TensorFlow."""

import json
import os
import pathlib
from typing import Any

from zoo.cli import errors

NAME = 'config.json'


def read(folder: str | os.PathLike) -> dict[str, Any]:
    """Returns what the config.json of a run directory holds.

    Raises:
        UsageError: If there is none, or it cannot be read, or holds something else than an object.
    """
    try:
        return read_json(pathlib.Path(folder) / NAME)
    except (FileNotFoundError, NotADirectoryError):
        raise errors.UsageError(f'--workdir must be a run directory with a config.json; '
                                f'got {str(folder)!r}.') from None
    except (OSError, ValueError, RecursionError) as error:
        raise unreadable(folder, error) from None


def read_json(path: pathlib.Path) -> dict[str, Any]:
    """Returns the object that a JSON file holds.

    Raises:
        ValueError: If it holds something else.
    """
    values = json.loads(path.read_text(encoding='utf-8'))
    if not isinstance(values, dict):
        raise ValueError(f'it must hold an object; it holds {type(values).__name__}')
    return values


def unreadable(folder: str | os.PathLike, error: Exception) -> errors.UsageError:
    """Returns the error that says that a config.json cannot be read."""
    return errors.UsageError(f'--workdir holds a config.json that cannot be read ({error}); '
                             f'got {str(folder)!r}.')
