"""The ways in which a coupling takes an event apart: what conditions, and what is transformed.

`channels`, `even_odd` and `checkerboard` split evenly; `mask` splits as it is told. Only the
entries that move reach the coupling's inner transform: nothing is computed to be masked out. To
write another split, subclass `Split`.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tfp_glow.bijectors.pixel_splits import Checkerboard, Mask
from tfp_glow.bijectors.split import Split, sides

_ROUNDING = 1e-9  # It is added to a number of channels before it is rounded down.


def channels(reverse: bool = False, share: float = .5) -> 'Channels':
    """The first C - n channels condition, the other n move; with `reverse`, the other way.

    n is (1 - share) * C rounded down, but at least 1: by default floor(C / 2). For vectors
    `[B, D]`, the entries are the channels.

    Args:
        reverse: Whether to exchange the two parts: what would move conditions.
        share: The share of the channels that condition, in (0, 1).

    Raises:
        ValueError: If `share` is not in (0, 1).

    ```python
    >>> import tensorflow as tf, tfp_glow
    >>> split = tfp_glow.bijectors.splits.channels(share=.75)
    >>> [part.shape[-1] for part in split.apart(tf.zeros([1, 2, 2, 12]))]
    [9, 3]

    ```
    """
    if not 0 < share < 1:
        raise ValueError(f'share must be in (0, 1); got {share=}.')
    return Channels(reverse, share)


def even_odd(parity: int = 0) -> 'EvenOdd':
    """Entries `parity`, `parity + 2`, ... along the last axis condition, those between move: NICE.

    Raises:
        ValueError: If `parity` is not 0 or 1.

    #### References
    Dinh et al., *NICE*, 2014, arXiv:1410.8516, section 5.1.
    """
    _check_parity(parity)
    return EvenOdd(parity)


def checkerboard(parity: int = 0, halves: bool = False) -> Checkerboard:
    """Pixels with (row + column) % 2 == `parity` condition, the others move: `[B, H, W, C]`.

    The network sees the image with zeros where pixels move, and its output is read only there. With
    `halves` it sees the conditioning pixels alone, pushed together to `[B, H, W/2, C]`, and gives
    as many: this is half the work, for a network that does not need rows in line; they are shifted
    against each other by up to one pixel.

    Args:
        parity: 0 or 1.
        halves: Whether to show the network the gathered half; the width must then be even.

    Raises:
        ValueError: If `parity` is not 0 or 1.

    #### References
    Dinh et al., *RealNVP*, 2017, arXiv:1605.08803, section 3.4 and figure 3.
    """
    _check_parity(parity)
    return Checkerboard(parity, halves)


def mask(array: np.ndarray | Sequence) -> Mask:
    """Entries where `array` is True condition, the others move.

    The network sees the event with zeros where entries move. If it has an output of n blocks of C
    channels for each pixel, the outputs of the entries that move are read.

    Args:
        array: A boolean array, of the event's shape or broadcasting to it: `[H, W, C]`,
            `[H, W, 1]`, `[C]`.

    Raises:
        ValueError: If `array` is not boolean, or all True, or all False.
    """
    return Mask(array)


@dataclasses.dataclass(frozen=True)
class Channels(Split):
    """See `channels`."""
    reverse: bool = False
    share: float = .5

    def moved(self, count: int | tf.Tensor) -> int | tf.Tensor:
        """Returns how many of `count` channels, an integer or a tensor of them, move."""
        if isinstance(count, int):
            return max(1, int((1 - self.share) * count + _ROUNDING))
        exact = (1 - self.share) * tf.cast(count, tf.float64) + _ROUNDING
        return tf.maximum(1, tf.cast(exact, count.dtype))

    def apart(self, event: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        count = _check_channels(event)
        moved = self.moved(count)
        first, rest = tf.split(event, [count - moved, moved], axis=-1)
        return (rest, first) if self.reverse else (first, rest)

    def together(self, kept: tf.Tensor, moved: tf.Tensor) -> tf.Tensor:
        return tf.concat([moved, kept] if self.reverse else [kept, moved], -1)


@dataclasses.dataclass(frozen=True)
class EvenOdd(Split):
    """See `even_odd`."""
    parity: int = 0

    def apart(self, event: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        _check_channels(event)
        return event[..., self.parity::2], event[..., 1 - self.parity::2]

    def together(self, kept: tf.Tensor, moved: tf.Tensor) -> tf.Tensor:
        even, odd = (moved, kept) if self.parity else (kept, moved)
        count = even.shape[-1] + odd.shape[-1]
        if count % 2:
            odd = tf.pad(odd, [[0, 0]] * (odd.shape.rank - 1) + [[0, 1]])
        pairs = tf.stack([even, odd], -1)
        return tf.reshape(pairs, [*sides(even)[:-1], 2 * even.shape[-1]])[..., :count]


def _check_parity(parity: int) -> None:
    if parity not in (0, 1):
        raise ValueError(f'parity must be 0 or 1; got {parity=}.')


def _check_channels(event: tf.Tensor) -> int:
    if event.shape[-1] is None or event.shape[-1] < 2:
        raise ValueError(f'a coupling needs at least 2 channels, known; got shape={event.shape}.')
    return event.shape[-1]
