"""`VectorData`: densities and tables with the batches, splits and seeds of an image data set."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from zoo.cli import errors
from zoo.data import densities, reading, splits, tables

_SHARES = {'validation': .1, 'test': .1}


@dataclasses.dataclass(frozen=True)
class VectorData(splits.Batches):
    """Vectors as a model sees them: float32 [D], standardised. `load_vectors` makes it.

        z = (x - mean) / std

    with the mean and the standard deviation of the training split, for all splits. The
    log-likelihood in the data's own units is log p(x) = log p(z) + `log_scale_correction`.

    Attributes:
        name: The name of the density, or the path of the table.
        columns: The names of the columns.
        num_classes: The number of classes, or None if there are no labels.
        sizes: The number of rows by split.
        splits: What each split is, in words.
        mean: The mean of each column over the training rows, [D].
        std: The standard deviation of each column over the training rows, [D].
        readers: The reader of each split.
    """

    name: str
    columns: tuple[str, ...]
    num_classes: int | None
    sizes: dict[str, int]
    splits: dict[str, str]
    mean: np.ndarray = dataclasses.field(repr=False, compare=False)
    std: np.ndarray = dataclasses.field(repr=False, compare=False)
    readers: dict[str, reading.ArrayReader] = dataclasses.field(repr=False, compare=False)

    examples = 'rows'
    bins = None

    @property
    def event_shape(self) -> tuple[int, ...]:
        """The shape of a vector, (D,): one number for each column."""
        return (len(self.columns),)

    @property
    def dims(self) -> int:
        """The number of numbers in one vector."""
        return len(self.columns)

    @property
    def log_scale_correction(self) -> float:
        """What standardising adds to the log-density of each vector: -sum(log std), in nats."""
        return -float(np.sum(np.log(self.std)))

    def serving_arguments(self, count: int) -> dict:
        """Returns what `serving.export` is told of the data, with test rows to check it with.

        Args:
            count: The number of these rows, or all if there are fewer.
        """
        golden = self.unscale(self.take('test', min(count, self.sizes['test'])))
        return {'mean': self.mean, 'std': self.std, 'columns': self.columns,
                'golden_vectors': golden}

    @property
    def original_shape(self) -> tuple[int, ...]:
        """The shape of the data as they came, (D,)."""
        return self.event_shape

    def scale(self, x: np.ndarray) -> np.ndarray:
        """Converts from the data's own units to the model's: [..., D] -> float32 [..., D]."""
        return ((np.asarray(x, np.float64) - self.mean) / self.std).astype(np.float32)

    def unscale(self, z: np.ndarray) -> np.ndarray:
        """Undoes `scale`, for samples: [..., D] -> float64 [..., D]."""
        return np.asarray(z, np.float64) * self.std + self.mean

    def describe(self) -> str:
        """Returns in one line what is trained on, for logs and cards."""
        sizes = ', '.join(f'{s} {n:,} ({self.splits[s]})' for s, n in self.sizes.items())
        text = f'{self.name}: {self.dims} column{"s" if self.dims > 1 else ""}, standardised'
        if self.num_classes is not None:
            text += f', {self.num_classes} classes'
        return f'{text}; {sizes}.'


def load_vectors(name: str, flag: str = '--dataset', label: str | None = None,
                 seed: int = 0, header: str = 'auto') -> VectorData:
    """Returns a density or a table as a `VectorData`.

    Args:
        name: `checkerboard`, `moons`, `pinwheel` or `rings`, see `zoo.data.densities`; or the path
            of a .csv or .npz file, see `zoo.data.tables.read`.
        flag: What an error calls `name`.
        label: The column or the array of a table that holds integer classes; None for none. The
            densities have their own.
        seed: The seed of the shuffle by which a table without splits of its own is split: 80 %
            train, 10 % validation, 10 % test. The densities are drawn with the seeds `3 * seed`,
            `3 * seed + 1` and `3 * seed + 2`.
        header: Whether the first line of a CSV file holds names, see `zoo.data.tables.read`.

    Raises:
        UsageError: If there is no such density or table, or it breaks a rule. The message is one
            line that names the flag, the rule and the value.
    """
    if name not in densities.NAMES and not str(name).endswith(tables.SUFFIXES):
        raise errors.UsageError(f'{flag} must be one of {", ".join(densities.NAMES)} or a file '
                                f'that ends in {" or ".join(tables.SUFFIXES)}; got {str(name)!r}.')
    if name in densities.NAMES:
        if header != 'auto':
            raise errors.UsageError(f'--header must be left out for {flag}={name}; got {header}.')
        if label is not None:
            raise errors.UsageError(f'{flag}={name}: it has labels of its own; '
                                    f'got the column {label!r}.')
        columns = ['x1', 'x2']
        seeds = {split: 3 * seed + i for i, split in enumerate(densities.SIZES)}
        drawn = {s: densities.draw(name, n, seeds[s]) for s, n in densities.SIZES.items()}
        values, labels = ({s: pair[i] for s, pair in drawn.items()} for i in (0, 1))
        splits = {s: f'generated, seed {n}' for s, n in seeds.items()}
        classes = densities.classes(name)
    else:
        values, labels, splits, columns = _table(name, flag, label, seed, header)
        classes = None if label is None else int(max(map(np.max, labels.values()))) + 1
    tables.check_spread(values['train'], columns, f'{flag}={name}: ')
    mean, std = values['train'].mean(0), values['train'].std(0)
    readers = {s: reading.ArrayReader(((x - mean) / std).astype(np.float32), labels[s])
               for s, x in values.items()}
    return VectorData(
        name=str(name), columns=tuple(columns), num_classes=classes,
        sizes={s: r.size for s, r in readers.items()}, splits=splits, mean=mean, std=std,
        readers=readers)


def _table(path: str, flag: str, label: str | None, seed: int, header: str) -> tuple[
        dict[str, np.ndarray], dict[str, np.ndarray], dict[str, str], Sequence[str]]:
    """Returns values, labels and what each split is, all by split, and the columns of a file."""
    parts, columns = tables.read(path, flag, label, header)
    whole = parts.get(None)
    if whole is None:
        values = {s: parts[s].values for s in tables.SPLITS}
        labels = {s: _labels(parts[s]) for s in tables.SPLITS}
        return values, labels, {s: f'array {s}' for s in tables.SPLITS}, columns
    count = len(whole.values)
    order = np.random.default_rng(seed).permutation(count)
    held_out = {s: max(tables.MIN_SPLIT_ROWS, round(share * count))
                for s, share in _SHARES.items()}
    ends = np.cumsum([count - sum(held_out.values()), *held_out.values()])
    bounds = {s: (a, b) for s, a, b in zip(tables.SPLITS, [0, *ends], ends)}
    splits = {s: f'rows {a}..{b - 1} of {count:,} shuffled by seed {seed}'
              for s, (a, b) in bounds.items()}
    values = {s: whole.values[order[a:b]] for s, (a, b) in bounds.items()}
    labels = {s: _labels(whole)[order[a:b]] for s, (a, b) in bounds.items()}
    return values, labels, splits, columns


def _labels(part: tables.Part) -> np.ndarray:
    """Returns the labels of the rows; -1 for each of them where there are none."""
    return np.full(len(part.values), -1) if part.labels is None else part.labels
