r"""Trains a model on a data set; leaves a run directory with a SavedModel and samples.

    python -m zoo.train --model=glow --dataset=digits --workdir=runs/glow_digits

Every hyper-parameter of the recipe is a flag: those of the training, and those of the model that
--model names. The run directory gets config.json, metrics.csv, TensorBoard events,
checkpoints, samples.png, test.json and saved_model/1; that of a VAE gets reconstructions.png as
well.
"""

import contextlib
import dataclasses
import os
import shlex
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from absl import flags

from zoo import data as zoo_data
from zoo.cli import errors, number_flags, program, ranges, recipe_flags, source_flags
from zoo.models import recipe, registry
from zoo.runs import training_flags
from zoo.runs.settings import SAME_CHECKPOINTS, Settings

if TYPE_CHECKING:
    from zoo.runs.devices import Devices
    from zoo.runs.directory import Directory
    from zoo.runs.run import Run
    from zoo.runs.signals import Stop
    from zoo.runs.state import State

_MODEL = flags.DEFINE_string('model', training_flags.DEFAULT_MODEL, 'Name of the model, see below.')
_DATASET = flags.DEFINE_string('dataset', None, 'Name or path of the data set, see below.')
_RECIPE = flags.DEFINE_string(
    'recipe', None, 'Named hyper-parameters, see below. Default: the data set\'s own, else small '
    '(vectors for vectors).')
_WORKDIR = flags.DEFINE_string(
    'workdir', None, 'Run directory: new, or with --resume one that holds a run.')
_DATA_DIR = source_flags.data_dir()
_PAD = flags.DEFINE_bool('pad', False, 'Pad images whose sides the model does not divide.')
_FLIPS = flags.DEFINE_bool('flips', None, 'Mirror half of the training images. Default: where the '
                           'data set suits it.')
_RESUME = flags.DEFINE_bool(
    'resume', False, 'Go on with the run in --workdir; this needs no other flag. --epochs, the '
    'step size, its schedule and how the run is kept may be changed.')
_OVERWRITE = flags.DEFINE_bool('overwrite', False, 'Remove the run in --workdir and start anew.')
_FROM = flags.DEFINE_string('from', None, 'Start with the weights of this preset or run directory, '
                            'where their shapes agree.')
_STOP_AFTER = number_flags.integer('stop_after', None,
                                   'Stop after this epoch, to be resumed later.')
_VERBOSE = number_flags.integer(
    'verbose', 1, 'Progress: 0 none, 1 a line that tells how far the run is, 2 a line per epoch.',
    ranges.Range(0, 2))


def main(argv: list[str]) -> None:
    """Trains the model, evaluates it, exports it and draws samples."""
    del argv
    workdir = program.required(_WORKDIR)
    if _FROM.value is not None and (not _FROM.value or os.path.realpath(_FROM.value)
                                    == os.path.realpath(workdir)):
        raise errors.UsageError('--from must name a preset or another run directory; '
                                f'got {_FROM.value!r}.')
    if _RESUME.value:
        program.refuse('with --resume', 'overwrite', 'from')
    else:
        _check_flags(*_new_configs()[1:])
    program.start_tensorflow()
    from zoo.runs import signals, workers  # Late: a wrong flag is reported at once.
    from zoo.runs.directory import Directory
    with signals.Stop().installed() as stop, workers.naming_what_is_lost():
        try:
            (_resume if _RESUME.value else _start)(Directory(workdir), stop)
        except signals.Stopped as stopped:
            print(f'\nstopped by {stopped.name}; go on with: python -m zoo.train --resume '
                  f'--workdir={shlex.quote(workdir)}', file=sys.stderr, flush=True)
            sys.exit(stopped.status)


