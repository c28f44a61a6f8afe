r"""Draws the learning curve of a run: bits/dim against epochs, from its metrics.csv.

    python -m zoo.curve --workdir=runs/fashion --out=curve.png

Needs matplotlib, which comes with the extra `bench`.
"""

import csv
import pathlib

from absl import flags

from zoo import errors, program

FLAGS = flags.FLAGS
flags.DEFINE_string('workdir', None, 'Run directory of zoo.train.')
flags.DEFINE_string('out', 'curve.png', 'PNG file to write; an existing one is refused.')


def main(_):
    """Writes the plot."""
    program.require('workdir')
    source, out = pathlib.Path(FLAGS.workdir) / 'metrics.csv', pathlib.Path(FLAGS.out)
    if not source.exists():
        raise errors.UsageError(f'--workdir must hold a metrics.csv; got {FLAGS.workdir!r}.')
    if out.exists():
        raise errors.UsageError(f'--out must be a new file; {FLAGS.out!r} exists.')
    try:
        from matplotlib.figure import Figure  # pylint: disable=g-import-not-at-top
    except ImportError:
        raise errors.Failure("matplotlib is missing: pip install 'tfp-glow[bench]'.") from None
    with source.open(newline='') as file:
        rows = list(csv.DictReader(file))
    epochs = [int(row['epoch']) for row in rows]
    figure = Figure(figsize=(6, 3.5), dpi=110, layout='constrained')
    axes = figure.subplots()
    axes.plot(epochs, [float(r['bits_per_dim']) for r in rows], label='training, as it goes')
    axes.plot(epochs, [float(r['val_bits_per_dim']) for r in rows],
              label='validation, averaged weights')
    axes.set(xlabel=f'epoch ({float(rows[-1]["seconds"]) / 60:.0f} minutes in all)',
             ylabel='bits/dim')
    axes.grid(alpha=.3)
    axes.legend()
    figure.savefig(out)
    print(f'curve of {len(rows)} epochs: {out}')


if __name__ == '__main__':
    program.run(main)
