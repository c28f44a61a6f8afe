"""What the configs of several models have in common."""

import dataclasses

from zoo.models import recipe


def sizes(text: str) -> tuple[int, ...]:
    """Returns the positive integers of `text`, which are separated by commas.

    Raises:
        ValueError: If there is none, or one is no positive integer: 'must be ...'.
    """
    numbers = tuple(int(part) if part.strip().isdecimal() else 0 for part in text.split(','))
    if not 1 <= min(numbers) <= max(numbers) < 2**31:
        raise ValueError('must be positive integers separated by commas')
    return numbers


def sizes_field(default: str, help_text: str, optional: bool = False, **options) -> str:
    """Returns a field of sizes with commas between; if `optional`, it may be empty."""
    return recipe.field(default, help_text,
                        check=lambda text: None if optional and not text else sizes(text),
                        **options)


def any_side(config: object) -> int:
    """Returns what a model that takes all images needs their sides to be divisible by: 1."""
    del config
    return 1


def network_dtype_field() -> str:
    """Returns the field of the precision that networks compute in."""
    return recipe.field(
        'float32', 'Keras dtype policy of the networks; mixed_bfloat16 computes in bfloat16.',
        choices=('float32', 'mixed_bfloat16', 'float64', 'mixed_float16', 'bfloat16'))


def position_bias_field() -> bool:
    """Returns the field of networks with a bias for each position."""
    return recipe.field(
        False, 'Learn a bias per position in the networks (not in the paper): aligned images.')


@dataclasses.dataclass(frozen=True)
class Events:
    """What a model is told of its data: the record that a preset keeps.

    Attributes:
        event_shape: What the model sees, padded images.
        original_shape: What the data set holds.
        bins: Grey levels of images; None for vectors.
        dims: Numbers of an original image, which bits/dim divides by.
        classes: Classes of a model given labels; None for all others.
        examples: Training examples.
    """

    event_shape: tuple[int, ...]
    original_shape: tuple[int, ...]
    bins: int | None
    dims: int | None
    classes: int | None
    examples: int | None

    def to_json(self) -> dict:
        """Returns the record as a dictionary."""
        return {key: list(value) if isinstance(value, tuple) else value
                for key, value in dataclasses.asdict(self).items()}

    @classmethod
    def from_json(cls, values: dict) -> 'Events':
        """Returns the record of which `values` is the `to_json`."""
        return cls(tuple(values['event_shape']), tuple(values['original_shape']), values['bins'],
                   values['dims'], values['classes'], values['examples'])
