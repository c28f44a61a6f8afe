"""`read`: tables of numbers from CSV and npz files; it checks every rule about them."""

import csv
import functools
import pathlib
import zipfile
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from zoo.cli import errors
from zoo.data import dataset_names

SUFFIXES = dataset_names.TABLES
SPLITS = ('train', 'validation', 'test')
MIN_ROWS, MIN_SPLIT_ROWS = 30, 3
_MISSING = {'na', 'n/a', 'null', 'none', 'missing', '?', '-', '.'}  # Marks of missing values.


class Part(NamedTuple):
    """The rows of a table that form one split, or all of them.

    Attributes:
        values: float64 [rows, columns].
        labels: int64 [rows], or None.
        where: Returns in words where the row of a number stands in the file.
    """

    values: np.ndarray
    labels: np.ndarray | None
    where: Callable[[int], str]


# A table by split; a table without splits has a single part, under None.
Parts = Mapping[str | None, Part]
_Rows = list[tuple[int, list[str]]]  # The number of each line of a CSV file, and its cells.


def read(path: str | pathlib.Path, flag: str = '--dataset', label: str | None = None,
         header: str = 'auto', tell: Callable[[str], object] = print) -> tuple[Parts, list[str]]:
    """Returns a table, by split or as a single part under None, and the names of its columns.

    A CSV file has rows of numbers, which commas, semicolons or tabs separate. Its first line may
    hold names: it does if it has something that is no number above a number, or if it counts the
    columns, as pandas does, 0, 1, 2. A column without a name that counts the rows, as pandas writes
    its index, is left out. An npz file has an array `x` [rows, columns], or a single array, or
    `train`, `validation` and `test`.

    Args:
        path: The file, .csv or .npz.
        flag: What an error calls the path.
        label: The column of a CSV file (its name, or its number from 1), or the array [rows] of an
            npz file (`label`, or `train_label` and so on for three arrays), that holds integer
            classes, 0 and up, fewer than there are rows. They are left out of the values.
        header: Whether the first line of a CSV file holds names: 'yes', 'no', or 'auto' as above.
        tell: Is called with a line that says what was taken for names, or left out.

    Raises:
        UsageError: If the file cannot be read or breaks a rule. The message is one line that names
            the flag, the rule and the value.
    """
    path = pathlib.Path(path)
    start = f'{flag}={path}: '
    try:
        if not path.stat().st_size:
            raise errors.UsageError(f'{start}it must hold a table; the file is empty.')
        if path.suffix == '.npz':
            if header != 'auto':
                raise errors.UsageError(f'--header must be left out for npz files; got {header}.')
            parts, columns = _read_npz(path, label, start)
        else:
            parts, columns = _read_csv(path, label, start, header, tell)
    except OSError as error:
        raise errors.UsageError(f'{start}it must be a file that can be read; '
                                f'{error.strerror or error}.') from error
    _check(parts, columns, start)
    return parts, columns


def _read_csv(path: pathlib.Path, label: str | None, start: str, header: str,
              tell: Callable[[str], object]) -> tuple[Parts, list[str]]:
    try:
        # Spreadsheets write a byte order mark.
        with path.open(newline='', encoding='utf-8-sig') as file:
            first = next((line for line in file if line.strip()), '')
            delimiter = next((d for d in '\t;' if d in first), ',')
            file.seek(0)
            reader = csv.reader(file, delimiter=delimiter)
            rows: _Rows = [(reader.line_num, row) for row in reader if any(map(str.strip, row))]
    except (UnicodeDecodeError, csv.Error) as error:
        raise errors.UsageError(f'{start}it must be CSV in UTF-8; {error}.') from error
    if not rows:
        raise errors.UsageError(f'{start}it must hold a table; the file is blank.')
    (_, head), after = rows[0], rows[1:]
    has_names = _has_names(head, after, start, header, tell)
    columns = [name.strip() for name in head] if has_names else [
        f'{i + 1}' for i in range(len(head))]
    rows = after if has_names else rows
    for line, row in rows:
        if len(row) != len(columns):
            raise errors.UsageError(f'{start}all rows must have as many values, {len(columns)} as '
                                    f'in the first; line {line} has {len(row)}.')
    if has_names:
        rows, columns = _without_index(rows, columns, start, tell)
    try:
        values = np.array([[float(text) for text in row] for _, row in rows])
    except ValueError:
        raise _no_number(rows, columns, start) from None
    labels = None
    if label is not None:
        if label not in columns and label.isdecimal() and 1 <= int(label) <= len(columns):
            label = columns[int(label) - 1]
        if columns.count(label) != 1:
            raise errors.UsageError(f'{start}it must have one column {label!r} for the labels; it '
                                    f'has {_listed(columns)}.')
        index = columns.index(label)
        labels = _classes(values[:, index], f'column {label!r}', start)
        values, columns = np.delete(values, index, 1), columns[:index] + columns[index + 1:]
    return {None: Part(values, labels, lambda i: f'line {rows[i][0]}')}, columns


