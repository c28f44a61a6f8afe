"""Builds this library's Glow without what the peers lack.

They have no inner actnorms, no edge indicator and no learned priors.
"""

import tensorflow as tf

import tfp_glow
from zoo.benchmarks import tensorflow_model
from zoo.benchmarks.job import CHANNELS, Job
from zoo.cli import processor

matmul_gflops = tensorflow_model.matmul_gflops


def build(job: Job, dtype: str = 'float32', reversible: bool = True,
          towers: bool = False) -> tensorflow_model.TensorFlowModel:
    """Returns the model of a job.

    Args:
        job: The job.
        dtype: The precision of the networks.
        reversible: Whether to train at constant memory.
        towers: Whether each core computes a share of the batch with one thread. Samples are then
            drawn as `serving.serve` draws them.
    """
    count = processor.cores() if towers else 1
    if towers:
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(count)
    flow = tfp_glow.flows.glow(
        event_shape=(job.size, job.size, CHANNELS), levels=job.levels,
        steps_per_level=job.steps_per_level, width=job.width, coupling='affine',
        network_options={'act_norm': False, 'edge_indicator': False}, exit_prior=False,
        top_prior='standard', reversible=reversible, network_dtype=dtype)
    model = tfp_glow.FlowModel(flow, bins=None, towers=count)
    return tensorflow_model.TensorFlowModel(
        flow, job, lambda batch: tfp_glow.initialize(flow, batch),
        log_prob=lambda batch: model.objective.log_prob(batch, [0, 0])[0],
        sampler=(lambda: tfp_glow.serving.serve(model).sample) if towers else None)
