"""`Towers`: computes the rows of a batch in shares that run beside each other."""

import contextlib
import os
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf

from tfp_glow.internal import draws


class Towers:
    """Computes the rows of a batch in equal shares, each by a call of one function of the graph.

    The calls do not wait for each other, so that each can have a core of its own. The graph holds
    the function once, however many towers there are.

    Args:
        count: The number of shares, at least 1.

    Raises:
        ValueError: If `count` is no positive integer.
    """

    def __init__(self, count: int) -> None:
        if isinstance(count, bool) or not isinstance(count, int) or count < 1:
            raise ValueError(f'towers must be a positive integer; got towers={count!r}.')
        self.count = count

    def check(self, jit_compile: bool) -> None:
        """Checks that the towers can be compiled; warns if they cannot run beside each other.

        Raises:
            ValueError: If XLA, which knows no towers, is to compile them.
        """
        if self.count == 1:
            return
        if jit_compile:
            raise ValueError(f'towers must be 1 with jit_compile; got towers={self.count}.')
        threads = tf.config.threading.get_inter_op_parallelism_threads()
        if threads == 1 or os.cpu_count() == 1:
            reason = ('tf.config.threading.set_inter_op_parallelism_threads(1) was called'
                      if threads == 1 else 'this machine has one core')
            warnings.warn(f'towers={self.count} cannot run beside each other, as {reason}.',
                          stacklevel=3)

    @contextlib.contextmanager
    def as_one(self) -> Iterator[None]:
        """Returns a context within which there is one tower."""
        count, self.count = self.count, 1
        try:
            yield
        finally:
            self.count = count

    def run(self, function: Callable[..., Any], rows: Any, *others: Any) -> Any:
        """Returns `function(rows, *others)`, computed in shares of the rows.

        Outside of graphs nothing is shared out. Random numbers that the function draws by
        `draws.rows` are the same for any number of towers.

        Args:
            function: A function, each row of whose result depends on the same row alone. It returns
                a structure of tensors `[B, ...]`, some of which may be None.
            rows: A structure of tensors `[B, ...]`, some of which may be None.
            *others: What all shares are given.

        Raises:
            ValueError: If there are fewer rows than towers, or unequal numbers of rows, where that
                is known; or if the function draws random numbers by other means.
        """
        if self.count == 1 or tf.executing_eagerly():
            return function(rows, *others)
        given = [tf.convert_to_tensor(t) for t in tf.nest.flatten(rows) if t is not None]
        known = given[0].shape[0]
        if known is not None and known < self.count:
            raise ValueError(f'towers must be at most the number of rows of a batch, {known}; '
                             f'got towers={self.count}.')
        total = tf.shape(given[0])[0]
        for tensor in given[1:]:
            if tensor.shape.rank == 0 or not tensor.shape[:1].is_compatible_with([known]):
                raise ValueError('towers must be 1 unless each tensor of the condition has the '
                                 f'rows of the batch, {known}; got shape={tensor.shape}.')
            if None in (known, tensor.shape[0]):
                with tf.control_dependencies([tf.debugging.assert_equal(
                        tf.shape(tensor)[0], total, 'towers must be 1 unless each tensor of the '
                        'condition has the rows of the batch.')]):
                    total = tf.identity(total)
        # Only the number of rows at run time may be less, as in the last batch of an epoch. Then
        # some towers compute the last row again.
        size = tf.maximum(-(-total // self.count), 1)
        structure: Any = None

        # The runtime calls one function as often as there are towers; inlined, it would be copied.
        @tf.function(autograph=False, experimental_attributes={'_noinline': True}, input_signature=[
            tf.TensorSpec([], tf.int32), *(tf.TensorSpec([None, *t.shape[1:]], t.dtype)
                                           for t in given)])
        def share(begin: tf.Tensor, *parts: tf.Tensor) -> list[tf.Tensor]:
            nonlocal structure
            left = iter(parts)
            own = tf.nest.map_structure(lambda t: None if t is None else next(left), rows)
            with draws.share(begin, total):
                structure = function(own, *others)
            return [t for t in tf.nest.flatten(structure) if t is not None]
        drawn = draws.others(share.get_concrete_function().graph)
        if drawn:
            raise ValueError('towers must be 1 for a model that draws random numbers by itself, '
                             f'which the towers would repeat: {drawn[0]}; got '
                             f'towers={self.count}.')
        results = []
        for i in range(self.count):
            begin = tf.minimum(i * size, total - 1)
            end = tf.minimum(begin + size, total)
            results.append(share(begin, *(t[begin:end] for t in given)))
        whole = iter([self._joined(parts, total, known) for parts in zip(*results)])
        return tf.nest.map_structure(lambda t: None if t is None else next(whole), structure)

    @staticmethod
    def _joined(parts: tuple[tf.Tensor, ...], total: tf.Tensor, known: int | None) -> tf.Tensor:
        joined = tf.concat(parts, 0)[:total]
        return tf.ensure_shape(joined, [known, *joined.shape[1:]])
