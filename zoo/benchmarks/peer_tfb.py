"""Builds TensorFlow Probability's Glow, with its own default network at the benchmark's width."""

import functools

import tensorflow_probability as tfp

from zoo.benchmarks import tensorflow_model
from zoo.benchmarks.job import CHANNELS, Job

tfb = tfp.bijectors
tfd = tfp.distributions

matmul_gflops = tensorflow_model.matmul_gflops


def build(job: Job) -> tensorflow_model.TensorFlowModel:
    """Returns the model of a job."""
    glow = tfb.Glow(
        output_shape=[job.size, job.size, CHANNELS],
        num_glow_blocks=job.levels,
        num_steps_per_block=job.steps_per_level,
        coupling_bijector_fn=functools.partial(tfb.GlowDefaultNetwork, num_hidden=job.width),
        # There is no learned prior at the exits, as the other peers have none either.
        exit_bijector_fn=lambda input_shape, output_chan: lambda kept: tfb.Identity())
    base = tfd.Sample(tfd.Normal(0., 1.), [job.size * job.size * CHANNELS])
    return tensorflow_model.TensorFlowModel(tfd.TransformedDistribution(base, glow), job)
