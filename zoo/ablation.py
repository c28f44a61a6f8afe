r"""Glow's ablation (figure 3 of the paper): three permutations, two couplings, one data set.

    python -m zoo.ablation --dataset=fashion_mnist --workdir=runs/ablation

It trains six models by `zoo.train`, one after the other, each in a folder of its own in --workdir.
They differ in `--permutation` (reverse, shuffle, conv) and `--coupling` (additive, affine) only. It
then draws their validation curves as curves.png, and prints the final figures and writes them to
ablation.json. A second call with --resume goes on where the first was interrupted.
"""

import itertools
import json
import pathlib

from absl import flags

from zoo.cli import files, number_flags, program, ranges, source_flags, subruns
from zoo.models import registry

_DATASET = flags.DEFINE_string('dataset', None, 'Data set, as in zoo.train.')
_DATA_DIR = source_flags.data_dir()
_RECIPE = flags.DEFINE_string('recipe', 'ablation', 'Recipe of Glow that all six share.')
_WORKDIR = flags.DEFINE_string('workdir', None, 'Folder of the six runs; new, or with --resume.')
_RESUME = flags.DEFINE_bool('resume', False, 'Go on with what --workdir holds.')
_EPOCHS = number_flags.integer('epochs', None, 'Epochs of each run. Default: the recipe\'s.')
_SEED = number_flags.integer('seed', None, 'Seed of each run. Default: the recipe\'s.',
                             ranges.WHOLE)

PERMUTATIONS = ('reverse', 'shuffle', 'conv')
COUPLINGS = ('additive', 'affine')


def main(argv: list[str]) -> None:
    """Trains the six models, draws their curves and writes their table."""
    del argv
    dataset, workdir = program.required(_DATASET), program.required(_WORKDIR)
    registry.recipe('glow', _RECIPE.value, dataset)
    out = subruns.folder(workdir, _RESUME.value, {
        name: flags.FLAGS[name].value for name in ('dataset', 'recipe', 'epochs', 'seed')})
    for permutation, coupling in itertools.product(PERMUTATIONS, COUPLINGS):
        subruns.train(
            out / f'{permutation}_{coupling}', f'{permutation}, {coupling}',
            ['--model=glow', f'--dataset={dataset}', f'--recipe={_RECIPE.value}',
             f'--permutation={permutation}', f'--coupling={coupling}'],
            {'data_dir': _DATA_DIR.value, 'epochs': _EPOCHS.value, 'seed': _SEED.value})
    report(out)


def report(out: pathlib.Path) -> None:
    """Draws the curves of the six runs in the folder `out`, and prints and writes their table."""
    from zoo.pictures import learning_curves  # Late: it needs matplotlib.
    curves, table = {}, {}
    for permutation, coupling in itertools.product(PERMUTATIONS, COUPLINGS):
        name = f'{permutation}_{coupling}'
        rows = learning_curves.read(out / name / 'metrics.csv')
        curves[f'{"1x1" if permutation == "conv" else permutation}, {coupling}'] = rows
        test = json.loads((out / name / 'test.json').read_text())
        table[name] = {'validation': learning_curves.validation(rows)[1][-1],
                       'test': test['bits_per_dim'], 'standard_error': test['standard_error'],
                       'seconds': test['training_seconds']}
    learning_curves.draw_runs(curves, out / 'curves.png')
    files.write_json(out / 'ablation.json', table)
    print(f'{"":18}{"validation":>12}{"test":>10}{"seconds":>10}')
    for name, row in table.items():
        print(f'{name:18}{row["validation"]:12.4f}{row["test"]:10.4f}{row["seconds"]:10.0f}')
    print(f'curves: {out / "curves.png"}')


if __name__ == '__main__':
    program.run(main)
