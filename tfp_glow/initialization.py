"""Data-dependent initialisation as an explicit act."""

import numpy as np
import tensorflow as tf


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
    bijector = getattr(flow, 'bijector', flow)
    batch = tf.convert_to_tensor(batch)
    if batch.shape.rank != bijector.inverse_min_event_ndims + 1:
        raise ValueError(f'batch must have one dimension before the event\'s; '
                         f'got shape={batch.shape}.')
    if not np.all(np.isfinite(batch)):
        raise ValueError('batch must be finite; it holds NaN or infinity.')
    kwargs = bijector._checked({'condition': condition}, batch, bijector.inverse_min_event_ndims)
    bijector._initialize(batch, **kwargs)


def is_initialized(flow):
    """Whether all data-dependent parameters have been set: each variable named `initialized`."""
    flags = [v for v in flow.variables if v.name.split(':')[0].split('/')[-1] == 'initialized']
    return all(np.all(flag.numpy()) for flag in flags)
