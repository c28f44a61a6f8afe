"""Has what the peers on TensorFlow share, so that only the flow differs: training step, matmul."""

import time
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from zoo.benchmarks import data
from zoo.benchmarks.job import Job

_MATMUL_SIZE = 2048


class TensorFlowModel:
    """Graph-compiled calls of a distribution over images.

    Args:
        flow: The distribution.
        job: The job.
        initialize_flow: A function of a batch that sets the data-dependent parameters, for a flow
            that does not do this in its first call.
        log_prob: The function that computes the flow's `log_prob`; by default this itself.
        sampler: A function that returns the function of a number which draws so many samples; by
            default this is the flow's own.
    """

    def __init__(self, flow: tfd.Distribution, job: Job,
                 initialize_flow: Callable[[tf.Tensor], object] | None = None,
                 log_prob: Callable[[tf.Tensor], tf.Tensor] | None = None,
                 sampler: Callable[[], Callable[[int], tf.Tensor]] | None = None) -> None:
        self._log_prob = log_prob or flow.log_prob
        self._sampler = sampler or (lambda: flow.sample)
        self._batch = tf.constant(data.uniform_images(job))
        self._initialize_flow = initialize_flow
        self.weights = list(flow.trainable_variables)

    def initialize(self, what: str) -> None:
        """Sets the data-dependent parameters, if the calls of a task do not do it themselves."""
        if self._initialize_flow is not None:
            self._initialize_flow(self._batch)
        elif what == 'sample':
            self.task('log_prob')()  # This peer initialises itself in its first log_prob.

    def task(self, what: str) -> Callable[[], Any]:
        """Returns a call without arguments, which returns when its numbers are there."""
        if what == 'train':
            function = self._training_step()
        elif what == 'log_prob':
            function = tf.function(lambda: self._log_prob(self._batch), autograph=False)
        else:
            sample = self._sampler()
            function = tf.function(lambda: sample(self._batch.shape[0]), autograph=False)
        return lambda: function().numpy()

    def _training_step(self) -> Callable[[], tf.Tensor]:
        optimizer = keras.optimizers.Adam(data.LEARNING_RATE)
        optimizer.build(self.weights)

        @tf.function(autograph=False)
        def step() -> tf.Tensor:
            with tf.GradientTape() as tape:
                loss = -tf.reduce_mean(self._log_prob(self._batch))
            gradients = tape.gradient(loss, self.weights)
            lost = sum(gradient is None for gradient in gradients)
            if lost:
                raise RuntimeError(f'{lost} of {len(gradients)} variables get no gradient.')
            optimizer.apply_gradients(zip(gradients, self.weights))
            return loss

        return step


def matmul_gflops(seconds: float, bfloat16: bool = False) -> float:
    """Returns the best rate of a large matrix product, in 1e9 operations per second.

    Args:
        seconds: The time that it may take.
        bfloat16: Whether to multiply in bfloat16 and not in float32.
    """
    matrix = tf.random.stateless_normal([_MATMUL_SIZE, _MATMUL_SIZE], seed=[0, 0])
    matrix = tf.cast(matrix, tf.bfloat16 if bfloat16 else tf.float32)
    product = tf.function(lambda: tf.cast(tf.matmul(matrix, matrix)[0, 0], tf.float32),
                          autograph=False)
    best, end = float('inf'), time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        product().numpy()
        best = min(best, time.perf_counter() - start)
    return 2 * _MATMUL_SIZE**3 / best / 1e9
