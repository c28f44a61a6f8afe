"""Builds Glow of this library's bijectors without `Repeat`.

It has K separate steps, which are trained by ordinary backprop.
"""

import math

import tensorflow as tf
import tensorflow_probability as tfp

import tfp_glow
from tfp_glow import bijectors as tgb
from zoo.benchmarks import flops, tensorflow_model
from zoo.benchmarks.job import Job

matmul_gflops = tensorflow_model.matmul_gflops


def build(job: Job) -> tensorflow_model.TensorFlowModel:
    """Returns the model of a job."""
    levels, shapes = [], []
    for level, (pixels, channels) in enumerate(flops.level_shapes(job)):
        side = math.isqrt(pixels)
        steps = [part for k in range(job.steps_per_level)
                 for part in _step(side, channels, job.width, seed=level * job.steps_per_level + k)]
        levels.append(tgb.Chain([tgb.Squeeze(2), *steps]))
        shapes.append((side, side, channels // 2))
    shapes[-1] = (side, side, channels)
    flow = tfp.distributions.TransformedDistribution(
        tfp_glow.distributions.latents(shapes), tgb.MultiScale(levels))
    return tensorflow_model.TensorFlowModel(
        flow, job, lambda batch: tfp_glow.initialize(flow, batch))


def _step(side: int, channels: int, width: int, seed: int) -> tuple[tfp.bijectors.Bijector, ...]:
    act_norm = tgb.ActNorm(tf.Variable(tf.zeros([channels])), tf.Variable(tf.zeros([channels])),
                           tf.Variable(False, trainable=False, name='initialized'))
    mixing = tgb.InvertibleConv1x1(**{
        name: tf.Variable(value, trainable=name not in ('permutation', 'sign'))
        for name, value in tgb.plu_parameters(channels, seed).items()})
    network = tfp_glow.networks.conv_network(
        (side, side, channels // 2), outputs=channels, width=width, act_norm=False,
        edge_indicator=False, seed=seed)
    return act_norm, mixing, tgb.Coupling(network)
