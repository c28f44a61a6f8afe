r"""Glow's ablation (figure 3 of the paper): three permutations, two couplings, one data set.

    python -m zoo.ablation --dataset=fashion_mnist --workdir=runs/ablation

Trains six models by `zoo.train`, alike but for `--permutation` (reverse, shuffle, conv) and
`--coupling` (additive, affine), one after the other, each in a folder of its own in --workdir;
draws their validation curves as curves.png and prints and writes the final figures. A second call
with --resume goes on where the first was interrupted.
"""

import itertools
import json

from absl import flags

from zoo.cli import program, subruns

FLAGS = flags.FLAGS
flags.DEFINE_string('dataset', None, 'Data set, as in zoo.train.')
flags.DEFINE_string('data_dir', None, 'Where TFDS finds prepared data sets.')
flags.DEFINE_string('recipe', 'ablation', 'Recipe of Glow that all six share.')
flags.DEFINE_string('workdir', None, 'Folder of the six runs; new, or with --resume.')
flags.DEFINE_bool('resume', False, 'Go on with what --workdir holds.')
flags.DEFINE_integer('epochs', None, 'Epochs of each run. Default: the recipe\'s.')
flags.DEFINE_integer('seed', None, 'Seed of each run. Default: the recipe\'s.')

PERMUTATIONS = ('reverse', 'shuffle', 'conv')
COUPLINGS = ('additive', 'affine')


def main(_):
    """Trains the six, draws and tabulates."""
    program.require('dataset', 'workdir')
    out = subruns.folder(FLAGS.workdir, FLAGS.resume)
    for permutation, coupling in itertools.product(PERMUTATIONS, COUPLINGS):
        _train(permutation, coupling, out / f'{permutation}_{coupling}')
    report(out)


def report(out):
    """Draws the six curves of the folder `out` and writes its table."""
    from zoo.pictures import learning_curves
    from zoo.runs import run as runs
    drawn, table = {}, {}
    for permutation, coupling in itertools.product(PERMUTATIONS, COUPLINGS):
        name = f'{permutation}_{coupling}'
        rows = learning_curves.read(out / name / 'metrics.csv')
        drawn[f'{"1x1" if permutation == "conv" else permutation}, {coupling}'] = rows
        test = json.loads((out / name / 'test.json').read_text())
        table[name] = {'validation': learning_curves.validation(rows)[1][-1],
                       'test': test['bits_per_dim'],
                       'standard_error': test['standard_error'],
                       'seconds': test['training_seconds']}
    learning_curves.draw_runs(drawn, out / 'curves.png')
    runs.write_atomically(out / 'ablation.json', json.dumps(table, indent=2) + '\n')
    print(f'{"":18}{"validation":>12}{"test":>10}{"seconds":>10}')
    for name, row in table.items():
        print(f'{name:18}{row["validation"]:12.4f}{row["test"]:10.4f}{row["seconds"]:10.0f}')
    print(f'curves: {out / "curves.png"}')


def _train(permutation, coupling, workdir):
    subruns.train(
        workdir, f'{permutation}, {coupling}',
        ['--model=glow', f'--dataset={FLAGS.dataset}', f'--recipe={FLAGS.recipe}',
         f'--permutation={permutation}', f'--coupling={coupling}'],
        {name: FLAGS[name].value for name in ('data_dir', 'epochs', 'seed')})


if __name__ == '__main__':
    program.run(main)
