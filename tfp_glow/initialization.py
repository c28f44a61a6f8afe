"""Data-dependent initialisation as an explicit act."""

import numpy as np
import tensorflow as tf
from tensorflow_probability import bijectors as tfb

from tfp_glow.bijectors import checks, conditions, introspection


def initialize(flow, batch, condition=None):
    """Sets the data-dependent parameters of `flow` from `batch`, layer by layer, once.

    Walks the flow from the data to the latents; each `ActNorm`, in the flow and inside its
    networks, takes the mean and the standard deviation of what reaches it. What has been
    initialised before, also in a run that a checkpoint or weight file was saved from, is left
    alone, so that a second call changes nothing.

    Args:
      flow: a `tfd.TransformedDistribution` or a bijector.
      batch: data, `[B, *event_shape]`, preprocessed and dequantized as for `log_prob`; the
        reference takes 256 images.
      condition: of the batch, as for `log_prob`, if the flow takes one.

    Raises:
      ValueError: `batch` has values that are not finite, or is no batch of events.
    """
    if is_initialized(flow):
        return
    _walk(flow, batch, condition)


def update_statistics(flow, batch, condition=None):
    """Sets the statistics of each `BatchNorm` in `flow` to those of the data that reach it.

    Walks the flow from the data to the latents, so that each part sees what the parts before it,
    with their new statistics, make of `batch`. Call it before evaluating what was trained, with as
    large a part of the training data as memory allows: unlike moving averages, which lag behind
    the weights, these statistics belong to the weights as they are. Parts that `initialize` would
    set and has not are set as well.

    Args:
      flow: a `tfd.TransformedDistribution` or a bijector.
      batch: `[B, *event_shape]`, preprocessed and dequantized as for `log_prob`.
      condition: of the batch, if the flow takes one.

    Raises:
      ValueError: `batch` is not finite, or no batch of events.

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


def is_initialized(flow):
    """Whether all data-dependent parameters have been set: each variable named `initialized`."""
    flags = filter(checks.is_flag, flow.variables)
    return all(np.all(flag.numpy()) for flag in flags)


def _walk(flow, batch, condition):
    """From the data to the latents, each part setting what it takes from what reaches it."""
    bijector = flow if isinstance(flow, tfb.Bijector) else flow.bijector
    batch = tf.convert_to_tensor(batch)
    if batch.shape.rank != bijector.inverse_min_event_ndims + 1:
        raise ValueError(f'batch must have one dimension before the event\'s; '
                         f'got shape={batch.shape}.')
    if not np.all(np.isfinite(batch)):
        raise ValueError('batch must be finite; it holds NaN or infinity.')
    conditions.check_given(bijector, condition)
    introspection.initialize(bijector, batch, condition)
