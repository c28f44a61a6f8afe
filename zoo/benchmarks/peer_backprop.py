"""Builds this library's Glow under ordinary backprop, which keeps every activation."""

import functools

from zoo.benchmarks import peer_tfp_glow

build = functools.partial(peer_tfp_glow.build, reversible=False)