def _start(directory: 'Directory', stop: 'Stop') -> None:
    """Starts a new run."""
    from zoo.evaluation import families
    from zoo.runs import devices, initial_weights, machine, run
    from zoo.runs.state import State, data_of
    chosen, config, training, settings = _new_configs()
    config, settings = machine.resolved(
        config, training, settings, chosen.towers, program.is_given('towers'))
    used = devices.make(settings)
    with used.together():
        if used.is_chief:
            directory.check_new(_OVERWRITE.value)
        made = run.Run(_MODEL.value, program.required(_DATASET), chosen.name, _PAD.value,
                       _FLIPS.value, config, training, _absolute(_DATA_DIR.value), settings,
                       folder=os.getcwd())
        data = made.load_data()
        fitted = chosen.fitted(data.sizes['train'], flags.FLAGS['batch_size'].value)
        made = dataclasses.replace(made, training=recipe_flags.overridden(fitted.training))
        made = machine.fitted(made, program.is_given('towers'))
    _check_alike(used, made)
    model = _build(made, data, used)
    families.family_of(run.Trained(made, data, model), program.given())  # Refuses flags.
    with used.together():
        if _FROM.value is not None:
            made = dataclasses.replace(made, start=initial_weights.take_from(
                _FROM.value, made, model))
        owned = (directory.create(made, _OVERWRITE.value) if used.is_chief
                 else contextlib.ExitStack())
    with owned:
        _prepare(model, made, data)
        _go_on(run.Trained(made, data, model), directory, used, stop, State(data=data_of(data)))


def _resume(directory: 'Directory', stop: 'Stop') -> None:
    """Goes on with the run of a directory."""
    from zoo.evaluation import families
    from zoo.runs import devices, opening, optimizer, resumption, run
    from zoo.runs.state import State, data_of
    made, changes = _changed(directory.read())
    used = devices.make(made.settings)
    with used.together():
        data = made.load_data()
        owned = directory.own() if used.is_chief else contextlib.ExitStack()
    with owned:
        _check_alike(used, made)
        model = _build(made, data, used)
        families.family_of(run.Trained(made, data, model), program.given())  # Refuses flags.
        with used.together():
            state = opening.resumed(model, directory, lambda line: print(line, flush=True),
                                    used.is_chief)
        used.check_equal(SAME_CHECKPOINTS, {'step': state.step if state else None})
        if state is None:
            print('no checkpoint was written yet: the run starts from the beginning.')
            _prepare(model, made, data)
            state = State()
        present = data_of(data)
        resumption.check(made, changes, state, present, _STOP_AFTER.value)
        state.data = present
        if 'learning_rate' in changes:
            state.halvings = 0  # The new one is taken as it is.
            optimizer.halve(model.optimizer, 0)
        if used.is_chief:
            resumption.keep_changes(directory, made, changes, state)
        _go_on(run.Trained(made, data, model), directory, used, stop, state)


def _check_alike(used: 'Devices', made: 'Run') -> None:
    """Checks that all workers were given the same flags, apart from where they find the data."""
    values = {**made.portable().to_json(), 'resume': _RESUME.value, 'from': _FROM.value,
              'stop_after': _STOP_AFTER.value}
    used.check_equal('be given the same flags', values)


def _build(made: 'Run', data: Any, used: 'Devices') -> Any:
    """Returns the compiled model of a run on its devices."""
    used.check(made.training)
    with program.naming_flags(), used.scope():
        model = made.build(data)
        model.towers = int(made.settings.towers)
    if _STOP_AFTER.value is not None and _STOP_AFTER.value > made.training.epochs:
        raise errors.UsageError(f'--stop_after must be at most --epochs, {made.training.epochs}; '
                                f'got {_STOP_AFTER.value}.')
    return model


def _prepare(model: Any, made: 'Run', data: Any) -> None:
    """Sets what depends on data in a model that was not trained yet."""
    model.prepare(data.train(made.training.batch_size, made.training.seed,
                             labels=made.conditional))


def _go_on(trained: Any, directory: 'Directory', used: 'Devices', stop: 'Stop',
           state: 'State') -> None:
    """Trains what is left of a run; then writes its results, unless they are there."""
    from zoo.evaluation import families
    from zoo.runs import snapshot, training
    from zoo.runs.progress import Progress
    made, data, model = trained.run, trained.data, trained.model
    family = families.family_of(trained)
    last = min(made.training.epochs, _STOP_AFTER.value or made.training.epochs)
    if used.is_chief:
        print(data.describe(), flush=True)
    batch_size = made.training.batch_size
    progress = Progress(_VERBOSE.value if used.is_chief else 0, last,
                        data.steps_per_epoch(batch_size), batch_size, data.examples,
                        _announcement(made, state.step) if used.is_chief else None)
    if used.workers > 1:
        used.check_equal('begin with the same weights', {'checksum': snapshot.checksum(model)})
    loop = training.Training(trained, used, directory, family.watch(), stop, progress, state)
    loop.go_on(last)
    if used.is_chief:
        _finish(trained, loop, directory, last)
    if stop.is_asked_for:  # The results are there.
        stop.now()


