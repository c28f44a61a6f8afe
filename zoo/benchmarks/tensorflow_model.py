"""What the peers on TensorFlow share, so that only the flow differs: training step, matmul."""

import time

import keras
import tensorflow as tf

from zoo.benchmarks import data

_MATMUL_SIZE = 2048


class TensorFlowModel:
    """Graph-compiled calls of a distribution over images.

    `initialize_flow(batch)` sets the data-dependent parameters, where that is an act of its own.
    """

    def __init__(self, flow, job, initialize_flow=None):
        self._flow = flow
        self._batch = tf.constant(data.uniform_images(job))
        self._initialize_flow = initialize_flow
        self.weights = list(flow.trainable_variables)

    def initialize(self, what):
        if self._initialize_flow is not None:
            self._initialize_flow(self._batch)
        elif what == 'sample':
            self.task('log_prob')()  # This peer initialises itself in its first log_prob.

    def task(self, what):
        """A call without arguments that returns when its numbers are there."""
        if what == 'train':
            function = self._training_step()
        elif what == 'log_prob':
            function = tf.function(lambda: self._flow.log_prob(self._batch))
        else:
            function = tf.function(lambda: self._flow.sample(self._batch.shape[0]))
        return lambda: function().numpy()

    def _training_step(self):
        optimizer = keras.optimizers.Adam(data.LEARNING_RATE)
        optimizer.build(self.weights)

        @tf.function
        def step():
            with tf.GradientTape() as tape:
                loss = -tf.reduce_mean(self._flow.log_prob(self._batch))
            gradients = tape.gradient(loss, self.weights)
            lost = sum(gradient is None for gradient in gradients)
            if lost:
                raise RuntimeError(f'{lost} of {len(gradients)} variables get no gradient.')
            optimizer.apply_gradients(zip(gradients, self.weights))
            return loss

        return step


def matmul_gflops(seconds):
    """The best rate of a large float32 matrix product, in 1e9 operations per second."""
    matrix = tf.random.stateless_normal([_MATMUL_SIZE, _MATMUL_SIZE], seed=[0, 0])
    product = tf.function(lambda: tf.matmul(matrix, matrix)[0, 0])
    best, end = float('inf'), time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        product().numpy()
        best = min(best, time.perf_counter() - start)
    return 2 * _MATMUL_SIZE**3 / best / 1e9
