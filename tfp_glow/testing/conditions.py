"""Checks the keyword arguments of a bijector's methods: the condition, and unknown ones."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tfp_glow.testing import learning
from tfp_glow.testing.subject import Subject, check, map_condition, uncached
from tfp_glow.types import Condition


def rows_in_turn(condition: Condition, count: int) -> Condition:
    """Returns the rows of `condition`, used in turn for a batch of `count`.

    Raises:
        ValueError: If a tensor of the condition has fewer than two rows.
    """
    condition = map_condition(tf.convert_to_tensor, condition)
    for c in [] if condition is None else tf.nest.flatten(condition):
        if c.shape.rank == 0 or c.shape[0] < 2:
            raise ValueError('condition must have at least two rows, one per entry of the batch; '
                             f'got shape={c.shape}.')
    return map_condition(lambda c: tf.gather(c, tf.range(count) % c.shape[0]), condition)


def check_keywords(subject: Subject) -> None:
    """Checks that an unknown keyword is refused, not ignored.

    Otherwise a misspelt option would train another model.
    """
    bijector, given = subject.bijector, subject.condition_kwargs()
    calls: dict[str, Callable[..., Any]] = {'copy()': lambda **kwargs: bijector.copy(**kwargs)}
    for direction, _, value in subject.directions():
        ndims = subject.ndims if direction == 'inverse' else subject.latent_ndims
        value = uncached(value)
        calls[direction] = (lambda direction=direction, value=value, **kwargs: getattr(
            bijector, direction)(value, **given, **kwargs))
        calls[f'{direction}_log_det_jacobian'] = (
            lambda direction=direction, value=value, ndims=ndims, **kwargs: getattr(
                bijector, f'{direction}_log_det_jacobian')(value, ndims, **given, **kwargs))
    for name, call in calls.items():
        check(_refuses(call, no_such_argument=1),
              f'{name}: an unknown keyword argument must be refused.')
        if not given and name != 'copy()':
            check(_refuses(call, condition=tf.constant([1., 2.])),
                  f'{name}: a condition must be refused by a bijector that depends on none.')


def check_condition(subject: Subject) -> None:
    """Checks that the condition matters row by row, is differentiated, and may not be left out."""
    y, condition = subject.y, subject.condition
    for direction, _, value in subject.directions():
        check(_refuses(getattr(subject.bijector, direction), uncached(value)),
              f'{direction} must refuse to go without its condition.')
    moved = map_condition(lambda c: tf.roll(c, 1, 0), condition)
    same, new = subject.inverse(y, moved), subject.inverse(uncached(y), moved)
    subject.close('inverse of the same tensor under another condition', same, new)
    check(subject.is_new(new), 'another condition changes nothing.')
    subject.close('each row must see its own condition.',
                  subject.inverse(y[1:2], map_condition(lambda c: c[1:2], condition)),
                  tf.nest.map_structure(lambda z: z[1:2], (subject.x, subject.ildj)))
    one = map_condition(lambda c: c[:1], condition)
    subject.close('a condition of one row, for all', subject.inverse(y, one),
                  subject.inverse(y, map_condition(lambda c: tf.repeat(c, len(y), 0), one)))
    floating = [c for c in tf.nest.flatten(condition) if c.dtype.is_floating]
    for name, function, value in subject.directions():
        learning.gradients(function, uncached(value), floating, name)


def _refuses(call: Callable[..., Any], *args: Any, **kwargs: Any) -> bool:
    try:
        call(*args, **kwargs)
    except (TypeError, ValueError):
        return True
    return False
