"""`locked`: a run directory belongs to one process at a time."""

import contextlib
import fcntl
import json
import os
import pathlib
import socket
from collections.abc import Callable, Iterator

from zoo.cli import errors

NAME = '.lock'


@contextlib.contextmanager
def locked(folder: pathlib.Path, flag: str = '--workdir') -> Iterator[Callable[[], bool]]:
    """Returns a context within which a folder belongs to this process.

    It gives a function that says whether the folder, which may have been removed and made anew,
    still belongs to this process. The system lets go of the lock when the process ends, however it
    ends.

    Args:
        folder: A folder that is there.
        flag: The flag that names it.

    Raises:
        UsageError: If the folder belongs to another process; the message names it.
    """
    path = folder / NAME
    descriptor = _open(path, flag)
    try:
        owner = {'process': os.getpid(), 'machine': socket.gethostname()}
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(owner).encode(), 0)
        yield lambda: _is_at(descriptor, path)
    finally:
        if _is_at(descriptor, path):
            path.unlink(missing_ok=True)
        os.close(descriptor)


def _open(path: pathlib.Path, flag: str) -> int:
    """Returns the descriptor of the lock file, which this process holds."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(descriptor, path):  # Its owner may have removed it meanwhile.
                return descriptor
        except BlockingIOError:
            raise errors.UsageError(
                f'{flag} must not be in use; {str(path.parent)!r} is used by '
                f'{_owner(descriptor)}.') from None
        except OSError:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _is_at(descriptor: int, path: pathlib.Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except (FileNotFoundError, NotADirectoryError):
        return False


def _owner(descriptor: int) -> str:
    """Returns in words which process holds the lock."""
    try:
        owner = json.loads(os.pread(descriptor, 10_000, 0))
        return f'process {owner["process"]} on {owner["machine"]}'
    except (ValueError, KeyError, TypeError):
        return 'another process'
    finally:
        os.close(descriptor)
