"""Variables of a flow by unique paths, and the check that none is hidden."""

import collections

import numpy as np
import tensorflow as tf


def by_path(flow):
    """`{path: variable}`: the variable's name where that is unique, else its place in the flow."""
    variables = list(flow.variables)
    names = [v.name.split(':')[0] for v in variables]
    counts = collections.Counter(names)
    places = {}
    for path, v in flow._flatten(
            predicate=lambda x: isinstance(x, tf.Variable), with_path=True):
        places.setdefault(id(v), '/'.join(str(p).strip('_') for p in path))
    return {name if counts[name] == 1 else places[id(v)]: v for name, v in zip(names, variables)}


def hidden_variables(function, specs, listed):
    """Names of the trainable variables that `function` reads and that are not `listed`."""
    trace = tf.function(function).get_concrete_function(*specs)
    known = {id(copy) for v in listed  # A replicated one is read by its copies.
             for copy in (v, *getattr(v, 'values', ()))}
    return [v.name for v in trace.graph.trainable_variables if id(v) not in known]


def store(module, values):
    """Puts the variables of `module` into the mapping `values`, by their paths with dots."""
    for path, variable in by_path(module).items():
        values[path.replace('/', '.')] = variable.numpy()


def load(module, values, module_name='flow'):
    """Sets the variables of `module` to what `store` put into `values`.

    `module_name` says in messages what the module is.

    Raises:
      ValueError: `values` are those of another module; names what differs.
    """
    variables = {path.replace('/', '.'): v for path, v in by_path(module).items()}
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
