"""Counts the operations of a traced function that wait for each other.

No hardware shortens such a chain.
"""

import functools
import graphlib
from collections.abc import Callable, Iterable
from typing import Any

import tensorflow as tf

_LOOPS = ('While', 'StatelessWhile')
_MAXIMUM_ITERATIONS = 1  # This input of a loop's node; tf.while_loop puts it behind its counter.


def longest_chain(function: Any) -> int:
    """Returns the number of operations on the longest path to a result, as it was traced.

    An operation counts as 1. An operation that calls functions (a branch, a nested `tf.function`)
    counts as the longest chain of these. A `tf.while_loop` counts as the chain of its body times
    its `maximum_iterations`, though a loop whose iterations are independent might be quicker. If
    all operations took equal time, a call would take this long even with a processor for every
    operation.

    Args:
        function: A concrete function.

    Raises:
        ValueError: If a loop has no constant `maximum_iterations`.
    """
    graph = function.graph.as_graph_def()
    called = {one.signature.name: one for one in graph.library.function}

    @functools.cache
    def length(name: str) -> int:
        one = called[name]
        return _longest(one.node_def, [*one.ret.values(), *one.control_ret.values()], length)
    return _longest(graph.node, [output.name for output in function.outputs], length)


def _longest(graph: Iterable[Any], results: Iterable[str], length: Callable[[str], int]) -> int:
    """Returns the length of the longest path to `results` in a graph of nodes.

    `length(name)` is the length of the function of that name.
    """
    nodes = {node.name: node for node in graph}
    inputs = {name: [_source(edge) for edge in node.input] for name, node in nodes.items()}
    ends: dict[str, int] = {}
    for name in graphlib.TopologicalSorter(inputs).static_order():
        own = _own(nodes[name], nodes, length) if name in nodes else 0  # An argument is no node.
        ends[name] = own + max((ends[source] for source in inputs.get(name, ())), default=0)
    return max((ends.get(_source(result), 0) for result in results), default=0)


def _own(node: Any, nodes: dict[str, Any], length: Callable[[str], int]) -> int:
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


def _source(edge: str) -> str:
    """Returns the node or argument of '^node', 'node', 'node:0' or 'node:output:0'."""
    return edge.removeprefix('^').split(':', 1)[0]
