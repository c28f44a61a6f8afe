"""Priors of the latents of an integer flow: discretised logistics, alone or in mixtures."""

import numpy as np
import tensorflow as tf

from tfp_glow import bijectors as tgb
from tfp_glow.bijectors import affine
from tfp_glow.distributions import DiscretizedLogistic, DiscretizedLogisticMixture
from tfp_glow.flows import neighbours
from tfp_glow.internal import keras_bridge

_LOG_SCALE = -2.  # Of a raw output of 0, in units: at first the data are about so wide.
_BOUND = 7.  # Of the log-scale's distance from that, softly.
_RATE = 3.  # Of raw log-scales, as in Glow: they have far to go, from 35 grey levels down.


def outputs_per_channel(components):
    """How many numbers determine the prior of one integer."""
    return 2 if components == 1 else 3 * components


def of_parameters(raw, components, unit):
    """The prior that `raw`, `[..., n]` with n = `outputs_per_channel(components)`, stands for.

    ```none
    loc = unit * (raw loc + offset),    scale = unit * exp(bounded(3 * raw log-scale) - 2)
    ```

    where raw holds locs, log-scales and, of a mixture, logits, in this order, and the components'
    offsets are evenly spaced from -1/2 to 1/2.
    """
    return _prior(raw, components, unit, lambda loc: unit * (loc + _spaced(.5, components)),
                  lambda log_scale: _RATE * log_scale)


SMALL = 1 / 64  # Of a network's outputs, in units: a step of Adam changes them by much.


def relative_to(centre, raw, components, unit):
    """As `of_parameters`, about `centre`, a number for each prior, and in finer steps.

    ```none
    loc = centre + unit * (raw loc / 64 + offset / 4)
    scale = unit * exp(bounded(raw log-scale - spread) - 2)
    ```

    where the components' spreads are evenly spaced from 0 to 4, so that one of them is narrow: for
    integers that often equal their neighbours, as where an image is flat.
    """
    spread = np.linspace(0., 4., components)
    return _prior(
        raw, components, unit,
        lambda loc: centre[..., tf.newaxis] + unit * (SMALL * loc + _spaced(.125, components)),
        lambda log_scale: log_scale - tf.constant(spread, raw.dtype))


def _prior(raw, components, unit, to_loc, to_log_scale):
    """A logistic or a mixture; the functions are of raw numbers `[..., components]`."""
    loc, log_scale, *logits = tf.split(raw, outputs_per_channel(components) // components, -1)
    bounded = tgb.scale_maps.exponential(bound=_BOUND)
    loc, scale = to_loc(loc), unit * tf.exp(bounded(to_log_scale(log_scale)) + _LOG_SCALE)
    if components == 1:
        return DiscretizedLogistic(loc[..., 0], scale[..., 0])
    return DiscretizedLogisticMixture(*logits, loc, scale)


def _spaced(end, count):
    """Evenly spaced numbers from -end to end; of one, 0."""
    return np.linspace(-end, end, count).tolist() if count > 1 else [0.]


class ConditionalPrior(tf.Module):
    """The prior of a latent that leaves given what stays: `[B, H, W, C'] -> batch [B, H, W, C]`.

    Args:
      network: a built Keras network or any callable, `seen -> [B, H, W, n * C]`, n being
        `outputs_per_channel(components)`, in n blocks of C.
      components: logistics of each mixture; 1 for no mixture.
      unit: by how much integers are divided before the network sees them.
      near: for each channel of the latent, the integers that stay to whose mean its prior is told
        relative, as `neighbours.nearest_channels` names them; None for none.
      surroundings: function of what stays that gives what the network sees, such as a
        `contrast.Surroundings`; no gradient goes through it, nor to what stays. By default the
        network sees stays / unit.
    """

    def __init__(self, network, components=1, unit=256., near=None, surroundings=None):
        super().__init__()
        self._network = keras_bridge.as_module(network, 'network')
        self._components, self._unit = components, unit
        self._near = None if near is None else tuple(map(tuple, near))
        self._surroundings = surroundings

    def __call__(self, stays):
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
    """The prior of the coarsest latent: `batch_size -> batch [batch_size, H, W, C]`.

    Args:
      raw: a `tf.Variable` that broadcasts to `[H, W, C, n]`, n being
        `outputs_per_channel(components)`.
      shape: `(H, W, C)`.
      components: logistics of each mixture.
      unit: of the locs and scales.
    """

    def __init__(self, raw, shape, components=5, unit=256.):
        super().__init__()
        self._raw, self._shape = raw, tuple(shape)
        self._components, self._unit = components, unit

    def __call__(self, batch_size):
        raw = tf.convert_to_tensor(self._raw)
        raw = tf.broadcast_to(raw, [batch_size, *self._shape, raw.shape[-1]])
        return of_parameters(raw, self._components, self._unit)
