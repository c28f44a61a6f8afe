"""`read`: what the files of a run directory say of a run, also of one that is broken."""

import dataclasses
import math
import pathlib
from typing import Any

from zoo.cli import errors, files
from zoo.models import recipe, registry
from zoo.runs import config_file, metrics_file
from zoo.runs.metrics_file import Epoch

_LARGEST = 2**22  # Bytes. No config.json and no test.json is as large.
_SHOWN = ('recipe', 'pad', 'flips')  # What determines a run besides its hyper-parameters.


@dataclasses.dataclass(frozen=True)
class Unit:
    """What a likelihood is measured in.

    Attributes:
        name: Its name.
        about: What the figures are and which are better, in words.
        validation: The column of metrics.csv.
        test: The key of test.json.
        error: The key of its standard error.
        sign: 1 if less is better in test.json, -1 if more is. In metrics.csv, less is better.
    """

    name: str
    about: str
    validation: str
    test: str
    error: str
    sign: int = 1


BITS = Unit('bits/dim', 'bits/dim, less is better', 'val_bits_per_dim', 'bits_per_dim',
            'standard_error')
NATS = Unit('nats', 'nats of an image, less is better', 'val_nats', 'nats', 'nats_standard_error')
VECTORS = Unit('nats of vectors',
               'validation in nats of a standardised vector, less is better;\n'
               'test is the log-likelihood in the data\'s own units, more is better', 'val_nats',
               'log_likelihood', 'standard_error', -1)


@dataclasses.dataclass(frozen=True)
class Record:
    """A run as its files tell it.

    Attributes:
        name: What the tables call the run.
        path: Its directory.
        config: What config.json holds; None if it cannot be read.
        epochs: The finished epochs, in order.
        test: What test.json holds; empty without one.
        problems: What is wrong with its files, and what a reader should know, a sentence each.
    """

    name: str
    path: pathlib.Path
    config: dict[str, Any] | None
    epochs: tuple[Epoch, ...]
    test: dict[str, Any]
    problems: tuple[str, ...]

    @property
    def settings(self) -> dict[str, Any]:
        """The hyper-parameters by name; those that an older version did not have are the defaults.
        """
        config = self.config or {}
        model = registry.MODELS.get(config.get('model', ''))
        values = {name: config.get(name) for name in _SHOWN}
        for key, kind in (('config', model.config if model else None),
                          ('training', recipe.Training)):
            if kind is not None:
                values |= {f.name: f.default for f in dataclasses.fields(kind)}
            values |= config.get(key, {})
        return values

    @property
    def planned(self) -> int | None:
        """The number of epochs that the run shall have."""
        epochs = self.settings.get('epochs')
        return epochs if isinstance(epochs, int) else None

    @property
    def units(self) -> tuple[Unit, ...]:
        """The units in which the run was measured; a VAE has two."""
        columns = self.epochs[-1].columns if self.epochs else ()
        if 'log_likelihood' in self.test or (
                'val_nats' in columns and 'val_bits_per_dim' not in columns):
            return (VECTORS,)
        return (BITS, NATS) if 'nats' in self.test or 'val_nats' in columns else (BITS,)

    def best(self, unit: Unit) -> Epoch | None:
        """Returns the epoch with the least finite validation figure."""
        measured = [epoch for epoch in self.epochs if epoch.value(unit.validation) is not None]
        return min(measured, key=lambda epoch: epoch.value(unit.validation) or 0., default=None)

    def last(self, unit: Unit) -> float | None:
        """Returns the validation figure of the last epoch, if it is finite."""
        return self.epochs[-1].value(unit.validation) if self.epochs else None

    def test_figure(self, unit: Unit) -> float | None:
        """Returns the figure of the test split, if it is finite."""
        return _finite(self.test.get(unit.test))

    def test_error(self, unit: Unit) -> float | None:
        """Returns the standard error of `test_figure`."""
        return _finite(self.test.get(unit.error))


