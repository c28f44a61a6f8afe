"""Reads and writes one checkpoint: a file that is there whole or not at all, with its own SHA-256.

A checkpoint is one line of text, `tfp_glow checkpoint 1` and the SHA-256 of all that follows, and
then an npz of arrays, one of which holds the state of the training as JSON. Nothing is pickled.
"""

import errno
import hashlib
import io
import json
import os
import pathlib
import zipfile
from collections.abc import Mapping
from typing import Any, BinaryIO

import numpy as np

from zoo.cli import errors, files

FORMAT = 1
_TITLE = b'tfp_glow checkpoint '
_LINE = len(_TITLE) + len(b'1 ') + 64 + len(b'\n')
_STATE = 'state.json'


class Damaged(Exception):
    """Says what is wrong with a checkpoint that is not as it was written."""


def write(path: str | os.PathLike, state: Mapping[str, Any],
          arrays: Mapping[str, np.ndarray]) -> None:
    """Writes a checkpoint; one of the same name is replaced once the new one is on the disk.

    Args:
        path: The file.
        state: What JSON can say of the state of the training.
        arrays: The arrays by name.

    Raises:
        Failure: If an array or a number of the state is not finite: no checkpoint holds one.
        OSError: If the file cannot be written; there is then nothing of it.
    """
    for name, array in arrays.items():
        if array.dtype.kind == 'f' and not np.isfinite(array).all():
            raise errors.Failure(f'a checkpoint must hold finite numbers; {name} does not.')
    try:
        text = json.dumps(state, allow_nan=False)
    except ValueError:
        raise errors.Failure('a checkpoint must hold finite numbers; its state does not.') from None

    def fill(file: BinaryIO) -> None:
        file.write(b' ' * _LINE)
        hashing = _Hashing(file)
        with io.BufferedWriter(hashing) as buffered, zipfile.ZipFile(buffered, 'w') as archive:
            members = {**arrays, _STATE: np.frombuffer(text.encode(), np.uint8)}
            for name, array in members.items():
                with archive.open(f'{name}.npy', 'w', force_zip64=True) as member:
                    np.lib.format.write_array(member, np.asanyarray(array), allow_pickle=False)
        file.seek(0)
        file.write(_TITLE + f'{FORMAT} {hashing.sum.hexdigest()}\n'.encode())
    files.write_whole(path, fill)


# What happens to a file that is whole: it may not be read, or not now.
_NO_DAMAGE = {errno.EMFILE, errno.ENFILE, errno.EACCES, errno.EPERM, errno.ENOMEM, errno.ESTALE,
              errno.ETIMEDOUT, errno.EAGAIN, errno.ENOTCONN, errno.EHOSTDOWN}


def read(path: str | os.PathLike) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Returns the state and the arrays of a checkpoint, once its sum was checked.

    Raises:
        Damaged: If the file is not as it was written.
        Failure: If a newer version wrote it, or if this process may not read it, or not now.
    """
    try:
        with pathlib.Path(path).open('rb') as file:
            _check(file)
            with np.load(file, allow_pickle=False) as members:
                arrays = {name: members[name] for name in members.files}
        state = json.loads(arrays.pop(_STATE).tobytes())
    except (errors.Failure, Damaged, MemoryError):
        raise
    except OSError as error:
        if error.errno in _NO_DAMAGE:
            raise errors.Failure(f'the checkpoint {str(path)!r} cannot be read '
                                 f'({error.strerror}).') from None
        raise Damaged(str(error)) from None
    except Exception as error:  # The readers of zip and npz raise many kinds.
        raise Damaged(str(error) or type(error).__name__) from None
    return state, arrays


def _check(file: io.BufferedReader) -> None:
    """Reads the first line, and checks that it holds the sum of all that follows."""
    line = file.read(_LINE)
    title, version, digest = line[:len(_TITLE)], *line[len(_TITLE):].partition(b' ')[::2]
    if title != _TITLE or not version.isdigit() or int(version) < 1:
        raise Damaged('its first line is not that of a checkpoint')
    if int(version) > FORMAT:
        raise errors.Failure(f'the checkpoint {file.name!r} has format {int(version)}; this '
                             f'version of tfp_glow reads up to {FORMAT}.')
    if digest != hashlib.file_digest(file, 'sha256').hexdigest().encode() + b'\n':
        raise Damaged('it is cut short or changed (SHA-256)')
    file.seek(_LINE)


class _Hashing(io.RawIOBase):
    """Passes on what is written and sums it up. It cannot seek, so that a zip is written in order.

    Args:
        file: The file that is written to.
    """

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self.sum = hashlib.sha256()
        self._file = file

    def writable(self) -> bool:
        """Returns True."""
        return True

    def write(self, data: Any) -> int:
        """Writes `data`."""
        self.sum.update(data)
        return self._file.write(data)
