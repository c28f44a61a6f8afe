"""The permutations and couplings of an integer flow."""

import dataclasses

import numpy as np
import tensorflow as tf

from tfp_glow import bijectors as tgb
from tfp_glow.flows import building, integer_priors
from tfp_glow.internal import keras_bridge


@dataclasses.dataclass(frozen=True)
class IntegerSteps:
    """What the couplings of all levels share; called, it gives a `Repeat` of some.

    Args:
      network: `(input_shape, outputs, width=, seed=) -> built Keras network`.
      times: steps.
      split: of channels, as of `splits.channels`: what conditions a coupling.
      unit: by how much integers are divided before the networks see them.
      small: whether the networks' outputs count in units / 64.
      permute: shuffle channels before each coupling.
      invert_permutation: undo that after it.
      reversible: train at constant memory.
      dtype: of the data.
    """

    network: object
    times: int
    split: object
    unit: float
    small: bool
    permute: bool
    invert_permutation: bool
    reversible: bool
    dtype: object

    def __call__(self, shape, width, seeds, path):
        """For images of a shape `(H, W, C)`; `path` is where the variables' names begin."""
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

        def make_step(params):
            return self._step(params['permutation'], stacked.bind(params['network']))
        return tgb.Repeat(make_step, params, self.times, self.reversible)

    def _step(self, permutation, conditioner):
        if self.small:
            conditioner = _small(conditioner)
        parts = [tgb.Shuffle(permutation, self.dtype),
                 tgb.IntegerCoupling(conditioner, self.unit, self.split)]
        if self.invert_permutation:
            parts.append(tgb.Shuffle(tf.argsort(permutation), self.dtype))
        return tgb.Chain(parts)


def _small(network):
    return lambda x: integer_priors.SMALL * tf.cast(network(x), x.dtype)
