r"""Diagnoses a run: a table of its flow's layers, and warnings of what is numerically bad.

Of a VAE: the collapse report, active units and the divergence of each channel of the latents.

    python -m zoo.diagnose --workdir=runs/glow_digits

Prints what `tfp_glow.diagnose` or `zoo.collapse` finds on a batch of images and writes
diagnosis.json into the run directory. The exit status is 0 with warnings too.
"""

import json

from absl import flags

from zoo.cli import errors, program

FLAGS = flags.FLAGS
flags.DEFINE_string('workdir', None, 'Run directory of zoo.train.')
flags.DEFINE_string('data_dir', None, 'Where TFDS finds prepared data sets.')
flags.DEFINE_enum('split', 'validation', ['train', 'validation', 'test'], 'Split of the images.')
flags.DEFINE_integer('images', None, 'The first images of the split are looked at. Default: 64; '
                                     'of VAEs 1000 or all.')
flags.DEFINE_integer('draws', 64, 'Draws of a VAE\'s posterior for each of them, an even number.')

_NOISE_SEED = [0, 0]  # Of the dequantization.
_FLOW_IMAGES, _VAE_IMAGES = 64, 1000


def main(_):
    """Diagnoses the averaged weights of the newest checkpoint, in float32."""
    program.require('workdir')
    if FLAGS.images is not None and FLAGS.images < 1:
        raise errors.UsageError(f'--images must be at least 1; got {FLAGS.images}.')
    if FLAGS.draws < 2 or FLAGS.draws % 2:
        raise errors.UsageError(f'--draws must be even and at least 2; got {FLAGS.draws}.')
    import tfp_glow  # Late, so that a wrong flag is reported at once.
    from zoo.evaluation import posterior_collapse
    from zoo.runs import run as runs
    run, data, model = runs.load(FLAGS.workdir, FLAGS.data_dir)
    size = data.sizes[FLAGS.split]
    count = FLAGS.images or (min(_VAE_IMAGES, size) if run.is_vae else _FLOW_IMAGES)
    least = 2 if run.is_vae else 1
    if not least <= count <= size:
        raise errors.UsageError(f'--images must be at least {least} and at most the {size} of '
                                f'--split={FLAGS.split}; got {count}.')
    images, labels = run.examples(data, FLAGS.split, count)
    with model.averaged_weights():
        if run.is_vae:
            found = posterior_collapse.report(model.vae, images, FLAGS.draws)
            text = posterior_collapse.text(found)
        else:
            text = tfp_glow.diagnose(model.flow, model.to_data(images, _NOISE_SEED), labels)
            found = text.to_dict()
    print(data.describe())
    print(f'the first {len(images)} examples of {data.splits[FLAGS.split]}; averaged weights\n')
    print(text)
    result = {'split': data.splits[FLAGS.split], 'images': len(images), **found}
    runs.write_atomically(runs.Directory(FLAGS.workdir).path / 'diagnosis.json',
                          json.dumps(result, indent=2, allow_nan=False) + '\n')


if __name__ == '__main__':
    program.run(main)
