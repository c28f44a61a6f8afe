r"""Trains a model on a data set; leaves a run directory with a SavedModel and samples.

    python -m zoo.train --model=glow --dataset=digits --workdir=runs/glow_digits

Every hyper-parameter of the recipe is a flag: those of the training, and those of the model that
--model names. The run directory gets config.json, metrics.csv, TensorBoard events,
checkpoints, samples.png, test.json and saved_model/1; that of a VAE gets reconstructions.png as
well.
"""

import dataclasses
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from absl import flags

from zoo import data as zoo_data
from zoo.cli import (
    errors,
    evaluation_flags,
    flagfiles,
    help_text,
    number_flags,
    program,
    ranges,
    recipe_flags,
    source_flags,
)
from zoo.data import dataset_names, densities
from zoo.models import recipe, registry
from zoo.models.spec import ModelSpec

if TYPE_CHECKING:
    from zoo.evaluation.family import Family
    from zoo.runs.directory import Directory
    from zoo.runs.run import Run

_DEFAULT = 'glow'
_MODEL = flags.DEFINE_string('model', _DEFAULT, 'Name of the model, see below.')
_DATASET = flags.DEFINE_string('dataset', None, 'Name or path of the data set, see below.')
_RECIPE = flags.DEFINE_string(
    'recipe', None, 'Named hyper-parameters, see below. Default: the data set\'s own, else small '
    '(vectors for vectors).')
_WORKDIR = flags.DEFINE_string(
    'workdir', None, 'Run directory: new, or with --resume an interrupted run\'s.')
_DATA_DIR = source_flags.data_dir()
_PAD = flags.DEFINE_bool('pad', False, 'Pad images whose sides the model does not divide.')
_FLIPS = flags.DEFINE_bool('flips', None, 'Mirror half of the training images. Default: where the '
                           'data set suits it.')
_RESUME = flags.DEFINE_bool('resume', False, 'Go on with the run in --workdir.')
_STOP_AFTER = number_flags.integer('stop_after', None,
                                   'Stop after this epoch, to be resumed later.')
_SAMPLE_IMAGES = number_flags.integer('sample_images', 64, 'Images in samples.png.')
_SAMPLE_TEMPERATURE = number_flags.number(
    'sample_temperature', None, 'Temperature of the samples in samples.png. Default: .7; of VAEs '
    '1.')
_IMPORTANCE_SAMPLES = evaluation_flags.importance_samples()
_VERBOSE = number_flags.integer('verbose', 1, 'Progress: 0 none, 1 a bar, 2 a line per epoch.',
                                ranges.Range(0, 2))

_RUN_FLAGS = ('model', 'recipe', 'workdir', 'resume', 'stop_after', 'sample_images',
              'sample_temperature', 'importance_samples', 'verbose')
_DATA_FLAGS = ('dataset', 'data_dir', 'pad', 'flips', *recipe.DATA_FIELDS)
_EXAMPLES = '''
python -m zoo.train --dataset=digits --workdir=runs/glow_digits
python -m zoo.train --model=maf --dataset=table.csv --hidden=64,64 --workdir=runs/table
'''


def main(argv: list[str]) -> None:
    """Trains the model, evaluates it, exports it and draws samples."""
    del argv
    dataset, workdir = program.required(_DATASET), program.required(_WORKDIR)
    vectors = zoo_data.is_vectors(dataset)
    chosen = registry.recipe(_MODEL.value, _RECIPE.value, dataset, vectors)
    config = recipe_flags.overridden(chosen.config)
    recipe_flags.check_used(config)
    _check_flags(vectors, config)
    training = recipe_flags.overridden(chosen.training)
    zoo_data.check(dataset, _DATA_DIR.value)
    program.start_tensorflow()
    from zoo.evaluation import families, results  # Late: a wrong flag is reported at once.
    from zoo.runs import opening, run
    from zoo.runs.directory import Directory
    made = run.Run(_MODEL.value, dataset, chosen.name, _PAD.value, _FLIPS.value, config,
                   training, _absolute(_DATA_DIR.value))
    data = made.load_data()
    fitted = chosen.fitted(data.sizes['train'], flags.FLAGS['batch_size'].value)
    made = dataclasses.replace(made, training=recipe_flags.overridden(fitted.training))
    with program.naming_flags():
        model = made.build(data)
    if _STOP_AFTER.value is not None and _STOP_AFTER.value > made.training.epochs:
        raise errors.UsageError(f'--stop_after must be at most --epochs, {made.training.epochs}; '
                                f'got {_STOP_AFTER.value}.')
    family = families.family_of(run.Trained(made, data, model), program.given())
    directory = Directory(workdir)
    directory.create_or_resume(made, _RESUME.value)
    print(data.describe())
    seconds = _train(family, directory)
    if seconds is not None:
        trained = opening.restored(made, data, directory)  # Which computes in float32.
        results.write_results(families.family_of(trained), directory, seconds,
                              _SAMPLE_IMAGES.value, _SAMPLE_TEMPERATURE.value,
                              _IMPORTANCE_SAMPLES.value)


