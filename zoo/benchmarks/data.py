"""The input and the learning rate common to all peers."""

import numpy as np

from zoo.benchmarks.job import CHANNELS, Job

LEARNING_RATE = 1e-3


def uniform_images(job: Job) -> np.ndarray:
    """Returns images, float32 `[batch, size, size, 3]`, uniform on [-.5, .5].

    They are the same for every peer.
    """
    shape = [job.batch, job.size, job.size, CHANNELS]
    return np.random.default_rng(0).uniform(-.5, .5, shape).astype(np.float32)
