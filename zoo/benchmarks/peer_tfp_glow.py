"""Builds this library's Glow without what the peers lack.

They have no inner actnorms, no edge indicator and no learned priors.
"""

import tfp_glow
from zoo.benchmarks import tensorflow_model
from zoo.benchmarks.job import CHANNELS, Job

matmul_gflops = tensorflow_model.matmul_gflops


def build(job: Job, reversible: bool = True) -> tensorflow_model.TensorFlowModel:
    """Returns the model of a job."""
    flow = tfp_glow.flows.glow(
        event_shape=(job.size, job.size, CHANNELS), levels=job.levels,
        steps_per_level=job.steps_per_level, width=job.width, coupling='affine',
        network_options={'act_norm': False, 'edge_indicator': False}, exit_prior=False,
        top_prior='standard', reversible=reversible)
    return tensorflow_model.TensorFlowModel(
        flow, job, lambda batch: tfp_glow.initialize(flow, batch))
