"""Variables of a flow by unique paths, and the check that none is hidden."""

import collections

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


def hidden(flow, event_shape):
    """Names of the trainable variables that `flow.log_prob` reads and the flow does not list."""
    trace = tf.function(flow.log_prob).get_concrete_function(
        tf.TensorSpec([2, *event_shape], flow.dtype))
    listed = {id(copy) for v in flow.trainable_variables  # A replicated one is read by its copies.
              for copy in (v, *getattr(v, 'values', ()))}
    read = trace.graph.trainable_variables
    return [v.name for v in read if id(v) not in listed]
