"""Defines what the configs of several models have in common."""

import dataclasses
from typing import Any

from zoo.cli import processor, ranges
from zoo.models import activations, recipe

# The sides of an image must be divisible by 2**levels, or widths double with each level.
LEVELS = ranges.Range(1, 16)


def sizes(text: str) -> tuple[int, ...]:
    """Returns the positive integers of `text`, which are separated by commas.

    Raises:
        ValueError: If there is none, or one is no positive integer: 'must be ...'.
    """
    numbers = tuple(int(part) if part.strip().isdecimal() else 0 for part in text.split(','))
    if not 1 <= min(numbers) <= max(numbers) < 2**31:
        raise ValueError('must be positive integers separated by commas')
    return numbers


def sizes_field(default: str, help_text: str, optional: bool = False, **options: Any) -> Any:
    """Returns a field of sizes with commas between; if `optional`, it may be empty."""
    return recipe.field(default, help_text,
                        check=lambda text: None if optional and not text else sizes(text),
                        **options)


def any_side(config: object) -> int:
    """Returns what a model that takes all images needs their sides to be divisible by: 1."""
    del config
    return 1


def activation_field() -> Any:
    """Returns the field of the activation of the hidden layers."""
    return recipe.field('relu', 'Activation of the hidden layers, by its name in Keras.',
                        choices=activations.NAMES)


def network_dtype_field() -> Any:
    """Returns the field of the precision that networks compute in."""
    return recipe.field(
        'float32', 'Precision of the networks, by the name of its policy in Keras. A mixed policy '
        'computes in the shorter type and keeps the weights in float32. auto: mixed_bfloat16 if '
        'the processor computes with it in hardware, or if there is a GPU, otherwise float32.',
        choices=('auto', 'float32', 'mixed_bfloat16', 'float64', 'mixed_float16', 'bfloat16'))


def precision(network_dtype: str) -> str:
    """Returns the precision that networks compute in, where 'auto' is that for this machine."""
    if network_dtype != 'auto':
        return network_dtype
    import tensorflow as tf  # Late, so that a wrong flag is reported at once.
    fast = processor.bfloat16_unit() or tf.config.list_physical_devices('GPU')
    return 'mixed_bfloat16' if fast else 'float32'


def position_bias_field() -> Any:
    """Returns the field of networks with a bias for each position."""
    return recipe.field(
        False, 'Let the networks learn a bias for each position, which suits images of objects '
        'that are aligned (not in the paper).')


@dataclasses.dataclass(frozen=True)
class Events:
    """What a model is told of its data: the record that a preset keeps.

    Attributes:
        event_shape: The shape that the model sees, that of padded images.
        original_shape: The shape that the data set holds.
        bins: The number of grey levels of images; None for vectors.
        dims: The number of values of an original image, which bits/dim divides by.
        classes: The number of classes of a model given labels; None for all others.
        examples: The number of training examples.
    """

    event_shape: tuple[int, ...]
    original_shape: tuple[int, ...]
    bins: int | None
    dims: int | None
    classes: int | None
    examples: int | None

    def to_json(self) -> dict[str, Any]:
        """Returns the record as a dictionary."""
        return {key: list(value) if isinstance(value, tuple) else value
                for key, value in dataclasses.asdict(self).items()}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> 'Events':
        """Returns the record of which `values` is the `to_json`."""
        return cls(tuple(values['event_shape']), tuple(values['original_shape']), values['bins'],
                   values['dims'], values['classes'], values['examples'])
