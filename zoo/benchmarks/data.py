"""The input and the learning rate common to all peers."""

import numpy as np

from zoo.benchmarks.job import CHANNELS

LEARNING_RATE = 1e-3


def uniform_images(job):
    """float32 [batch, size, size, 3], uniform on [-.5, .5], the same for every peer."""
    shape = [job.batch, job.size, job.size, CHANNELS]
    return np.random.default_rng(0).uniform(-.5, .5, shape).astype(np.float32)
