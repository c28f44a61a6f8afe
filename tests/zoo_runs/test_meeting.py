"""Tests how processes wait for each other; here they are threads."""

import concurrent.futures
import socket

import local_cluster
import pytest

from zoo.cli import errors
from zoo.runs import meeting
from zoo.runs.cluster import Cluster


def meet(*members, seconds=20.):
    """Returns what `meet` raises, or None, for each of some members."""
    def outcome(member):
        try:
            return meeting.meet(member, seconds)
        except errors.Failure as failure:
            return str(failure)
    with concurrent.futures.ThreadPoolExecutor(len(members)) as pool:
        return list(pool.map(outcome, members))


@pytest.fixture
def addresses():
    return tuple(local_cluster.addresses(3))


def test_all_come(addresses):
    assert meet(*(Cluster(addresses, i) for i in (2, 0, 1))) == 3 * [None]
    assert meet(Cluster(addresses[:1], 0)) == [None]


def test_one_is_missing(addresses):
    for member in (0, 1, 2):
        rest = [Cluster(addresses, i) for i in range(3) if i != member]
        missing = f'{addresses[member]}, the chief' if not member else addresses[member]
        assert meet(*rest, seconds=.6) == 2 * [
            f'the other workers of TF_CONFIG do not answer: {missing} (1 s).']


def test_two_have_one_place(addresses):
    outcomes = meet(*(Cluster(addresses, i) for i in (0, 1, 1)))
    assert outcomes == 3 * ['two workers have the place 1 of TF_CONFIG.']


def test_they_have_different_clusters(addresses):
    outcomes = meet(Cluster(addresses[:2], 0), Cluster((addresses[0], addresses[2]), 1))
    assert outcomes[0] == outcomes[1] == (
        'all workers must have the same cluster in TF_CONFIG; the chief has '
        f'{addresses[0]}, {addresses[1]}, worker 1 has {addresses[0]}, {addresses[2]}.')


def test_strangers_are_not_waited_for(addresses):
    with concurrent.futures.ThreadPoolExecutor() as pool:
        chief = pool.submit(meet, Cluster(addresses[:2], 0))
        host, port = addresses[0].split(':')
        for said in (b'GET / HTTP/1.1\n', b'{}\n', b''):
            while not chief.done():
                try:
                    with socket.create_connection((host, int(port)), 5) as stranger:
                        stranger.sendall(said)
                    break
                except ConnectionRefusedError:
                    continue
        assert meet(Cluster(addresses[:2], 1)) == [None] and chief.result() == [None]


def test_an_address_in_use(addresses):
    with socket.create_server(('', int(addresses[0].split(':')[1]))):
        outcome, = meet(Cluster(addresses[:2], 0), seconds=1.)
    assert outcome.startswith(f'the worker {addresses[0]} of TF_CONFIG cannot listen at its ')
