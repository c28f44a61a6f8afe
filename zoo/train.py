r"""Trains a model on a data set; leaves a run directory with a SavedModel and samples.

    python -m zoo.train --model=glow --dataset=digits --workdir=runs/glow_digits

Every hyper-parameter of the recipe is a flag. The run directory gets config.json, metrics.csv,
TensorBoard events, checkpoints, samples.png, test.json and saved_model/1; that of a VAE
reconstructions.png as well.
"""

from absl import flags

from zoo.cli import errors, program
from zoo.models import recipe, registry

FLAGS = flags.FLAGS
flags.DEFINE_string('model', 'glow', 'Name of the model.')
flags.DEFINE_string('dataset', None, 'digits, photo_patches, or any TFDS image data set.')
flags.DEFINE_string('recipe', None, 'Named hyper-parameters; by default the data set\'s.')
flags.DEFINE_string('workdir', None, 'Run directory: new, or with --resume an interrupted run\'s.')
flags.DEFINE_string('data_dir', None, 'Where TFDS finds and keeps prepared data sets.')
flags.DEFINE_bool('pad', False, 'Pad images whose sides the model does not divide.')
flags.DEFINE_bool('flips', None, 'Mirror half of the training images; default: where it suits.')
flags.DEFINE_bool('resume', False, 'Go on with the run in --workdir.')
flags.DEFINE_integer('stop_after', None, 'Stop after this epoch, to be resumed later.')
flags.DEFINE_integer('sample_images', 64, 'Images in samples.png.')
flags.DEFINE_float('sample_temperature', None, 'Their temperature. Default: .7; of VAEs 1.')
flags.DEFINE_integer('importance_samples', None, 'Also evaluate a VAE by the importance-weighted '
                                                 'bound of so many samples.')
flags.DEFINE_integer('verbose', 1, 'Progress: 0 none, 1 a bar, 2 a line per epoch.')
recipe.define_flags(recipe.Training, *(m.Config for m in registry.MODELS.values()))


def main(_):
    """Trains, evaluates, exports, samples."""
    program.require('dataset', 'workdir')
    from zoo.evaluation import vae_results
    from zoo.runs import run as runs
    name, config, training = registry.recipe(FLAGS.model, FLAGS.recipe, FLAGS.dataset)
    training = recipe.overridden(training)
    training.check()
    for flag, least in (('sample_images', 1), ('sample_temperature', 0), ('stop_after', 1),
                        ('importance_samples', 1)):
        if FLAGS[flag].value is not None and not FLAGS[flag].value >= least:
            raise errors.UsageError(f'--{flag} must be at least {least}; got {FLAGS[flag].value}.')
    run = runs.Run(FLAGS.model, FLAGS.dataset, name, FLAGS.pad, FLAGS.flips,
                   recipe.overridden(config), training)
    vae_results.check_samples(run, FLAGS.importance_samples)
    data = run.load_data(FLAGS.data_dir)
    with program.naming_flags():
        model = run.build(data)
    directory = runs.Directory(FLAGS.workdir)
    directory.claim(run, FLAGS.resume)
    print(data.describe())
    seconds = _train(run, data, model, directory)
    if seconds is not None:
        from zoo.evaluation import results
        trained = runs.restored(run, data, directory)  # Which computes in float32.
        results.leave(run, data, trained, directory, seconds, FLAGS.sample_images,
                      results.temperature(run, FLAGS.sample_temperature),
                      FLAGS.importance_samples)


def _train(run, data, model, directory):
    """Trains what is left of the run; the seconds that all its epochs took, if they are done."""
    from zoo.runs import callbacks
    from zoo.runs import run as runs
    manager = directory.checkpoints(model)
    done = runs.restore(manager, directory)
    directory.keep_metrics(done)
    training = run.training
    last = min(training.epochs, FLAGS.stop_after or training.epochs)
    if done < last:
        batches = data.train(training.batch_size, training.seed, epoch=done, repeat=True,
                             labels=run.conditional)
        model.fit(
            batches.map(run.prepare), epochs=last, initial_epoch=done,
            steps_per_epoch=data.steps_per_epoch(training.batch_size), verbose=FLAGS.verbose,
            shuffle=False,  # The data are shuffled, by seed and epoch.
            validation_data=data.evaluation(
                'validation', 250, labels=run.conditional).map(run.prepare),
            callbacks=callbacks.for_run(run, data, model, directory, manager))
    if last < training.epochs:
        print(f'stopped after epoch {last} of {training.epochs}; go on with --resume.')
        return None
    return float(manager.checkpoint.seconds)


if __name__ == '__main__':
    program.run(main)
