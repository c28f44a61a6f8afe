"""Binds and checks the arguments of Keras's `fit` and `evaluate`."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tfp_glow.training import batches


def bind(method: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any],
         continuous: bool = False) -> dict[str, Any]:
    """Returns the arguments of a call of `method` by name, without `self`, such that all count.

    Args:
        method: `keras.Model.fit` or `evaluate`.
        args: The positional arguments, `self` first.
        kwargs: The other arguments.
        continuous: Whether the examples are continuous data that are trained on.

    Raises:
        ValueError: See `batches.check`; also if there are weights of classes and no classes.
    """
    given = inspect.signature(method).bind(*args, **kwargs).arguments
    del given['self']
    given.update(given.pop('kwargs', {}))
    x, y, weights = given['x'], given['y'], given.get('sample_weight')
    batches.check('x', x, weights, continuous)
    if hasattr(x, 'shape') and y is None and given.get('class_weight') is not None:
        raise ValueError('class_weight must come with y, the classes; got y=None.')
    given.update(zip(('x', 'y'), _with_labels(x, y, weights)))
    validation = given.get('validation_data')
    if isinstance(validation, (tuple, list)):
        given['validation_data'] = _with_labels(*validation)
        batches.check('validation_data', validation[0], *validation[2:])
    return given


def _with_labels(x: Any, y: Any = None, sample_weight: Any = None) -> tuple[Any, ...]:
    """Returns arguments of Keras such that it does not lose weights where there are no labels."""
    return x, sample_weight if y is None else y, sample_weight
