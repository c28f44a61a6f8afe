r"""Diagnoses a run: a table of its flow's layers, and warnings of what is numerically bad.

    python -m zoo.diagnose --workdir=runs/glow_digits

Prints what `tfp_glow.diagnose` finds on a batch of images and writes diagnosis.json into the run
directory. The exit status is 0 with warnings too.
"""

import json

from absl import flags

from zoo import errors, program

FLAGS = flags.FLAGS
flags.DEFINE_string('workdir', None, 'Run directory of zoo.train.')
flags.DEFINE_string('data_dir', None, 'Where TFDS finds prepared data sets.')
flags.DEFINE_enum('split', 'validation', ['train', 'validation', 'test'], 'Split of the images.')
flags.DEFINE_integer('images', 64, 'The first images of the split are the batch.')

_NOISE_SEED = [0, 0]  # Of the dequantization.


def main(_):
    """Diagnoses the averaged weights of the newest checkpoint, in float32."""
    program.require('workdir')
    if FLAGS.images < 1:
        raise errors.UsageError(f'--images must be at least 1; got {FLAGS.images}.')
    import tfp_glow  # Late, so that a wrong flag is reported at once.
    from zoo import runs
    run, data, model = runs.load(FLAGS.workdir, FLAGS.data_dir)
    size = data.sizes[FLAGS.split]
    if FLAGS.images > size:
        raise errors.UsageError(f'--images must be at most the {size} of --split={FLAGS.split}; '
                                f'got {FLAGS.images}.')
    images, labels = run.examples(data, FLAGS.split, FLAGS.images)
    with model.averaged_weights():
        diagnosis = tfp_glow.diagnose(model.flow, model.to_data(images, _NOISE_SEED), labels)
    print(data.describe())
    print(f'the first {len(images)} examples of {data.splits[FLAGS.split]}; averaged weights\n')
    print(diagnosis)
    result = {'split': data.splits[FLAGS.split], 'images': len(images), **diagnosis.to_dict()}
    runs.write_atomically(runs.Directory(FLAGS.workdir).path / 'diagnosis.json',
                          json.dumps(result, indent=2, allow_nan=False) + '\n')


if __name__ == '__main__':
    program.run(main)
