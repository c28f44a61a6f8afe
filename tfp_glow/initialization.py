"""Initialises what depends on data, as an explicit act."""

import numpy as np
import tensorflow as tf
from tensorflow_probability import bijectors as tfb
from tensorflow_probability import distributions as tfd

from tfp_glow.bijectors import checks, conditions, introspection
from tfp_glow.types import Condition, TensorLike


def initialize(flow: tfd.Distribution | tfb.Bijector, batch: TensorLike,
               condition: Condition = None) -> None:
    """Sets the data-dependent parameters of `flow` from `batch`, layer by layer, once.

    The function walks through the flow from the data to the latents. Each `ActNorm`, in the flow
    and inside its networks, takes the mean and the standard deviation of what reaches it. What has
    been initialised before is left alone, so that a second call changes nothing. This also holds if
    it was initialised in a run that a checkpoint or weight file was saved from.

    Args:
        flow: A `tfd.TransformedDistribution` or a bijector.
        batch: Data, `[B, *event_shape]`, preprocessed and dequantized as for `log_prob`. The
            reference takes 256 images.
        condition: The condition of the batch, as for `log_prob`, if the flow takes one.

    Raises:
        ValueError: If `batch` has values that are not finite, or is not a batch of events.
    """
    if is_initialized(flow):
        return
    _walk(flow, batch, condition)


def update_statistics(flow: tfd.Distribution | tfb.Bijector, batch: TensorLike,
                      condition: Condition = None) -> None:
    """Sets the statistics of each `BatchNorm` in `flow` to those of the data that reach it.

    The function walks through the flow from the data to the latents, so that each part sees what
    the parts before it, with their new statistics, make of `batch`. Call it before you evaluate
    what was trained, with as large a part of the training data as memory allows. Moving averages
    lag behind the weights; these statistics belong to the weights as they are. Parts that
    `initialize` would set and has not set are set as well.

    Args:
        flow: A `tfd.TransformedDistribution` or a bijector.
        batch: Data, `[B, *event_shape]`, preprocessed and dequantized as for `log_prob`.
        condition: The condition of the batch, if the flow takes one.

    Raises:
        ValueError: If `batch` is not finite, or is not a batch of events.

    #### References
    Papamakarios, Pavlakou and Murray, *Masked Autoregressive Flow*, 2017, arXiv:1705.07057,
    appendix B: evaluation by the statistics of the training set.

    ```python
    >>> import tensorflow as tf, tfp_glow
    >>> batch_norm = tfp_glow.bijectors.BatchNorm(
    ...     [0.], [0.], mean=tf.Variable([0.]), variance=tf.Variable([1.]), event_ndims=1)
    >>> chain = tfp_glow.bijectors.Chain([batch_norm])
    >>> tfp_glow.update_statistics(chain, tf.constant([[4.], [6.]]))
    >>> batch_norm.mean.numpy(), batch_norm.variance.numpy()
    (array([5.], dtype=float32), array([1.], dtype=float32))

    ```
    """
    _walk(flow, batch, condition)


def is_initialized(flow: tf.Module) -> bool:
    """Returns whether all data-dependent parameters are set: each variable named `initialized`."""
    flags = filter(checks.is_flag, flow.variables)
    return all(np.all(flag.numpy()) for flag in flags)


def _walk(flow: tfd.Distribution | tfb.Bijector, batch: TensorLike, condition: Condition) -> None:
    """Walks from the data to the latents; each part sets what it takes from what reaches it."""
    bijector = flow if isinstance(flow, tfb.Bijector) else flow.bijector
    batch = tf.convert_to_tensor(batch)
    if batch.shape.rank != bijector.inverse_min_event_ndims + 1:
        raise ValueError(f'batch must have one dimension before the event\'s; '
                         f'got shape={batch.shape}.')
    if not np.all(np.isfinite(batch)):
        raise ValueError('batch must be finite; it holds NaN or infinity.')
    conditions.check_given(bijector, condition)
    introspection.initialize(bijector, batch, condition)
