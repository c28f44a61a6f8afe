"""The condition of a bijector: whether it takes one, and how the condition reaches it."""

from typing import Any

import tensorflow as tf
from tensorflow_probability import bijectors as tfb

from tfp_glow.bijectors import folding
from tfp_glow.internal import tfp_compat
from tfp_glow.types import Condition


def takes_condition(bijector: tfb.Bijector) -> bool:
    """Returns whether any TFP bijector wants `condition=`.

    A bijector says so by an attribute `takes_condition`; of one without, the arguments are read.
    """
    if hasattr(bijector, 'takes_condition'):
        return bijector.takes_condition
    return tfp_compat.takes_keyword(bijector, 'condition')


def condition_kwargs(bijector: tfb.Bijector, condition: Condition) -> dict[str, Any]:
    """Returns the keyword arguments of `bijector`'s methods: the condition, if it takes one."""
    return {'condition': condition} if takes_condition(bijector) else {}


def flatten_condition(condition: Condition) -> list[tf.Tensor]:
    """Returns the tensors of a condition, which may be None."""
    return [] if condition is None else tf.nest.flatten(condition)


def repack_condition(condition: Condition, tensors: Any) -> Condition:
    """Returns `tensors` in the structure of `condition`: the inverse of `flatten_condition`."""
    return None if condition is None else tf.nest.pack_sequence_as(condition, list(tensors))


def check_given(bijector: tfb.Bijector, condition: Condition) -> None:
    """Checks that a condition is given to a bijector that takes one, and to no other.

    A bijector without the attribute `takes_condition` may have a default for the condition.

    Raises:
        ValueError: If it is given and not taken, or taken and not given.
    """
    if not takes_condition(bijector):
        if condition is not None:
            raise ValueError(f'condition must not be given to {bijector.name}, which depends on '
                             'none; got one.')
    elif condition is None and hasattr(bijector, 'takes_condition'):
        raise ValueError(f'condition must be given to {bijector.name}, which depends on it; '
                         'got None.')


def checked_kwargs(bijector: tfb.Bijector, kwargs: dict[str, Any], part: tf.Tensor | None = None,
                   ndims: int = 0) -> dict[str, Any]:
    """Returns the keyword arguments of a public call, checked, the condition's batch folded.

    Args:
        bijector: The bijector that is called.
        kwargs: What the caller gave by name.
        part: The input, or one part of it, `[..., *event]`; None leaves the condition as it is.
        ndims: The number of dimensions of the input's events.

    Returns:
        `{'condition': condition}`, the batch of the condition being that of the folded input, or
        `{}` for a bijector that takes none.

    Raises:
        TypeError: If a keyword is unknown.
        ValueError: See `check_given`; also if the batch of the condition does not fit the input's.
    """
    unknown = set(kwargs) - {'condition'}
    if unknown:
        raise TypeError(f'{bijector.name} got an unknown keyword {min(unknown)!r}; it may be given '
                        "'condition'.")
    condition = kwargs.get('condition')
    check_given(bijector, condition)
    if condition is None:
        return {}
    if part is None:
        return {'condition': condition}
    innermost = part.shape[-ndims - 1] if part.shape.rank > ndims else 1
    count = part.shape[:-ndims].num_elements()
    if count is None:
        count = tf.reduce_prod(tf.shape(part)[:-ndims])
    return {'condition': tf.nest.map_structure(
        lambda c: folding.fold_condition(c, innermost, count, bijector.name), condition)}
