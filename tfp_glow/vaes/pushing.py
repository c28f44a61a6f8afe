"""Pushes a posterior's draw forward by a bijector, with the log-det by dimension if possible."""

import tensorflow as tf
from tensorflow_probability import bijectors as tfb

from tfp_glow import bijectors as tgb
from tfp_glow.bijectors import conditions, parts
from tfp_glow.types import Condition


def forward(bijector: tfb.Bijector, x: tf.Tensor,
            condition: Condition = None) -> tuple[tf.Tensor, tf.Tensor]:
    """Computes `(forward(x), log-det)` in one evaluation.

    Args:
        bijector: Any TFP bijector over events of the shape of x without its first dimension.
        x: The input, `[B, *shape]`.
        condition: The condition of the bijector, if it takes one.

    Returns:
        The output and the log-det. For a `bijectors.InverseAutoregressive` and for a
        `bijectors.Chain` of them, the log-det is `[B, *shape]`, a summand for each dimension;
        otherwise it is `[B]`.
    """
    steps = bijector.parts if isinstance(bijector, tgb.Chain) else [bijector]
    if not all(isinstance(step, tgb.InverseAutoregressive) for step in steps):
        return parts.forward_and_log_det(bijector, x, x.shape.rank - 1, condition)
    total = tf.zeros_like(x)
    for step in reversed(steps):
        x, log_dets = step.forward_and_log_dets(x, **conditions.condition_kwargs(step, condition))
        total += log_dets
    return x, total
