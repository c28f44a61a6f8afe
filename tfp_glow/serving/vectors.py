"""`VectorAnswers`: a flow over standardised vectors as a model of vectors in their own units."""

import numpy as np
import tensorflow as tf

from tfp_glow.serving import answers

_ROUND_TRIP = 1e-3  # Standard deviations that decode(encode(x)) may be off without a complaint.


class VectorAnswers(answers.Answers):
    """`Answers` about float32 vectors `[B, D]`, with densities in their own units.

    ```none
    x = mean + std * z,    log p(x) = log flow(z) - sum(log std)
    ```

    Args:
      flow: a `tfd.TransformedDistribution` over z, `[D]`.
      mean: float64 `[D]`.
      std: float64 `[D]`, positive.
      columns: D names.
      classes: as in `Answers`.
    """

    kind = 'vectors'

    def __init__(self, flow, mean, std, columns, classes=None):
        self.mean, self.std, self.columns = mean, std, columns
        super().__init__(flow, classes)

    @property
    def event_spec(self):
        """A batch of vectors."""
        return tf.TensorSpec([None, len(self.mean)], tf.float32)

    @property
    def densities(self):
        """The question about the density."""
        return {'log_prob': {'vectors': self.event_spec}}

    @property
    def about(self):
        """What `bundle.json` says of vectors."""
        return {'columns': self.columns, 'mean': self.mean.tolist(), 'std': self.std.tolist()}

    def log_prob(self, vectors, label=None):
        """log p(x) in nats, `[B]`."""
        labels = self._labels(label, tf.shape(vectors)[0], 'log_prob')
        standardised = self._analyse(self._data(vectors, 'log_prob'), *labels)[0]
        return standardised - float(np.sum(np.log(self.std)))

    def round_trip(self, vectors, again):
        """`(figure, complaint)` of `again`, which shall be `vectors`: the largest error."""
        error = float(np.max(np.abs(again.astype(np.float64) - vectors) / self.std))
        return error, error > _ROUND_TRIP and f'moves values by up to {error:.2g} std'

    def _data(self, events, question):
        events = tf.debugging.assert_all_finite(
            events, f'{question}: vectors must be finite; they hold NaN or infinity')
        # In float64, for columns whose mean is far from 0.
        return tf.cast((tf.cast(events, tf.float64) - self.mean) / self.std, self.flow.dtype)

    def _made(self, data):
        return tf.cast(tf.cast(data, tf.float64) * self.std + self.mean, tf.float32)
