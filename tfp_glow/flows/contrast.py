"""What networks of integer flows see besides an image's levels: differences of neighbours."""

import tensorflow as tf

from tfp_glow.internal import keras_bridge


def input_shape(shape, colours):
    """`(H, W, n)` that a network sees of images `(H, W, C)`, by `wrapped` with these arguments."""
    if colours is None:
        return shape
    height, width, channels = shape
    differences = 2 * min(channels, colours) + max(0, channels - colours)
    return height, width, channels + 2 * differences


def contrasts(image, colours):
    """Differences of neighbouring integers: `[B, H, W, C]` to `[B, H, W, C']`.

    ```none
    d = x[i, j, c] - x[i, j-1, c],  x[i, j, c] - x[i-1, j, c]    for c < colours,
        x[i, j, c] - x[i, j, c - colours]                        for c >= colours,
    ```

    or 0 where there is no neighbour; and of these asinh(d) / 4, then d / 16. All differences of
    integers near one another are sums of d. A photograph is smooth in most places: neighbours
    differ by one grey level or two of 256, and a network that sees the levels alone must take the
    difference of two large numbers to tell (in bfloat16, with errors of whole levels).

    Args:
      image: integers, with the colours innermost among its channels, as `Squeeze` leaves them.
      colours: 3 where it holds red, green and blue or the like, else 1.
    """
    base = image[..., :colours]
    right, below = base[:, :, 1:] - base[:, :, :-1], base[:, 1:] - base[:, :-1]
    found = [tf.pad(right, [[0, 0], [0, 0], [1, 0], [0, 0]]),
             tf.pad(below, [[0, 0], [1, 0], [0, 0], [0, 0]])]
    if image.shape[-1] > colours:
        found.append(image[..., colours:] - image[..., :-colours])
    found = tf.concat(found, -1)
    # In float64, rounded: the C library's own function, whose last bits differ between versions.
    compressed = tf.cast(tf.asinh(tf.cast(found, tf.float64)), found.dtype)
    return tf.concat([compressed / 4, found / 16], -1)


def wrapped(network, unit, colours):
    """A network made for `input_shape` as one of images / unit; as it is if `colours` is None."""
    return network if colours is None else WithContrasts(network, unit, colours)


class WithContrasts(tf.Module):
    """`x / unit -> network([x / unit, contrasts(x)])`; no gradient goes through the contrasts.

    With `unit` grey levels about 0, no pixel and no difference of two colours is beyond -unit ..
    unit. A sample may be, as priors have tails: the network then sees -unit or unit. Far from all
    that it was trained on it would send the next samples further still.
    """

    def __init__(self, network, unit, colours):
        super().__init__()
        self._network = keras_bridge.as_module(network, 'network')
        self._unit, self._colours = unit, colours

    def __call__(self, scaled):
        scaled = tf.clip_by_value(scaled, -1., 1.)
        found = tf.stop_gradient(contrasts(self._unit * scaled, self._colours))
        return self._network(tf.concat([scaled, found], -1))
