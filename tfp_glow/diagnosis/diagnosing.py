"""Computes the figures of each layer of a flow on a batch: `diagnose`."""

import dataclasses

import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfp_glow import initialization
from tfp_glow.bijectors import conditions
from tfp_glow.diagnosis import limits, measuring, report, walking
from tfp_glow.internal import variables as flow_variables
from tfp_glow.types import Condition, TensorLike


def diagnose(flow: tfd.Distribution, batch: TensorLike,
             condition: Condition = None) -> report.Diagnosis:
    """Says layer by layer how a flow fares on a batch of data, and warns of what is bad.

    The function walks from the data to the latents through `Chain`, `MultiScale`, `Repeat`,
    `Reversible`, `Flattened` and `tfb.Chain`. It evaluates each layer, including TFP's own
    bijectors, on what reaches the layer, and also the whole flow, eagerly and without any cache.
    `Layer` defines the figures of a layer. The scales of a coupling, `ActNorm`, an autoregressive
    layer or an elementwise layer are |dx/dy| of the entries that move, the others held fixed. The
    scales of a 1x1 convolution and of `Whitening` are the singular values of the matrix in the
    direction of the density. A bijector of your own answers by `log_slopes` or `singular_values`,
    and a container of your own is walked through by `visit_parts`: see these methods of
    `bijectors.OnePassBijector`.

    The latents' mean and standard deviation, for each level, are taken over batch and entries of
    (z - mean) / stddev, where mean and stddev are the base's; so they should be near 0 and 1. If a
    base does not know its own mean and stddev, z is taken as it is. On few images, say fewer than
    32 of 8x8, or on vectors of few dimensions, the figures are far from 0 and 1 by chance.

    There is a warning, a sentence with the limit and the value, for each

    * round-trip error above `limits.ROUND_TRIP_LIMIT`, 1e-3;
    * scale outside of `limits.SCALE_LIMITS`, 1e-3 to 1e3;
    * condition number above `limits.CONDITION_LIMIT`, 1e3;
    * level of the latents with |mean| above `limits.LATENT_MEAN_LIMIT`, 1/2, or a deviation outside
      of `limits.LATENT_STD_LIMITS`, 1/2 to 2;

    and one for variables that are not finite, for the first layer with such values, and for
    data-dependent parameters that have never been set.

    Args:
        flow: A `tfd.TransformedDistribution`; nothing in it changes.
        batch: Data, `[B, *event_shape]`, preprocessed and dequantized as for `log_prob`.
        condition: The condition of the batch, as for `log_prob`, if the flow takes one.

    Returns:
        A `Diagnosis`; `print` it.

    Raises:
        TypeError: If `flow` is not a transformed distribution.
        ValueError: If `batch` is not a batch of the flow's events, or is not finite; if there is a
            condition that the flow does not take, or none for a flow that takes one; or if a
            `BatchNorm` is in training mode, in which it has no round trip.

    #### References
    Behrmann et al., *Understanding and Mitigating Exploding Inverses in Invertible Neural
    Networks*, 2021, arXiv:2006.09347: round-trip errors and local scales as what to look at.

    ```python
    >>> import tensorflow as tf, tfp_glow
    >>> from tensorflow_probability import distributions as tfd
    >>> scale = tfp_glow.bijectors.ShiftScale(log_scale=tf.math.log([1e-4, 2.]))
    >>> flow = tfd.TransformedDistribution(tfd.Sample(tfd.Normal(0., 1.), [2]), scale)
    >>> diagnosis = tfp_glow.diagnose(flow, tf.constant([[1e4, .5], [-1e4, -.5]]))
    >>> diagnosis.warnings
    ('shift_scale: least scale 0.0001 is below 0.001; sampling divides by it.',)
    >>> print(diagnosis)
    layer        kind        round trip  least scale  greatest  condition  log-det   share
    shift_scale  ShiftScale     0.0e+00       0.0001         2          -    -8.52  100.0%
    whole flow                  0.0e+00                                     -8.52
    <BLANKLINE>
    latents   mean    std
    latents  0.000  1.000
    <BLANKLINE>
    warning: shift_scale: least scale 0.0001 is below 0.001; sampling divides by it.

    ```
    """
    if not (hasattr(flow, 'bijector') and hasattr(flow, 'distribution')):
        raise TypeError('flow must be a tfd.TransformedDistribution; '
                        f'got {type(flow).__name__}.')
    batch = _checked_batch(batch, flow)
    conditions.check_given(flow.bijector, condition)
    with np.errstate(all='ignore'):  # The warnings below tell of infinity and NaN.
        layers: list[report.Layer] = []
        walking.walk(flow.bijector, batch, condition,
                     lambda visit: layers.append(measuring.layer(visit)))
        whole = walking.visit('whole flow', flow.bijector, batch, condition)
        diagnosis = report.Diagnosis(
            _with_shares(layers), measuring.levels(flow, whole.x),
            measuring.round_trip_error(whole), measuring.log_det(whole), warnings=())
    warnings = limits.variable_warnings(flow_variables.by_path(flow))
    if not initialization.is_initialized(flow):
        warnings.append('data-dependent parameters must be set before training and are not: call '
                        'tfp_glow.initialize(flow, batch).')
    return dataclasses.replace(diagnosis, warnings=(*warnings, *limits.warnings(diagnosis)))


def _checked_batch(batch: TensorLike, flow: tfd.Distribution) -> tf.Tensor:
    batch = tf.convert_to_tensor(batch)
    if not batch.dtype.is_floating:
        raise ValueError('batch must be floating, dequantized as for log_prob; '
                         f'got dtype={batch.dtype.name}.')
    if (batch.shape.rank == 0 or not batch.shape[0]
            or not batch.shape[1:].is_compatible_with(flow.event_shape)):
        raise ValueError(f'batch must be [B, *event_shape], B > 0 and event_shape='
                         f'{flow.event_shape}; got shape={batch.shape}.')
    if not np.all(np.isfinite(batch)):
        raise ValueError('batch must be finite; it holds NaN or infinity.')
    return tf.cast(batch, flow.dtype)


def _with_shares(layers: list[report.Layer]) -> tuple[report.Layer, ...]:
    total = sum(abs(layer.log_det) for layer in layers)
    shares = [abs(layer.log_det) / total if total else 0. for layer in layers]
    return tuple(dataclasses.replace(layer, log_det_share=share)
                 for layer, share in zip(layers, shares))
