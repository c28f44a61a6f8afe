"""Defines the priors of an integer flow's latents: discretised logistics, alone or in mixtures."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfp_glow import bijectors as tgb
from tfp_glow.bijectors import affine
from tfp_glow.distributions import DiscretizedLogistic, DiscretizedLogisticMixture
from tfp_glow.flows import neighbours
from tfp_glow.internal import keras_bridge
from tfp_glow.types import Shape

_LOG_SCALE = -2.  # Of a raw output of 0, in units: at first the data are about so wide.
_BOUND = 7.  # The soft bound of the log-scale's distance from that.
_RATE = 3.  # The factor of raw log-scales, as in Glow: they go far, from 35 grey levels down.


def outputs_per_channel(components: int) -> int:
    """Returns how many numbers determine the prior of one integer."""
    return 2 if components == 1 else 3 * components


def of_parameters(raw: tf.Tensor, components: int, unit: float) -> tfd.Distribution:
    """Returns the prior with parameters `raw`, `[..., n]`, n = `outputs_per_channel(components)`.

    ```none
    loc = unit * (raw loc + offset),    scale = unit * exp(bounded(3 * raw log-scale) - 2)
    ```

    `raw` holds locs, log-scales and, for a mixture, logits, in this order. The components' offsets
    are evenly spaced from -1/2 to 1/2.
    """
    return _prior(raw, components, unit, lambda loc: unit * (loc + _spaced(.5, components)),
                  lambda log_scale: _RATE * log_scale)


SMALL = 1 / 64  # The factor of a network's outputs, in units: a step of Adam changes them by much.


def relative_to(centre: tf.Tensor, raw: tf.Tensor, components: int,
                unit: float) -> tfd.Distribution:
    """Returns a prior like `of_parameters`, about `centre` and in finer steps.

    `centre` holds a number for each prior.

    ```none
    loc = centre + unit * (raw loc / 64 + offset / 4)
    scale = unit * exp(bounded(raw log-scale - spread) - 2)
    ```

    The components' spreads are evenly spaced from 0 to 4, so that one component is narrow. This
    suits integers that often equal their neighbours, as where an image is flat.
    """
    spread = np.linspace(0., 4., components)
    return _prior(
        raw, components, unit,
        lambda loc: centre[..., tf.newaxis] + unit * (SMALL * loc + _spaced(.125, components)),
        lambda log_scale: log_scale - tf.constant(spread, raw.dtype))


def _prior(raw: tf.Tensor, components: int, unit: float, to_loc: Callable[[tf.Tensor], tf.Tensor],
           to_log_scale: Callable[[tf.Tensor], tf.Tensor]) -> tfd.Distribution:
    """Returns a logistic or a mixture; the functions take raw numbers `[..., components]`."""
    loc, log_scale, *logits = tf.split(raw, outputs_per_channel(components) // components, -1)
    bounded = tgb.scale_maps.exponential(bound=_BOUND)
    loc, scale = to_loc(loc), unit * tf.exp(bounded(to_log_scale(log_scale)) + _LOG_SCALE)
    if components == 1:
        return DiscretizedLogistic(loc[..., 0], scale[..., 0])
    return DiscretizedLogisticMixture(logits[0], loc, scale)


def _spaced(end: float, count: int) -> list[float]:
    """Returns `count` evenly spaced numbers from -end to end; a single one is 0."""
    return np.linspace(-end, end, count).tolist() if count > 1 else [0.]


class ConditionalPrior(tf.Module):
    """Gives the prior of a latent that leaves from what stays.

    A call takes `[B, H, W, C']` to a distribution of batch shape `[B, H, W, C]`.

    Args:
        network: A built Keras network or any callable, `seen -> [B, H, W, n * C]`, with n =
            `outputs_per_channel(components)`; its outputs are n blocks of C channels.
        components: The number of logistics of each mixture; 1 for no mixture.
        unit: The number that integers are divided by before the network sees them.
        near: For each channel of the latent, the integers that stay to whose mean its prior is
            relative, in the form that `neighbours.nearest_channels` returns; None for priors that
            are not relative.
        surroundings: A function from what stays to what the network sees, such as a
            `contrast.Surroundings`. No gradient goes through it, nor to what stays. By default the
            network sees stays / unit.
    """

    def __init__(self, network: Any, components: int = 1, unit: float = 256.,
                 near: Iterable[Iterable[neighbours.Place]] | None = None,
                 surroundings: Callable[[tf.Tensor], tf.Tensor] | None = None) -> None:
        super().__init__()
        self._network = keras_bridge.as_module(network, 'network')
        self._components, self._unit = components, unit
        self._near = None if near is None else tuple(map(tuple, near))
        self._surroundings = surroundings

    def __call__(self, stays: tf.Tensor) -> tfd.Distribution:
        if self._surroundings is None:
            seen = stays / self._unit
        else:
            stays = tf.stop_gradient(stays)
            seen = self._surroundings(stays)
        raw = affine.per_channel(tf.cast(self._network(seen), stays.dtype),
                                 outputs_per_channel(self._components))
        if self._near is None:
            return of_parameters(raw, self._components, self._unit)
        return relative_to(neighbours.means(stays, self._near), raw, self._components, self._unit)


class TopPrior(tf.Module):
    """Gives the prior of the coarsest latent.

    A call takes `batch_size` to a distribution of batch shape `[batch_size, H, W, C]`.

    Args:
        raw: A `tf.Variable` that broadcasts to `[H, W, C, n]`, with n =
            `outputs_per_channel(components)`.
        shape: The shape `(H, W, C)`.
        components: The number of logistics of each mixture.
        unit: The unit of the locs and scales.
    """

    def __init__(self, raw: tf.Variable, shape: Shape, components: int = 5,
                 unit: float = 256.) -> None:
        super().__init__()
        self._raw, self._shape = raw, tuple(shape)
        self._components, self._unit = components, unit

    def __call__(self, batch_size: int | tf.Tensor) -> tfd.Distribution:
        raw = tf.convert_to_tensor(self._raw)
        raw = tf.broadcast_to(raw, [batch_size, *self._shape, raw.shape[-1]])
        return of_parameters(raw, self._components, self._unit)
