"""The interface that a coupling expects of a split; `splits` makes those that there are."""

import tensorflow as tf


class Split:
    """Takes events apart into what a coupling keeps and what it transforms.

    Tensors have exactly one batch dimension before the dimensions of the event.
    """

    def check_event_ndims(self, event_ndims: int) -> None:
        """Raises a `ValueError` if events with this number of dimensions cannot be split."""

    def apart(self, event: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns `(kept, moved)`: what the network sees, and what is transformed."""
        raise NotImplementedError(f'{type(self).__name__} must write apart.')

    def together(self, kept: tf.Tensor, moved: tf.Tensor) -> tf.Tensor:
        """Returns the event; of `kept`, only what conditions is read."""
        raise NotImplementedError(f'{type(self).__name__} must write together.')

    def channels_of(self, kept: tf.Tensor, moved: tf.Tensor) -> int | None:
        """Returns for how many channels the network's last axis has parameters."""
        del kept
        return moved.shape[-1]

    def gather(self, raw: tf.Tensor, kept: tf.Tensor) -> tf.Tensor:
        """Returns the part of the network's output for `kept` that belongs to what moves."""
        del kept
        return raw


def sides(tensor: tf.Tensor) -> list[int | tf.Tensor]:
    """Returns the shape, as numbers where they are known."""
    shape = tf.shape(tensor)
    return [shape[i] if side is None else side for i, side in enumerate(tensor.shape)]
