r"""Evaluates a run or a preset: likelihood on a split with its standard error, and the round trip.

Of a VAE: the ELBO and, with --importance_samples, the importance-weighted bound; no round trip.

    python -m zoo.evaluate --workdir=runs/glow_digits

Prints one figure a line and writes evaluation.json into the run directory, if it is one.
"""

import json
import time

from absl import flags

from zoo.cli import errors, program

FLAGS = flags.FLAGS
flags.DEFINE_string('workdir', None, 'Run directory of zoo.train, or give --preset.')
flags.DEFINE_string('preset', None, 'Name or folder of a preset.')
flags.DEFINE_string('data_dir', None, 'Where TFDS finds prepared data sets.')
flags.DEFINE_enum('split', 'test', ['train', 'validation', 'test'], 'Split to evaluate on.')
flags.DEFINE_integer('draws', 1, 'Draws per image, averaged: of the dequantization noise, or of '
                                 'a VAE\'s latents.')
flags.DEFINE_integer('importance_samples', None, 'Also evaluate a VAE by the importance-weighted '
                                                 'bound of so many samples.')
flags.DEFINE_integer('limit', None, 'Evaluate on the first images only.')
flags.DEFINE_integer('round_trip_images', 256, 'Test images of the round trip.')

_LIMIT = 1e-3  # Of the pixel range.


def main(_):
    """Evaluates the averaged weights of the newest checkpoint, in float32."""
    for name in ('draws', 'limit', 'round_trip_images', 'importance_samples'):
        if FLAGS[name].value is not None and FLAGS[name].value < 1:
            raise errors.UsageError(f'--{name} must be at least 1; got {FLAGS[name].value}.')
    from zoo.evaluation import metrics, results, vae_results
    from zoo.runs import run as runs
    run, data, model = runs.opened(FLAGS.workdir, FLAGS.preset, FLAGS.data_dir)
    vae_results.check_samples(run, FLAGS.importance_samples)
    print(data.describe())
    start = time.time()
    result = results.figures(run, data, model, FLAGS.split, FLAGS.draws, FLAGS.limit,
                             FLAGS.importance_samples)
    print(f'{FLAGS.split} {results.in_words(result)}; averaged weights; seed {run.training.seed}; '
          f'{time.time() - start:.0f} s')
    count = min(FLAGS.round_trip_images, data.sizes[FLAGS.split])
    trips = {} if run.is_vae else metrics.round_trip_errors(
        model, *run.examples(data, FLAGS.split, count))
    for kind, largest in trips.items():
        verdict = 'within' if largest is not None and largest <= _LIMIT else 'BEYOND'
        print(f'round trip, {kind}: largest error {metrics.in_words(largest)} of the pixel '
              f'range, {verdict} {_LIMIT:g}')
    result['round_trip'] = trips
    if FLAGS.workdir:
        runs.write_atomically(runs.Directory(FLAGS.workdir).path / 'evaluation.json',
                              json.dumps(result, indent=2) + '\n')


if __name__ == '__main__':
    program.run(main)
