"""`VectorData`: densities and tables with the batches, splits and seeds of an image data set."""

import dataclasses

import numpy as np

from zoo.cli import errors
from zoo.data import dataset_names, densities, reading, splits, tables

_SHARES = {'validation': .1, 'test': .1}


@dataclasses.dataclass(frozen=True)
class VectorData(splits.Batches):
    """Vectors as a model sees them: float32 [D], standardised; made by `load_vectors`.

        z = (x - mean) / std

    with the mean and the standard deviation of the training split, for all splits. The
    log-likelihood in the data's own units is log p(x) = log p(z) + `log_scale_correction`.
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
    def event_shape(self):
        """(D,), one for each column."""
        return (len(self.columns),)

    @property
    def dims(self):
        """The numbers in one vector."""
        return len(self.columns)

    @property
    def log_scale_correction(self):
        """-sum(log std), in nats: what standardising adds to the log-density of each vector."""
        return -float(np.sum(np.log(self.std)))

    def serving_arguments(self, count: int) -> dict:
        """Returns what `serving.export` is told of the data, with test rows to check it with."""
        golden = self.unscale(self.take('test', min(count, self.sizes['test'])))
        return {'mean': self.mean, 'std': self.std, 'columns': self.columns,
                'golden_vectors': golden}

    @property
    def original_shape(self) -> tuple[int, ...]:
        """The shape of the data as they came, (D,)."""
        return self.event_shape

    def scale(self, x):
        """From the data's own units to the model's: [..., D] -> float32 [..., D]."""
        return ((np.asarray(x, np.float64) - self.mean) / self.std).astype(np.float32)

    def unscale(self, z):
        """Undoes `scale`, for samples: [..., D] -> float64 [..., D]."""
        return np.asarray(z, np.float64) * self.std + self.mean

    def describe(self):
        """Returns in one line what is trained on, for logs and cards."""
        sizes = ', '.join(f'{s} {n:,} ({self.splits[s]})' for s, n in self.sizes.items())
        text = f'{self.name}: {self.dims} column{"s" if self.dims > 1 else ""}, standardised'
        if self.num_classes is not None:
            text += f', {self.num_classes} classes'
        return f'{text}; {sizes}.'


def load_vectors(name, flag='--dataset', label=None, seed=0):
    """Returns a density or a table as a `VectorData`.

    Args:
        name: `checkerboard`, `moons`, `pinwheel` or `rings`, see `zoo.data.densities`; or the path
            of a .csv or .npz file, see `zoo.data.tables.read`.
        flag: what an error calls `name`.
        label: the column or the array of a table that holds integer classes; None for none. The
            densities have their own.
        seed: of the shuffle that a table without splits of its own is split by: 80 % train, 10 %
            validation, 10 % test. The densities are drawn by `3 * seed`, + 1 and + 2.

    Raises:
        UsageError: one line that names the flag, the rule and the value.
    """
    if not dataset_names.is_vectors(name):
        raise errors.UsageError(f'{flag} must be one of {", ".join(densities.NAMES)} or a file '
                                f'that ends in {" or ".join(tables.SUFFIXES)}; got {str(name)!r}.')
    if name in densities.NAMES:
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
        values, labels, splits, columns = _table(name, flag, label, seed)
        classes = None if label is None else int(max(map(np.max, labels.values()))) + 1
    tables.check_spread(values['train'], columns, f'{flag}={name}: ')
    mean, std = values['train'].mean(0), values['train'].std(0)
    readers = {s: reading.ArrayReader(((x - mean) / std).astype(np.float32), labels[s])
               for s, x in values.items()}
    return VectorData(
        name=str(name), columns=tuple(columns), num_classes=classes,
        sizes={s: r.size for s, r in readers.items()}, splits=splits, mean=mean, std=std,
        readers=readers)


def _table(path, flag, label, seed):
    """`(values, labels, splits, columns)` of a file, the first three by split."""
    parts, columns = tables.read(path, flag, label)
    if None in parts:
        count = len(parts[None].values)
        order = np.random.default_rng(seed).permutation(count)
        held_out = {s: max(tables.MIN_SPLIT_ROWS, round(share * count))
                    for s, share in _SHARES.items()}
        ends = np.cumsum([count - sum(held_out.values()), *held_out.values()])
        starts = [0, *ends]
        rows = {s: order[a:b] for s, a, b in zip(tables.SPLITS, starts, ends)}
        splits = {s: f'rows {a}..{b - 1} of {count:,} shuffled by seed {seed}'
                  for s, a, b in zip(tables.SPLITS, starts, ends)}
        parts = {s: tables.Part(parts[None].values[i],
                                None if label is None else parts[None].labels[i], None)
                 for s, i in rows.items()}
    else:
        splits = {s: f'array {s}' for s in tables.SPLITS}
    labels = {s: np.full(len(p.values), -1) if label is None else p.labels
              for s, p in parts.items()}
    return {s: p.values for s, p in parts.items()}, labels, splits, columns