def read(path: pathlib.Path, name: str) -> Record:
    """Returns the record of a run directory; what cannot be read is among its problems.

    Args:
        path: The directory.
        name: What the tables shall call it.
    """
    problems: list[str] = []
    config = None
    try:
        config = _checked(_read_object(path / 'config.json'))
    except (OSError, ValueError) as error:
        problems.append(_sentence('config.json', error))
    epochs: tuple[Epoch, ...] = ()
    try:
        epochs, lost = metrics_file.read(path / 'metrics.csv')
        problems += _oddities(epochs, lost)
    except (OSError, ValueError) as error:
        problems.append(_sentence('metrics.csv', error))
    test: dict[str, Any] = {}
    finished = True
    try:
        test = _read_object(path / 'test.json')
    except FileNotFoundError:
        finished = False
    except (OSError, ValueError) as error:
        problems.append(_sentence('test.json', error))
    record = Record(name, path, config, epochs, test, tuple(problems))
    return dataclasses.replace(record, problems=(*problems, *_remarks(record, finished)))


def _oddities(epochs: tuple[Epoch, ...], lost: int) -> list[str]:
    """Returns what is odd about a metrics.csv, a sentence each."""
    if not epochs and not lost:
        return ['no epoch is finished']
    oddities = []
    if lost:
        oddities.append(f'{lost} of the {lost + len(epochs)} lines of metrics.csv cannot be read')
    bad = [epoch.number for epoch in epochs if epoch.figure is None]
    if bad:
        oddities.append(f'the validation figure is no finite number in {len(bad)} of '
                        f'{len(epochs)} epochs, first in epoch {bad[0]}')
    return oddities


def _remarks(record: Record, finished: bool) -> list[str]:
    """Returns what a reader should know of a run whose config.json is whole.

    Args:
        record: The run.
        finished: Whether it has a test.json.
    """
    if record.config is None:
        return []
    remarks = []
    for change in record.config.get('changes') or []:
        if isinstance(change, dict):
            remarks.append(f'changed {config_file.describe_change(change)}')
    if record.test and record.test_figure(record.units[0]) is None:
        remarks.append('test.json holds no finite test figure')
    done = record.epochs[-1].number if record.epochs else 0
    if done and not finished:
        remarks.append(f'not finished: {done} of {record.planned} epochs' if record.planned
                       and done < record.planned else 'not finished: there is no test.json yet')
    return remarks


def _read_object(path: pathlib.Path) -> dict[str, Any]:
    """Returns the object of a JSON file.

    Raises:
        OSError: If the file cannot be read.
        ValueError: If it does not hold an object in strict JSON.
    """
    return files.parse_object(metrics_file.text(path, _LARGEST), parse_constant=_refuse)


def _refuse(constant: str) -> None:
    raise ValueError(f'it holds {constant}')


def _checked(config: dict[str, Any]) -> dict[str, Any]:
    """Returns what config.json holds.

    Raises:
        ValueError: If it is of a newer format, or does not describe a run.
    """
    config_file.check_format(config)
    for name, kind in (('model', str), ('dataset', str), ('config', dict), ('training', dict)):
        if not isinstance(config.get(name), kind):
            raise ValueError(f'{name} must not be {config.get(name)!r}')
    if not isinstance(config.get('changes') or [], list):
        raise ValueError(f'changes must not be {config["changes"]!r}')
    registry.spec(config['model'])
    return config


def _finite(value: Any) -> float | None:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if number and abs(value) < 1e300 and math.isfinite(value) else None


def _sentence(name: str, error: Exception) -> str:
    """Returns what is wrong with a file in one line."""
    if isinstance(error, FileNotFoundError):
        return f'there is no {name}'
    if isinstance(error, errors.UsageError):
        reason = str(error)
    elif isinstance(error, UnicodeError):
        reason = 'it is not UTF-8'
    else:
        reason = getattr(error, 'strerror', None) or str(error)
    return f'{name} cannot be read ({" ".join(reason.split())[:200]})'
