"""`read`: tables of numbers from CSV and npz files, with every rule about them checked."""

import collections
import csv
import pathlib
import zipfile
import zlib

import numpy as np

from zoo.cli import errors
from zoo.data import dataset_names

SUFFIXES = dataset_names.TABLES
SPLITS = ('train', 'validation', 'test')
MIN_ROWS, MIN_SPLIT_ROWS = 30, 3

# values: float64 [rows, columns]; labels: int64 [rows] or None; where: a row's place, for errors.
Part = collections.namedtuple('Part', 'values labels where')


def read(path, flag='--dataset', label=None):
    """Returns `(parts, columns)`: a `Part` by split, or under None a single one; the names.

    A CSV file has rows of numbers apart by comma, semicolon or tab, under one line of names or
    none: names are what stands in the first row above a number and is none itself. An npz file has
    an array `x` [rows, columns], or a single array, or `train`, `validation` and `test`.

    Args:
        path: the file, .csv or .npz.
        flag: what an error calls the path.
        label: the column of a CSV file (its name, or its number from 1), or the array [rows] of an
            npz file (`label`, or `train_label` and so on for three arrays), that holds integer
            classes, 0 and up, fewer than there are rows. They are left out of the values.

    Raises:
        UsageError: one line that names the flag, the rule and the value.
    """
    path = pathlib.Path(path)
    start = f'{flag}={path}: '
    try:
        if not path.stat().st_size:
            raise errors.UsageError(f'{start}it must hold a table; the file is empty.')
        found = (_read_npz if path.suffix == '.npz' else _read_csv)(path, label, start)
    except OSError as error:
        raise errors.UsageError(f'{start}it must be a file that can be read; '
                                f'{error.strerror or error}.') from error
    parts, columns = found
    _check(parts, columns, start)
    return parts, columns


def _read_csv(path, label, start):
    try:
        with path.open(newline='', encoding='utf-8-sig') as file:  # Spreadsheets write the mark.
            first = next((line for line in file if line.strip()), '')
            delimiter = next((d for d in '\t;' if d in first), ',')
            file.seek(0)
            reader = csv.reader(file, delimiter=delimiter)
            rows = [(reader.line_num, row) for row in reader if any(map(str.strip, row))]
    except (UnicodeDecodeError, csv.Error) as error:
        raise errors.UsageError(f'{start}it must be CSV in UTF-8; {error}.') from error
    if not rows:
        raise errors.UsageError(f'{start}it must hold a table; the file is blank.')
    (_, head), after = rows[0], rows[1:]
    has_names = any(not _is_number(name) and _is_number(value)
                    for name, value in zip(head, after[0][1] if after else []))
    columns = [name.strip() for name in head] if has_names else [
        f'{i + 1}' for i in range(len(head))]
    rows = after if has_names else rows
    for line, row in rows:
        if len(row) != len(columns):
            raise errors.UsageError(f'{start}all rows must have as many values, {len(columns)} as '
                                    f'in the first; line {line} has {len(row)}.')
    try:
        values = np.array([[float(text) for text in row] for _, row in rows])
    except ValueError:
        raise _no_number(rows, columns, start) from None
    labels = None
    if label is not None:
        if columns.count(label) != 1:
            raise errors.UsageError(f'{start}it must have one column {label!r} for the labels; it '
                                    f'has {_listed(columns)}.')
        index = columns.index(label)
        labels = _classes(values[:, index], f'column {label!r}', start)
        values, columns = np.delete(values, index, 1), columns[:index] + columns[index + 1:]
    return {None: Part(values, labels, lambda i: f'line {rows[i][0]}')}, columns


def _no_number(rows, columns, start):
    """The error about the first value that is none."""
    line, column, text = next((line, columns[i], text) for line, row in rows
                              for i, text in enumerate(row) if not _is_number(text))
    what = f'the text {text!r}' if text.strip() else 'nothing'
    return errors.UsageError(f'{start}all values must be numbers; column {column!r} holds {what} '
                             f'in line {line}. Leave out such rows or columns.')


def _is_number(text):
    try:
        float(text)
    except ValueError:
        return False
    return True


def _read_npz(path, label, start):
    try:
        if not zipfile.is_zipfile(path):
            raise zipfile.BadZipFile('it is no zip file')
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError) as error:
        raise errors.UsageError(f'{start}it must be a whole npz file of arrays of numbers, none of '
                                f'them pickled objects; {error}.') from error
    if any(split in arrays for split in SPLITS):
        keys = {split: split for split in SPLITS}
        label_keys = {split: f'{split}_{label}' for split in SPLITS}
    else:
        others = [key for key in arrays if key != label]
        only = others[0] if len(others) == 1 and 'x' not in arrays else 'x'
        keys, label_keys = {None: only}, {None: label}
    wanted = [*keys.values(), *(label_keys.values() if label is not None else ())]
    missing = [key for key in wanted if key not in arrays]
    if missing:
        raise errors.UsageError(f'{start}it must have an array x, one array only, or train, '
                                f'validation and test, and the labels asked for; it lacks '
                                f'{", ".join(missing)} and has {", ".join(arrays) or "none"}.')
    parts = {}
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
        parts[split] = Part(values, labels, lambda i, key=key: f'row {i} of {key}')
    widths = {key: parts[split].values.shape[1] for split, key in keys.items()}
    if len(set(widths.values())) > 1:
        raise errors.UsageError(f'{start}all splits must have as many columns; got {widths}.')
    return parts, [f'{i + 1}' for i in range(next(iter(widths.values())))]


def _numbers(array, name, start):
    """`array` as float64 [rows, columns]."""
    if array.dtype.kind not in 'fiu':
        raise errors.UsageError(f'{start}{name} must be of floats or integers; '
                                f'got dtype={array.dtype}.')
    if array.ndim not in (1, 2):
        raise errors.UsageError(f'{start}{name} must have the shape [rows, columns]; '
                                f'got {list(array.shape)}.')
    return array.reshape([len(array), -1] if array.size else [len(array), 0]).astype(np.float64)


def _classes(values, name, start):
    wrong = ~((values >= 0) & (values < max(1, len(values))) & (values == np.floor(values)))
    if np.any(wrong):
        raise errors.UsageError(f'{start}{name} must hold classes, integers from 0, fewer than '
                                f'there are rows; got {values[np.argmax(wrong)]:g}.')
    return values.astype(np.int64)


def _check(parts, columns, start):
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


def check_spread(values, columns, start):
    """Refuses columns of the training rows `values` that cannot be brought to variance 1."""
    with np.errstate(over='ignore', invalid='ignore'):
        deviation = np.std(values, axis=0)
    wrong = [c for c, low, high, std in zip(columns, values.min(0), values.max(0), deviation)
             if low == high or not (np.isfinite(std) and std > 0)]
    if wrong:
        raise errors.UsageError(f'{start}every column must vary in the training rows, with a '
                                f'finite variance above 0; {_listed(wrong)} does not.')


def _listed(columns):
    shown = ', '.join(repr(c) for c in columns[:8])
    return shown if len(columns) <= 8 else f'{shown} and {len(columns) - 8} more'
