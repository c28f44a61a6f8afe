"""Names of the types that the signatures of bijectors use; the docstrings tell the shapes."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf
from tensorflow_probability import bijectors as tfb

from tfp_glow.types import Latents

# A built Keras network, or any callable that takes a tensor and, perhaps, `condition=`.
Network = Callable[..., tf.Tensor]
# The inner transform of a coupling: it makes a bijector of what the network returned.
Inner = Callable[[tf.Tensor], tfb.Bijector]
# A map from a network's raw output to a log-scale, elementwise.
ScaleMap = Callable[[tf.Tensor], tf.Tensor]
# A function of one input that returns value and log-det.
Evaluation = Callable[[Latents], tuple[Latents, tf.Tensor]]
# `parts.forward_and_log_det` or `parts.inverse_and_log_det`.
PairOf = Callable[..., tuple[Latents, tf.Tensor]]
# `parts.forward_pullback` or `parts.inverse_pullback`.
PullbackOf = Callable[..., tuple[Any, Any]]
