"""Names: models, and which recipe a data set gets by default."""

from zoo import data as zoo_data
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

MODELS = {'conv_vae': conv_vae, 'dense_vae': dense_vae, 'flow_pp': flow_pp, 'glow': glow,
          'iaf': iaf, 'idf': idf, 'made': made, 'maf': maf, 'nice': nice, 'pixel_vae': pixel_vae,
          'real_nvp': real_nvp, 'resnet_vae': resnet_vae}


def model(name):
    """The module of model `name`: `Config`, `build`, `divisor`, `RECIPES`."""
    if name not in MODELS:
        raise errors.UsageError(f'--model must be one of {", ".join(sorted(MODELS))}; '
                                f'got {name!r}.')
    return MODELS[name]


def is_vae(name):
    """Whether model `name` is a VAE, which `build` makes for a number of grey levels, or a flow."""
    return getattr(model(name), 'VAE', False)


def recipe(model_name, name, dataset):
    """`(model config, training config)` of a recipe; without a name, the data set's own if any."""
    recipes = model(model_name).RECIPES
    if name is None:
        kind = 'vectors' if zoo_data.is_vectors(dataset) else 'paper'
        name = dataset if dataset in recipes else kind if kind in recipes else 'paper'
    if name not in recipes:
        raise errors.UsageError(f'--recipe must be one of {", ".join(sorted(recipes))}; '
                                f'got {name!r}.')
    return name, *recipes[name]
