"""Takes the values of all variables of a training, and puts them back, to the bit."""

import contextlib
import functools
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from zoo.models.assembly import Model

_WEIGHTS = 'weights/'
UNAPPLIED_IN_ROW = 'counters/unapplied_in_row'


def take(model: Model) -> dict[str, np.ndarray]:
    """Returns the value of each variable of a compiled model by name.

    These are the weights and all else that the modules hold, the optimizer with its averages, the
    metrics of an epoch that is not over, and the counters of steps.
    """
    weights: dict[str, np.ndarray] = {}
    model.store_weights(weights)
    arrays = {f'{_WEIGHTS}{name}': np.asarray(value) for name, value in weights.items()}
    return arrays | {name: variable.numpy() for name, variable in _others(model)}


def put_back(model: Model, arrays: Mapping[str, np.ndarray]) -> None:
    """Sets all variables of a compiled model to what `take` returned.

    Raises:
        ValueError: If the arrays are those of another model.
    """
    model.load_own_variables(weights_of(arrays))
    for name, variable in _others(model):
        if name not in arrays or arrays[name].shape != tuple(variable.shape):
            raise ValueError(f'it must hold {name} of shape {tuple(variable.shape)}, and does not')
        variable.assign(arrays[name])


def weights_of(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Returns the part of what `take` returned that the modules hold, by their own names."""
    return {name.removeprefix(_WEIGHTS): value for name, value in arrays.items()
            if name.startswith(_WEIGHTS)}


def checksum(model: Model) -> int:
    """Returns a number that models have in common if all of their variables are equal."""
    return functools.reduce(lambda sum_, array: zlib.crc32(array.tobytes(), sum_),
                            take(model).values(), 0)


@contextlib.contextmanager
def metrics_kept(model: Model) -> Iterator[None]:
    """Returns a context after which the metrics of a model are what they were before it."""
    variables = [v.value for tracker in model.trackers.values() for v in tracker.variables]
    values = [v.numpy() for v in variables]
    try:
        yield
    finally:
        for variable, value in zip(variables, values):
            variable.assign(value)


def _others(model: Model) -> Iterator[tuple[str, tf.Variable]]:
    """Yields the variables that no module holds, with names that do not change from run to run."""
    optimizer: Any = model.optimizer
    optimizer.build(model.optimized_variables)
    for i, variable in enumerate(optimizer.variables):
        yield f'optimizer/{i}', variable.value
    for name, tracker in model.trackers.items():
        for i, variable in enumerate(tracker.variables):
            yield f'metrics/{name}/{i}', variable.value
    for counter in ('batches_seen', 'unapplied_in_row', 'unapplied_steps'):
        yield f'counters/{counter}', getattr(model, counter)
