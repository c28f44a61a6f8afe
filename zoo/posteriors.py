r"""What a flow posterior is worth: pairs of VAEs alike but for --posterior=gaussian and iaf.

    python -m zoo.posteriors --dataset=fashion_mnist --workdir=runs/posteriors

Trains two models by `zoo.train` for each of the seeds 0 .. --seeds-1, each in a folder of its own
in --workdir, and evaluates the importance-weighted bound of all on the same images of the test
split. The gain of a seed is the mean over images of the difference between its two bounds; its
standard error is that of the mean of these differences. That of the mean gain is over seeds. Writes
posteriors.json. A second call with --resume goes on where the first was interrupted.
"""

import json

import numpy as np
from absl import flags

from zoo.cli import errors, program, subruns

FLAGS = flags.FLAGS
flags.DEFINE_string('dataset', None, 'Data set, as in zoo.train.')
flags.DEFINE_string('data_dir', None, 'Where TFDS finds prepared data sets.')
flags.DEFINE_string('model', 'conv_vae', 'dense_vae, conv_vae, resnet_vae or pixel_vae.')
flags.DEFINE_string('recipe', None, 'Recipe that all share. Default: posteriors.')
flags.DEFINE_string('workdir', None, 'Folder of the runs; new, or with --resume.')
flags.DEFINE_bool('resume', False, 'Go on with what --workdir holds.')
flags.DEFINE_integer('epochs', None, 'Epochs of each run. Default: the recipe\'s.')
flags.DEFINE_integer('seeds', 3, 'Pairs to train.')
flags.DEFINE_integer('importance_samples', 1000, 'Samples of the bound.')
flags.DEFINE_integer('limit', None, 'Evaluate on the first test images only.')

POSTERIORS = ('gaussian', 'iaf')


def main(_):
    """Trains the pairs, evaluates and tabulates."""
    program.require('dataset', 'workdir')
    for name in ('seeds', 'importance_samples', 'limit'):
        if FLAGS[name].value is not None and FLAGS[name].value < 1:
            raise errors.UsageError(f'--{name} must be at least 1; got {FLAGS[name].value}.')
    out = subruns.folder(FLAGS.workdir, FLAGS.resume)
    recipe = FLAGS.recipe or 'posteriors'
    for seed in range(FLAGS.seeds):
        for posterior in POSTERIORS:
            subruns.train(
                out / f'{posterior}_{seed}', f'{posterior}, seed {seed}',
                [f'--model={FLAGS.model}', f'--dataset={FLAGS.dataset}', f'--recipe={recipe}',
                 f'--posterior={posterior}', f'--seed={seed}'],
                {name: FLAGS[name].value for name in ('data_dir', 'epochs')})
    report(out)


def report(out):
    """Evaluates the runs of the folder `out`, prints and writes their table."""
    from zoo.runs import run as runs
    pairs = []
    for seed in range(FLAGS.seeds):
        nats = {posterior: _nats(out / f'{posterior}_{seed}') for posterior in POSTERIORS}
        difference = nats['gaussian'] - nats['iaf']
        pairs.append({'seed': seed, **{name: float(found.mean()) for name, found in nats.items()},
                      'gain': float(difference.mean()), 'gain_standard_error': _error(difference),
                      'images': len(difference)})
        print('seed {seed}: gaussian {gaussian:.2f}, iaf {iaf:.2f} nats; gain {gain:.3f} +- '
              '{gain_standard_error:.3f} over {images:,} images'.format(**pairs[-1]), flush=True)
    gains = np.array([pair['gain'] for pair in pairs])
    table = {'importance_samples': FLAGS.importance_samples, 'pairs': pairs,
             'gain': float(gains.mean()),
             'gain_standard_error': _error(gains) if len(gains) > 1 else None}
    runs.write_atomically(out / 'posteriors.json', json.dumps(table, indent=2) + '\n')
    error = '' if len(gains) == 1 else f' +- {table["gain_standard_error"]:.3f}'
    print(f'gain of the IAF posterior, bound of {FLAGS.importance_samples:,} samples: '
          f'{table["gain"]:.3f}{error} nats (standard error over {len(gains)} seeds)')


def _nats(workdir):
    """The bound of each test image, `[N]`: nats that -log p(x) is at most; kept beside the run."""
    from zoo.evaluation import vae_results
    from zoo.pictures import grids
    from zoo.runs import run as runs
    kept = workdir / f'nats_{FLAGS.importance_samples}_{FLAGS.limit or "all"}.npy'
    if not kept.exists():
        run, data, model = runs.load(workdir, FLAGS.data_dir)
        nats = vae_results.importance_nats(
            run, data, model, 'test', FLAGS.limit, FLAGS.importance_samples)
        grids.write_atomically(kept, lambda file: np.save(file, nats))
    return np.load(kept).astype(np.float64)


def _error(values):
    return float(values.std(ddof=1) / np.sqrt(len(values)))


if __name__ == '__main__':
    program.run(main)
