"""Bases of flows: one latent, or one Normal per level of a multi-scale flow; their temperature."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd
from tensorflow_probability import util as tfp_util

from tfp_glow.internal import tfp_compat
from tfp_glow.types import DType, Shape, TensorLike

_PRIORS: dict[str, Any] = {'normal': tfd.Normal, 'logistic': tfd.Logistic}
_FAMILIES: tuple[Any, ...] = tuple(_PRIORS.values())


def latents(event_shapes: Iterable[Shape], top_loc: TensorLike | None = None,
            top_log_scale: TensorLike | None = None,
            dtype: DType = tf.float32) -> tfd.JointDistribution:
    """Returns a `tfd.JointDistributionSequential` of Normals, with one part per level.

    ```none
    z_l ~ N(0, 1) for all levels but the last;  z_L ~ N(top_loc, exp(top_log_scale)^2)
    ```

    Args:
        event_shapes: The shapes `(H, W, C)` of the levels, the finest first.
        top_loc: The mean of the last level, which broadcasts to its shape; None for 0.
        top_log_scale: The logarithm of the standard deviation of the last level, which broadcasts
            too; None for 0.
        dtype: The dtype of the latents.
    """
    *shapes, top = [tuple(shape) for shape in event_shapes]
    parts = [_normal(shape, None, None, dtype) for shape in shapes]
    parts.append(_normal(top, top_loc, top_log_scale, dtype))
    return tfp_compat.Joint(parts, name='latents')


def latent(event_shape: Shape, prior: str = 'normal', dtype: DType = tf.float32) -> tfd.Independent:
    """Returns a `tfd.Independent` of standard Normals or Logistics: one latent of `event_shape`.

    ```none
    normal: p(z) = exp(-z^2 / 2) / sqrt(2 pi)        logistic: p(z) = exp(-z) / (1 + exp(-z))^2
    ```

    Args:
        event_shape: The shape of the latent, such as `(D,)` or `(H, W, C)`.
        prior: 'normal' or 'logistic'.
        dtype: The dtype of the latent.

    Raises:
        ValueError: If the prior is unknown.

    #### References
    Dinh, Krueger and Bengio, *NICE*, 2014, arXiv:1410.8516, section 3.4: both priors.

    ```python
    >>> import tfp_glow
    >>> print(f'{tfp_glow.distributions.latent([2], "logistic").log_prob([0., 0.]):.4f}')
    -2.7726

    ```
    """
    if prior not in _PRIORS:
        raise ValueError(f'prior must be one of {", ".join(_PRIORS)}; got {prior!r}.')
    shape = tuple(event_shape)
    return tfd.Independent(_PRIORS[prior](tf.zeros(shape, dtype), tf.ones(shape, dtype)),
                           reinterpreted_batch_ndims=len(shape), name='latent')


def with_temperature(flow: tfd.Distribution, temperature: TensorLike) -> tfd.Distribution:
    """Returns `flow` with its base's scales multiplied by `temperature`; it shares variables.

    Args:
        flow: A `tfd.TransformedDistribution` whose base is a Normal or a Logistic: independent,
            sampled or joint. A conditional flow stays conditional. Or an `IntegerFlow`, of which
            the scales of the priors are multiplied.
        temperature: A number or scalar tensor >= 0, or a list or vector with one for each level,
            the finest first. 1 changes nothing. Below 1, samples are less varied and often look
            better. 0 gives the mode of the base.

    Returns:
        A distribution of the same class, with the same bijector.

    Raises:
        ValueError: If a temperature is known and negative, or if their number or shape is wrong.
        TypeError: If the base is neither Normal nor Logistic.

    #### References
    Kingma and Dhariwal, *Glow*, 2018, arXiv:1807.03039, section 6: samples at reduced temperature.

    ```python
    >>> import tfp_glow
    >>> flow = tfp_glow.flows.glow((4, 4, 1), levels=2, steps_per_level=1, width=4)
    >>> tempered = tfp_glow.with_temperature(flow, [.5, .25])
    >>> [float(part.stddev()[0, 0, 0]) for part in tempered.distribution.model]
    [0.5, 0.25]

    ```
    """
    if hasattr(flow, 'temperature'):  # An `IntegerFlow` has no separate base.
        own = flow.temperature
        return flow.copy(temperature=[
            t * factor for t, factor in zip(own, temperatures(temperature, len(own)))])
    base = flow.distribution
    joint = isinstance(base, tfd.JointDistribution)
    parts = list(base.model) if joint else [base]
    parts = [_tempered(part, t) for part, t in zip(parts, temperatures(temperature, len(parts)))]
    base = tfp_compat.Joint(parts, name='latents') if joint else parts[0]
    return flow.copy(distribution=base)


def _normal(shape: tuple[int, ...], loc: TensorLike | None, log_scale: TensorLike | None,
            dtype: DType) -> tfd.Independent:
    loc = tf.zeros([], dtype) if loc is None else loc
    log_scale = tf.zeros([], dtype) if log_scale is None else log_scale
    return tfd.Independent(
        tfd.Normal(
            loc=tfp_util.DeferredTensor(loc, lambda v: tf.broadcast_to(v, shape), shape=shape),
            scale=tfp_util.DeferredTensor(
                log_scale, lambda v: tf.broadcast_to(tf.exp(v), shape), shape=shape)),
        reinterpreted_batch_ndims=len(shape))


def temperatures(temperature: TensorLike, levels: int) -> list[float | tf.Tensor]:
    """Returns the temperature of each of `levels`, as a list of numbers and scalar tensors.

    Raises:
        ValueError: If a temperature is known and negative, or if their number or shape is wrong.
    """
    if isinstance(temperature, (list, tuple)):
        each = list(temperature)
    elif len(shape := np.shape(temperature)) == 1:
        each = tf.unstack(temperature, levels if shape[0] is None else shape[0])
    else:
        each = [temperature] * levels
    if len(each) != levels:
        raise ValueError(f'temperature must be one value or one per level, {levels}; '
                         f'got {len(each)}.')
    return [_checked(t) for t in each]


def _checked(temperature: float | tf.Tensor | tf.Variable) -> float | tf.Tensor:
    if isinstance(temperature, tf.Variable):
        temperature = tf.convert_to_tensor(temperature)
    if len(np.shape(temperature)) > 0:
        raise ValueError('temperature must be one value or one per level; '
                         f'got shape={tuple(np.shape(temperature))}.')
    known = tf.get_static_value(temperature) if tf.is_tensor(temperature) else temperature
    if known is not None and not known >= 0:
        raise ValueError(f'temperature must be at least 0; got temperature={known}.')
    return temperature


def _tempered(part: tfd.Distribution, temperature: float | tf.Tensor) -> tfd.Distribution:
    if isinstance(part, (tfd.Independent, tfd.Sample)):
        return part.copy(distribution=_tempered(part.distribution, temperature))
    if not isinstance(part, _FAMILIES):
        raise TypeError('the base of the flow must be Normal or Logistic to have a temperature; '
                        f'got {type(part).__name__}.')
    scale = part.scale
    temperature = tf.cast(temperature, part.dtype)
    return part.copy(scale=tfp_util.DeferredTensor(
        scale, lambda s: s * temperature, shape=scale.shape))
