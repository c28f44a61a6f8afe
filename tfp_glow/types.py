"""Names of the types that public signatures use; the docstrings tell the shapes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

# What becomes a tensor: TFP's functions take any of these.
TensorLike = tf.Tensor | tf.Variable | np.ndarray | Sequence | float | int | bool
# The static shape of an event, without the batch: (28, 28, 1).
Shape = Sequence[int] | tf.TensorShape
# A seed of stateless random numbers: one integer, or two as a tensor [2].
Seed = int | Sequence[int] | tf.Tensor
# One tensor, or a structure of tensors: labels, vectors or feature maps.
Condition = Any
# The latents of a flow: one tensor, or a list with one tensor per level.
Latents = Any
DType = tf.DType | np.dtype | type | str
