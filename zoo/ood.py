r"""Out-of-distribution report: how a model sees images that it was not trained on.

    python -m zoo.ood --preset=glow_fashion_mnist --against=mnist,constant,noise --out=reports/ood

It compares test images of the model's own data with those of other data sets and with synthetic
ones: by bits/dim, by the typicality test, by the likelihood ratio to a compressor or to a
background model, and by the area under the ROC curve of each of these as a detector. It prints a
table, and says so if the model likes the others better. It writes report.json, report.md,
histograms.png and bits_map.png into the folder --out.
"""

import pathlib

from absl import flags

from zoo.cli import errors, evaluation_flags, files, number_flags, program, ranges, source_flags
from zoo.runs import preset_folder

GROUPS = (1, 10)  # Images that the typicality test sees together.

_WORKDIR, _PRESET, _DATA_DIR = source_flags.define('Name or folder of the preset to look at.')
_AGAINST = flags.DEFINE_list(
    'against', None, 'With commas: data sets whose images have the size and levels of the '
    'model\'s, and noise, constant, smooth, inverted, shuffled_pixels.')
_IMAGES = number_flags.integer(
    'images', 1000, 'At most so many images of each split and data set.',
    ranges.Range(max(GROUPS), ranges.LARGEST_INTEGER))
_BACKGROUND = flags.DEFINE_string('background', None,
                                  'Preset or run directory of a background model.')
_COMPRESSOR = flags.DEFINE_enum('compressor', 'png', ['png', 'zlib', 'lzma'],
                                'Compressor of the ratio.')
_TOWERS = evaluation_flags.towers()
_OUT = flags.DEFINE_string('out', None, 'Folder to make; must be new.')


def main(argv: list[str]) -> None:
    """Compares the images by the averaged weights in float32, and writes the report."""
    del argv
    out, against = _check_flags()
    program.start_tensorflow()
    from zoo.outliers import comparison, likelihoods, plots, report  # Late: they need TensorFlow.
    from zoo.runs import machine, opening
    towers = machine.for_evaluation(_TOWERS.value)
    trained = opening.open_run_or_preset(_WORKDIR.value, _PRESET.value, _DATA_DIR.value)
    trained.model.towers = towers
    comparison.check_model(trained, 'preset' if _PRESET.value else 'workdir', max(GROUPS))
    background = _BACKGROUND.value and comparison.open_background(
        trained, _BACKGROUND.value, _DATA_DIR.value)
    kinds = comparison.own_images(trained, _IMAGES.value)
    kinds |= {name: comparison.other_images(trained, name, kinds['test'], _IMAGES.value,
                                            max(GROUPS), _DATA_DIR.value)
              for name in against}
    likelihood = likelihoods.ImageLikelihood(trained.model, trained.classes)
    bits = {name: likelihood.bits_per_dim(images) for name, images in kinds.items()}
    shown = ('test', *against)
    others = {name: background.bits_per_dim(kinds[name]) for name in shown} if background else None
    try:
        result = report.make(trained, kinds, bits, GROUPS, _COMPRESSOR.value, others)
    except ValueError as error:
        raise errors.Failure(f'the model fails on its own data: {error}') from None
    text = report.text(result)
    print(text)
    out.mkdir(parents=True)
    files.write_json(out / 'report.json', result)
    files.write_whole(out / 'report.md', text + report.PICTURES)
    plots.histograms(out / 'histograms.png', {name: bits[name] for name in shown})
    plots.maps(out / 'bits_map.png', {
        name: (kinds[name], likelihood.bits_per_pixel(kinds[name][:plots.SHOWN]))
        for name in shown}, trained.model.bins)
    print(f'report: {out}')


def _check_flags() -> tuple[pathlib.Path, list[str]]:
    """Checks the flags; returns the folder to make, and the names of the images to compare with."""
    out = program.required(_OUT)
    names = _AGAINST.value or []
    if not all(names) or not names or len(set(names)) < len(names) or (
            {'train', 'validation', 'test'} & set(names)):
        raise errors.UsageError('--against must be names of data sets or kinds, each once; got '
                                f'{",".join(names)!r}.')
    preset_folder.check_source(_WORKDIR.value, _PRESET.value)
    return files.check_new_folder(out), names


if __name__ == '__main__':
    program.run(main)
