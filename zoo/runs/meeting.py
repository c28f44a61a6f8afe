"""`meet`: the processes that train together wait for each other before TensorFlow starts.

TensorFlow itself waits for an hour, during which nothing else in Python runs, not even a signal.
"""

import contextlib
import json
import socket
import time
from typing import Any

from zoo.cli import errors
from zoo.runs.cluster import Cluster

_PAUSE = .2  # So many seconds lie between two attempts to reach the chief.
_PATIENCE = 5.  # So many seconds the chief waits for who has connected, and others for its answer.


def meet(cluster: Cluster, seconds: float) -> None:
    """Waits until all processes of a cluster are there.

    The chief listens at its address, where the others say who they are. It then lets all go on.

    Args:
        cluster: The processes.
        seconds: So long this process waits.

    Raises:
        Failure: If not all come in time, if two say that they are the same one, if they were given
            another cluster, or if the chief cannot listen at its address.
    """
    deadline = time.monotonic() + seconds
    if cluster.is_chief:
        _lead(cluster, seconds, deadline)
    else:
        _follow(cluster, seconds, deadline)


def _lead(cluster: Cluster, seconds: float, deadline: float) -> None:
    here: dict[int, socket.socket] = {}
    missing = dict(enumerate(cluster.peers, 1))
    try:
        with socket.create_server(('', _place(cluster.addresses[0])[1])) as listener:
            while missing:
                connection = _accepted(listener, deadline)
                if connection is None:
                    raise errors.Failure(f'the other workers of TF_CONFIG do not answer: '
                                         f'{", ".join(missing.values())} ({seconds:.0f} s).')
                index = _index(connection, cluster, deadline)
                if index in missing:
                    here[index] = connection
                    del missing[index]
                elif index is not None:
                    here[-index] = connection
                    raise errors.Failure(f'two workers have the place {index} of TF_CONFIG.')
        for connection in here.values():
            _send(connection, '')
    except OSError as error:
        raise errors.Failure(f'the worker {cluster.addresses[0]} of TF_CONFIG cannot listen at its '
                             f'address ({error.strerror or error}).') from None
    except errors.Failure as failure:
        for connection in here.values():
            _send(connection, str(failure))
        raise
    finally:
        for connection in here.values():
            connection.close()


def _index(connection: socket.socket, cluster: Cluster, deadline: float) -> int | None:
    """Returns the place of the process that has connected; None if it is none of the cluster."""
    said = _received(connection, min(deadline, time.monotonic() + _PATIENCE))
    if not isinstance(said, dict) or 'addresses' not in said:
        connection.close()
        return None
    if said['addresses'] != list(cluster.addresses):
        reason = ('all workers must have the same cluster in TF_CONFIG; the chief has '
                  f'{", ".join(cluster.addresses)}, worker {said["index"]} has '
                  f'{", ".join(said["addresses"])}.')
        _send(connection, reason)
        connection.close()
        raise errors.Failure(reason)
    return said['index']


def _follow(cluster: Cluster, seconds: float, deadline: float) -> None:
    while time.monotonic() < deadline:
        try:
            with socket.create_connection(_place(cluster.addresses[0]), _left(deadline)) as chief:
                _send(chief, {'addresses': cluster.addresses, 'index': cluster.index})
                answer = _received(chief, deadline + _PATIENCE)
            if answer == '':
                return
            if answer is not None:
                raise errors.Failure(answer)
        except OSError:
            pass
        time.sleep(_PAUSE)
    raise errors.Failure(f'the other workers of TF_CONFIG do not answer: {cluster.addresses[0]}, '
                         f'the chief ({seconds:.0f} s).')


def _accepted(listener: socket.socket, deadline: float) -> socket.socket | None:
    listener.settimeout(_left(deadline))
    try:
        return listener.accept()[0]
    except TimeoutError:
        return None


def _received(connection: socket.socket, deadline: float) -> Any:
    """Returns what the other side says; None if it says nothing that can be read."""
    connection.settimeout(_left(deadline))
    try:
        with connection.makefile('rb') as file:
            return json.loads(file.readline(1_000_000))
    except (OSError, ValueError):
        return None


def _send(connection: socket.socket, value: Any) -> None:
    with contextlib.suppress(OSError):  # Who has gone meanwhile misses it; TensorFlow says so.
        connection.sendall(json.dumps(value).encode() + b'\n')


def _place(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(':')
    return host.strip('[]'), int(port)


def _left(deadline: float) -> float:
    return max(.01, deadline - time.monotonic())
