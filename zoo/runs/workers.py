"""`Workers`: the devices of several processes, on one machine or more, that train together."""

import atexit
import contextlib
import json
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from zoo.cli import errors
from zoo.runs import meeting
from zoo.runs.cluster import Cluster
from zoo.runs.devices import Devices
from zoo.runs.directory import differences

# What TensorFlow says of a process that ended or no longer answers.
_LOST = (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError,
         tf.errors.DeadlineExceededError, tf.errors.FailedPreconditionError,
         tf.errors.InternalError)
_LOST_WORDS = ('ollective ops is aborted', 'failed to connect', 'heartbeat', 'Connection reset',
               'Socket closed')


class Workers(Devices):
    """The devices of all processes that TF_CONFIG names.

    The first process, the chief, writes the run's files. The others read the same directory, to
    begin from the same checkpoint.

    Args:
        cluster: The processes.
        seconds: So long this process waits for the others to start.

    Raises:
        Failure: If not all come in time, or if this process cannot listen at its address.
    """

    def __init__(self, cluster: Cluster, seconds: float) -> None:
        self._cluster = cluster
        self.workers = len(cluster.addresses)
        self.is_chief = cluster.is_chief
        meeting.meet(cluster, seconds)
        with _signals_kept():
            try:
                super().__init__(tf.distribute.MultiWorkerMirroredStrategy())
            except (tf.errors.OpError, RuntimeError) as error:
                raise errors.Failure(
                    f'the worker {cluster.addresses[cluster.index]} of TF_CONFIG cannot start '
                    f'({str(error)[:200]}).') from error

            def total(own: tf.Tensor) -> tf.Tensor:
                return tf.distribute.get_replica_context().all_reduce(
                    tf.distribute.ReduceOp.SUM, tf.cast(own, tf.float32))
            self._total = tf.function(lambda own: self._strategy.run(total, args=(own,)),
                                      autograph=False)
            self.agree(False, False)

    def agree(self, *asked: bool) -> tuple[bool, ...]:
        """Returns, for each of some requests, whether any of the processes makes it."""
        return tuple(bool(n) for n in self._sum(np.asarray(asked)))

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Returns a context that all processes leave, or none; see `Devices.together`."""
        try:
            yield
        except Exception:
            self.agree(True)
            raise
        if self.agree(False)[0]:
            raise errors.Failure('another worker has failed, which says why.')

    def check_equal(self, rule: str, values: Mapping[str, Any]) -> None:
        """Checks that all processes have the same values; see `Devices.check_equal`."""
        texts = self._texts(json.dumps(values, sort_keys=True))
        for i, text in enumerate(texts):
            if text != texts[0]:
                unlike = differences(json.loads(texts[0]), json.loads(text))
                raise errors.UsageError(f'all workers must {rule}; worker {i} has ' + ', '.join(
                    f'{name}={own!r} (the chief {first!r})'
                    for name, (first, own) in unlike.items()) + '.')

    def _texts(self, own: str) -> list[str]:
        """Returns the texts that the processes give, in their order."""
        data = np.frombuffer(own.encode(), np.uint8)
        sizes = np.zeros(self.workers, np.int64)
        sizes[self._cluster.index] = len(data)
        sizes = self._sum(sizes)
        padded = np.zeros([self.workers, sizes.max()], np.int64)
        padded[self._cluster.index, :len(data)] = data
        return [row[:size].astype(np.uint8).tobytes().decode()
                for row, size in zip(self._sum(padded), sizes)]

    def _sum(self, own: np.ndarray) -> np.ndarray:
        """Returns the sum of whole numbers, below 2^24, over the processes."""
        with naming_what_is_lost():
            totals = self._total(tf.constant(own, tf.int32))
            total = self._strategy.experimental_local_results(totals)[0].numpy()
            return np.rint(total).astype(np.int64) * self.workers // self.replicas


@contextlib.contextmanager
def naming_what_is_lost() -> Iterator[None]:
    """Returns a context that says in one line that another process does not answer.

    Raises:
        Failure: In place of TensorFlow's own error.
    """
    try:
        yield
    except _LOST as error:
        if not any(words in str(error) for words in _LOST_WORDS):
            raise
        atexit.register(_leave)
        raise errors.Failure('another worker has ended or does not answer; the last checkpoint is '
                             'kept, and all go on with --resume.') from error


def _leave() -> None:
    """Ends this process at once; TensorFlow would wait up to a minute for who no longer answers."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(1)


@contextlib.contextmanager
def _signals_kept() -> Iterator[None]:
    """Returns a context after which signals come to whom they came before; TensorFlow takes one."""
    kept = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)
