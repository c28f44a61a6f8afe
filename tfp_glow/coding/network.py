"""Runs a model's networks at one fixed batch shape, so that they give the same floats each time."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfp_glow import distributions
from tfp_glow.coding import entropy, mixtures, tables
from tfp_glow.coding.model import IntegerModel
from tfp_glow.types import Shape


class FixedBatch:
    """The functions of an integer flow that the codec needs, each traced once for `batch` images.

    Arrays of fewer images are filled up with zeros on the way in.

    Args:
        model: An `IntegerFlow`, or an object that has its `event_shape`, `num_levels`, `decompose`,
            `prior` and `merge`.
        batch: The number of images in each call.

    Attributes:
        batch: The number of images in each call.
        shapes: The shape of each level's integers, `[batch, ...]`, the finest level first.
        seconds: The time spent in the networks so far.
    """

    def __init__(self, model: IntegerModel, batch: int) -> None:
        self._model, self.batch, self.seconds = model, batch, 0.
        self._decompose = _concrete(lambda x: tuple(model.decompose(x)),
                                    [batch, *model.event_shape])
        self.shapes = [tuple(z.shape) for z in self._decompose.structured_outputs]
        # The shape of what a level is given from above. The top level is given nothing.
        self._stays: list[list[tf.TensorShape]] = [[] for _ in self.shapes]
        self._priors, self._merges = {}, {}
        self._samples: dict[int, Callable[..., tf.Tensor]] = {}
        # The parameters of the last mixtures that were made into tables, and these tables.
        self._tables: tuple[tuple[np.ndarray, ...], entropy.TablePrior] | None = None
        for level in reversed(range(len(self.shapes))):
            self._priors[level], self._merges[level] = self._traced(level)
            if level:
                self._stays[level - 1] = [self._merges[level].structured_outputs.shape]

    def decompose(self, images: np.ndarray) -> list[np.ndarray] | None:
        """Returns the integers of all levels, int32 `[n, ...]`, the finest level first.

        Returns None if float32 cannot hold them exactly.

        Args:
            images: A uint8 array `[n, h, w, c]` with n <= batch.
        """
        latents = self._timed(self._decompose, self._filled(images, images.shape[1:]))
        latents = [z[:len(images)] for z in latents]
        # The comparison fails also where a number is not finite.
        if not all(np.all(np.abs(z) < tables.LIMIT) for z in latents):
            return None
        return [z.astype(np.int32) for z in latents]

    def prior(self, level: int, stays: np.ndarray | None,
              count: int) -> entropy.TablePrior | mixtures.MixturePrior | None:
        """Returns what codes a level's integers.

        This is a `mixtures.MixturePrior` where each integer has a mixture of its own, and an
        `entropy.TablePrior` elsewhere. It is None if the prior's parameters are out of bounds.

        Args:
            level: The number of the level; 0 is the finest.
            stays: What `merge` gave at the level above, or None at the top.
            count: The prior is that of so many images, the first ones of the batch.
        """
        *logits, loc, scale = self._timed(self._priors[level], *_given(stays))
        # If a prior is not one of its own for each image, all images have the same one.
        own = loc.ndim - len(logits) == len(self.shapes[level])
        if own:
            *logits, loc, scale = (p[:count] for p in (*logits, loc, scale))
        if not (np.all(np.abs(loc) < tables.LIMIT) and np.all(scale > 0)
                and all(np.all(np.isfinite(p)) for p in (scale, *logits))):
            return None
        if own and logits and stays is not None:
            return mixtures.MixturePrior(logits[0], loc, scale)
        return self._by_tables(*logits, loc, scale)

    def merge(self, level: int, z: np.ndarray, stays: np.ndarray | None) -> np.ndarray:
        """Returns what a level's integers and the levels above give to the next finer level.

        Args:
            level: The number of the level; 0 is the finest, which gives the images.
            z: The integers of the level, `[n, ...]`.
            stays: What `merge` gave at the level above, or None at the top.

        Returns:
            A float32 array `[batch, ...]`.
        """
        return self._timed(self._merges[level], self._filled(z, self.shapes[level][1:]),
                           *_given(stays))

    def sample(self, level: int, stays: np.ndarray | None, seed: Sequence[int]) -> np.ndarray:
        """Returns integers of a level drawn from its prior: float32 `[batch, ...]`.

        Args:
            level: The number of the level; 0 is the finest.
            stays: What `merge` gave at the level above, or None at the top.
            seed: Two integers.
        """
        if level not in self._samples:
            self._samples[level] = _concrete(
                lambda seed, *stays: self._drawn(level, stays, seed),
                tf.TensorSpec([2], tf.int32), *self._stays[level])
        return self._timed(self._samples[level], np.array(seed, np.int32), *_given(stays))

    def _by_tables(self, *parameters: np.ndarray) -> entropy.TablePrior:
        """Returns the `TablePrior` of logistics, or of mixtures that many integers share.

        The last prior of mixtures is kept, as the top's parameters are the same for all images.
        """
        if len(parameters) == 2:
            return _logistics(*parameters)
        if self._tables is None or not all(map(np.array_equal, self._tables[0], parameters)):
            self._tables = parameters, _mixtures(*parameters)
        return self._tables[1]

    def _traced(self, level: int) -> tuple[Any, Any]:
        """Returns the concrete functions of a level's prior and of its merging.

        Their signatures do not contain `level`.
        """
        prior = _concrete(lambda *stays: _parameters(self._prior(level, stays)),
                          *self._stays[level])
        merge = _concrete(
            lambda z, *stays: self._model.merge(level, z, stays[0] if stays else None),
            self.shapes[level], *self._stays[level])
        return prior, merge

    def _prior(self, level: int, stays: Sequence[tf.Tensor]) -> tfd.Distribution:
        return self._model.prior(level, stays[0] if stays else None, self.batch)

    def _drawn(self, level: int, stays: Sequence[tf.Tensor], seed: tf.Tensor) -> tf.Tensor:
        prior, shape = self._prior(level, stays), self.shapes[level]
        count = [] if len(prior.batch_shape) == len(shape) else [self.batch]
        return tf.broadcast_to(prior.sample(count, seed=seed), shape)

    def _filled(self, images: np.ndarray, event_shape: Shape) -> np.ndarray:
        filled = np.zeros([self.batch, *event_shape], np.float32)
        filled[:len(images)] = images
        return filled

    def _timed(self, function: Callable[..., Any], *arrays: np.ndarray) -> Any:
        """Returns the arrays that the function returns for these, in the same structure."""
        start = time.perf_counter()
        tensors = function(*map(tf.constant, arrays))
        results = tf.nest.map_structure(lambda tensor: tensor.numpy(), tensors)
        self.seconds += time.perf_counter() - start
        return results


def _concrete(function: Callable[..., Any], *inputs: Shape | tf.TensorSpec) -> Any:
    """Returns the concrete function for inputs of these shapes or specs."""
    specs = [i if isinstance(i, tf.TensorSpec) else tf.TensorSpec(i) for i in inputs]
    return tf.function(function, specs, autograph=False).get_concrete_function()


def _given(stays: np.ndarray | None) -> list[np.ndarray]:
    return [] if stays is None else [stays]


def _parameters(prior: tfd.Distribution) -> tuple[tf.Tensor, ...]:
    """Returns `(loc, scale)` or `(logits, loc, scale)`, all of one shape."""
    if isinstance(prior, distributions.DiscretizedLogisticMixture):
        parameters = [prior.logits, prior.loc, prior.scale]
    elif isinstance(prior, distributions.DiscretizedLogistic):
        parameters = [prior.loc, prior.scale]
    else:
        raise ValueError('prior(level, stays, batch_size) must be a DiscretizedLogistic or a '
                         f'DiscretizedLogisticMixture; got {type(prior).__name__}.')
    shape = parameters[0].shape
    for parameter in parameters[1:]:
        shape = tf.broadcast_static_shape(shape, parameter.shape)
    return tuple(tf.broadcast_to(parameter, shape) for parameter in parameters)


def _logistics(loc: np.ndarray, scale: np.ndarray) -> entropy.TablePrior:
    centres, keys = tables.logistic_keys(loc, scale)
    return entropy.TablePrior(keys, centres, tables.logistic_table)


def _mixtures(*parameters: np.ndarray) -> entropy.TablePrior:
    rows = np.concatenate(parameters, axis=-1)
    different, keys = np.unique(rows.reshape([-1, rows.shape[-1]]), axis=0, return_inverse=True)
    return entropy.TablePrior(keys.reshape(rows.shape[:-1]), np.zeros([], np.int32),
                              lambda key: tables.mixture_table(different[key].tobytes()))
