"""Which of the integers that stay are nearest to one that leaves, in an image that was squeezed."""

import tensorflow as tf

# Of the pixels of a 2x2 square, as `Squeeze` orders them, those between which each lies, and by how
# many squares further down and to the right these are.
_BETWEEN = {
    1: [(0, 0, 0), (0, 0, 1)],
    2: [(0, 0, 0), (0, 1, 0)],
    3: [(1, 0, 0), (1, 1, 0), (2, 0, 0), (2, 0, 1)],
}


def nearest_channels(channel, kept, colours, between=False):
    """The integers whose mean is near that of a channel: a list of `(channel, down, right)`.

    Args:
      channel: that leaves, from `kept` on.
      kept: the channels before it stay.
      colours: channels of one pixel, innermost.
      between: all that are nearest on both sides, if they stay, in one squeeze of pixels; else, and
        where they do not, one of the same place: the last channel of the same colour, or of any.
    """
    pixel, colour = divmod(channel, colours)
    found = [(near * colours + colour, down, right) for near, down, right in
             _BETWEEN.get(pixel, []) if near * colours + colour < kept]
    if between and found:
        return found
    return [(max(range(kept), key=lambda i: ((channel - i) % colours == 0, i)), 0, 0)]


def means(image, near):
    """The mean of each entry of `near`, an answer of `nearest_channels`: to `[B, H, W, n]`.

    `image` is `[B, H, W, C]`, and n the number of entries of `near`.
    Beyond an edge of the squares lies the square at the edge once more.
    """
    x, shifted = padded(image), {}
    for down, right in {place[1:] for places in near for place in places}:  # Each 0 or 1.
        shifted[down, right] = x[:, 1 + down:(down - 1) or None, 1 + right:(right - 1) or None]
    return tf.stack([tf.add_n([shifted[down, right][..., channel]
                               for channel, down, right in places]) / len(places)
                     for places in near], -1)


def padded(image):
    """Squares with those at the edges once more around them."""
    return tf.pad(image, [[0, 0], [1, 1], [1, 1], [0, 0]], 'SYMMETRIC')
