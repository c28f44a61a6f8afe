"""A bijector pushes a posterior's draw forward, with its log-det by dimension where it can."""

import tensorflow as tf

from tfp_glow import bijectors as tgb
from tfp_glow.bijectors import conditions, parts


def forward(bijector, x, condition=None):
    """`(forward(x), log-det)` in one evaluation.

    Args:
      bijector: any TFP bijector over events of the shape of x without its first dimension.
      x: `[B, *shape]`.
      condition: of the bijector, if it takes one.

    Returns:
      The log-det is `[B, *shape]`, a summand for each dimension, of
      `bijectors.InverseAutoregressive` and of a `bijectors.Chain` of such; else `[B]`.
    """
    steps = bijector.parts if isinstance(bijector, tgb.Chain) else [bijector]
    if not all(isinstance(step, tgb.InverseAutoregressive) for step in steps):
        return parts.forward_and_log_det(bijector, x, x.shape.rank - 1, condition)
    total = tf.zeros_like(x)
    for step in reversed(steps):
        x, log_dets = step.forward_and_log_dets(x, **conditions.condition_kwargs(step, condition))
        total += log_dets
    return x, total
