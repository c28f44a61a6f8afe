"""`VectorAnswers`, a flow over standardised vectors as a model of vectors in their own units."""

from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfp_glow.serving import answers

_ROUND_TRIP = 1e-3  # decode(encode(x)) may be off by so many standard deviations.


class VectorAnswers(answers.Answers):
    """`Answers` about float32 vectors `[B, D]`, with densities in their own units.

    ```none
    x = mean + std * z,    log p(x) = log flow(z) - sum(log std)
    ```

    Args:
        flow: A `tfd.TransformedDistribution` over z, `[D]`.
        mean: The mean of each dimension, float64 `[D]`.
        std: The standard deviation of each dimension, float64 `[D]`, which is positive.
        columns: The names of the D dimensions.
        classes: The number of classes, as for `Answers`.
        towers: The number of shares of a batch, as for `Answers`.
    """

    kind = 'vectors'

    def __init__(self, flow: tfd.Distribution, mean: np.ndarray, std: np.ndarray,
                 columns: list[str], classes: int | None = None, towers: int = 1) -> None:
        self.mean, self.std, self.columns = mean, std, columns
        super().__init__(flow, classes, towers)

    @property
    def event_spec(self) -> tf.TensorSpec:
        """The spec of a batch of vectors."""
        return tf.TensorSpec([None, len(self.mean)], tf.float32)

    @property
    def densities(self) -> dict[str, answers.Specs]:
        """The question about the density."""
        return {'log_prob': {'vectors': self.event_spec}}

    @property
    def about(self) -> dict[str, Any]:
        """What `bundle.json` says of vectors."""
        return {'columns': self.columns, 'mean': self.mean.tolist(), 'std': self.std.tolist()}

    def log_prob(self, vectors: tf.Tensor, label: tf.Tensor | None = None) -> tf.Tensor:
        """Returns log p(x) in nats, `[B]`."""
        labels = self._labels(label, tf.shape(vectors)[0], 'log_prob')
        standardised = self._analyse(self._data(vectors, 'log_prob'), *labels)[0]
        return standardised - float(np.sum(np.log(self.std)))

    def round_trip(self, events: np.ndarray, again: np.ndarray) -> tuple[float, str | None]:
        """Returns `(figure, complaint)` about `again`, which should be `events`.

        The figure is the largest error in standard deviations.
        """
        error = float(np.max(np.abs(again.astype(np.float64) - events) / self.std))
        return error, f'moves values by up to {error:.2g} std' if error > _ROUND_TRIP else None

    def _data(self, events: tf.Tensor, question: str) -> tf.Tensor:
        events = tf.debugging.assert_all_finite(
            events, f'{question}: vectors must be finite; they hold NaN or infinity')
        # The formula is computed in float64, for columns whose mean is far from 0.
        return tf.cast((tf.cast(events, tf.float64) - self.mean) / self.std, self.flow.dtype)

    def _made(self, data: tf.Tensor) -> tf.Tensor:
        return tf.cast(tf.cast(data, tf.float64) * self.std + self.mean, tf.float32)
