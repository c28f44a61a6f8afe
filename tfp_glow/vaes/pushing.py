"""A bijector pushes a posterior's draw forward, with its log-det by dimension where it can."""

import tensorflow as tf

from tfp_glow import bijectors as tgb
from tfp_glow.bijectors import base


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
    parts = bijector.parts if isinstance(bijector, tgb.Chain) else [bijector]
    if not all(isinstance(part, tgb.InverseAutoregressive) for part in parts):
        return base.forward_and_log_det(bijector, x, x.shape.rank - 1, condition)
    total = tf.zeros_like(x)
    for part in reversed(parts):
        x, log_dets = part.forward_and_log_dets(x, **base.given(part, condition))
        total += log_dets
    return x, total
