"""What the builders of flows over vectors share: images are such, flattened."""

import math

import tensorflow as tf

from tfp_glow import bijectors as tgb
from tfp_glow.distributions import latent
from tfp_glow.flows import building


def vector_shape(event_shape, least=1):
    """`event_shape` as a tuple, if it is known and has at least `least` entries."""
    shape = tf.TensorShape(event_shape)
    if shape.rank not in (1, 3) or not shape.is_fully_defined() or shape.num_elements() < least:
        raise ValueError('event_shape must be a known (D,) or (height, width, channels) with at '
                         f'least {least} entries; got {event_shape}.')
    return tuple(shape.as_list())


def flow_over(event_shape, parts, prior, dtype, name, flatten=True):
    """The flow whose bijector is a `Chain` of `parts`, the nearest to the data first.

    Args:
      event_shape: `(D,)` or `(H, W, C)`.
      parts: bijectors over vectors or, unless `flatten`, over events as they are.
      prior: 'normal' or 'logistic', of the one latent, which has the event's shape.
      dtype: of the latent.
      name: of the flow.
      flatten: give images to the parts as vectors.
    """
    bijector = tgb.Chain(parts, name=name)
    if flatten and len(event_shape) > 1:
        bijector = tgb.Flattened(bijector, event_shape, name=name)
    return building.transformed(latent(event_shape, prior, dtype), bijector, name)


def from_unit_range(low, high, dtype):
    """The constant map that brings data of [-1/2, 1/2) to [low, high).

    Raises:
      ValueError: unless low < high.
    """
    if not low < high:
        raise ValueError(f'data_range must ascend; got {(low, high)}.')
    size = high - low
    return tgb.ShiftScale(tf.constant(.5 + low / size, dtype),
                          tf.constant(math.log(size), dtype), name='data_range')
