"""The tables of `zoo.compare`: as text, as Markdown, and as CSV."""

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from zoo.comparison.groups import Group
from zoo.comparison.record import Record, Unit

Row = dict[str, str]
_TITLES = ('run', 'model', 'epochs', 'steps', 'time', 'best val', 'in epoch', 'last val',
           'test')
_WORDS = ('run', 'model')  # Their columns are flush left.


def text(groups: Sequence[Group], records: Sequence[Record], width: int = 100) -> str:
    """Returns the tables as lines.

    Args:
        groups: The runs that can be compared.
        records: All runs.
        width: The number of columns of the terminal, within which settings are laid out.
    """
    return _laid_out(groups, records, lambda rows: _plain(rows, width), '', '  ')


def markdown(groups: Sequence[Group], records: Sequence[Record]) -> str:
    """Returns the tables as Markdown; the arguments are those of `text`."""
    return _laid_out(groups, records, _piped, '## ', '- ')


def comma_separated(groups: Sequence[Group], records: Sequence[Record]) -> str:
    """Returns one table of all runs, a line each, with every digit; the arguments are as above."""
    settings = dict.fromkeys(name for group in groups for name in group.differences)
    lines = []
    for group in groups:
        for number, record in enumerate(group.records):
            values = {name: column[number] for name, column in group.differences.items()}
            lines.append({**_numbers(group, record), **{
                f'setting {name}': values.get(name) for name in settings}})
    grouped = {record.path for group in groups for record in group.records}
    lines += [{'run': record.name, 'problems': '; '.join(record.problems)}
              for record in records if record.path not in grouped]
    titles = [*dict.fromkeys(title for line in lines for title in line if title != 'problems'),
              'problems']
    out = io.StringIO()
    writer = csv.DictWriter(out, titles, lineterminator='\n')
    writer.writeheader()
    writer.writerows(lines)
    return out.getvalue()


def _laid_out(groups: Sequence[Group], records: Iterable[Record],
              table: Callable[[list[Row]], str], heading: str, item: str) -> str:
    parts = []
    for group in groups:
        parts.append(f'{heading}{_printable(group.data)}: {group.unit.about}')
        parts.append(table([_row(group, record) for record in group.records]))
        if group.differences:
            parts.append('settings in which these runs differ:')
            parts.append(table([
                {'run': _printable(record.name),
                 **{name: _setting(column[number]) for name, column in group.differences.items()}}
                for number, record in enumerate(group.records)]))
        elif len(group.records) > 1:
            parts.append('these runs do not differ in any setting.')
    notes = [f'{item}{_printable(record.name)}: {_printable(problem)}'
             for record in records for problem in record.problems]
    if notes:
        parts.append('\n'.join([f'{heading}notes' + ('' if heading else ':'),
                                *([''] if heading else []), *notes]))
    return '\n\n'.join(parts)


def _row(group: Group, record: Record) -> Row:
    """Returns the cells of a run in a table to read; an empty one is unknown."""
    numbers = _numbers(group, record)
    error, epoch = numbers['test_standard_error'], numbers['test_epoch']
    test = _figure(numbers['test'])
    if test:
        test += ('' if error is None else f' +- {error:.4f}') + (
            '' if epoch is None else f' (epoch {epoch})')
    done, planned = numbers['epochs'], numbers['epochs_planned']
    return dict(zip(_TITLES, (
        _printable(record.name), _printable(numbers['model']),
        ('?' if done is None else f'{done:,}') + ('' if planned is None else f' of {planned:,}'),
        '' if numbers['steps'] is None else f'{numbers["steps"]:,}',
        _duration(numbers['seconds']), _figure(numbers['best']), str(numbers['best_epoch'] or ''),
        _figure(numbers['last']), test), strict=True))


def _numbers(group: Group, record: Record) -> dict[str, Any]:
    """Returns the figures of a run as they are; None for what is not known."""
    unit: Unit = group.unit
    best, last = record.best(unit), record.epochs[-1] if record.epochs else None
    steps = last.value('step') if last else None
    epoch = record.test.get('epoch')
    return {'run': record.name, 'model': (record.config or {}).get('model', ''),
            'data': group.data, 'unit': unit.name,
            'epochs': last.number if last else None, 'epochs_planned': record.planned,
            'steps': None if steps is None else round(steps),
            'seconds': last.value('seconds') if last else None,
            'best': best.value(unit.validation) if best else None,
            'best_epoch': best.number if best else None, 'last': record.last(unit),
            'test': record.test_figure(unit), 'test_standard_error': record.test_error(unit),
            'test_epoch': epoch if isinstance(epoch, int) else None,
            'problems': '; '.join(record.problems)}


def _plain(rows: list[Row], width: int) -> str:
    """Returns a table of aligned columns, in parts below each other if it is too wide."""
    titles = list(rows[0])
    wide = {title: max(len(title), *(len(row[title]) for row in rows)) for title in titles}
    parts: list[list[str]] = [[titles[0]]]
    for title in titles[1:]:
        if len(parts[-1]) > 1 and titles != list(_TITLES) and width < sum(
                wide[other] + 2 for other in [*parts[-1], title]):
            parts.append([titles[0]])
        parts[-1].append(title)
    texts = []
    for part in parts:
        lines = [{title: title for title in part}, *rows]
        texts.append('\n'.join('  '.join(
            line[title].ljust(wide[title]) if title in _WORDS or titles != list(_TITLES)
            else line[title].rjust(wide[title]) for title in part).rstrip() for line in lines))
    return '\n\n'.join(texts)


def _piped(rows: list[Row]) -> str:
    lines = [list(rows[0]), ['---' if title in _WORDS else '---:' for title in rows[0]]]
    lines += [[cell.replace('|', '\\|') for cell in row.values()] for row in rows]
    return '\n'.join(f'| {" | ".join(line)} |' for line in lines)


def _figure(value: float | None) -> str:
    return '' if value is None else f'{value:.4f}'


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return ''
    if seconds < 120:
        return f'{seconds:.0f} s'
    return f'{seconds / 60:.0f} min' if seconds < 7200 else f'{seconds / 3600:.1f} h'


def _setting(value: Any) -> str:
    """Returns a setting as its flag takes it; '' if the model does not have it."""
    if value is None:
        return ''
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str) and value:
        return _printable(value)
    return _printable(repr(value).removesuffix('.0'))


def _printable(value: str) -> str:
    """Returns a text that a terminal can show in one line."""
    return value if value.isprintable() else ascii(value)
