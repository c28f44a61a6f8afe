"""Names the variables of a flow by unique paths, and checks that none is hidden."""

import collections
import re
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from typing import Any

import numpy as np
import tensorflow as tf


def by_path(flow: tf.Module) -> dict[str, tf.Variable]:
    """Returns `{path: variable}` of all variables of `flow`.

    The path is the variable's name where that is unique, and otherwise its place in the flow.
    """
    variables = list(flow.variables)
    names = [v.name.split(':')[0] for v in variables]
    counts = collections.Counter(names)
    places: dict[int, str] = {}
    for path, v in flow._flatten(
            predicate=lambda x: isinstance(x, tf.Variable), with_path=True):
        places.setdefault(id(v), '/'.join(str(p).strip('_') for p in path))
    return {name if counts[name] == 1 else places[id(v)]: v for name, v in zip(names, variables)}


def hidden_variables(function: Callable[..., Any], specs: Iterable[Any],
                     listed: Iterable[tf.Variable]) -> list[str]:
    """Returns the names of the trainable variables that `function` reads and `listed` has not."""
    trace = tf.function(function, autograph=False).get_concrete_function(*specs)
    known = {id(copy) for v in listed  # A replicated variable is read by its copies.
             for copy in (v, *getattr(v, 'values', ()))}
    return [v.name for v in trace.graph.trainable_variables if id(v) not in known]


def store(module: tf.Module, values: MutableMapping[str, np.ndarray]) -> None:
    """Puts the variables of `module` into the mapping `values`, by their paths with dots."""
    for path, variable in by_path(module).items():
        values[path.replace('/', '.')] = variable.numpy()


def load(module: tf.Module, values: Mapping[str, Any], module_name: str = 'flow') -> None:
    """Sets the variables of `module` to what `store` put into `values`.

    Args:
        module: The module.
        values: A mapping that `store` has filled.
        module_name: What the module is called in messages.

    Raises:
        ValueError: If `values` are those of another module; the message names what differs.
    """
    variables = {path.replace('/', '.'): v for path, v in by_path(module).items()}
    values = {path: values[path] for path in list(values.keys())}
    if set(variables) != set(values):
        ours, theirs = _without_numbers(variables), _without_numbers(values)
        if set(ours) == set(theirs):
            values = {ours[key]: values[theirs[key]] for key in ours}
    missing, unknown = set(variables) - set(values.keys()), set(values.keys()) - set(variables)
    if missing or unknown:
        raise ValueError(f'the weights must be those of this {module_name}; the file lacks '
                         f'{sorted(missing)[:3]} and has {sorted(unknown)[:3]} besides.')
    for path, variable in variables.items():
        value = np.asarray(values[path])
        if value.shape != tuple(variable.shape):
            raise ValueError(f'{path} must have shape {tuple(variable.shape)}; '
                             f'the file has {value.shape}.')
        variable.assign(value)


def _without_numbers(paths: Iterable[str]) -> dict[tuple[str, int], str]:
    """Returns the paths by what they are without the numbers that Keras gives to equal names.

    Keras calls a layer without a name dense, and the next in the same process dense_1. Paths that
    differ in numbers only are counted in their order.
    """
    groups = collections.defaultdict(list)
    for path in paths:
        groups[re.sub(r'_[0-9]+', '', path)].append(
            ([int(number) for number in re.findall(r'_([0-9]+)', path)], path))
    return {(key, index): path for key, group in groups.items()
            for index, (_, path) in enumerate(sorted(group))}
