"""TF_CONFIG of processes that train together on this machine."""

import json
import socket


def addresses(count):
    """Returns so many addresses whose ports are free."""
    sockets = [socket.create_server(('localhost', 0)) for _ in range(count)]
    names = [f'localhost:{s.getsockname()[1]}' for s in sockets]
    for s in sockets:
        s.close()
    return names


def configs(count):
    """Returns the TF_CONFIG of each of so many workers, the chief's first."""
    workers = addresses(count)
    return [json.dumps({'cluster': {'worker': workers}, 'task': {'type': 'worker', 'index': i}})
            for i in range(count)]