def _finish(trained: Any, loop: Any, directory: 'Directory', last: int) -> None:
    """Writes the results of a run that is over, unless they are there; says why it stopped."""
    from zoo.evaluation import families, results
    from zoo.runs import opening, resumption
    made, state = trained.run, loop.state
    if loop.has_stopped_early:
        print(f'stopped early after epoch {state.epoch}: {made.training.early_stopping} epochs '
              f'without a better figure than epoch {state.best.epoch if state.best else 0} has.')
    elif last < made.training.epochs:
        print(f'stopped after epoch {last} of {made.training.epochs}; go on with --resume.')
        return
    if resumption.results_of(directory) is not None:
        print(f'the run has ended after epoch {state.epoch}, and its results are there; --epochs '
              f'{"and --early_stopping=0 train" if loop.has_stopped_early else "trains"} longer.')
        return
    opened = opening.restored(made, trained.data, directory)  # Which computes in float32.
    opened.model.towers = trained.model.towers
    results.write_results(families.family_of(opened), directory, state)


def _changed(kept: 'Run') -> tuple['Run', dict[str, list[Any]]]:
    """Returns a run with the flags that were given, and `{name: [old, new]}` of what they change.

    Raises:
        UsageError: If they change what a run cannot change.
    """
    from zoo.runs import machine
    from zoo.runs.directory import differences
    values: dict[str, Any] = {'model': _MODEL.value, 'dataset': _DATASET.value,
                              'recipe': _RECIPE.value, 'pad': _PAD.value, 'flips': _FLIPS.value,
                              'data_dir': _absolute(_DATA_DIR.value)}
    given = {name: value for name, value in values.items() if program.is_given(name)}
    parts = {name: recipe_flags.overridden(getattr(kept, name))
             for name in ('config', 'training', 'settings')}
    for part in parts.values():
        recipe_flags.check_used(part)
    own = registry.spec(kept.model).recipes.get(kept.recipe)
    parts['config'], parts['settings'] = machine.resolved(
        **parts, gains=own is not None and own.towers, is_given=program.is_given('towers'))
    made = machine.fitted(dataclasses.replace(kept, **given, **parts), program.is_given('towers'))
    changes = differences(kept.to_json(), made.to_json())
    may_change = {*recipe.CHANGEABLE, 'data_dir', *(f.name for f in dataclasses.fields(Settings))}
    refused = [f'{name} ({old} there, {new} asked for)'
               for name, (old, new) in changes.items() if name not in may_change]
    if refused:
        raise errors.UsageError(f'--workdir must hold the same model and data; {_WORKDIR.value!r} '
                                f'differs in {", ".join(refused)}.')
    return made, changes


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


def _new_configs() -> tuple[recipe.Recipe, Any, recipe.Training, Settings]:
    """Returns the recipe of a new run, and what the flags make of it and of the settings."""
    dataset = program.required(_DATASET)
    chosen = registry.recipe(_MODEL.value, _RECIPE.value, dataset, zoo_data.is_vectors(dataset))
    return (chosen, recipe_flags.overridden(chosen.config),
            recipe_flags.overridden(chosen.training), recipe_flags.overridden(Settings()))


def _check_flags(config: Any, training: recipe.Training, settings: Settings) -> None:
    """Checks that the flags suit each other, as far as that needs no TensorFlow.

    Args:
        config: The hyper-parameters of the model.
        training: Those of its training.
        settings: How the run is kept.

    Raises:
        UsageError: If they do not.
    """
    for part in (config, training, settings):
        recipe_flags.check_used(part)
    dataset = program.required(_DATASET)
    vectors, spec = zoo_data.is_vectors(dataset), registry.spec(_MODEL.value)
    if vectors and not spec.vectors:
        raise errors.UsageError(f'--dataset must be one of images for --model={spec.name}; '
                                f'got {_DATASET.value!r}.')
    if vectors:
        program.refuse('for vectors', 'pad', 'flips', 'data_dir', *recipe.DATA_FIELDS, *(
            f.name for f in dataclasses.fields(config) if f.metadata['images_only']))
    zoo_data.check(dataset, _DATA_DIR.value)


def _absolute(path: str | None) -> str | None:
    return None if path is None else os.path.abspath(os.path.expanduser(path))


if __name__ == '__main__':
    program.run(main, define=training_flags.define)
