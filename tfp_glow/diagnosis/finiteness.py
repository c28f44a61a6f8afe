"""Names the first layer of a flow whose values are not finite: `first_not_finite`."""

import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfp_glow.diagnosis import walking
from tfp_glow.types import Condition, TensorLike


def first_not_finite(flow: tfd.Distribution, batch: TensorLike,
                     condition: Condition = None) -> str | None:
    """Names the first layer, from the data to the latents, whose values are NaN or infinite.

    The values are those that the layer computes from `batch` and its log-determinant. Layers after
    it only pass them on.

    Args:
        flow: A `tfd.TransformedDistribution`; nothing in it changes. It may be in training mode.
        batch: Data, `[B, *event_shape]`, as for `log_prob`.
        condition: The condition of the batch, if the flow takes one.

    Returns:
        The path of the layer as `diagnose` has it; 'the base distribution' if all layers are
        finite and the base's log-density is not; None if all is finite.

    Raises:
        TypeError: If `flow` is not a transformed distribution.
        ValueError: If `batch` is not finite itself.

    ```python
    >>> import tensorflow as tf, tfp_glow
    >>> from tensorflow_probability import distributions as tfd
    >>> scale = tfp_glow.bijectors.ShiftScale(log_scale=tf.constant([0., 200.]))
    >>> flow = tfd.TransformedDistribution(tfd.Sample(tfd.Normal(0., 1.), [2]), scale)
    >>> tfp_glow.diagnosis.first_not_finite(flow, tf.constant([[1., 1.]]))
    'shift_scale'

    ```
    """
    if not (hasattr(flow, 'bijector') and hasattr(flow, 'distribution')):
        raise TypeError(f'flow must be a tfd.TransformedDistribution; got {type(flow).__name__}.')
    batch = tf.cast(batch, flow.dtype)
    if not np.all(np.isfinite(batch)):
        raise ValueError('batch must be finite; it holds NaN or infinity.')
    paths: list[str] = []

    def measure(visit: walking.Visit) -> None:
        values = [*tf.nest.flatten(visit.x), visit.log_det]
        if not all(np.all(np.isfinite(value)) for value in values):
            paths.append(visit.path)
    latents = walking.walk(flow.bijector, batch, condition, measure)
    if not paths and not np.all(np.isfinite(flow.distribution.log_prob(latents))):
        paths.append('the base distribution')
    return paths[0] if paths else None
