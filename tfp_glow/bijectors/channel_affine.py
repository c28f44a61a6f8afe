"""Bijectors that act on the channels of each pixel as one affine map, and their composition.

A vector, with `event_ndims=1`, is a single pixel.
"""

import functools
import typing
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfp_glow.bijectors import base
from tfp_glow.bijectors.parts import common_dtype, common_event_ndims
from tfp_glow.types import Condition


class Affine(typing.NamedTuple):
    """The map `v -> v @ matrix + bias` of a pixel's channels; `log_det` is log|det matrix|."""
    matrix: tf.Tensor
    bias: tf.Tensor
    log_det: tf.Tensor

    def then(self, other: 'Affine') -> 'Affine':
        """Returns the map that applies this one first and then `other` to its result."""
        return Affine(self.matrix @ other.matrix,
                      tf.linalg.matvec(other.matrix, self.bias, transpose_a=True) + other.bias,
                      self.log_det + other.log_det)


class ChannelAffine(base.OnePassBijector):
    """Base of the bijectors `[..., H, W, C] -> [..., H, W, C]` that only mix or scale channels.

    The channel vector v of each pixel goes through the same affine map, so that log|det J| = H * W
    * log|det matrix|, and neighbours in a `Chain` fold into one convolution. A subclass gives
    `_forward_affine()`, `_inverse_affine()` and `channels`. Events have `event_ndims` dimensions,
    the channels last: 3 for images, 1 for vectors `[..., C]`, for which H * W is 1.

    Raises:
        ValueError: If `event_ndims` is not positive.
    """

    def __init__(self, *, event_ndims: int = 3, **kwargs: Any) -> None:
        if event_ndims < 1:
            raise ValueError(f'event_ndims must be at least 1; got {event_ndims=}.')
        super().__init__(forward_min_event_ndims=event_ndims, **kwargs)

    @property
    def channels(self) -> int | None:
        """Returns C, or None if a variable of unknown shape decides it."""
        raise NotImplementedError(f'{type(self).__name__} must write channels.')

    def _forward_affine(self) -> Affine:
        raise NotImplementedError(f'{type(self).__name__} must write _forward_affine.')

    def _inverse_affine(self) -> Affine:
        raise NotImplementedError(f'{type(self).__name__} must write _inverse_affine.')

    def _forward_and_log_det(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return apply(self._forward_affine(), x)

    def _inverse_and_log_det(self, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return apply(self._inverse_affine(), y)

    def singular_values(self) -> tf.Tensor | None:
        """Returns those of the matrix of `inverse`, `[C]`, in float64; NaN if it is not finite."""
        matrix = tf.cast(self._inverse_affine().matrix, tf.float64)
        is_finite = tf.reduce_all(tf.math.is_finite(matrix))
        # The decomposition of a matrix that is not finite might fail.
        known = tf.where(is_finite, matrix, tf.zeros_like(matrix))
        values = tf.linalg.svd(known, compute_uv=False)
        return tf.where(is_finite, values, np.nan * tf.ones_like(values))

    def _frozen_values(self) -> Any:
        return {'forward': self._forward_affine()._asdict(),
                'inverse': self._inverse_affine()._asdict()}

    def _with_frozen(self, values: Any) -> 'Frozen':
        return Frozen(**values, event_ndims=self.forward_min_event_ndims,
                      validate_args=self.validate_args)


class Folded(ChannelAffine):
    """Neighbouring `ChannelAffine`s as one: `forward` applies the last of `parts` first."""

    def __init__(self, parts: Sequence[ChannelAffine], name: str = 'folded') -> None:
        parameters = dict(locals())
        self._parts = list(parts)
        counts = {part.channels for part in self._parts if part.channels is not None}
        if len(counts) > 1:
            raise ValueError('parts must have one number of channels where they are neighbours; '
                             f'got {", ".join(map(str, sorted(counts)))}.')
        self._channels = min(counts, default=None)
        super().__init__(event_ndims=common_event_ndims(self._parts),
                         dtype=common_dtype(parts=self._parts), parameters=parameters,
                         name=name)

    @property
    def channels(self) -> int | None:
        return self._channels

    def _forward_affine(self) -> Affine:
        return functools.reduce(
            Affine.then, [part._forward_affine() for part in reversed(self._parts)])

    def _inverse_affine(self) -> Affine:
        return functools.reduce(Affine.then, [part._inverse_affine() for part in self._parts])

    def _initialize(self, y: tf.Tensor, condition: Condition = None) -> tf.Tensor:
        for part in self._parts:
            y = part._initialize(y, condition=condition)
        return y


class Frozen(ChannelAffine):
    """A `ChannelAffine` whose maps are given, each as a dictionary with the fields of `Affine`."""

    def __init__(self, forward: dict[str, tf.Tensor], inverse: dict[str, tf.Tensor],
                 event_ndims: int = 3, validate_args: bool = False, name: str = 'frozen') -> None:
        parameters = dict(locals())
        self._maps = {'forward': forward, 'inverse': inverse}
        super().__init__(event_ndims=event_ndims, dtype=forward['matrix'].dtype,
                         validate_args=validate_args, parameters=parameters, name=name)

    @property
    def channels(self) -> int | None:
        return self._maps['forward']['matrix'].shape[0]

    def _forward_affine(self) -> Affine:
        return Affine(**self._maps['forward'])

    def _inverse_affine(self) -> Affine:
        return Affine(**self._maps['inverse'])


def apply(affine: Affine, events: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Maps `events [B, ..., C]`, images by a 1x1 convolution; also returns H * W * log_det."""
    # A convolution would accept a multiple of the channels, as groups.
    check_channels(events, affine.matrix.shape[0])
    if events.shape.rank == 4:
        output = tf.nn.conv2d(events, affine.matrix[tf.newaxis, tf.newaxis], 1, 'VALID')
    else:
        output = tf.tensordot(events, affine.matrix, 1)
    return tf.nn.bias_add(output, affine.bias), pixels(events) * affine.log_det


def pixels(events: tf.Tensor) -> tf.Tensor:
    """Returns the number of channel vectors, in the events' dtype: H * W of images, 1 of vectors.

    The images are `[B, H, W, C]`.
    """
    sides = events.shape[1:-1]
    if sides.is_fully_defined():
        return tf.constant(sides.num_elements(), events.dtype)
    return tf.cast(tf.reduce_prod(tf.shape(events)[1:-1]), events.dtype)


def check_channels(events: tf.Tensor, channels: int | None) -> None:
    """Raises a `ValueError` if `events` are known to have other channels, before they broadcast."""
    if None not in (events.shape[-1], channels) and events.shape[-1] != channels:
        raise ValueError(f'the input must have {channels} channels; got shape={events.shape}.')


def check_vector(name: str, value: tf.Tensor) -> None:
    """Raises a `ValueError` unless `value` is one vector of channels."""
    if value.shape.rank != 1:
        raise ValueError(f'{name} must be a vector with one entry per channel; '
                         f'got shape={value.shape}.')


def check_vectors(**vectors: tf.Tensor) -> None:
    """Raises a `ValueError` unless all are vectors of the length of the first."""
    first, size = next((name, v.shape) for name, v in vectors.items())
    for name, value in vectors.items():
        check_vector(name, value)
        if value.shape != size:
            raise ValueError(f'{name} must have {size[0]} entries, as {first}; '
                             f'got shape={value.shape}.')
