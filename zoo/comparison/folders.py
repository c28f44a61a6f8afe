"""`runs_in`: the run directories that folders are or hold."""

import os
import pathlib
from collections.abc import Iterable

from zoo.cli import errors

_MARKS = ('config.json', 'metrics.csv', 'test.json')  # A run directory has at least one of them.
_DEPTH = 3  # So many folders deep runs are looked for.


def runs_in(folders: Iterable[str]) -> dict[pathlib.Path, str]:
    """Returns `{run directory: a name to show}`; a run that is given twice is there once.

    Args:
        folders: Run directories, or folders that hold some, at most three deep.

    Raises:
        UsageError: If one of them is neither.
    """
    runs: dict[pathlib.Path, tuple[str, str]] = {}  # Their own names, and their paths.
    known: set[str] = set()
    for folder in folders:
        path = pathlib.Path(folder).expanduser()
        if not path.is_dir():
            raise errors.UsageError(f'DIR must be a run directory, or a folder that holds some; '
                                    f'got {folder!r}, which is no folder.')
        inside = _runs_below(path)
        if not inside:
            raise errors.UsageError(f'DIR must be a run directory, or a folder that holds some; '
                                    f'got {folder!r}, which holds no config.json.')
        for run in inside:
            if os.path.realpath(run) in known:
                continue
            known.add(os.path.realpath(run))
            short = run.relative_to(path).as_posix() if run != path else run.resolve().name
            runs[run] = (short, run.as_posix())
    names = [short for short, _ in runs.values()]
    return {run: short if names.count(short) == 1 else whole
            for run, (short, whole) in runs.items()}


def _runs_below(folder: pathlib.Path, depth: int = 0) -> list[pathlib.Path]:
    """Returns the run directories that a folder is or holds, in the order of their names."""
    if any((folder / mark).exists() for mark in _MARKS):
        return [folder]
    if depth == _DEPTH:
        return []
    try:
        inside = sorted(path for path in folder.iterdir()
                        if path.is_dir() and not path.name.startswith('.'))
    except OSError:  # A folder that may not be read holds no run that could be.
        return []
    return [run for path in inside for run in _runs_below(path, depth + 1)]
