"""How many operations of a traced function wait for each other, which no hardware shortens."""

import functools
import graphlib

import tensorflow as tf

_LOOPS = ('While', 'StatelessWhile')
_MAXIMUM_ITERATIONS = 1  # Which input of such a node: tf.while_loop puts it behind its counter.


def longest_chain(function):
    """Operations on the longest path to a result of a concrete function, as it was traced.

    An operation counts as 1; one that calls functions (a branch, a nested `tf.function`) as the
    longest chain of these; a `tf.while_loop` as the chain of its body times its
    `maximum_iterations`, though a loop whose iterations are independent might be quicker. That long
    a call takes even with a processor for every operation, were all operations alike.

    Raises:
      ValueError: a loop has no constant `maximum_iterations`.
    """
    graph = function.graph.as_graph_def()
    called = {one.signature.name: one for one in graph.library.function}

    @functools.cache
    def length(name):
        one = called[name]
        return _longest(one.node_def, [*one.ret.values(), *one.control_ret.values()], length)
    return _longest(graph.node, [output.name for output in function.outputs], length)


def _longest(nodes, results, length):
    """Of the paths to `results`; `length(name)` is that of the function called so."""
    nodes = {node.name: node for node in nodes}
    inputs = {name: [_source(edge) for edge in node.input] for name, node in nodes.items()}
    ends = {}
    for name in graphlib.TopologicalSorter(inputs).static_order():
        own = _own(nodes[name], nodes, length) if name in nodes else 0  # An argument is no node.
        ends[name] = own + max((ends[source] for source in inputs.get(name, ())), default=0)
    return max((ends.get(_source(result), 0) for result in results), default=0)


def _own(node, nodes, length):
    functions = [function.name for value in node.attr.values()
                 for function in ([value.func] if value.HasField('func') else value.list.func)]
    own = max(map(length, functions), default=1)
    if node.op not in _LOOPS:
        return own
    times = nodes.get(_source(node.input[_MAXIMUM_ITERATIONS]))
    times = int(tf.make_ndarray(times.attr['value'].tensor)) if (
        times is not None and times.op == 'Const') else -1
    if times < 0:
        raise ValueError(f'maximum_iterations of the loop {node.name} must be a constant.')
    return own * times


def _source(edge):
    """The node or argument of '^node', 'node', 'node:0' or 'node:output:0'."""
    return edge.removeprefix('^').split(':', 1)[0]
