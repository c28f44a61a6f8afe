"""Reads TF_CONFIG, which says which processes train together and which of them this one is."""

import dataclasses
import json
import os
import re
from collections.abc import Mapping

from zoo.cli import errors

_ADDRESS = re.compile(r'[^\s:/]+:\d{1,5}')
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


def read(environment: Mapping[str, str] = os.environ) -> Cluster:
    """Returns the cluster that TF_CONFIG describes.

    Raises:
        UsageError: If it is not set, or does not describe one.
    """
    text = environment.get('TF_CONFIG', '')
    if not text:
        raise _mistake('be set, such as ' + _EXAMPLE, 'nothing')
    try:
        values = json.loads(text)
        cluster, task = values['cluster'], values['task']
        kind, index = task['type'], task['index']
        members = [(name, i, address) for name in ('chief', 'worker')
                   for i, address in enumerate(cluster.get(name, []))]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise _mistake('be JSON such as ' + _EXAMPLE, text) from None
    if set(cluster) - {'chief', 'worker'} or not members:
        raise _mistake('name workers, and at most one chief besides', text)
    addresses = [address for _, _, address in members]
    for address in addresses:
        if not isinstance(address, str) or not _ADDRESS.fullmatch(address) or not (
                1 <= int(address.rpartition(':')[2]) <= 65535):
            raise _mistake('hold addresses such as host1:12345', repr(address))
    if len(set(addresses)) < len(addresses):
        raise _mistake('hold each address once', text)
    places = {(name, i): place for place, (name, i, _) in enumerate(members)}
    if not isinstance(index, int) or (kind, index) not in places:
        raise _mistake('say which of its members this process is', f'task {task!r}')
    return Cluster(tuple(addresses), places[kind, index])


def _mistake(rule: str, value: str) -> errors.UsageError:
    return errors.UsageError(f'TF_CONFIG must {rule}, for --strategy=multi_worker; '
                             f'got {value[:300]}.')