def _has_names(head: list[str], after: _Rows, start: str, header: str,
               tell: Callable[[str], object]) -> bool:
    """Returns whether the first line of a file holds names.

    Raises:
        UsageError: If that cannot be known.
    """
    if header not in ('auto', 'yes', 'no'):
        raise errors.UsageError(f'--header must be auto, yes or no; got {header!r}.')
    if header != 'auto':
        return header == 'yes'
    texts = {t.strip().lower() for t in head if not _is_number(t.replace(',', '.', 1))} - {''}
    unclear = errors.UsageError(f'{start}its first line, {_listed(head)}, may be names or values: '
                                'give --header=yes or --header=no.')
    if texts and any(map(_is_number, head)) and _MISSING.issuperset(texts):
        raise unclear
    if any(not _is_number(name.replace(',', '.', 1)) and _is_number(value.replace(',', '.', 1))
           for name, value in zip(head, after[0][1] if after else [])):
        return True
    if len(head) < 2 or not all(text.strip().isdecimal() for text in head):
        return False
    counted = [int(text) for text in head]
    if counted != list(range(counted[0], counted[0] + len(counted))):
        return False
    if counted[0] in (0, 1):
        tell(f'{start}its first line, {_listed(head)}, is taken for names; --header=no takes it '
             'for values.')
        return True
    raise unclear


def _without_index(rows: _Rows, columns: list[str], start: str,
                   tell: Callable[[str], object]) -> tuple[_Rows, list[str]]:
    """Returns rows and names without a column that has no name and counts the rows.

    Raises:
        UsageError: If a column without a name holds anything else.
    """
    unnamed = [index for index, name in enumerate(columns) if not name]
    if not unnamed:
        return rows, columns
    index = unnamed[-1]
    numbers = [int(row[index]) for _, row in rows if row[index].strip().isdecimal()]
    counts = [list(range(first, first + len(rows))) for first in (0, 1)]
    if numbers not in counts or len(unnamed) > 1:
        reason = 'does not count the rows' if len(unnamed) == 1 else 'is not the only one'
        raise errors.UsageError(f'{start}every column must have a name; column {index + 1} has '
                                f'none, and {reason}.')
    tell(f'{start}column {index + 1}, which has no name and counts the rows, is left out.')
    return ([(line, row[:index] + row[index + 1:]) for line, row in rows],
            columns[:index] + columns[index + 1:])


def _no_number(rows: _Rows, columns: list[str], start: str) -> errors.UsageError:
    """Returns the error about the first value that is no number."""
    line, column, text = next((line, columns[i], text) for line, row in rows
                              for i, text in enumerate(row) if not _is_number(text))
    what = f'the text {text!r}' if text.strip() else 'nothing'
    if _is_number(text.replace(',', '.', 1)):
        return errors.UsageError(f'{start}numbers must have decimal points; column {column!r} has '
                                 f'the decimal comma {text!r} in line {line}.')
    return errors.UsageError(f'{start}all values must be numbers; column {column!r} holds {what} '
                             f'in line {line}. Leave out such rows or columns.')


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return '_' not in text  # Which Python takes, and no table.


