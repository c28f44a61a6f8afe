"""Splits of an event by its pixels or entries: a checkerboard, or a mask of any form."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tfp_glow.bijectors.split import Split, sides


@dataclasses.dataclass(frozen=True)
class Checkerboard(Split):
    """See `splits.checkerboard`. The pixels of each row are taken in pairs, of which one moves."""
    parity: int = 0
    halves: bool = False

    def check_event_ndims(self, event_ndims: int) -> None:
        if event_ndims != 3:
            raise ValueError('a checkerboard splits images, event_ndims=3; '
                             f'got event_ndims={event_ndims}.')

    def apart(self, event: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        if self._is_odd(event):
            return self._mask(event).apart(event)
        even, odd = tf.unstack(_pairs(event), axis=-2)
        first = self._keeps_first(event)
        kept = (tf.where(first, even, odd) if self.halves
                else tf.where(self._board(event), event, tf.zeros_like(event)))
        return kept, tf.where(first, odd, even)

    def together(self, kept: tf.Tensor, moved: tf.Tensor) -> tf.Tensor:
        if self.halves:
            first = self._keeps_first(kept)
            return _interleave(tf.where(first, kept, moved), tf.where(first, moved, kept))
        if self._is_odd(kept):
            return self._mask(kept).together(kept, moved)
        return tf.where(self._board(kept), kept, _interleave(moved, moved))

    def gather(self, raw: tf.Tensor, kept: tf.Tensor) -> tf.Tensor:
        if self.halves:
            return raw
        _check_layout(raw, kept)
        if self._is_odd(kept):
            return self._mask(kept).gather(raw, kept)
        even, odd = tf.unstack(_pairs(raw), axis=-2)
        return tf.where(self._keeps_first(raw), odd, even)

    def _is_odd(self, images: tf.Tensor) -> bool:
        odd = images.shape[2] is not None and images.shape[2] % 2 == 1
        if odd and self.halves:
            raise ValueError(f'width must be even to halve a checkerboard; got {images.shape[2]}.')
        return odd

    def _mask(self, images: tf.Tensor) -> 'Mask':
        _check_known(images)
        return Mask(np.sum(np.indices(images.shape[1:3]), 0)[..., np.newaxis] % 2 == self.parity)

    def _keeps_first(self, images: tf.Tensor) -> tf.Tensor:
        """Returns whether the first pixel of each pair conditions, `[H, 1, 1]`."""
        return tf.range(sides(images)[1])[:, tf.newaxis, tf.newaxis] % 2 == self.parity

    def _board(self, images: tf.Tensor) -> tf.Tensor:
        """Returns whether a pixel conditions, `[H, W, 1]`."""
        height, width = sides(images)[1:3]
        rows, columns = tf.range(height)[:, tf.newaxis], tf.range(width)
        return ((rows + columns) % 2 == self.parity)[..., tf.newaxis]


class Mask(Split):
    """See `splits.mask`. What moves is `[B, N, C]` if pixels move as a whole, else `[B, N, 1]`."""

    def __init__(self, array: np.ndarray | Sequence) -> None:
        self._array = np.asarray(array)
        if self._array.dtype != bool:
            raise ValueError(f'mask must be boolean; got dtype={self._array.dtype}.')
        if self._array.all() or not self._array.any():
            raise ValueError('mask must be True somewhere, to condition, and False somewhere, to '
                             f'move; got {bool(self._array.any())} everywhere.')

    def check_event_ndims(self, event_ndims: int) -> None:
        if self._array.ndim > event_ndims:
            raise ValueError(f'mask must have at most the {event_ndims} dimensions of the event; '
                             f'got shape={self._array.shape}.')

    def apart(self, event: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        full, whole, places = self._places(event)
        entries = tf.reshape(event, [-1, full.size // whole, whole])
        return tf.where(full, event, tf.zeros_like(event)), tf.gather(entries, places, axis=1)

    def together(self, kept: tf.Tensor, moved: tf.Tensor) -> tf.Tensor:
        full, whole, places = self._places(kept)
        order = np.zeros(full.size // whole, np.int32)
        order[places] = np.arange(len(places))
        spread = tf.reshape(tf.gather(moved, order, axis=1), [-1, *full.shape])
        return tf.where(full, kept, spread)

    def channels_of(self, kept: tf.Tensor, moved: tf.Tensor) -> int | None:
        return kept.shape[-1]

    def gather(self, raw: tf.Tensor, kept: tf.Tensor) -> tf.Tensor:
        _check_layout(raw, kept)
        full, whole, places = self._places(kept)
        channels_, pixels = full.shape[-1], full.size // full.shape[-1]
        blocks = raw.shape[-1] // channels_
        if whole == 1:  # Each entry has one row of parameters.
            raw = tf.transpose(tf.reshape(raw, [-1, pixels, blocks, channels_]), [0, 1, 3, 2])
        return tf.gather(tf.reshape(raw, [-1, full.size // whole, blocks * whole]), places, axis=1)

    def _places(self, event: tf.Tensor) -> tuple[np.ndarray, int, np.ndarray]:
        """Returns the full mask, how many channels move as a whole, and where entries move."""
        _check_known(event)
        shape = tuple(event.shape[1:])
        try:
            full = np.broadcast_to(self._array, shape)
        except ValueError:
            raise ValueError(f'mask must broadcast to the event, {shape}; '
                             f'got shape={self._array.shape}.') from None
        if full.ndim > 1 and np.all(full == full[..., :1]):
            return full, shape[-1], np.flatnonzero(~full[..., 0])
        return full, 1, np.flatnonzero(~full)


def _check_known(event: tf.Tensor) -> None:
    if not event.shape[1:].is_fully_defined():
        raise ValueError(f"a mask needs to know the event's shape; got shape={event.shape}.")


def _check_layout(raw: tf.Tensor, kept: tf.Tensor) -> None:
    if not raw.shape[1:-1].is_compatible_with(kept.shape[1:-1]):
        raise ValueError('conditioner must give an output for each pixel, '
                         f'{tuple(kept.shape[1:-1])}; got shape={raw.shape}.')


def _pairs(images: tf.Tensor) -> tf.Tensor:
    """Takes the columns in pairs: `[B, H, W, C] -> [B, H, W/2, 2, C]`."""
    batch, height, width, channels_ = sides(images)
    return tf.reshape(images, [batch, height, width // 2, 2, channels_])


def _interleave(even: tf.Tensor, odd: tf.Tensor) -> tf.Tensor:
    """Returns columns of the two in turn: the inverse of taking the pairs apart."""
    batch, height, width, channels_ = sides(even)
    return tf.reshape(tf.stack([even, odd], -2), [batch, height, 2 * width, channels_])
