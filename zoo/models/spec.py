"""Defines `ModelSpec`: all that the zoo knows of a model before one is built."""

import dataclasses
import enum
from collections.abc import Callable, Mapping
from typing import Any

from zoo.models import options
from zoo.models.recipe import Hyperparameters, Recipe


class Kind(enum.Enum):
    """What a trained model is: this decides its figures, its pictures and its diagnosis."""

    IMAGE_FLOW = 'flow of images'
    VECTOR_FLOW = 'flow of vectors'
    INTEGER_FLOW = 'integer flow'
    VAE = 'VAE'


@dataclasses.dataclass(frozen=True)
class ModelSpec:
    """A model of the zoo.

    Attributes:
        name: The value of `--model`.
        about: What the model is, in one line.
        config: The dataclass of its hyper-parameters.
        recipes: Named hyper-parameters; `paper` and `small` are among them.
        build: Makes the flow or the VAE: `build(config, event_shape, seed, ...)`.
        kind: What the model is when its events are images.
        vectors: Whether it also models vectors.
        divisor: `divisor(config)` returns what the sides of an image must be divisible by.
        objective: For a VAE only: `objective(config, steps_per_epoch)` returns the arguments of its
            bound.
        noise: `noise(config, event_shape, seed)` returns the flow of variational dequantization, or
            None.
        classifier: `classifier(config, flow, classes)` returns the classifier of a model given
            labels and the weight of its loss.
    """

    name: str
    about: str
    config: type[Hyperparameters]
    recipes: Mapping[str, Recipe]
    build: Callable[..., Any]
    kind: Kind = Kind.IMAGE_FLOW
    vectors: bool = False
    divisor: Callable[[Any], int] = options.any_side
    objective: Callable[[Any, int], dict[str, Any]] | None = None
    noise: Callable[..., Any] | None = None
    classifier: Callable[..., Any] | None = None

    def kind_of(self, event_shape: tuple[int, ...]) -> Kind:
        """Returns what the model is when its events have this shape."""
        return Kind.VECTOR_FLOW if len(event_shape) == 1 else self.kind
