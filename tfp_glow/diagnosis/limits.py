"""Says at which limit a figure becomes a warning.

At each limit float32, with its seven digits, or the likelihood has begun to suffer.
"""

import math
from collections.abc import Iterator, Mapping

import numpy as np
import tensorflow as tf

from tfp_glow.diagnosis import report

# This is a quarter of one of 256 grey levels, where data span 1. Beyond it samples are visibly not
# those of the density, nor are gradients at constant memory, which rest on rebuilt inputs.
ROUND_TRIP_LIMIT = 1e-3

# At these limits one direction or the other multiplies rounding errors by 1000 in this layer alone.
# That costs three of the seven digits, and the factors of layers multiply.
SCALE_LIMITS = (1e-3, 1e3)

# The same three digits are lost between the direction that a matrix stretches most and the one that
# it stretches least.
CONDITION_LIMIT = 1e3

# These are in units of the base, whose entries have mean 0 and standard deviation 1. A mean that is
# off by m costs m^2 / 2 nats a dimension, .12 at this limit. A deviation s costs
# (s^2 - 1) / 2 - log s, .32 nats at the lower limit and .81 at the upper.
LATENT_MEAN_LIMIT = .5
LATENT_STD_LIMITS = (.5, 2.)

_NAMED = 3  # A sentence names at most so many variables.


def warnings(diagnosis: report.Diagnosis) -> list[str]:
    """Returns sentences about the figures of a `Diagnosis`, each with the limit and the value."""
    sentences: list[str] = []
    for layer in diagnosis.layers:
        sentences += _layer_warnings(layer)
    if diagnosis.round_trip_error > ROUND_TRIP_LIMIT:
        sentences.append(_round_trip_warning('whole flow', diagnosis.round_trip_error))
    for level in diagnosis.levels:
        sentences += _level_warnings(level)
    return _first_not_finite(diagnosis) + sentences


def variable_warnings(variables: Mapping[str, tf.Variable]) -> list[str]:
    """Returns sentences about variables, `{path: variable}`, that hold NaN or infinity."""
    broken = [path for path, v in variables.items()
              if v.dtype.is_floating and not np.all(np.isfinite(v.numpy()))]
    if not broken:
        return []
    more = ' and more' if len(broken) > _NAMED else ''
    return [f'{len(broken)} of {len(variables)} variables must be finite and hold NaN or infinity: '
            f'{", ".join(broken[:_NAMED])}{more}.']


def _layer_warnings(layer: report.Layer) -> Iterator[str]:
    if layer.round_trip_error > ROUND_TRIP_LIMIT:
        yield _round_trip_warning(layer.path, layer.round_trip_error)
    low, high = SCALE_LIMITS
    if layer.least_scale is not None and layer.least_scale < low:
        yield (f'{layer.path}: least scale {layer.least_scale:.2g} is below {low:g}; sampling '
               'divides by it.')
    if layer.greatest_scale is not None and layer.greatest_scale > high:
        yield (f'{layer.path}: greatest scale {layer.greatest_scale:.2g} is above {high:g}; the '
               'density multiplies with it.')
    if layer.condition_number is not None and layer.condition_number > CONDITION_LIMIT:
        yield (f'{layer.path}: condition number {layer.condition_number:.2g} is above '
               f'{CONDITION_LIMIT:g}; the matrix is nearly singular.')


def _level_warnings(level: report.Level) -> Iterator[str]:
    if abs(level.mean) > LATENT_MEAN_LIMIT:
        yield (f'{level.path}: mean of the latents {level.mean:.2g} is outside of '
               f'+-{LATENT_MEAN_LIMIT:g}; the flow does not fit this batch.')
    low, high = LATENT_STD_LIMITS
    if level.std < low or level.std > high:
        yield (f'{level.path}: standard deviation of the latents {level.std:.2g} is outside of '
               f'[{low:g}, {high:g}]; the flow does not fit this batch.')


def _round_trip_warning(path: str, error: float) -> str:
    return f'{path}: round-trip error {error:.2g} is above {ROUND_TRIP_LIMIT:g}.'


def _first_not_finite(diagnosis: report.Diagnosis) -> list[str]:
    """Returns a sentence about the first layer whose figures are not finite, if there is one.

    The layers after it only pass that on.
    """
    for layer in diagnosis.layers:
        figures = (layer.round_trip_error, layer.log_det, layer.least_scale, layer.greatest_scale)
        if not all(math.isfinite(figure) for figure in figures if figure is not None):
            return [f'{layer.path}: values must be finite and are not, from this layer on.']
    return []
