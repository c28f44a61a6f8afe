"""`read`: the epochs of a metrics.csv, as far as its lines can be read, without TensorFlow."""

import csv
import dataclasses
import math
import pathlib
import stat
from collections.abc import Mapping

_LARGEST = 2**27  # Bytes: those of a million epochs.
_VALIDATION = ('val_bits_per_dim', 'val_nats')


@dataclasses.dataclass(frozen=True)
class Epoch:
    """One line of metrics.csv.

    Attributes:
        number: The number of the epoch, from 1.
        texts: The cells by their columns.
    """

    number: int
    texts: Mapping[str, str]

    @property
    def figure(self) -> float | None:
        """The validation figure; None if it is not finite."""
        return self.value(next(name for name in _VALIDATION if name in self.texts))

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns."""
        return tuple(self.texts)

    def value(self, column: str) -> float | None:
        """Returns the number in a column; None if it is not there or not finite."""
        try:
            value = float(self.texts.get(column) or '')
        except ValueError:
            return None
        return value if math.isfinite(value) else None


def read(path: pathlib.Path) -> tuple[tuple[Epoch, ...], int]:
    """Returns the epochs of a metrics.csv in order, and the number of lines that cannot be read.

    A line that is cut or cannot be read is left out. Of two lines for one epoch, the later one
    counts.

    Args:
        path: The file.

    Raises:
        OSError: If it cannot be read.
        ValueError: If it is no metrics.csv.
    """
    content = text(path, _LARGEST)
    try:
        header, *lines = list(csv.reader(content.splitlines())) or [[]]
    except csv.Error as error:
        raise ValueError(str(error)) from None
    if 'epoch' not in header or not set(header) & set(_VALIDATION):
        raise ValueError('its first line must name the columns epoch and val_bits_per_dim or '
                         'val_nats')
    epochs, lost = {}, 0
    if lines and not content.endswith('\n'):  # The last line is cut, maybe within a number.
        lines[-1] = []
    for line in lines:
        cells = dict(zip(header, line))
        if len(line) == len(header) and cells['epoch'].isdecimal() and len(cells['epoch']) < 10:
            epochs[int(cells['epoch'])] = Epoch(int(cells['epoch']), cells)
        else:
            lost += 1
    return tuple(epochs[number] for number in sorted(epochs)), lost


def text(path: pathlib.Path, largest: int) -> str:
    """Returns the text of a regular file in UTF-8.

    Args:
        path: The file.
        largest: The number of bytes that it may have.

    Raises:
        OSError: If it cannot be read.
        ValueError: If it is no such file, or too large.
    """
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise ValueError('it is no regular file')
    if status.st_size > largest:
        raise ValueError(f'it has {status.st_size:,} bytes, more than {largest:,}')
    return path.read_text(encoding='utf-8')
