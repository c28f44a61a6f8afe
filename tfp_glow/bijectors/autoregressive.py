"""Autoregressive flows: each dimension is transformed given those that precede it in an order."""

from typing import Any

import tensorflow as tf

from tfp_glow.bijectors.autoregressive_base import AutoregressiveBase


class MaskedAutoregressive(AutoregressiveBase):
    """MAF: the network sees the data, so that density is parallel; `[..., D] -> [..., D]`.

    With the order o of the dimensions,

    ```none
    inverse(y)[i] = inner(network(y)[i]).inverse(y[i])       # All i at once: one network run.
    forward(x)[i] = inner(network(y)[i]).forward(x[i])       # One by one: i = o[0], o[1], ...
    log|det J| = the sum of the inner transforms'
    ```

    where `network(y)[o[t]]` depends on y[o[0]], ..., y[o[t-1]] alone. The graph of the forward loop
    holds the network once, for any D. With `networks.made` in float32 or float64, the D steps of
    the loop together take the arithmetic of one run, because each hidden unit is computed once. Any
    other network is run D times, and the gradient of the loop by backprop keeps the activations of
    all the runs. To rebuild y, the constant-memory gradient of `Repeat` and `Reversible` of the
    *inverse* runs this loop, so that training a MAF by density is faster without it
    (`reversible=False`).

    Args:
        network: A built Keras network or any callable, `[B, D] -> [B, D, k]` or, over images,
            `[B, H, W, C] -> [B, H, W, C, k]`: `networks.made` or `networks.masked_conv`. Three
            attributes of it are read: `event_shape`, `outputs_per_dim` and `order`. The last is an
            int32 vector of dimensions (of the flattened event); the dimension that is determined
            first comes first. A callable without `order` has the natural order 0, 1, ... A network
            with an order may have a method `incremental`, see `networks.MaskedDenseNetwork`, which
            spares the serial direction its D runs.
        inner: The map `raw [..., k] -> bijector` of `[..., 1]`, elementwise and the same for all
            dimensions: `Additive()`, with k = 1, `AffineInner(scale_map)`, with k = 2,
            `SplineInner(bins)`, or a function that returns any TFP bijector. The default is
            `AffineInner()`.
        event_ndims: 1 for vectors, 3 for images; by default that of the network, or 1.
        validate_args: Whether to check values as well, also in graphs; see `OnePassBijector`.
        name: The name of the bijector.

    Raises:
        ValueError: If the Keras network is not built, its order is no permutation, its outputs do
            not fit `inner`, or the event does not have its shape.

    #### References
    Papamakarios, Pavlakou and Murray, *Masked Autoregressive Flow for Density Estimation*, 2017,
    arXiv:1705.07057, equations 3 to 5.

    ```python
    >>> import tensorflow as tf, tfp_glow
    >>> def before(y):
    ...     return tf.cumsum(y, axis=-1, exclusive=True)[..., tf.newaxis]
    >>> maf = tfp_glow.bijectors.MaskedAutoregressive(before, tfp_glow.bijectors.Additive())
    >>> maf.inverse(tf.ones([1, 3])).numpy()
    array([[1., 2., 3.]], dtype=float32)
    >>> maf.forward(tf.constant([[1., 2., 3.]])).numpy()
    array([[1., 1., 1.]], dtype=float32)

    ```
    """

    def _forward_and_log_det(self, x: tf.Tensor, **condition: Any) -> tuple[tf.Tensor, tf.Tensor]:
        return self._serial(x, condition)

    def _inverse_and_log_det(self, y: tf.Tensor, **condition: Any) -> tuple[tf.Tensor, tf.Tensor]:
        return self._parallel(y, condition)

    def _log_slopes(self, y: tf.Tensor, **condition: Any) -> tf.Tensor | None:
        return self._parallel_each(y, condition)[1]

    def _initialize(self, y: tf.Tensor, **condition: Any) -> tf.Tensor:
        if hasattr(self._network, 'initialize'):
            self._network.initialize(y, **condition)
        return super()._initialize(y, **condition)


class InverseAutoregressive(AutoregressiveBase):
    """IAF: the network sees the latents, so that sampling is parallel; `[..., D] -> [..., D]`.

    This is the inverse of `MaskedAutoregressive` with the same arguments, inner transform included:

    ```none
    forward(x)[i] = inner(network(x)[i]).inverse(x[i])       # All i at once: one network run.
    inverse(y)[i] = inner(network(x)[i]).forward(y[i])       # One by one: i = o[0], o[1], ...
    log|det J| = the sum of the inner transforms'
    ```

    With the default inner transform, forward(x) = (x + shift) * sigmoid(s + 2): a gate that cannot
    explode, as in the reference.

    Args:
        network: See `MaskedAutoregressive`.
        inner: See `MaskedAutoregressive`.
        event_ndims: See `MaskedAutoregressive`.
        validate_args: See `OnePassBijector`.
        name: The name of the bijector.

    Raises:
        ValueError: See `MaskedAutoregressive`.

    #### References
    Kingma et al., *Improving Variational Inference with Inverse Autoregressive Flow*, 2016,
    arXiv:1606.04934, algorithm 1.

    ```python
    >>> import tensorflow as tf, tfp_glow
    >>> def before(x):
    ...     return tf.cumsum(x, axis=-1, exclusive=True)[..., tf.newaxis]
    >>> iaf = tfp_glow.bijectors.InverseAutoregressive(before, tfp_glow.bijectors.Additive())
    >>> iaf.forward(tf.ones([1, 3])).numpy()
    array([[1., 2., 3.]], dtype=float32)

    ```
    """

    def forward_and_log_dets(self, x: tf.Tensor, **condition: Any) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns `forward(x)` and the summand that each dimension adds to the log-det.

        The matrix of derivatives is triangular in the network's order; the summands are the
        logarithms of its diagonal.

        Args:
            x: The latents, `[B, *event_shape]`, with one batch dimension.
            **condition: `condition=`, if the network takes one.

        Returns:
            A pair of tensors, both of the shape of x.
        """
        return self._parallel_each(x, self._checked(condition, x, self.forward_min_event_ndims))

    def _forward_and_log_det(self, x: tf.Tensor, **condition: Any) -> tuple[tf.Tensor, tf.Tensor]:
        return self._parallel(x, condition)

    def _inverse_and_log_det(self, y: tf.Tensor, **condition: Any) -> tuple[tf.Tensor, tf.Tensor]:
        return self._serial(y, condition)

    def _log_slopes(self, y: tf.Tensor, **condition: Any) -> tf.Tensor | None:
        x, _ = self._serial(y, condition)
        return -self._parallel_each(x, condition)[1]
