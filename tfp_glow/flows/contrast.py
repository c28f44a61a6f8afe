"""What networks of integer flows see of a photograph: how pixels differ from those in between."""

import numpy as np
import tensorflow as tf

from tfp_glow.flows import neighbours

REACH = 2  # Pixels to each side that are looked at.


class Surroundings:
    """The known pixels around those that leave an image which was squeezed, and their differences.

    Channels are those of a 2x2 square's pixels, `colours` each, as `Squeeze` orders them; the first
    `kept` are known. For each pixel p of a square that has channels which leave,

    ```none
    m[c] = mean of the known pixels next to p, on both sides, of colour c: `nearest_channels`
    d = x[q, c] - m[c]    for all that is known of q in p - 2 .. p + 2, rows and columns: p's too
    found = m / unit,  d / (4 + |d|),  d / 16.
    ```

    Beyond an edge of the squares lies the square at the edge once more. A photograph is smooth in
    most places: neighbours differ by one grey level or two of 256, and a network that sees the
    levels alone must take the difference of two large numbers to tell (in bfloat16, with errors of
    whole levels).

    Called, it takes integers `[B, H, W, kept]` to `[B, H, W, count]`. Sums are of few integers and
    quarters, which float32 holds exactly, so that their order does not matter.

    Args:
      kept: channels that are known.
      left: channels after these, which leave.
      colours: channels of one pixel.
      unit: by how much m is divided. No pixel and no difference of two colours is beyond -unit ..
        unit; what is in a sample, as priors have tails, is seen as -unit or unit. Far from all that
        it was trained on a network would send the next samples further still.
    """

    def __init__(self, kept, left, colours, unit):
        means, differences = [], []
        for pixel in sorted({c // colours for c in range(kept, kept + left)}):
            near = [_kernel(neighbours.nearest_channels(
                pixel * colours + c, kept, colours, between=True), kept) for c in range(colours)]
            means += near
            differences += [_kernel([place], kept) - near[place[0] % colours]
                            for place in _around(pixel, kept, colours)]
        self._kernel = np.stack(means + differences, -1)
        self._means, self._unit = len(means), unit
        self.count = len(means) + 2 * len(differences)

    def __call__(self, x):
        x = neighbours.padded(tf.clip_by_value(x, -self._unit, self._unit))
        found = tf.nn.conv2d(x, tf.constant(self._kernel, x.dtype), 1, 'VALID')
        means, d = found[..., :self._means], found[..., self._means:]
        return tf.concat([means / self._unit, d / (4 + tf.abs(d)), d / 16], -1)


def _around(pixel, kept, colours):
    """`(channel, down, right)` of all that is known around a pixel of a square."""
    found = []
    for row in range(-REACH, REACH + 1):
        for column in range(-REACH, REACH + 1):
            down, i = divmod(pixel // 2 + row, 2)
            right, j = divmod(pixel % 2 + column, 2)
            first = (2 * i + j) * colours
            found += [(c, down, right) for c in range(first, min(first + colours, kept))]
    return found


def _kernel(places, kept):
    """`[3, 3, kept]`: a convolution that takes the mean of `(channel, down, right)`."""
    kernel = np.zeros([3, 3, kept])
    for channel, down, right in places:
        kernel[1 + down, 1 + right, channel] += 1 / len(places)
    return kernel
