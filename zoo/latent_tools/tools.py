"""Which tools there are, which flags each uses, and what carries it out on a trained model."""

import dataclasses
from types import ModuleType
from typing import Any

from zoo.cli import errors
from zoo.latent_tools import conversion, flows, vaes
from zoo.models.spec import Kind
from zoo.runs.run import Trained

_MODULES: dict[Kind, tuple[ModuleType, type[conversion.FlowImages]]] = {
    Kind.IMAGE_FLOW: (flows, conversion.FlowImages), Kind.VAE: (vaes, conversion.VaeImages)}


@dataclasses.dataclass(frozen=True)
class ToolOptions:
    """The flags that tools use; see `zoo.latents`."""

    steps: int = 9
    spherical: bool = False
    level: int | None = None
    index: int = 0
    strength: float | None = None
    temperature: float = 1.
    temperatures: tuple[float, ...] = (0., .25, .5, .7, .85, 1.)
    num: int = 4
    positive: int | None = None
    negative: int | None = None
    class_images: int = 2000
    mask: str = 'bottom'
    ascent_steps: int = 300
    step_size: float = 1e-3


def find(name: str, trained: Trained, seed: int) -> tuple[Any, conversion.FlowImages]:
    """Returns the function of a tool, `tool(images_of_model, images, options)`, and its first
    argument.

    Args:
        name: That of the tool.
        trained: The model to use it on.
        seed: Of all that is drawn.

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
