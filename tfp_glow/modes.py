"""Training and evaluation of flows that normalise by the batch."""

from tensorflow_probability import bijectors as tfb
from tensorflow_probability import distributions as tfd

from tfp_glow.bijectors import parts


def with_training(flow: tfd.Distribution | tfb.Bijector,
                  training: bool = True) -> tfd.Distribution | tfb.Bijector:
    """Returns `flow` as it trains or as it evaluates.

    In training each `BatchNorm` normalises by its batch. The result shares all variables with
    `flow`; it is `flow` itself if no part of it depends on the mode. In training mode `Repeat` and
    `Reversible` keep activations wherever such a part is inside, since the statistics of a batch
    cannot be rebuilt from what they normalised. Only `update_statistics` changes the statistics
    that evaluation uses.

    Args:
        flow: A `tfd.TransformedDistribution` or a bijector.
        training: True to train, False to sample and evaluate.

    #### References
    Dinh, Sohl-Dickstein and Bengio, *RealNVP*, 2017, arXiv:1605.08803, section 3.7.

    ```python
    >>> import tensorflow as tf, tfp_glow
    >>> batch_norm = tfp_glow.bijectors.BatchNorm(
    ...     [0.], [0.], mean=tf.Variable([5.]), variance=tf.Variable([4.]), event_ndims=1)
    >>> chain = tfp_glow.bijectors.Chain([batch_norm])
    >>> tfp_glow.with_training(chain).inverse([[1.], [3.]]).numpy().round(2)
    array([[-1.],
           [ 1.]], dtype=float32)
    >>> tfp_glow.with_training(chain, False) is chain
    True

    ```
    """
    if isinstance(flow, tfb.Bijector):
        return parts.in_mode(flow, training)
    if not hasattr(flow, 'bijector'):  # TFP hides the class of transformed distributions.
        return flow
    changed = parts.in_mode(flow.bijector, training)
    return flow if changed is flow.bijector else flow.copy(bijector=changed)
