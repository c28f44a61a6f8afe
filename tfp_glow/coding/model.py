"""The functions of a model that the codec calls."""

from typing import Any, Protocol

import tensorflow as tf
from tensorflow_probability import distributions as tfd


class IntegerModel(Protocol):
    """A model of integer images, as `tfp_glow.flows.IntegerFlow` is one."""

    @property
    def event_shape(self) -> tf.TensorShape:
        """The shape of an image, `[h, w, c]`."""

    @property
    def num_levels(self) -> int:
        """The number of levels, and of latents."""

    @property
    def variables(self) -> Any:
        """All variables of the model, in a fixed order."""

    def decompose(self, x: tf.Tensor, /) -> list[tf.Tensor]:
        """Returns the latents of integer images `[B, h, w, c]`, the finest level first."""

    def prior(self, level: int, stays: tf.Tensor | None, batch_size: int, /) -> tfd.Distribution:
        """Returns the distribution of a level's integers, given what the level above gave."""

    def merge(self, level: int, z: tf.Tensor, stays: tf.Tensor | None, /) -> tf.Tensor:
        """Returns what a level's integers and the levels above give to the next finer level."""
