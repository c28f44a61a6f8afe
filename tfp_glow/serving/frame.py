"""`Frame`, the padding between the images that users see and those that a flow models."""

import numpy as np
import tensorflow as tf

from tfp_glow.types import Shape


class Frame:
    """Pads `[B, h, w, C]` to `[B, H, W, C]` by repeating the edges, and crops.

    The smaller image lies in the centre of the larger one.

    Args:
        event_shape: The event shape of the flow, `(H, W, C)`.
        original_shape: The shape of the images, `(h, w, C)`, which is no larger.

    Raises:
        ValueError: If `original_shape` does not fit in `event_shape`.
    """

    def __init__(self, event_shape: Shape, original_shape: Shape) -> None:
        self.event_shape, self.image_shape = tuple(event_shape), tuple(original_shape)
        if (len(self.image_shape) != 3 or self.image_shape[2] != self.event_shape[2]
                or min(self.image_shape) < 1
                or any(o > e for o, e in zip(self.image_shape, self.event_shape))):
            raise ValueError(f'original_shape must be (height, width, channels) within the event '
                             f'shape {self.event_shape}; got original_shape={self.image_shape}.')
        extra = [e - o for e, o in zip(self.event_shape, self.image_shape)]
        self._top, self._left = extra[0] // 2, extra[1] // 2

    def pad(self, images: tf.Tensor) -> tf.Tensor:
        """Pads images from their own shape to the flow's."""
        if self.image_shape == self.event_shape:
            return images
        rows = np.clip(np.arange(self.event_shape[0]) - self._top, 0, self.image_shape[0] - 1)
        columns = np.clip(np.arange(self.event_shape[1]) - self._left, 0, self.image_shape[1] - 1)
        return tf.gather(tf.gather(images, rows, axis=1), columns, axis=2)

    def crop(self, images: tf.Tensor) -> tf.Tensor:
        """Crops images from the flow's shape to their own."""
        height, width, _ = self.image_shape
        return images[:, self._top:self._top + height, self._left:self._left + width]
