"""Random numbers of a batch that do not depend on how its rows are shared out between towers."""

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import tensorflow as tf

_CURRENT = threading.local()  # Each replica of a strategy is traced in a thread of its own.
_SCOPE = 'noise_of_the_whole_batch'
_RANDOM = ('Stateless', 'Stateful', 'Random', 'Multinomial', 'TruncatedNormal', 'Parameterized')
# Seeds are made of integers.
_NO_NOISE = ('StatelessRandomGet', 'StatelessRandomUniformFullInt', 'StatelessIf', 'StatelessWhile',
             'StatelessCase', 'StatefulPartitionedCall')


class _Share(NamedTuple):
    begin: tf.Tensor
    total: tf.Tensor


def _current() -> _Share | None:
    return getattr(_CURRENT, 'share', None)


@contextlib.contextmanager
def share(begin: tf.Tensor, total: tf.Tensor) -> Iterator[None]:
    """Lets `rows` within return the rows from `begin` on of what is drawn for `total` rows."""
    before = _current()
    _CURRENT.share = _Share(begin, total)
    try:
        yield
    finally:
        _CURRENT.share = before


def in_share() -> bool:
    """Returns whether this code sees a share of a batch only."""
    return _current() is not None


def rows(draw: Callable[[Any], Any], count: int | tf.Tensor) -> Any:
    """Returns `draw(count)`; within `share`, the share's rows of the draw for the whole batch.

    Args:
        draw: A function of the number of rows, which is the first dimension of all that it returns:
            a structure of tensors.
        count: The number of rows that are wanted.
    """
    current = _current()
    if current is None:
        return draw(count)
    with tf.name_scope(_SCOPE):
        return tf.nest.map_structure(
            lambda t: t[current.begin:current.begin + count], draw(current.total))


def normal_like(values: tf.Tensor, seed: Any) -> tf.Tensor:
    """Returns draws of N(0, 1) in the shape and dtype of `values [B, ...]`."""
    return _like(tf.random.stateless_normal, values, seed)


def uniform_like(values: tf.Tensor, seed: Any, dtype: tf.DType = tf.float32) -> tf.Tensor:
    """Returns draws of U[0, 1) in the shape of `values [B, ...]`."""
    return _like(tf.random.stateless_uniform, values, seed, dtype)


def _like(draw: Callable[..., tf.Tensor], values: tf.Tensor, seed: Any,
          dtype: tf.DType | None = None) -> tf.Tensor:
    shape, dtype = tf.shape(values), dtype or values.dtype
    if not in_share():
        return draw(shape, seed, dtype=dtype)
    drawn = rows(lambda n: draw(tf.concat([[n], shape[1:]], 0), seed, dtype=dtype), shape[0])
    return tf.ensure_shape(drawn, values.shape)


def others(graph: Any) -> list[str]:
    """Returns the names of what the outputs of a function's graph draw otherwise than by `rows`."""
    definition = graph.as_graph_def()
    functions = {f.signature.name: f for f in definition.library.function}
    waiting = [(definition.node, [output.name for output in graph.outputs])]
    seen: set[str] = set()
    drawn = []
    while waiting:
        for node in _needed(*waiting.pop()):
            if (node.op.startswith(_RANDOM) and not node.op.startswith(_NO_NOISE)
                    and _SCOPE not in node.name):
                drawn.append(node.name)
            called = {value.func.name for value in node.attr.values()} & set(functions) - seen
            seen |= called
            waiting += [(functions[name].node_def, list(functions[name].ret.values()))
                        for name in called]
    return drawn


def _needed(nodes: Iterable[Any], outputs: Iterable[str]) -> list[Any]:
    """Returns the nodes on which the outputs of a function depend."""
    by_name = {node.name: node for node in nodes}
    waiting, needed = list(outputs), {}
    while waiting:
        name = waiting.pop().lstrip('^').split(':')[0]
        if name in by_name and name not in needed:  # Otherwise it is an argument.
            needed[name] = by_name[name]
            waiting += by_name[name].input
    return list(needed.values())
