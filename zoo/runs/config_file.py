"""Reads the config.json of a run directory as it is. This needs no TensorFlow."""

import os
import pathlib
from collections.abc import Mapping
from typing import Any

from zoo.cli import errors, files

NAME = 'config.json'
# Format 1 has no `data_dir`, formats 1 and 2 have no `settings`, `changes` and `start`.
FORMAT = 3


def read(folder: str | os.PathLike) -> dict[str, Any]:
    """Returns what the config.json of a run directory holds.

    Raises:
        UsageError: If there is none, or it cannot be read, or holds something else than an object.
    """
    try:
        return files.read_object(pathlib.Path(folder) / NAME)
    except (FileNotFoundError, NotADirectoryError):
        raise errors.UsageError(f'--workdir must be a run directory with a config.json; '
                                f'got {str(folder)!r}.') from None
    except (OSError, ValueError) as error:
        raise unreadable(folder, error) from None


def check_format(values: Mapping[str, Any]) -> None:
    """Checks that a config.json is of a format that this version reads.

    Raises:
        ValueError: If a newer version wrote it.
    """
    if values.get('format', 1) not in range(1, FORMAT + 1):
        raise ValueError(f'it has format {values["format"]}, of tfp_glow '
                         f'{values.get("tfp_glow_version")}; this version reads up to {FORMAT}')


def describe_change(change: Mapping[str, Any]) -> str:
    """Returns one of the changes that a config.json keeps, in words, from 'after epoch' on."""
    what = ', '.join(f'{name} {pair[0]} -> {pair[1]}' for name, pair in change.items()
                     if isinstance(pair, (list, tuple)) and len(pair) == 2)
    return f'after epoch {change.get("epoch", "?")}: {what}'


def unreadable(folder: str | os.PathLike, error: Exception) -> errors.UsageError:
    """Returns the error that says that a config.json cannot be read."""
    return errors.UsageError(f'--workdir holds a config.json that cannot be read ({error}); '
                             f'got {str(folder)!r}.')
