"""Finds models and recipes by name, and the recipe that a data set gets by default."""

import dataclasses

from zoo.cli import errors
from zoo.models import (
    conv_vae,
    dense_vae,
    flow_pp,
    glow,
    iaf,
    idf,
    made,
    maf,
    nice,
    pixel_vae,
    real_nvp,
    resnet_vae,
)
from zoo.models.recipe import Recipe
from zoo.models.spec import ModelSpec

MODELS: dict[str, ModelSpec] = {
    module.SPEC.name: module.SPEC
    for module in (conv_vae, dense_vae, flow_pp, glow, iaf, idf, made, maf, nice, pixel_vae,
                   real_nvp, resnet_vae)}


def spec(name: str) -> ModelSpec:
    """Returns the `ModelSpec` of this name.

    Raises:
        UsageError: If there is no such model.
    """
    if name not in MODELS:
        raise errors.UsageError(f'--model must be one of {", ".join(sorted(MODELS))}; '
                                f'got {name!r}.{errors.did_you_mean(name, MODELS)}')
    return MODELS[name]


def recipe(model: str, name: str | None, dataset: str, vectors: bool = False) -> Recipe:
    """Returns a recipe of a model, with its name.

    Args:
        model: A name in `MODELS`.
        name: The name of the recipe. None stands for that of the data set if the model has one, and
            for `small` otherwise. For vectors, the recipe `vectors` takes the place of `small`.
        dataset: The name of a data set.
        vectors: Whether the data set is one of vectors.

    Raises:
        UsageError: If the model has no recipe of this name; the message says which models have.
    """
    recipes = spec(model).recipes
    if name is None:
        name = dataset if dataset in recipes else 'small'
    if name == 'small' and vectors and 'vectors' in recipes:
        name = 'vectors'
    if name not in recipes:
        others = sorted(other.name for other in MODELS.values() if name in other.recipes)
        of_others = f' It is a recipe of {", ".join(others)}.' if others else errors.did_you_mean(
            name, recipes)
        raise errors.UsageError(f'--recipe must be one of {", ".join(sorted(recipes))} for '
                                f'--model={model}; got {name!r}.{of_others}')
    return dataclasses.replace(recipes[name], name=name)


def models_with(flag: str) -> list[str]:
    """Returns the names of the models that have a hyper-parameter of this name."""
    return sorted(other.name for other in MODELS.values()
                  if flag in {f.name for f in dataclasses.fields(other.config)})
