"""Makes flows with a standard Normal as their base, and data of a Normal."""

import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd


def flow_of(bijector, event_shape, dtype=tf.float32):
    """Returns a flow with a standard Normal as its base."""
    normal = tfd.Normal(tf.zeros([], dtype), tf.ones([], dtype))
    return tfd.TransformedDistribution(tfd.Sample(normal, event_shape), bijector)


def normal_batch(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)
