r"""Draws the learning curve of a run: bits/dim against epochs, from its metrics.csv.

    python -m zoo.curve --workdir=runs/fashion --out=curve.png
"""

import pathlib

from absl import flags

from zoo import errors, program

FLAGS = flags.FLAGS
flags.DEFINE_string('workdir', None, 'Run directory of zoo.train.')
flags.DEFINE_string('out', 'curve.png', 'PNG file to write; an existing one is refused.')


def main(_):
    """Writes the plot."""
    program.require('workdir')
    from zoo import curves  # pylint: disable=g-import-not-at-top
    source, out = pathlib.Path(FLAGS.workdir) / 'metrics.csv', pathlib.Path(FLAGS.out)
    if not source.exists():
        raise errors.UsageError(f'--workdir must hold a metrics.csv; got {FLAGS.workdir!r}.')
    if out.exists():
        raise errors.UsageError(f'--out must be a new file; {FLAGS.out!r} exists.')
    rows = curves.read(source)
    curves.draw_run(rows, out)
    print(f'curve of {len(rows)} epochs: {out}')


if __name__ == '__main__':
    program.run(main)
