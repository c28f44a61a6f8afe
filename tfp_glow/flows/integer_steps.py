"""Builds the permutations and couplings of an integer flow."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow_probability import bijectors as tfb

from tfp_glow import bijectors as tgb
from tfp_glow.flows import building, integer_priors
from tfp_glow.internal import keras_bridge
from tfp_glow.types import DType, Shape


@dataclasses.dataclass(frozen=True)
class IntegerSteps:
    """Holds what the couplings of all levels share; a call makes a `Repeat` of some couplings.

    Args:
        network: A function `(input_shape, outputs, width=, seed=) -> built Keras network`.
        times: The number of steps.
        split: A split by channels, as made by `splits.channels`: what conditions a coupling.
        unit: The number that integers are divided by before the networks see them.
        small: Whether the networks' outputs count in units / 64.
        permute: Whether to shuffle channels before each coupling.
        invert_permutation: Whether to undo the shuffle after the coupling.
        reversible: Whether to train at constant memory.
        dtype: The dtype of the data.
    """

    network: building.MakeNetwork
    times: int
    split: Any
    unit: float
    small: bool
    permute: bool
    invert_permutation: bool
    reversible: bool
    dtype: DType

    def __call__(self, shape: Shape, width: int, seeds: Sequence[int], path: str) -> tgb.Repeat:
        """Makes the steps for images of a shape `(H, W, C)`; variables' names begin with `path`."""
        *sides, channels = shape
        moved = self.split.moved(channels)
        permutations = np.stack([
            tgb.random_permutation(channels, [seeds[0], k]) if self.permute else np.arange(channels)
            for k in range(self.times)])
        network = self.network((*sides, channels - moved), moved, width=width, seed=seeds[1])
        stacked = keras_bridge.StackedNetwork(
            network, self.times, seeds[1], name=f'{path}/network')
        params = {'network': stacked.weights, 'permutation': building.variable(
            'permutation', permutations, path, self.dtype, trainable=False)}

        def make_step(params: dict[str, Any]) -> tfb.Bijector:
            return self._step(params['permutation'], stacked.bind(params['network']))
        return tgb.Repeat(make_step, params, self.times, self.reversible)

    def _step(self, permutation: tf.Tensor, conditioner: Callable[..., tf.Tensor]) -> tgb.Chain:
        """Makes one step: a shuffle, a coupling and, if wanted, the inverse of the shuffle."""
        if self.small:
            conditioner = _small(conditioner)
        parts = [tgb.Shuffle(permutation, self.dtype),
                 tgb.IntegerCoupling(conditioner, self.unit, self.split)]
        if self.invert_permutation:
            parts.append(tgb.Shuffle(tf.argsort(permutation), self.dtype))
        return tgb.Chain(parts)


def _small(network: Callable[..., tf.Tensor]) -> Callable[[tf.Tensor], tf.Tensor]:
    """Returns `network` with its outputs made small."""
    return lambda x: integer_priors.SMALL * tf.cast(network(x), x.dtype)
