"""Flags of hyper-parameters: one for each field of a frozen dataclass, without a default."""

import dataclasses
from collections.abc import Iterable
from typing import Any

from absl import flags

from zoo.cli import errors, number_flags, ranges

flags.disclaim_key_flags()  # A flag belongs to the module that asks for it.


def define(fields: Iterable[tuple[dataclasses.Field, type, ranges.Range | None]]) -> None:
    """Defines one flag for each field; a flag that is not given leaves the recipe's value.

    Args:
        fields: The fields; each has its type beside it, and the numbers that it takes: a `Range`,
            or None for the default range of its type.
    """
    for field, kind, limits in fields:
        help_text = field.metadata['help']
        if kind is bool:
            flags.DEFINE_bool(field.name, None, help_text)
        elif kind is int:
            number_flags.integer(field.name, None, help_text, limits or ranges.COUNT)
        elif kind is float:
            number_flags.number(field.name, None, help_text, limits or ranges.NOT_NEGATIVE)
        elif field.metadata['choices']:
            flags.DEFINE_enum(field.name, None, list(field.metadata['choices']), help_text)
        else:
            flags.DEFINE_string(field.name, None, help_text)


def overridden(config: Any) -> Any:
    """Returns a dataclass of hyper-parameters with the values of the flags that were given."""
    given = {f.name: flags.FLAGS[f.name].value for f in dataclasses.fields(config)
             if flags.FLAGS[f.name].value is not None}
    return dataclasses.replace(config, **given)


def check_used(config: Any) -> None:
    """Checks that all flags that were given have a use beside the others.

    Args:
        config: The hyper-parameters with the values of the flags.

    Raises:
        UsageError: If one has none, such as the units of a network that the model does not have.
    """
    for field in dataclasses.fields(config):
        reason = flags.FLAGS[field.name].value is not None and config.unused(field.name)
        if reason:
            raise errors.UsageError(f'--{field.name} {reason}; '
                                    f'got {flags.FLAGS[field.name].value!r}.')
