r"""Compares runs of zoo.train in tables: their figures, and the settings in which they differ.

    python -m zoo.compare runs
    python -m zoo.compare runs/shallow runs/deep --sort=test --out=runs.csv

DIR is a run directory, or a folder that holds some. Runs on the same data, measured in the same
unit, are in one table, the best first: by the least validation figure of any epoch. Runs that are
broken are named below with what is wrong. This reads config.json, metrics.csv and test.json, while
runs go on too, and writes nothing but --out.
"""

import pathlib
import shutil

from absl import flags

from zoo.cli import errors, files, program
from zoo.comparison import folders, groups, record, tables

_SORT = flags.DEFINE_enum(
    'sort', 'best', groups.ORDERS, 'What a table is sorted by: the best validation figure, that of '
    'the last epoch, the test figure, or the name of the run.')
_OUT = flags.DEFINE_string('out', None, 'File for the tables: .md, or .csv with every digit.')
_OVERWRITE = flags.DEFINE_bool('overwrite', False, 'Replace --out if it is there.')


def main(argv: list[str]) -> None:
    """Prints the tables."""
    out = _OUT.value
    if out is not None:
        files.check_output(out, ('.csv', '.md'), _OVERWRITE.value)
    records = [record.read(path, name) for path, name in folders.runs_in(argv[1:]).items()]
    by_data = groups.grouped(records, _SORT.value)
    print(tables.text(by_data, records, shutil.get_terminal_size((100, 24)).columns))
    if out is not None:
        suffix = pathlib.Path(out).suffix
        files.write_whole(out, tables.comma_separated(by_data, records) if suffix == '.csv'
                          else tables.markdown(by_data, records) + '\n')
        print(f'\ntables: {out}')
    if not any(run.epochs or run.test for group in by_data for run in group.records):
        raise errors.Failure('no run has figures; the notes say why.')


if __name__ == '__main__':
    program.run(main, operands=('DIR', '...'))
