"""Shows networks of integer flows how the pixels of a photograph differ from those in between."""

import numpy as np
import tensorflow as tf

from tfp_glow.flows import neighbours

REACH = 2  # The number of pixels to each side that are looked at.


class Surroundings:
    """Computes the differences of the known pixels around those that leave a squeezed image.

    Channels are those of the pixels of a 2x2 square, `colours` for each pixel, in the order of
    `Squeeze`. The first `kept` channels are known. For each pixel p of a square that has channels
    which leave,

    ```none
    m[c] = mean of the known pixels next to p, on both sides, of colour c: `nearest_channels`
    d = x[q, c] - m[c]    for all that is known of q in p - 2 .. p + 2, rows and columns: p's too
    output = m / unit,  d / (4 + |d|),  d / 16.
    ```

    Beyond an edge of the squares, the square at the edge is repeated once. A photograph is smooth
    in most places: neighbours differ by one grey level or two of 256. A network that sees only the
    levels must compute the difference of two large numbers to notice this (in bfloat16, with errors
    of whole levels).

    A call takes integers `[B, H, W, kept]` to `[B, H, W, count]`. It adds few integers and
    quarters, which float32 holds exactly, so that the order of the additions does not matter.

    Args:
        kept: The number of channels that are known.
        left: The number of channels after these, which leave.
        colours: The number of channels of one pixel.
        unit: The number that m is divided by. No pixel and no difference of two colours of an image
            is beyond -unit .. unit. A sample may have larger values, because priors have tails;
            they are seen as -unit or unit. Otherwise a network would see values far from all that
            it was trained on, and would send the next samples further still.
    """

    def __init__(self, kept: int, left: int, colours: int, unit: float) -> None:
        means: list[np.ndarray] = []
        differences: list[np.ndarray] = []
        for pixel in sorted({c // colours for c in range(kept, kept + left)}):
            near = [_kernel(neighbours.nearest_channels(
                pixel * colours + c, kept, colours, between=True), kept) for c in range(colours)]
            means += near
            differences += [_kernel([place], kept) - near[place[0] % colours]
                            for place in _around(pixel, kept, colours)]
        self._kernel = np.stack(means + differences, -1)
        self._means, self._unit = len(means), unit
        self.count = len(means) + 2 * len(differences)

    def __call__(self, x: tf.Tensor) -> tf.Tensor:
        x = neighbours.padded(tf.clip_by_value(x, -self._unit, self._unit))
        contrasts = tf.nn.conv2d(x, tf.constant(self._kernel, x.dtype), 1, 'VALID')
        means, d = contrasts[..., :self._means], contrasts[..., self._means:]
        return tf.concat([means / self._unit, d / (4 + tf.abs(d)), d / 16], -1)


def _around(pixel: int, kept: int, colours: int) -> list[neighbours.Place]:
    """Returns the `(channel, down, right)` of all that is known around a pixel of a square."""
    places = []
    for row in range(-REACH, REACH + 1):
        for column in range(-REACH, REACH + 1):
            down, i = divmod(pixel // 2 + row, 2)
            right, j = divmod(pixel % 2 + column, 2)
            first = (2 * i + j) * colours
            places += [(c, down, right) for c in range(first, min(first + colours, kept))]
    return places


def _kernel(places: list[neighbours.Place], kept: int) -> np.ndarray:
    """Returns the kernel `[3, 3, kept]` of a convolution that takes the mean over `places`.

    Each place is `(channel, down, right)`.
    """
    kernel = np.zeros([3, 3, kept])
    for channel, down, right in places:
        kernel[1 + down, 1 + right, channel] += 1 / len(places)
    return kernel
