"""Takes the first examples of what `fit` is given, and finds the batch that is not finite."""

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from tfp_glow.training import inputs
from tfp_glow.types import Condition, TensorLike

_SEARCHED = 1000  # At most so many batches are searched for one that is not finite.


def first_examples(x: Any, y: Any, sample_weight: Any, count: int) -> tuple[Any, ...]:
    """Returns `(x, y, sample_weight)` of the first `count` examples that do not have weight 0.

    Args:
        x: Images, or a data set, of which each element is one batch.
        y: The condition of the images, which may be None; a data set has its own.
        sample_weight: The weights of the images, or None; a data set has its own.
        count: The number of examples.

    Raises:
        ValueError: If `x` is neither images nor a data set, since only these can be read twice, or
            if it has no such example.
    """
    if isinstance(x, tf.data.Dataset):
        examples = x.unbatch()
        if isinstance(x.element_spec, tuple) and len(x.element_spec) > 2:
            examples = examples.filter(lambda *parts: tf.reshape(parts[2], []) != 0)
        first = next(iter(examples.batch(count)), None)
        if first is None:
            raise ValueError('x must hold at least one example; got an empty data set.')
        parts = first if isinstance(first, tuple) else (first,)
        return (*parts, None, None)[:3]
    if isinstance(x, inputs.Batch):
        return tf.nest.map_structure(
            lambda part: None if part is None else part[:count], tuple(x))
    if not hasattr(x, 'shape'):
        raise ValueError('x must be an array, a tf.data.Dataset, a PyDataset or a generator of '
                         f'batches; got {type(x).__name__}.')
    if sample_weight is None:
        return x[:count], first_rows(y, count), None
    rows = np.flatnonzero(np.asarray(sample_weight).reshape(-1))[:count]
    return tf.nest.map_structure(lambda a: None if a is None else np.asarray(a)[rows],
                                 (x, y, sample_weight))


def first_rows(condition: Condition, count: int) -> Condition:
    """Returns the first `count` entries of a condition, which may be None."""
    return tf.nest.map_structure(lambda c: None if c is None else c[:count], condition)


def again(x: Any, y: Any, sample_weight: Any, batch_size: int | None) -> Iterator[Any]:
    """Yields the batches of what `fit` was given, in order; none of what can be read only once."""
    if isinstance(x, tf.data.Dataset):
        yield from itertools.islice(x, _SEARCHED)
    elif hasattr(x, 'shape'):
        size = batch_size or 32  # This is Keras's default.
        for start in range(0, min(len(x), _SEARCHED * size), size):
            yield tf.nest.map_structure(lambda a, rows=slice(start, start + size): (
                None if a is None else np.asarray(a[rows])), (x, y, sample_weight))


def check(name: str, x: Any, sample_weight: Any = None, continuous: bool = False) -> None:
    """Checks arrays that `fit` or `evaluate` is given; what is no array is left alone.

    Args:
        name: The name of `x` in messages.
        x: The examples.
        sample_weight: Their weights, or None. Examples of weight 0 may hold anything.
        continuous: Whether the data are continuous, and are trained on.

    Raises:
        ValueError: If there are no examples; if a value is not finite; if there is not one weight
            for each example, or one is negative or not finite; if continuous data do not vary.
    """
    if not hasattr(x, 'shape'):
        if isinstance(x, tf.data.Dataset) and x.cardinality() == 0:
            raise ValueError(f'{name} must hold at least one example; got an empty data set.')
        return
    if len(x) == 0:
        raise ValueError(f'{name} must hold at least one example; got shape={tuple(x.shape)}.')
    rows = np.asarray(x)
    if sample_weight is not None:
        weights = np.asarray(sample_weight)
        if weights.shape not in ((len(rows),), (len(rows), 1)):
            raise ValueError('sample_weight must have one number for each of the '
                             f'{len(rows)} examples of {name}; got shape={weights.shape}.')
        weights = weights.reshape(-1)
        if not np.all((weights >= 0) & np.isfinite(weights)) or not np.any(weights):
            raise ValueError('sample_weight must be finite and not negative, and not all be 0; got '
                             f'values from {weights.min()} to {weights.max()}.')
        if not np.all(weights):
            rows = rows[weights > 0]
    if np.issubdtype(rows.dtype, np.floating):
        _check_finite(name, rows)
        if continuous:
            check_varies(name, rows)


def check_varies(name: str, rows: TensorLike) -> None:
    """Raises ValueError if a column of vectors, or a channel of images, is constant."""
    rows = np.asarray(rows)
    flat = rows.reshape(-1, rows.shape[-1])
    constant = np.flatnonzero(flat.min(0) == flat.max(0))
    if constant.size:
        kind = 'column' if rows.ndim == 2 else 'channel'
        more = ' and more' if constant.size > 3 else ''
        raise ValueError(
            f'{name} must vary in every {kind}, or its density has no bound; {constant.size} of '
            f'{flat.shape[1]} are constant: {", ".join(map(str, constant[:3]))}{more}.')


def _check_finite(name: str, rows: np.ndarray) -> None:
    with np.errstate(all='ignore'):
        if np.isfinite(rows.sum()):  # This is fast, and may say no of great values.
            return
    wrong = ~np.isfinite(rows)
    if wrong.any():
        first = np.argmax(wrong.reshape(len(rows), -1).any(1))
        raise ValueError(f'{name} must be finite; {wrong.sum()} of {rows.size} values are NaN or '
                         f'infinite, the first in row {first}.')
