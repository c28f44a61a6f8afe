"""Tells which integers that stay are nearest to one that leaves, in an image that was squeezed."""

from collections.abc import Sequence

import tensorflow as tf

# An integer near another one: its channel, and how many squares it lies further down and right.
Place = tuple[int, int, int]

# For each pixel of a 2x2 square, in the order of `Squeeze`: the pixels that it lies between, each
# as `(pixel, down, right)`, where the last two count squares.
_BETWEEN = {
    1: [(0, 0, 0), (0, 0, 1)],
    2: [(0, 0, 0), (0, 1, 0)],
    3: [(1, 0, 0), (1, 1, 0), (2, 0, 0), (2, 0, 1)],
}


def nearest_channels(channel: int, kept: int, colours: int,
                     between: bool = False) -> list[Place]:
    """Returns the places, `(channel, down, right)`, of integers whose mean is near a channel's.
    Args:
        channel: The channel that leaves; it is at least `kept`.
        kept: The number of channels that stay; they are those before this number.
        colours: The number of channels of one pixel; these are innermost.
        between: Whether to return all the nearest on both sides, of those that stay, if the pixels
            were squeezed once. Otherwise, and where none of these stays, the result is one integer
            of the same place: the last channel of the same colour or, without one, of any colour.
    """
    pixel, colour = divmod(channel, colours)
    both_sides = [(near * colours + colour, down, right) for near, down, right in
                  _BETWEEN.get(pixel, []) if near * colours + colour < kept]
    if between and both_sides:
        return both_sides
    return [(max(range(kept), key=lambda i: ((channel - i) % colours == 0, i)), 0, 0)]


def means(image: tf.Tensor, near: Sequence[Sequence[Place]]) -> tf.Tensor:
    """Returns the mean for each list of places in `near`: `[B, H, W, C]` to `[B, H, W, n]`.

    Each of the n entries of `near` is a list as returned by `nearest_channels`. Beyond an edge of
    the squares, the square at the edge is repeated once.
    """
    x, shifted = padded(image), {}
    for down, right in {place[1:] for places in near for place in places}:  # Each 0 or 1.
        shifted[down, right] = x[:, 1 + down:(down - 1) or None, 1 + right:(right - 1) or None]
    return tf.stack([tf.add_n([shifted[down, right][..., channel]
                               for channel, down, right in places]) / len(places)
                     for places in near], -1)


def padded(image: tf.Tensor) -> tf.Tensor:
    """Repeats the squares at the edges once around the image."""
    return tf.pad(image, [[0, 0], [1, 1], [1, 1], [0, 0]], 'SYMMETRIC')
