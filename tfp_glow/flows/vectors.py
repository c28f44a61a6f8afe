"""Helps the builders of flows over vectors; they treat images as flattened vectors."""

import math
from collections.abc import Sequence

import tensorflow as tf
from tensorflow_probability import bijectors as tfb
from tensorflow_probability import distributions as tfd

from tfp_glow import bijectors as tgb
from tfp_glow.distributions import latent
from tfp_glow.flows import building
from tfp_glow.types import DType, Shape


def vector_shape(event_shape: Shape, least: int = 1) -> tuple[int, ...]:
    """Returns `event_shape` as a tuple, if it is known and has at least `least` entries.

    Raises:
        ValueError: If it is not a known `(D,)` or `(H, W, C)` with so many entries.
    """
    shape = tf.TensorShape(event_shape)
    if shape.rank not in (1, 3) or not shape.is_fully_defined() or shape.num_elements() < least:
        raise ValueError('event_shape must be a known (D,) or (height, width, channels) with at '
                         f'least {least} entries; got {event_shape}.')
    return tuple(shape.as_list())


def flow_over(event_shape: Sequence[int], parts: Sequence[tfb.Bijector], prior: str, dtype: DType,
              name: str, flatten: bool = True) -> tfd.TransformedDistribution:
    """Returns the flow whose bijector is a `Chain` of `parts`, the nearest to the data first.

    Args:
        event_shape: The shape `(D,)` or `(H, W, C)`.
        parts: Bijectors over vectors or, unless `flatten`, over events as they are.
        prior: The distribution of the one latent, 'normal' or 'logistic'. The latent has the
            event's shape.
        dtype: The dtype of the latent.
        name: The name of the flow.
        flatten: Whether to give images to the parts as vectors.
    """
    bijector = tgb.Chain(parts, name=name)
    if flatten and len(event_shape) > 1:
        bijector = tgb.Flattened(bijector, event_shape, name=name)
    return building.transformed(latent(event_shape, prior, dtype), bijector, name)


def from_unit_range(low: float, high: float, dtype: DType) -> tgb.ShiftScale:
    """Returns the constant map that brings data of [-1/2, 1/2) to [low, high).

    Raises:
        ValueError: If low is not less than high.
    """
    if not low < high:
        raise ValueError(f'data_range must ascend; got {(low, high)}.')
    size = high - low
    return tgb.ShiftScale(tf.constant(.5 + low / size, dtype),
                          tf.constant(math.log(size), dtype), name='data_range')
