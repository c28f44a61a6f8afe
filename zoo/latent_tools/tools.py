"""`find`: the function that carries out a tool of `zoo.latents` on a trained model."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import tensorflow as tf

from zoo.cli import errors
from zoo.latent_tools import conversion, flows, vaes
from zoo.latent_tools.options import ToolOptions
from zoo.models.spec import Kind
from zoo.runs.run import Trained

__all__ = ['Tool', 'ToolOptions', 'find']

# `tool(source, images, options)`, see `zoo.latent_tools.flows`; its source is what `find` returns.
Tool = Callable[[Any, tf.Tensor, ToolOptions], tf.Tensor]

_MODULES: dict[Kind, tuple[ModuleType, type[conversion.FlowImages]]] = {
    Kind.IMAGE_FLOW: (flows, conversion.FlowImages), Kind.VAE: (vaes, conversion.VaeImages)}


def find(name: str, trained: Trained, seed: int) -> tuple[Tool, conversion.FlowImages]:
    """Returns a tool, and the images of the model that are its first argument.

    Args:
        name: The name of the tool.
        trained: The model to use it on.
        seed: The seed of all that is drawn.

    Raises:
        UsageError: If the tool is not for models of this kind.
    """
    if trained.kind is Kind.INTEGER_FLOW:
        raise errors.UsageError(f'--tool={name} needs latents that are no integers; '
                                f'got those of {trained.run.model}.')
    if trained.kind not in _MODULES or trained.run.conditional:
        raise errors.UsageError(f'--tool={name} needs a model of images without a condition; '
                                f'got {trained.run.model} on {trained.run.dataset}.')
    module, images = _MODULES[trained.kind]
    if not hasattr(module, name):
        others = 'flows' if trained.kind is Kind.VAE else 'VAEs'
        raise errors.UsageError(f'--tool={name} is for {others}; got {trained.run.model}.')
    return getattr(module, name), images(trained, seed)
