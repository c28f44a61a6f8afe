"""How a coupling takes an event apart: what conditions, and what is transformed.

`channels`, `even_odd` and `checkerboard` split evenly; `mask` splits as told. Only the entries that
move reach the coupling's inner transform: nothing is computed to be masked out. Write another by
subclassing `Split`.
"""

import dataclasses

import numpy as np
import tensorflow as tf

_ROUNDING = 1e-9  # Of a share of channels that is to be a whole number.


def channels(reverse=False, share=.5):
    """The first C - n channels condition, the other n move; with `reverse`, the other way.

    n is (1 - share) * C rounded down, but at least 1: by default floor(C / 2). Of vectors
    `[B, D]`, the entries are the channels.

    Args:
      reverse: what was to move conditions, and the other way.
      share: of the channels that condition, in (0, 1).

    Raises:
      ValueError: `share` is not in (0, 1).

    ```python
    >>> import tensorflow as tf, tfp_glow
    >>> split = tfp_glow.bijectors.splits.channels(share=.75)
    >>> [part.shape[-1] for part in split.apart(tf.zeros([1, 2, 2, 12]))]
    [9, 3]

    ```
    """
    if not 0 < share < 1:
        raise ValueError(f'share must be in (0, 1); got {share=}.')
    return _Channels(reverse, share)


def even_odd(parity=0):
    """Entries `parity`, `parity + 2`, ... along the last axis condition, those between move: NICE.

    Raises:
      ValueError: `parity` is not 0 or 1.

    #### References
    Dinh et al., *NICE*, 2014, arXiv:1410.8516, section 5.1.
    """
    _check_parity(parity)
    return _EvenOdd(parity)


def checkerboard(parity=0, halves=False):
    """Pixels with (row + column) % 2 == `parity` condition, the others move: `[B, H, W, C]`.

    The network sees the image with zeros where pixels move, and its output is read there only. With
    `halves` it sees the conditioning pixels alone, pushed together to `[B, H, W/2, C]`, and gives
    as many: half the work, for a network that does not mind that rows are shifted against each
    other by up to one pixel.

    Args:
      parity: 0 or 1.
      halves: show the network the gathered half; the width must then be even.

    Raises:
      ValueError: `parity` is not 0 or 1.

    #### References
    Dinh et al., *RealNVP*, 2017, arXiv:1605.08803, section 3.4 and figure 3.
    """
    _check_parity(parity)
    return _Checkerboard(parity, halves)


def mask(array):
    """Entries where `array` is True condition, the others move.

    The network sees the event with zeros where entries move; where it has an output of n blocks of
    C channels for each pixel, those of the entries that move are read.

    Args:
      array: boolean, of the event's shape or broadcasting to it: `[H, W, C]`, `[H, W, 1]`, `[C]`.

    Raises:
      ValueError: `array` is not boolean, or all True, or all False.
    """
    return _Mask(array)


class Split:
    """Takes events apart into what a coupling keeps and what it transforms.

    Tensors have exactly one batch dimension in front of the event's.
    """

    def check_event_ndims(self, event_ndims):
        """Raises a `ValueError` if events of so many dimensions cannot be split."""

    def apart(self, event):
        """`(kept, moved)`: what the network sees, and what is transformed."""
        raise NotImplementedError(f'{type(self).__name__} must write apart.')

    def together(self, kept, moved):
        """The event; of `kept`, only what conditions is read."""
        raise NotImplementedError(f'{type(self).__name__} must write together.')

    def channels_of(self, kept, moved):
        """Number of channels that the last axis of the network's output has parameters for."""
        del kept
        return moved.shape[-1]

    def gather(self, raw, kept):
        """Of the network's output for `kept`, the part that belongs to what moves."""
        del kept
        return raw


@dataclasses.dataclass(frozen=True)
class _Channels(Split):
    """See `channels`."""
    reverse: bool = False
    share: float = .5

    def moved(self, count):
        """How many of `count` channels, an integer or a tensor of them, move."""
        if isinstance(count, int):
            return max(1, int((1 - self.share) * count + _ROUNDING))
        exact = (1 - self.share) * tf.cast(count, tf.float64) + _ROUNDING
        return tf.maximum(1, tf.cast(exact, count.dtype))

    def apart(self, event):
        count = _check_channels(event)
        moved = self.moved(count)
        first, rest = tf.split(event, [count - moved, moved], axis=-1)
        return (rest, first) if self.reverse else (first, rest)

    def together(self, kept, moved):
        return tf.concat([moved, kept] if self.reverse else [kept, moved], -1)


@dataclasses.dataclass(frozen=True)
class _EvenOdd(Split):
    """See `even_odd`."""
    parity: int = 0

    def apart(self, event):
        _check_channels(event)
        return event[..., self.parity::2], event[..., 1 - self.parity::2]

    def together(self, kept, moved):
        even, odd = (moved, kept) if self.parity else (kept, moved)
        count = even.shape[-1] + odd.shape[-1]
        if count % 2:
            odd = tf.pad(odd, [[0, 0]] * (odd.shape.rank - 1) + [[0, 1]])
        pairs = tf.stack([even, odd], -1)
        return tf.reshape(pairs, [*_sides(even)[:-1], 2 * even.shape[-1]])[..., :count]


