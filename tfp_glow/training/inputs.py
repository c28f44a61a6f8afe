"""Takes apart what `fit` and `evaluate` are given: arrays, data sets, dictionaries, generators."""

import itertools
import types
from collections.abc import Iterator, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfp_glow.internal import configs, value_checks

IMAGES = ('image', 'images', 'x')
LABELS = ('label', 'labels', 'y', 'condition')
WEIGHTS = ('sample_weight', 'weight', 'weights')
# What TFDS adds to its examples, to tell them from each other.
_NAMES = ('id', 'tfds_id', 'file_name', 'filename', 'image/filename', 'image_id')


def of_mapping(values: Mapping[str, Any]) -> tuple[Any, Any, Any]:
    """Returns `(x, y, sample_weight)` of a batch as TFDS gives it: `{'image': x, 'label': y}`.

    Raises:
        ValueError: If there is no image, or something that is not used.
    """
    parts, used = [], set(_NAMES)
    for names in (IMAGES, LABELS, WEIGHTS):
        name = next((name for name in names if name in values), None)
        parts.append(None if name is None else values[name])
        used |= {name or ''}
    others = sorted(set(values) - used)
    if parts[0] is None or others:
        raise ValueError(
            f'x must have the keys {IMAGES[0]}, and {LABELS[0]} or {WEIGHTS[0]} if they are used; '
            f'got {", ".join(map(str, values))}'
            f'{f", of which {others[0]} is not used" if others and parts[0] is not None else ""}.')
    return parts[0], parts[1], parts[2]


def normalised(x: Any, y: Any, sample_weight: Any) -> tuple[Any, Any, Any]:
    """Returns what a training is given such that no part of it is a dictionary.

    Raises:
        ValueError: If `x` is of a kind that is not taken.
    """
    if isinstance(x, Mapping):
        if y is not None or sample_weight is not None:
            raise ValueError('y and sample_weight must be left out beside x, a dictionary, which '
                             'holds them; got one of them.')
        return of_mapping({key: np.asarray(value) for key, value in x.items()})
    if isinstance(x, tf.data.Dataset) and isinstance(x.element_spec, Mapping):
        of_mapping(x.element_spec)
        return x.map(lambda batch: tuple(
            part for part in of_mapping(batch) if part is not None)), y, sample_weight
    if isinstance(x, (list, tuple)):
        raise ValueError('x must be one array, a data set or a generator of batches; got a '
                         f'{type(x).__name__} of {len(x)}.')
    return x, y, sample_weight


def peeked(x: Any) -> tuple[Any, Any]:
    """Returns what `fit` is to read, and a data set, an array or a batch to initialise from.

    The first batch of a generator is read, and given again.
    """
    if isinstance(x, keras.utils.PyDataset):
        if not len(x):
            raise ValueError('x must hold at least one example; got an empty PyDataset.')
        first = Batch(apart(x[0]))
        return (x if isinstance(x[0], tuple) else _Tuples(x)), first
    if not isinstance(x, types.GeneratorType):
        return x, x
    first = next(x, None)
    if first is None:
        raise ValueError('x must hold at least one example; got an empty generator.')

    def again() -> Iterator[Any]:
        yield from map(_as_tuple, itertools.chain([first], x))
    return again(), Batch(apart(first))


class _Tuples(keras.utils.PyDataset):
    """A PyDataset of batches that are tuples, around one whose batches are not."""

    def __init__(self, inner: keras.utils.PyDataset) -> None:
        super().__init__(workers=inner.workers, use_multiprocessing=inner.use_multiprocessing,
                         max_queue_size=inner.max_queue_size)
        self._inner = inner

    def __len__(self) -> int:
        return len(self._inner)

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        return _as_tuple(self._inner[index])

    def on_epoch_begin(self) -> None:
        self._inner.on_epoch_begin()

    def on_epoch_end(self) -> None:
        self._inner.on_epoch_end()


def _as_tuple(batch: Any) -> tuple[Any, ...]:
    """Returns a batch as Keras wants it: a tuple, with weights in the third place."""
    images, second, weights = apart(batch)
    return (images, second, weights)[:3 if weights is not None else 1 + (second is not None)]


class Batch(tuple):
    """One batch `(x, y, sample_weight)` of what can be read only once."""


def apart(batch: Any) -> tuple[Any, Any, Any]:
    """Returns the examples of a batch, its second part and its weights, or None for each."""
    if isinstance(batch, Mapping):
        return of_mapping(batch)
    parts = (*batch, None, None)[:3] if isinstance(batch, (list, tuple)) else (batch, None, None)
    return parts[0], parts[1], parts[2]


def check_array(name: str, x: Any, spec: tf.TensorSpec, bins: int | None) -> None:
    """Checks a whole array of examples; what is no array is left alone.

    Raises:
        ValueError: If it has another shape, or levels that are out of range.
        TypeError: If levels are no integers.
    """
    if not hasattr(x, 'shape') or not hasattr(x, 'dtype') or not len(x):
        return
    value_checks.shape(name, tf.TensorShape(x.shape), spec.shape[1:])
    if bins is not None:
        value_checks.integers(name, tf.as_dtype(x.dtype), bins)
        value_checks.known_range(name, np.asarray(x), bins)


def classes(objective: Any) -> int | None:
    """Returns the number of classes of a flow that takes labels, where its builder was told it."""
    return configs.argument(objective.module, 'classes') if objective.conditional else None
