r"""Out-of-distribution report: how a model sees images that it was not trained on.

    python -m zoo.ood --preset=glow_fashion_mnist --against=mnist,constant,noise --out=reports/ood

Compares test images of the model's own data with those of other data sets and with synthetic ones:
bits/dim, the typicality test, the likelihood ratio to a compressor or to a background model, the
area under the ROC curve of each as a detector. Prints a table, and says so when the model likes the
others better. Leaves report.json, report.md, histograms.png and bits_map.png in the folder --out.
"""

import contextlib
import dataclasses
import json
import pathlib
import re

from absl import flags

from zoo.cli import errors, program

FLAGS = flags.FLAGS
flags.DEFINE_string('preset', None, 'Name or folder of the preset to look at.')
flags.DEFINE_string('workdir', None, 'Or the run directory of zoo.train.')
flags.DEFINE_string('data_dir', None, 'Where TFDS finds prepared data sets.')
flags.DEFINE_list('against', None, 'With commas: data sets whose images have the size and levels '
                  'of the model\'s, and noise, constant, smooth, inverted, shuffled_pixels.')
flags.DEFINE_integer('images', 1000, 'At most so many images of each split and data set.')
flags.DEFINE_string('background', None, 'Preset or run directory of a background model.')
flags.DEFINE_enum('compressor', 'png', ['png', 'zlib', 'lzma'], 'Compressor of the ratio.')
flags.DEFINE_string('out', None, 'Folder to make; must be new.')

GROUPS = (1, 10)  # Images that the typicality test sees together.


def main(_):
    """Compares, with averaged weights in float32."""
    out = _check_flags()
    # Late: a wrong flag comes first.
    from zoo.outliers import likelihoods
    from zoo.outliers import plots as outlier_plots
    from zoo.outliers import report as outlier_report
    from zoo.runs import run as runs
    run, data, model = runs.opened(FLAGS.workdir, FLAGS.preset, FLAGS.data_dir)
    _check_flow('preset' if FLAGS.preset else 'workdir', run)
    if model.bins is None or min(data.sizes.values()) < max(GROUPS):
        raise errors.UsageError(f'--{"preset" if FLAGS.preset else "workdir"} must be of a model '
                                f'of images, {max(GROUPS)} or more a split; it is one of '
                                f'{data.describe()}')
    background = _background(run, data, model)
    kinds = {split: run.prepare(data.take(split, min(FLAGS.images, data.sizes[split])))
             for split in ('train', 'validation', 'test')}
    kinds |= {name: _images(name, run, data, model, kinds['test']) for name in FLAGS.against}
    likelihood = likelihoods.ImageLikelihood(model, _classes(run, data))
    bits = {name: likelihood.bits_per_dim(images) for name, images in kinds.items()}
    shown = ('test', *FLAGS.against)
    others = background and {name: background.bits_per_dim(kinds[name]) for name in shown}
    try:
        report = outlier_report.make(
            run, data, model, kinds, bits, GROUPS, FLAGS.compressor, others)
    except ValueError as error:
        raise errors.Failure(f'the model fails on its own data: {error}') from None
    text = outlier_report.text(report)
    print(text)
    out.mkdir(parents=True)
    (out / 'report.json').write_text(json.dumps(report, indent=2, allow_nan=False) + '\n')
    (out / 'report.md').write_text(text + outlier_report.PICTURES)
    outlier_plots.histograms(out / 'histograms.png', {name: bits[name] for name in shown})
    outlier_plots.maps(out / 'bits_map.png', {
        name: (kinds[name], likelihood.bits_per_pixel(kinds[name][:outlier_plots.SHOWN]))
        for name in shown}, model.bins)
    print(f'report: {out}')


def _check_flags():
    """The folder to make."""
    program.require('out')
    names = FLAGS.against or []
    if not all(names) or not names or len(set(names)) < len(names) or (
            {'train', 'validation', 'test'} & set(names)):
        raise errors.UsageError('--against must be names of data sets or kinds, each once; got '
                                f'{",".join(names)!r}.')
    if FLAGS.images < max(GROUPS):
        raise errors.UsageError(f'--images must be at least {max(GROUPS)}; got {FLAGS.images}.')
    out = pathlib.Path(FLAGS.out)
    if out.exists():
        raise errors.UsageError(f'--out must be a new folder; {FLAGS.out!r} exists.')
    return out


def _check_flow(flag, run):
    if run.is_vae:
        raise errors.UsageError(f'--{flag} must be of a flow; {run.model} is a VAE.')


def _background(run, data, model):
    """The `ImageLikelihood` of the background model, or None."""
    if not FLAGS.background:
        return None
    from zoo.outliers import likelihoods
    from zoo.runs import run as runs
    # A folder without sums is a run directory.
    path = pathlib.Path(FLAGS.background)
    of_run = path.is_dir() and not (path / 'sha256.json').exists()
    with _naming('background'):
        its_run, its_data, its_model = runs.opened(
            FLAGS.background if of_run else None, None if of_run else FLAGS.background,
            FLAGS.data_dir)
    _check_flow('background', its_run)
    own, other = ((m.bins, tuple(m.flow.event_shape)) for m in (model, its_model))
    if own != other:
        raise errors.UsageError(f'--background must be a model of {own[0]} levels and images '
                                f'{own[1]}; {FLAGS.background!r} is one of {other}.')
    return likelihoods.ImageLikelihood(its_model, _classes(its_run, its_data))


def _classes(run, data):
    return data.num_classes if run.conditional else None


def _images(name, run, data, model, own):
    """Test images of a data set or kind, as the model takes them."""
    from zoo import data as zoo_data  # pylint: disable=g-import-not-at-top
    from zoo.data import synthetic  # pylint: disable=g-import-not-at-top
    if name in synthetic.KINDS:
        return synthetic.make(name, own, model.bins)
    with _naming('against'):
        found = zoo_data.load(name, FLAGS.data_dir, binarize=run.training.binarize)
        wanted, got = ((d.original_shape, d.bins) for d in (data, found))
        if wanted != got:
            raise errors.UsageError(
                f'--against must name images like those of {data.name}, {_size(*wanted)}; '
                f'{name} has {_size(*got)}.')
        if found.sizes['test'] < max(GROUPS):
            raise errors.UsageError(f'--against must name data with {max(GROUPS)} test images or '
                                    f'more; {name} has {found.sizes["test"]}.')
        found = dataclasses.replace(run, dataset=name).load_data(FLAGS.data_dir)  # Which pads.
        return run.prepare(found.take('test', min(FLAGS.images, found.sizes['test'])))


def _size(shape, bins):
    return f'{"x".join(map(str, shape))} with {bins} levels'


@contextlib.contextmanager
def _naming(flag):
    """Within it, what is wrong with a data set, preset or run is said of the flag."""
    try:
        yield
    except errors.UsageError as error:
        raise errors.UsageError(
            re.sub(r'^(--dataset|--workdir|preset)\b', f'--{flag}', str(error))) from None


if __name__ == '__main__':
    program.run(main)
