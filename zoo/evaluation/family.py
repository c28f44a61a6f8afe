"""`Family`: the figures, pictures and diagnosis in which kinds of trained models differ."""

import abc
import os
import pathlib
from typing import Any

from zoo.runs.run import Trained
from zoo.runs.training import Watch


class Family(abc.ABC):
    """A trained model, with the measures and pictures that suit models of its kind.

    Args:
        trained: The run, its data and its model.

    Attributes:
        trained: The run, its data and its model.
        run: The run.
        data: The data of the run.
        model: The model.
        name: The kind in a word: 'flow' or 'VAE'.
        default_temperature: The temperature of pictures of samples, unless one is asked for.
        diagnosed_examples: The number of examples that a diagnosis looks at by default.
        least_diagnosed_examples: The smallest number of examples that it needs.
    """

    name = 'flow'
    default_temperature = .7
    diagnosed_examples = 64
    least_diagnosed_examples = 1

    def __init__(self, trained: Trained) -> None:
        self.trained = trained
        self.run, self.data, self.model = trained.run, trained.data, trained.model

    @property
    def estimate(self) -> str:
        """What the trained weights are, in words: 'maximum likelihood'."""
        return 'maximum likelihood'

    @abc.abstractmethod
    def figures(self, split: str, draws: int = 1, limit: int | None = None,
                importance_samples: int | None = None) -> dict[str, Any]:
        """Returns the likelihood on a split, or its bounds, as a dictionary ready for JSON.

        Args:
            split: 'train', 'validation' or 'test'.
            draws: The number of draws for each example, which are averaged: draws of
                dequantization noise, or of latents.
            limit: The number of examples, the first of the split; all by default.
            importance_samples: The number of samples of the importance-weighted bound of a VAE,
                which is given as well; by default it is not.
        """

    @abc.abstractmethod
    def format_figures(self, figures: dict[str, Any]) -> str:
        """Returns what `figures` returned in one line."""

    @abc.abstractmethod
    def draw_samples(self, count: int, temperature: float, path: str | os.PathLike) -> None:
        """Writes a picture of samples as a PNG file.

        Args:
            count: The number of samples.
            temperature: Their temperature.
            path: The file; one that is there is replaced.
        """

    @abc.abstractmethod
    def watch(self) -> Watch:
        """Returns what is looked at after each epoch of training."""

    @abc.abstractmethod
    def diagnose(self, split: str, count: int, draws: int) -> tuple[str, dict[str, Any]]:
        """Returns a report on the first examples of a split: a text, and a dictionary for JSON.

        Args:
            split: 'train', 'validation' or 'test'.
            count: The number of examples.
            draws: The number of draws of a VAE's posterior for each of them.
        """

    def draw_more(self, folder: pathlib.Path) -> None:
        """Writes the further pictures that a finished run keeps; most families have none."""
        del folder

    def round_trips(self, split: str, count: int) -> dict[str, float | None]:
        """Returns the largest error of `forward(inverse(y))` by kind of example; of a VAE nothing.

        Args:
            split: The split that the first kind of examples is from.
            count: The number of examples of that kind.
        """
        del split, count
        return {}

    def refusals(self) -> dict[str, str]:
        """Returns `{flag: why it has no use for this model}` of the flags of several programs."""
        return {}

    def temperature(self, given: float | None) -> float:
        """Returns the temperature of pictures of samples: the given one, else the default."""
        return self.default_temperature if given is None else given
