r"""Draws the learning curve of a run, or of several in one picture, from their metrics.csv.

    python -m zoo.curve --workdir=runs/fashion --out=curve.png
    python -m zoo.curve --workdir=runs/shallow,runs/deep --out=curves.png

Of one run, training and validation; of several, the validation of each, named by its folder.
"""

import pathlib

from absl import flags

from zoo.cli import errors, program

FLAGS = flags.FLAGS
flags.DEFINE_list('workdir', None, 'Run directories of zoo.train, one or, with commas, several.')
flags.DEFINE_string('out', 'curve.png', 'PNG file to write; an existing one is refused.')


def main(_):
    """Writes the plot."""
    program.require('workdir')
    from zoo.pictures import learning_curves
    folders, out = [pathlib.Path(folder) for folder in FLAGS.workdir], pathlib.Path(FLAGS.out)
    for folder in folders:
        if not (folder / 'metrics.csv').exists():
            raise errors.UsageError(f'--workdir must hold a metrics.csv; got {str(folder)!r}.')
    if len({folder.name for folder in folders}) < len(folders):
        raise errors.UsageError('--workdir must be folders of different names, which the picture '
                                f'shows; got {",".join(FLAGS.workdir)!r}.')
    if out.exists():
        raise errors.UsageError(f'--out must be a new file; {FLAGS.out!r} exists.')
    found = {folder.name: learning_curves.read(folder / 'metrics.csv') for folder in folders}
    if len(found) == 1:
        learning_curves.draw_run(*found.values(), out)
    elif len({learning_curves.unit(rows) for rows in found.values()}) > 1:
        raise errors.UsageError('--workdir must be runs measured in one unit, bits/dim or nats; '
                                f'got {",".join(FLAGS.workdir)!r}.')
    else:
        learning_curves.draw_runs(found, out)
    print(f'curves of {", ".join(f"{name}, {len(rows)} epochs" for name, rows in found.items())}: '
          f'{out}')


if __name__ == '__main__':
    program.run(main)
