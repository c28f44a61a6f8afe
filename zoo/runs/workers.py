"""`Workers`: the devices of several processes, on one machine or more, that train together."""

import contextlib
import os
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf

from zoo.cli import errors
from zoo.models.assembly import Model
from zoo.runs.cluster import Cluster
from zoo.runs.devices import Devices

START_SECONDS = 120.  # So long a process waits for the others when it starts.


class Workers(Devices):
    """The devices of all processes that TF_CONFIG names.

    The first process, the chief, writes the run's files. The others read the same directory, to
    begin from the same checkpoint.

    Args:
        cluster: The processes.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self.workers = len(cluster.addresses)
        self.is_chief = cluster.is_chief
        with _time_limit(START_SECONDS, 'the other workers of TF_CONFIG do not answer: '
                         + ', '.join(a for i, a in enumerate(cluster.addresses)
                                     if i != cluster.index)):
            super().__init__(tf.distribute.MultiWorkerMirroredStrategy())

            def total(own: tf.Tensor) -> tf.Tensor:
                return tf.distribute.get_replica_context().all_reduce(
                    tf.distribute.ReduceOp.SUM, tf.cast(own, tf.float32))
            self._total = tf.function(lambda own: self._strategy.run(total, args=(own,)),
                                      autograph=False)
            self.agree(False, False)

    def agree(self, *asked: bool) -> tuple[bool, ...]:
        """Returns, for each of some requests, whether any of the processes makes it."""
        with _naming_what_is_lost():
            totals = self._total(tf.constant(asked, tf.int32))
            return tuple(bool(n) for n in self._strategy.experimental_local_results(totals)[0])

    def step(self, model: Model, one: Callable[[Any], Any],
             result: Callable[[], Any]) -> Callable[[Any], Any]:
        """Returns a graph that takes one step on a batch; see `Devices.step`."""
        take = super().step(model, one, result)

        def step(batch: Any) -> Any:
            with _naming_what_is_lost():
                return take(batch)
        return step


@contextlib.contextmanager
def _naming_what_is_lost() -> Iterator[None]:
    """Returns a context that says in one line that another process does not answer.

    Raises:
        Failure: In place of TensorFlow's own error.
    """
    try:
        yield
    except (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError,
            tf.errors.DeadlineExceededError, tf.errors.InternalError) as error:
        raise errors.Failure('another worker is gone or does not answer; the last checkpoint is '
                             'kept, and all go on with --resume.') from error


@contextlib.contextmanager
def _time_limit(seconds: float, message: str) -> Iterator[None]:
    """Returns a context that ends the process with a message if it takes too long.

    TensorFlow waits in C++, where nothing else ends it.
    """
    def end() -> None:
        print(f'error: {message} ({seconds:.0f} s).', file=sys.stderr, flush=True)
        os._exit(1)
    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