def _read_npz(path: pathlib.Path, label: str | None, start: str) -> tuple[Parts, list[str]]:
    try:
        if not zipfile.is_zipfile(path):
            raise zipfile.BadZipFile('it is no zip file')
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError) as error:
        raise errors.UsageError(f'{start}it must be a whole npz file of arrays of numbers, none of '
                                f'them pickled objects; {error}.') from error
    keys: dict[str | None, str] = {}  # The name of the array of each split, and of its labels.
    label_keys: dict[str | None, str] = {}
    if any(split in arrays for split in SPLITS):
        keys = {split: split for split in SPLITS}
        label_keys = {split: f'{split}_{label}' for split in SPLITS}
    else:
        others = [key for key in arrays if key != label]
        keys = {None: others[0] if len(others) == 1 and 'x' not in arrays else 'x'}
        label_keys = {None: label or ''}
    wanted = [*keys.values(), *(label_keys.values() if label is not None else ())]
    missing = [key for key in wanted if key not in arrays]
    if missing:
        raise errors.UsageError(f'{start}it must have an array x, one array only, or train, '
                                f'validation and test, and the labels asked for; it lacks '
                                f'{", ".join(missing)} and has {", ".join(arrays) or "none"}.')
    parts: dict[str | None, Part] = {}
    for split, key in keys.items():
        values = _numbers(arrays[key], f'array {key!r}', start)
        labels = None
        if label is not None:
            name = f'array {label_keys[split]!r}'
            numbers = _numbers(arrays[label_keys[split]], name, start)
            if numbers.shape != (len(values), 1):
                raise errors.UsageError(f'{start}{name} must have one label for each of the '
                                        f'{len(values)} rows; got {list(numbers.shape)}.')
            labels = _classes(numbers[:, 0], name, start)
        parts[split] = Part(values, labels, functools.partial(_row_of, key))
    widths = {key: parts[split].values.shape[1] for split, key in keys.items()}
    if len(set(widths.values())) > 1:
        raise errors.UsageError(f'{start}all splits must have as many columns; got {widths}.')
    return parts, [f'{i + 1}' for i in range(next(iter(widths.values())))]


def _row_of(key: str, row: int) -> str:
    return f'row {row} of {key}'


def _numbers(array: np.ndarray, name: str, start: str) -> np.ndarray:
    """Returns an array of numbers as float64 [rows, columns]."""
    if array.dtype.kind not in 'fiu':
        raise errors.UsageError(f'{start}{name} must be of floats or integers; '
                                f'got dtype={array.dtype}.')
    if array.ndim not in (1, 2):
        raise errors.UsageError(f'{start}{name} must have the shape [rows, columns]; '
                                f'got {list(array.shape)}.')
    return array.reshape([len(array), -1] if array.size else [len(array), 0]).astype(np.float64)


def _classes(values: np.ndarray, name: str, start: str) -> np.ndarray:
    wrong = ~((values >= 0) & (values < max(1, len(values))) & (values == np.floor(values)))
    if np.any(wrong):
        raise errors.UsageError(f'{start}{name} must hold classes, integers from 0, fewer than '
                                f'there are rows; got {values[np.argmax(wrong)]:g}.')
    return values.astype(np.int64)


def _check(parts: Parts, columns: list[str], start: str) -> None:
    if not columns:
        raise errors.UsageError(f'{start}it must have a column of values; it has none.')
    counts = [len(part.values) for part in parts.values()]
    if sum(counts) < MIN_ROWS or min(counts) < MIN_SPLIT_ROWS:
        raise errors.UsageError(f'{start}it must have {MIN_ROWS} rows or more, {MIN_SPLIT_ROWS} '
                                f'or more in each split; got {", ".join(map(str, counts))}.')
    for part in parts.values():
        rows, indices = np.nonzero(~np.isfinite(part.values))
        if len(rows):
            raise errors.UsageError(
                f'{start}all values must be finite; column {columns[indices[0]]!r} holds '
                f'{part.values[rows[0], indices[0]]:g} in {part.where(rows[0])}, {len(rows)} '
                'values in all. Leave out such rows or columns.')


def check_spread(values: np.ndarray, columns: Iterable[str], start: str) -> None:
    """Refuses columns of the training rows that cannot be brought to variance 1.

    Args:
        values: The training rows, [rows, columns].
        columns: The names of the columns.
        start: The beginning of an error, which names the flag and the table.

    Raises:
        UsageError: If there are such columns.
    """
    with np.errstate(over='ignore', invalid='ignore'):
        deviation = np.std(values, axis=0)
    wrong = [c for c, low, high, std in zip(columns, values.min(0), values.max(0), deviation)
             if low == high or not (np.isfinite(std) and std > 0)]
    if wrong:
        raise errors.UsageError(f'{start}every column must vary in the training rows, with a '
                                f'finite variance above 0; {_listed(wrong)} does not.')


def _listed(columns: Sequence[str]) -> str:
    shown = ', '.join(repr(c) for c in columns[:8])
    return shown if len(columns) <= 8 else f'{shown} and {len(columns) - 8} more'
