r"""What a flow posterior is worth: pairs of VAEs that differ in --posterior only, gaussian or iaf.

    python -m zoo.posteriors --dataset=fashion_mnist --workdir=runs/posteriors

It trains two models by `zoo.train` for each of the seeds 0 .. --seeds-1, each in a folder of its
own in --workdir, and evaluates the importance-weighted bound of all on the same images of the test
split. The gain of a seed is the mean over images of the difference between its two bounds; its
standard error is that of the mean of these differences. The standard error of the mean gain is over
seeds. It writes posteriors.json. A second call with --resume goes on where the first was
interrupted.
"""

import pathlib

import numpy as np
from absl import flags

from zoo.cli import errors, files, number_flags, program, source_flags, subruns
from zoo.models import registry

_DATASET = flags.DEFINE_string('dataset', None, 'Data set, as in zoo.train.')
_DATA_DIR = source_flags.data_dir()
_MODEL = flags.DEFINE_string('model', 'conv_vae', 'dense_vae, conv_vae, resnet_vae or pixel_vae.')
_RECIPE = flags.DEFINE_string('recipe', 'posteriors', 'Recipe that all share.')
_WORKDIR = flags.DEFINE_string('workdir', None, 'Folder of the runs; new, or with --resume.')
_RESUME = flags.DEFINE_bool('resume', False, 'Go on with what --workdir holds.')
_EPOCHS = number_flags.integer('epochs', None, 'Epochs of each run. Default: the recipe\'s.')
_SEEDS = number_flags.integer('seeds', 3, 'Pairs to train.')
_IMPORTANCE_SAMPLES = number_flags.integer('importance_samples', 1000, 'Samples of the bound.')
_LIMIT = number_flags.integer('limit', None, 'Evaluate on the first test images only.')

POSTERIORS = ('gaussian', 'iaf')


def main(argv: list[str]) -> None:
    """Trains the pairs, evaluates them and writes their table."""
    del argv
    dataset, workdir = program.required(_DATASET), program.required(_WORKDIR)
    registry.recipe(_MODEL.value, _RECIPE.value, dataset)
    if _MODEL.value not in registry.models_with('posterior'):
        raise errors.UsageError('--model must be one of '
                                f'{", ".join(registry.models_with("posterior"))}; '
                                f'got {_MODEL.value!r}.')
    out = subruns.folder(workdir, _RESUME.value, {
        name: flags.FLAGS[name].value for name in ('dataset', 'model', 'recipe', 'epochs')})
    for seed in range(_SEEDS.value):
        for posterior in POSTERIORS:
            subruns.train(
                out / f'{posterior}_{seed}', f'{posterior}, seed {seed}',
                [f'--model={_MODEL.value}', f'--dataset={dataset}',
                 f'--recipe={_RECIPE.value}', f'--posterior={posterior}', f'--seed={seed}'],
                {'data_dir': _DATA_DIR.value, 'epochs': _EPOCHS.value})
    report(out)


def report(out: pathlib.Path) -> None:
    """Evaluates the runs in the folder `out`, and prints and writes their table."""
    program.start_tensorflow()
    pairs = []
    for seed in range(_SEEDS.value):
        nats = {posterior: _nats(out / f'{posterior}_{seed}') for posterior in POSTERIORS}
        difference = nats['gaussian'] - nats['iaf']
        pairs.append({'seed': seed, **{name: float(v.mean()) for name, v in nats.items()},
                      'gain': float(difference.mean()), 'gain_standard_error': _error(difference),
                      'images': len(difference)})
        print('seed {seed}: gaussian {gaussian:.2f}, iaf {iaf:.2f} nats; gain {gain:.3f} +- '
              '{gain_standard_error:.3f} over {images:,} images'.format(**pairs[-1]), flush=True)
    gains = np.array([pair['gain'] for pair in pairs])
    table = {'importance_samples': _IMPORTANCE_SAMPLES.value, 'pairs': pairs,
             'gain': float(gains.mean()),
             'gain_standard_error': _error(gains) if len(gains) > 1 else None}
    files.write_json(out / 'posteriors.json', table)
    error = '' if len(gains) == 1 else f' +- {table["gain_standard_error"]:.3f}'
    print(f'gain of the IAF posterior, bound of {_IMPORTANCE_SAMPLES.value:,} samples: '
          f'{table["gain"]:.3f}{error} nats (standard error over {len(gains)} seeds)')


def _nats(workdir: pathlib.Path) -> np.ndarray:
    """Returns the bound of each test image, [N]: what -log p(x) is at most, in nats.

    It is kept in the run directory for the next call.
    """
    from zoo.evaluation import vaes  # Late: it needs TensorFlow.
    from zoo.runs import opening
    kept = workdir / f'nats_{_IMPORTANCE_SAMPLES.value}_{_LIMIT.value or "all"}.npy'
    if not kept.exists():
        trained = opening.load(str(workdir), _DATA_DIR.value)
        nats = vaes.importance_nats(trained, 'test', _LIMIT.value, _IMPORTANCE_SAMPLES.value)
        files.write_whole(kept, lambda file: np.save(file, nats))
    return np.load(kept).astype(np.float64)


def _error(values: np.ndarray) -> float:
    """Returns the standard error of the mean."""
    return float(values.std(ddof=1) / np.sqrt(len(values)))


if __name__ == '__main__':
    program.run(main)
