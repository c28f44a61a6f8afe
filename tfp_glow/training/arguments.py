"""Binds and checks the arguments of Keras's `fit` and `evaluate`."""

import inspect
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tfp_glow.internal import value_checks
from tfp_glow.training import batches, inputs


def bind(method: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any],
         objective: Any, trains: bool = False) -> dict[str, Any]:
    """Returns the arguments of a call of `method` by name, without `self`, such that all count.

    Args:
        method: `keras.Model.fit` or `evaluate`.
        args: The positional arguments, `self` first.
        kwargs: The other arguments.
        objective: The objective, which says what examples are.
        trains: Whether the examples are trained on.

    Raises:
        ValueError: See `batches.check`; also if there are weights of classes and no classes.
    """
    given = inspect.signature(method).bind(*args, **kwargs).arguments
    del given['self']
    given.update(given.pop('kwargs', {}))
    x, y, weights = inputs.normalised(given['x'], given['y'], given.get('sample_weight'))
    spec = objective.spec
    inputs.check_array('x', x, spec, objective.bins)
    batches.check('x', x, weights, trains and spec.dtype.is_floating)
    y = _labels('y', x, y, objective)
    given.update(x=x, y=y)
    if weights is not None:
        given['sample_weight'] = weights
    check_class_weight(given.get('class_weight'), y, x)
    if trains:
        _check_read_once('x', x, given, 'steps_per_epoch')
    given.update(zip(('x', 'y'), _with_labels(x, y, weights)))
    validation = given.get('validation_data')
    if isinstance(validation, Mapping) or hasattr(validation, 'shape'):
        validation = (validation,)
    if isinstance(validation, (tuple, list)):
        x, y, weights = inputs.normalised(*(*validation, None, None)[:3])
        inputs.check_array('validation_data', x, spec, objective.bins)
        batches.check('validation_data', x, weights)
        given['validation_data'] = _with_labels(
            x, _labels('the labels of validation_data', x, y, objective), weights)
    elif validation is not None:
        validation = inputs.normalised(validation, None, None)[0]
        given['validation_data'] = inputs.peeked(validation)[0]
        _check_read_once('validation_data', validation, given, 'validation_steps')
    return given


def check_class_weight(weights: Any, y: Any, x: Any) -> None:
    """Checks weights of classes.

    Raises:
        ValueError: If they are no numbers from 0, or there are no classes.
    """
    if weights is None:
        return
    if y is None and (hasattr(x, 'shape') or (isinstance(x, inputs.Batch) and x[1] is None)):
        raise ValueError('class_weight must come with y, the classes; got y=None.')
    values = list(weights.values())
    if not all(isinstance(v, (int, float)) and 0 <= v < float('inf') for v in values):
        raise ValueError('class_weight must be finite and not negative; got '
                         f'class_weight={weights}.')


def _check_read_once(name: str, x: Any, given: Mapping[str, Any], steps: str) -> None:
    epochs = given.get('epochs', 1)
    if isinstance(x, types.GeneratorType) and epochs > 1 and given.get(steps) is None:
        raise ValueError(f'{steps} must be given with {name}, a generator, which is read once, '
                         f'and epochs > 1; got {epochs=}.')


def _labels(name: str, x: Any, y: Any, objective: Any) -> Any:
    """Returns labels that are given beside an array as `[N]`, after checking that they are classes.

    Raises:
        ValueError: If there is not one for each example, or one is no class.
    """
    classes = inputs.classes(objective)
    if y is None or not objective.conditional or classes is None or not hasattr(x, 'shape'):
        return y
    values = np.asarray(value_checks.labels(name, np.asarray(y)))
    if len(values) != len(x):
        raise ValueError(f'{name} must have one label for each of the {len(x)} examples; got '
                         f'{len(values)}.')
    value_checks.known_range(name, values, classes)
    return values


def _with_labels(x: Any, y: Any = None, sample_weight: Any = None) -> tuple[Any, ...]:
    """Returns arguments of Keras such that it does not lose weights where there are no labels."""
    return x, sample_weight if y is None else y, sample_weight
