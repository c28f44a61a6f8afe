"""`grouped`: runs that may be ranked together, the best first."""

import dataclasses
from collections.abc import Iterable
from typing import Any

from zoo.comparison.record import NATS, VECTORS, Record, Unit

ORDERS = ('best', 'last', 'test', 'name')
_DATA = ('bits', 'binarize')  # The settings by which the numbers that are modelled differ.
_IN_TABLE = ('epochs', *_DATA)  # The settings that a table shows elsewhere.


@dataclasses.dataclass(frozen=True)
class Group:
    """Runs on the same data, measured in the same unit.

    Attributes:
        data: The data set, in words.
        unit: The unit of the figures.
        records: The runs, in order.
    """

    data: str
    unit: Unit
    records: tuple[Record, ...]

    @property
    def differences(self) -> dict[str, list[Any]]:
        """The settings of which the runs have different values: `{name: [a value for each run]}`.

        A value is None for a run whose model does not have the setting.
        """
        settings = [record.settings for record in self.records]
        names = dict.fromkeys(name for values in settings for name in values)
        return {name: [values.get(name) for values in settings] for name in names
                if name not in _IN_TABLE
                and len({repr(values[name]) for values in settings if name in values}) > 1}


def grouped(records: Iterable[Record], order: str = 'best') -> list[Group]:
    """Returns the runs whose config can be read, by data set and unit.

    Images are compared in bits/dim, or in nats if all runs on the data set are VAEs. Images of
    fewer bits, or binarised ones, are other data than the images as they are.

    Args:
        records: The runs.
        order: 'best' for the best validation figure first, 'last' for that of the last epoch,
            'test' for that of the test split, or 'name'. Runs without the figure come last.
    """
    by_data: dict[tuple[str, bool], list[Record]] = {}
    for record in records:
        if record.config is not None:
            key = _data(record), VECTORS in record.units
            by_data.setdefault(key, []).append(record)
    groups = []
    for (data, _), members in sorted(by_data.items()):
        measured = [record for record in members if record.epochs or record.test] or members
        unit = NATS if all(NATS in record.units for record in measured) else measured[0].units[0]
        members.sort(key=lambda record: _rank(record, unit, order))
        groups.append(Group(data, unit, tuple(members)))
    return groups


def _data(record: Record) -> str:
    settings = record.settings
    text = str((record.config or {})['dataset'])
    if settings.get('bits', 8) != 8:
        text += f', {settings["bits"]} bits'
    if settings.get('binarize'):
        text += f', binarised ({settings["binarize"]})'
    return text


def _rank(record: Record, unit: Unit, order: str) -> tuple[bool, float, str]:
    """Returns what a group is sorted by."""
    best = record.best(unit)
    figure = {'best': best.value(unit.validation) if best else None,
              'last': record.last(unit),
              'test': record.test_figure(unit), 'name': 0.}[order]
    if figure is not None and order == 'test':
        figure *= unit.sign
    return figure is None, figure or 0., record.name
