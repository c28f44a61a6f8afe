r"""Evaluates a run or a preset: likelihood on a split with its standard error, and the round trip.

Of a VAE, it evaluates the ELBO and, with --importance_samples, the importance-weighted bound; there
is no round trip.

    python -m zoo.evaluate --workdir=runs/glow_digits

It prints one figure on each line and writes evaluation.json into the run directory, if it is one.
"""

import pathlib
import time

from absl import flags

from zoo.cli import evaluation_flags, files, number_flags, program, source_flags
from zoo.runs import preset_folder

_WORKDIR, _PRESET, _DATA_DIR = source_flags.define()
_SPLIT = flags.DEFINE_enum('split', 'test', ['train', 'validation', 'test'],
                           'Split to evaluate on.')
_DRAWS = evaluation_flags.draws()
_IMPORTANCE_SAMPLES = evaluation_flags.importance_samples()
_TOWERS = evaluation_flags.towers()
_LIMIT = number_flags.integer('limit', None, 'Evaluate on the first images only.')
_ROUND_TRIP_IMAGES = number_flags.integer('round_trip_images', 256,
                                          'Images of the split for the round trip.')

_GOOD = 1e-3  # Of the pixel range: the largest error of a round trip that is called good.


def main(argv: list[str]) -> None:
    """Evaluates the averaged weights of the epoch that the run selects, in float32."""
    del argv
    preset_folder.check_source(_WORKDIR.value, _PRESET.value)
    program.start_tensorflow()
    from zoo.evaluation import families, metrics  # Late: a wrong flag is reported at once.
    from zoo.runs import machine, opening
    towers = machine.for_evaluation(_TOWERS.value)
    trained = opening.open_run_or_preset(_WORKDIR.value, _PRESET.value, _DATA_DIR.value)
    trained.model.towers = towers
    family = families.family_of(trained, program.given())
    data = trained.data
    print(data.describe())
    start = time.time()
    figures = family.figures(_SPLIT.value, _DRAWS.value, _LIMIT.value, _IMPORTANCE_SAMPLES.value)
    print(f'{_SPLIT.value} {family.format_figures(figures)}; averaged weights; '
          f'seed {trained.run.training.seed}; {time.time() - start:.0f} s')
    trips = family.round_trips(_SPLIT.value,
                               min(_ROUND_TRIP_IMAGES.value, data.sizes[_SPLIT.value]))
    for kind, largest in trips.items():
        verdict = 'within' if largest is not None and largest <= _GOOD else 'BEYOND'
        print(f'round trip, {kind}: largest error {metrics.format_error(largest)} of the pixel '
              f'range, {verdict} {_GOOD:g}')
    if _WORKDIR.value:
        files.write_json(pathlib.Path(_WORKDIR.value) / 'evaluation.json',
                         dict(figures, round_trip=trips))


if __name__ == '__main__':
    program.run(main)
