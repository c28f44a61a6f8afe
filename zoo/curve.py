r"""Draws the learning curve of a run, or of several in one picture, from their metrics.csv.

    python -m zoo.curve --workdir=runs/fashion --out=curve.png
    python -m zoo.curve --workdir=runs/shallow,runs/deep --out=curves.png

Of one run, it draws training and validation; of several, the validation of each, named by its
folder.
"""

import pathlib

from absl import flags

from zoo.cli import errors, files, program

_WORKDIR = flags.DEFINE_list(
    'workdir', None, 'Run directories of zoo.train, one or, with commas, several.')
_OUT = flags.DEFINE_string('out', 'curve.png', 'PNG file to write.')
_OVERWRITE = flags.DEFINE_bool('overwrite', False, 'Replace --out if it is there.')


def main(argv: list[str]) -> None:
    """Draws the curves."""
    del argv
    workdirs, out = program.required(_WORKDIR), pathlib.Path(_OUT.value)
    folders = [pathlib.Path(workdir) for workdir in workdirs]
    for folder in folders:
        if not (folder / 'metrics.csv').exists():
            raise errors.UsageError(f'--workdir must hold a metrics.csv; got {str(folder)!r}.')
    if len({folder.name for folder in folders}) < len(folders):
        raise errors.UsageError('--workdir must be folders of different names, which the picture '
                                f'shows; got {",".join(workdirs)!r}.')
    files.check_output(out, ('.png',), _OVERWRITE.value)
    from zoo.pictures import learning_curves  # Late: it needs matplotlib.
    runs = {folder.name: learning_curves.read(folder / 'metrics.csv') for folder in folders}
    if len(runs) == 1:
        learning_curves.draw_run(next(iter(runs.values())), out)
    elif len({learning_curves.unit(rows) for rows in runs.values()}) > 1:
        raise errors.UsageError('--workdir must be runs measured in one unit, bits/dim or nats; '
                                f'got {",".join(workdirs)!r}.')
    else:
        learning_curves.draw_runs(runs, out)
    print(f'curves of {", ".join(f"{name}, {len(rows)} epochs" for name, rows in runs.items())}: '
          f'{out}')


if __name__ == '__main__':
    program.run(main)