@dataclasses.dataclass(frozen=True)
class _Checkerboard(Split):
    """See `checkerboard`. Each row's pixels are taken in pairs, one of which moves."""
    parity: int = 0
    halves: bool = False

    def check_event_ndims(self, event_ndims):
        if event_ndims != 3:
            raise ValueError('a checkerboard splits images, event_ndims=3; '
                             f'got event_ndims={event_ndims}.')

    def apart(self, event):
        if self._is_odd(event):
            return self._mask(event).apart(event)
        even, odd = tf.unstack(_pairs(event), axis=-2)
        first = self._keeps_first(event)
        kept = (tf.where(first, even, odd) if self.halves
                else tf.where(self._board(event), event, tf.zeros_like(event)))
        return kept, tf.where(first, odd, even)

    def together(self, kept, moved):
        if self.halves:
            first = self._keeps_first(kept)
            return _interleave(tf.where(first, kept, moved), tf.where(first, moved, kept))
        if self._is_odd(kept):
            return self._mask(kept).together(kept, moved)
        return tf.where(self._board(kept), kept, _interleave(moved, moved))

    def gather(self, raw, kept):
        if self.halves:
            return raw
        _check_layout(raw, kept)
        if self._is_odd(kept):
            return self._mask(kept).gather(raw, kept)
        even, odd = tf.unstack(_pairs(raw), axis=-2)
        return tf.where(self._keeps_first(raw), odd, even)

    def _is_odd(self, images):
        odd = images.shape[2] is not None and images.shape[2] % 2 == 1
        if odd and self.halves:
            raise ValueError(f'width must be even to halve a checkerboard; got {images.shape[2]}.')
        return odd

    def _mask(self, images):
        _check_known(images)
        return _Mask(np.sum(np.indices(images.shape[1:3]), 0)[..., np.newaxis] % 2 == self.parity)

    def _keeps_first(self, images):
        """`[H, 1, 1]`: whether the first of each pair conditions."""
        return tf.range(_sides(images)[1])[:, tf.newaxis, tf.newaxis] % 2 == self.parity

    def _board(self, images):
        """`[H, W, 1]`: whether a pixel conditions."""
        height, width = _sides(images)[1:3]
        rows, columns = tf.range(height)[:, tf.newaxis], tf.range(width)
        return ((rows + columns) % 2 == self.parity)[..., tf.newaxis]


class _Mask(Split):
    """See `mask`. What moves becomes `[B, N, C]` if pixels move as a whole, else `[B, N, 1]`."""

    def __init__(self, array):
        self._array = np.asarray(array)
        if self._array.dtype != bool:
            raise ValueError(f'mask must be boolean; got dtype={self._array.dtype}.')
        if self._array.all() or not self._array.any():
            raise ValueError('mask must be True somewhere, to condition, and False somewhere, to '
                             f'move; got {bool(self._array.any())} everywhere.')

    def check_event_ndims(self, event_ndims):
        if self._array.ndim > event_ndims:
            raise ValueError(f'mask must have at most the {event_ndims} dimensions of the event; '
                             f'got shape={self._array.shape}.')

    def apart(self, event):
        full, whole, places = self._places(event)
        entries = tf.reshape(event, [-1, full.size // whole, whole])
        return tf.where(full, event, tf.zeros_like(event)), tf.gather(entries, places, axis=1)

    def together(self, kept, moved):
        full, whole, places = self._places(kept)
        order = np.zeros(full.size // whole, np.int32)
        order[places] = np.arange(len(places))
        spread = tf.reshape(tf.gather(moved, order, axis=1), [-1, *full.shape])
        return tf.where(full, kept, spread)

    def channels_of(self, kept, moved):
        return kept.shape[-1]

    def gather(self, raw, kept):
        _check_layout(raw, kept)
        full, whole, places = self._places(kept)
        channels_, pixels = full.shape[-1], full.size // full.shape[-1]
        blocks = raw.shape[-1] // channels_
        if whole == 1:  # One row of parameters for each entry.
            raw = tf.transpose(tf.reshape(raw, [-1, pixels, blocks, channels_]), [0, 1, 3, 2])
        return tf.gather(tf.reshape(raw, [-1, full.size // whole, blocks * whole]), places, axis=1)

    def _places(self, event):
        """The full mask, how many channels move as a whole, and where entries move."""
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


def _check_parity(parity):
    if parity not in (0, 1):
        raise ValueError(f'parity must be 0 or 1; got {parity=}.')


def _check_channels(event):
    if event.shape[-1] is None or event.shape[-1] < 2:
        raise ValueError(f'a coupling needs at least 2 channels, known; got shape={event.shape}.')
    return event.shape[-1]


def _check_known(event):
    if not event.shape[1:].is_fully_defined():
        raise ValueError(f"a mask needs to know the event's shape; got shape={event.shape}.")


def _check_layout(raw, kept):
    if not raw.shape[1:-1].is_compatible_with(kept.shape[1:-1]):
        raise ValueError('conditioner must give an output for each pixel, '
                         f'{tuple(kept.shape[1:-1])}; got shape={raw.shape}.')


def _sides(tensor):
    """The shape, as numbers where they are known."""
    shape = tf.shape(tensor)
    return [shape[i] if side is None else side for i, side in enumerate(tensor.shape)]


def _pairs(images):
    """`[B, H, W, C] -> [B, H, W/2, 2, C]`."""
    batch, height, width, channels_ = _sides(images)
    return tf.reshape(images, [batch, height, width // 2, 2, channels_])


def _interleave(even, odd):
    """Columns in turn: the inverse of taking the pairs apart."""
    batch, height, width, channels_ = _sides(even)
    return tf.reshape(tf.stack([even, odd], -2), [batch, height, 2 * width, channels_])
