"""`Terms`: what an objective computes of each example of a batch."""

from typing import NamedTuple

import tensorflow as tf


class Terms(NamedTuple):
    """Holds what is computed of each example; all but the first may be None.

    Attributes:
        log_prob: log p of the data, `[B]`.
        data: The data, `[B, ...]`.
        logits: What a classifier makes of the latents, `[B, classes]`.
        error: max |forward(inverse(y)) - y|, `[B]`.
    """

    log_prob: tf.Tensor
    data: tf.Tensor | None
    logits: tf.Tensor | None
    error: tf.Tensor | None
