"""The flags of zoo.train: those of the training, and those of the model that is chosen.

This needs no TensorFlow, so that a wrong flag is reported at once.
"""

import dataclasses

from zoo import data as zoo_data
from zoo.cli import errors, flagfiles, help_text, recipe_flags
from zoo.data import dataset_names, densities
from zoo.models import recipe, registry
from zoo.models.spec import ModelSpec
from zoo.runs import config_file
from zoo.runs.settings import Settings

DEFAULT_MODEL = 'glow'

_RUN_FLAGS = ('model', 'recipe', 'workdir', 'resume', 'overwrite', 'from', 'stop_after', 'verbose',
              *(f.name for f in dataclasses.fields(Settings)))
_DATA_FLAGS = ('dataset', 'data_dir', 'pad', 'flips', *recipe.DATA_FIELDS, 'header')
_EXAMPLES = '''
python -m zoo.train --dataset=digits --workdir=runs/glow_digits
python -m zoo.train --model=maf --dataset=table.csv --hidden=64,64 --workdir=runs/table
'''


def define(arguments: list[str]) -> help_text.Help:
    """Defines the flags of the model that the arguments name; returns how help is arranged.

    With --resume this is the model of the run in --workdir.

    Args:
        arguments: What follows the name of the program, with the flags of flagfiles.

    Raises:
        UsageError: If there is no such model or recipe, or two models are named.
    """
    names = flagfiles.all_given(arguments, 'model')
    if len(set(names)) > 1:
        raise errors.UsageError('--model must be given one value, in flagfiles and on the command '
                                f'line together; got {" and ".join(dict.fromkeys(names))}.')
    if flagfiles.is_set(arguments, 'resume') and flagfiles.given(arguments, 'workdir'):
        spec, chosen = _kept(flagfiles.given(arguments, 'workdir') or '')
    else:
        spec = registry.spec(names[0] if names else DEFAULT_MODEL)
        dataset = flagfiles.given(arguments, 'dataset') or ''
        chosen = registry.recipe(spec.name, flagfiles.given(arguments, 'recipe'), dataset,
                                 zoo_data.is_vectors(dataset))
    for config in (Settings, recipe.Training, spec.config):
        kinds = recipe.types(config)
        recipe_flags.define((f, kinds[f.name], recipe.limits_of(f, kinds[f.name]))
                            for f in dataclasses.fields(config))
    training = [f.name for f in dataclasses.fields(recipe.Training)
                if f.name not in _DATA_FLAGS]
    own = [f.name for f in dataclasses.fields(spec.config)]
    defaults = {**dataclasses.asdict(Settings()), **dataclasses.asdict(chosen.config),
                **dataclasses.asdict(chosen.training)}
    if chosen.steps:
        defaults['epochs'] = f'fitted to the data, about {chosen.steps:,} steps in all'
        defaults['batch_size'] = f'{chosen.training.batch_size}, less for few examples'
    return help_text.Help(
        groups={'run': _RUN_FLAGS, 'data': _DATA_FLAGS,
                f'training, with defaults of the recipe {chosen.name}': training,
                f'model {spec.name}, with defaults of the recipe {chosen.name}': own},
        defaults=defaults, conditions=_conditions(spec), notes=_notes(spec),
        explain=lambda name: _explain(spec.name, name))


def _kept(workdir: str) -> tuple[ModelSpec, recipe.Recipe]:
    """Returns the model of the run in a directory, and its hyper-parameters as a recipe."""
    values = config_file.read(workdir)
    try:
        spec = registry.spec(values['model'])
        return spec, recipe.Recipe(spec.config(**values['config']),
                                   recipe.Training(**values['training']), name=values['recipe'])
    except (ValueError, TypeError, KeyError) as error:
        raise config_file.unreadable(workdir, error) from None


def _conditions(spec: ModelSpec) -> dict[str, str]:
    """Returns with which other flags each hyper-parameter of a model has a use."""
    return {f.name: recipe.conditions(f)
            for part in (Settings, recipe.Training, spec.config) for f in dataclasses.fields(part)}


def _notes(spec: ModelSpec) -> dict[str, str]:
    """Returns the paragraphs of the help below the flags: models, recipes, data sets, examples."""
    models = '\n'.join(f'{other.name:12}{other.about}' for other in registry.MODELS.values())
    data = (f'images:  {", ".join(dataset_names.EMBEDDED)}, or any image data set of '
            'TensorFlow Datasets by its name\n'
            'folders: your own pictures, with a folder for each class or none, all in folders\n'
            '         train, validation and test or none; see --size and --tiles\n'
            'arrays:  an .npz of uint8 images, train, validation and test or one array\n'
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
