"""Counts the operations in a traced function."""

import collections

import tensorflow as tf


def operations(function, *args):
    """Counts operations by type in the traced function, with the bodies of loops and calls."""
    graph = tf.function(function).get_concrete_function(*args).graph.as_graph_def()
    library = {f.signature.name: f.node_def for f in graph.library.function}

    def walk(nodes):
        for node in nodes:
            yield node.op
            for attribute in node.attr.values():
                for called in [attribute.func, *attribute.list.func]:
                    yield from walk(library.get(called.name, []))
    return collections.Counter(walk(graph.node))
