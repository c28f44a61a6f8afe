"""Names: models, and which recipe a data set gets by default."""

from zoo import errors
from zoo.models import flow_pp, glow

MODELS = {'flow_pp': flow_pp, 'glow': glow}


def model(name):
    """The module of model `name`: `Config`, `build`, `divisor`, `RECIPES`."""
    if name not in MODELS:
        raise errors.UsageError(f'--model must be one of {", ".join(sorted(MODELS))}; '
                                f'got {name!r}.')
    return MODELS[name]


def recipe(model_name, name, dataset):
    """`(model config, training config)` of a recipe; without a name, the data set's own if any."""
    recipes = model(model_name).RECIPES
    name = name or (dataset if dataset in recipes else 'paper')
    if name not in recipes:
        raise errors.UsageError(f'--recipe must be one of {", ".join(sorted(recipes))}; '
                                f'got {name!r}.')
    return name, *recipes[name]