def _train(family: 'Family', directory: 'Directory') -> float | None:
    """Trains what is left of a run; returns the seconds that all epochs took, or None.

    It is None if the run is to be resumed later.
    """
    from zoo.runs import callbacks
    trained, run, data = family.trained, family.run, family.data
    manager = directory.checkpoints(trained.model)
    done = directory.restore(manager)
    directory.keep_metrics(done)
    training = run.training
    if _STOP_AFTER.value is not None and _STOP_AFTER.value < done:
        raise errors.UsageError(f'--stop_after must be at least the {done} epochs that are done; '
                                f'got {_STOP_AFTER.value}.')
    last = min(training.epochs, _STOP_AFTER.value or training.epochs)
    if done < last:
        batches = data.train(training.batch_size, training.seed, epoch=done, repeat=True,
                             labels=run.conditional)
        trained.model.fit(
            batches, epochs=last, initial_epoch=done,
            steps_per_epoch=data.steps_per_epoch(training.batch_size), verbose=_VERBOSE.value,
            shuffle=False,  # The data are shuffled already, by seed and epoch.
            validation_data=data.evaluation('validation', 250, labels=run.conditional),
            callbacks=callbacks.for_run(trained, directory, manager, family.watch(),
                                        _announcement(run, done)))
    if last < training.epochs:
        print(f'stopped after epoch {last} of {training.epochs}; go on with --resume.')
        return None
    return float(manager.checkpoint.seconds)


def _announcement(run: 'Run', done: int) -> Callable[[str], None] | None:
    """Returns a function that says that the small recipe is used, and how long it takes.

    It is None for a run with another recipe, or one that the user chose, or one that is resumed.
    """
    if _RECIPE.value is not None or run.recipe not in ('small', 'vectors') or done:
        return None
    training = run.training
    return lambda duration: print(
        f'\nrecipe: {run.recipe}, since {run.dataset} has none of its own: {duration} for '
        f'{training.epochs} epochs in batches of {training.batch_size}; --recipe=paper follows '
        'the paper.', flush=True)


def _check_flags(vectors: bool, config: Any) -> None:
    """Checks that the flags suit each other, as far as that needs no TensorFlow.

    Args:
        vectors: Whether the data are vectors.
        config: The hyper-parameters of the model.

    Raises:
        UsageError: If they do not.
    """
    spec = registry.spec(_MODEL.value)
    if vectors and not spec.vectors:
        raise errors.UsageError(f'--dataset must be one of images for --model={spec.name}; '
                                f'got {_DATASET.value!r}.')
    if vectors:
        program.refuse('for vectors', 'pad', 'flips', 'data_dir', *recipe.DATA_FIELDS, *(
            f.name for f in dataclasses.fields(config) if f.metadata['images_only']))


def _absolute(path: str | None) -> str | None:
    return None if path is None else os.path.abspath(os.path.expanduser(path))


def _define_flags(arguments: list[str]) -> help_text.Help:
    """Defines the flags of the model that the arguments name; returns how help is arranged."""
    names = flagfiles.all_given(arguments, 'model')
    if len(set(names)) > 1:
        raise errors.UsageError('--model must be given one value, in flagfiles and on the command '
                                f'line together; got {" and ".join(dict.fromkeys(names))}.')
    spec = registry.spec(names[0] if names else _DEFAULT)
    dataset = flagfiles.given(arguments, 'dataset') or ''
    chosen = registry.recipe(spec.name, flagfiles.given(arguments, 'recipe'), dataset,
                             zoo_data.is_vectors(dataset))
    for config in (recipe.Training, spec.config):
        kinds = recipe.types(config)
        recipe_flags.define((f, kinds[f.name], recipe.limits_of(f, kinds[f.name]))
                            for f in dataclasses.fields(config))
    training = [f.name for f in dataclasses.fields(recipe.Training)
                if f.name not in recipe.DATA_FIELDS]
    own = [f.name for f in dataclasses.fields(spec.config)]
    defaults = dataclasses.asdict(chosen.config) | dataclasses.asdict(chosen.training)
    if chosen.steps:
        defaults['epochs'] = f'fitted to the data, about {chosen.steps:,} steps in all'
        defaults['batch_size'] = f'{chosen.training.batch_size}, less for few examples'
    return help_text.Help(
        groups={'run': _RUN_FLAGS, 'data': _DATA_FLAGS,
                f'training, with defaults of the recipe {chosen.name}': training,
                f'model {spec.name}, with defaults of the recipe {chosen.name}': own},
        defaults=defaults, conditions=_conditions(spec), notes=_notes(spec),
        explain=lambda name: _explain(spec.name, name))


def _conditions(spec: ModelSpec) -> dict[str, str]:
    """Returns with which other flags each hyper-parameter of a model has a use."""
    return {f.name: recipe.conditions(f) for f in dataclasses.fields(spec.config)}


def _notes(spec: ModelSpec) -> dict[str, str]:
    """Returns the paragraphs of the help below the flags: models, recipes, data sets, examples."""
    models = '\n'.join(f'{other.name:12}{other.about}' for other in registry.MODELS.values())
    data = (f'images:  {", ".join(dataset_names.EMBEDDED)}, or any image data set of '
            'TensorFlow Datasets by its name\n'
            f'vectors: {", ".join(densities.NAMES)}, or the path of a .csv or .npz table')
    return {'models (--model)': models, f'recipes of {spec.name} (--recipe)': ', '.join(
        spec.recipes), 'data sets (--dataset)': data, 'examples': _EXAMPLES}


def _explain(model: str, name: str) -> str | None:
    """Returns what is wrong with a flag that belongs to other models, or None if it does not."""
    models = registry.models_with(name)
    if not models:
        return None
    return (f'--{name} must be left out for --model={model}: it is a flag of '
            f'{", ".join(models)}.')


if __name__ == '__main__':
    program.run(main, define=_define_flags)
