"""Reads TF_CONFIG, which says which processes train together and which of them this one is."""

import dataclasses
import json
import os
import re
from collections.abc import Mapping
from typing import Any

from zoo.cli import errors

_ADDRESS = re.compile(r'([^\s:/\[\]]+|\[[0-9a-fA-F:.]+\]):([0-9]{1,5})')
_EXAMPLE = ('{"cluster": {"worker": ["host1:12345", "host2:12345"]}, "task": {"type": "worker", '
            '"index": 0}}')


@dataclasses.dataclass(frozen=True)
class Cluster:
    """The processes that train together.

    Attributes:
        addresses: The address of each, the chief's first.
        index: The place of this process among them.
    """

    addresses: tuple[str, ...]
    index: int

    @property
    def is_chief(self) -> bool:
        """Whether this process writes the run's files."""
        return self.index == 0

    @property
    def peers(self) -> tuple[str, ...]:
        """The addresses of the other processes."""
        return tuple(a for i, a in enumerate(self.addresses) if i != self.index)


def read(environment: Mapping[str, str] = os.environ) -> Cluster:
    """Returns the cluster that TF_CONFIG describes.

    The chief is the member of `chief`, if there is one, and otherwise the first worker.

    Args:
        environment: The environment variables.

    Raises:
        UsageError: If it is not set, or does not describe one.

    >>> read({'TF_CONFIG': '{"cluster": {"worker": ["a:1", "b:1"]}, '
    ...                    '"task": {"type": "worker", "index": 1}}'})
    Cluster(addresses=('a:1', 'b:1'), index=1)
    """
    text = environment.get('TF_CONFIG', '')
    if not text:
        raise _mistake('be set, such as ' + _EXAMPLE, 'nothing')
    try:
        values = json.loads(text)
        cluster, task = values['cluster'], values['task']
        kind, index = task['type'], task['index']
        jobs = {name: list(cluster.get(name, [])) for name in ('chief', 'worker')}
        others = sorted(set(cluster) - set(jobs))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise _mistake('be JSON such as ' + _EXAMPLE, text) from None
    if others:
        raise _mistake('name workers, and at most one chief besides, and no other kind of process',
                       ', '.join(others))
    if len(jobs['chief']) > 1 or not any(jobs.values()):
        raise _mistake('name workers, and at most one chief besides', text)
    places = {(name, i): address for name, members in jobs.items()
              for i, address in enumerate(members)}
    for address in places.values():
        if not _is_address(address):
            raise _mistake('hold addresses such as host1:12345', repr(address))
    if len(set(places.values())) < len(places):
        raise _mistake('hold each address once', text)
    own = [place for place, member in enumerate(places) if member == (kind, index)]
    if not own or isinstance(index, (bool, float)):
        raise _mistake('say which of its members this process is', f'the task {task!r}')
    return Cluster(tuple(places.values()), own[0])


def _is_address(value: Any) -> bool:
    match = _ADDRESS.fullmatch(value) if isinstance(value, str) else None
    return match is not None and 1 <= int(match[2]) <= 65535


def _mistake(rule: str, value: str) -> errors.UsageError:
    return errors.UsageError(f'TF_CONFIG must {rule}, for --strategy=multi_worker; '
                             f'got {value[:300]}.')
