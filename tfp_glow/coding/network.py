"""A model's networks at one fixed batch shape, so that they give the same floats each time."""

import time

import numpy as np
import tensorflow as tf

from tfp_glow import distributions
from tfp_glow.coding import entropy, mixtures, tables


class FixedBatch:
    """The functions of an integer flow that the codec needs, each traced once for `batch` images.

    Arrays of fewer images are filled up with zeros on the way in.

    Args:
        model: an `IntegerFlow`, or what has its `event_shape`, `num_levels`, `decompose`, `prior`
            and `merge`.
        batch: images in each call.

    Attributes:
        shapes: of each level's integers, `[batch, ...]`, the finest first.
        seconds: time spent in the networks so far.
    """

    def __init__(self, model, batch):
        self._model, self.batch, self.seconds = model, batch, 0.
        self._decompose = _concrete(lambda x: tuple(model.decompose(x)),
                                    [batch, *model.event_shape])
        self.shapes = [tuple(z.shape) for z in self._decompose.structured_outputs]
        self._stays = [[] for _ in self.shapes]  # Shapes of what a level is given: none at the top.
        self._priors, self._merges, self._samples = {}, {}, {}
        self._tables = None, None  # The last mixtures that were made into tables, and these.
        for level in reversed(range(len(self.shapes))):
            self._priors[level], self._merges[level] = self._traced(level)
            if level:
                self._stays[level - 1] = [self._merges[level].structured_outputs.shape]

    def decompose(self, images):
        """Integers of all levels, int32 `[n, ...]`, the finest first; None if float32 cannot.

        Args:
            images: uint8 `[n, h, w, c]`, n <= batch.
        """
        found = self._timed(self._decompose, self._filled(images, images.shape[1:]))
        found = [z[:len(images)] for z in found]
        if not all(np.all(np.abs(z) < tables.LIMIT) for z in found):  # Nor if one is not finite.
            return None
        return [z.astype(np.int32) for z in found]

    def prior(self, level, stays, count):
        """What codes a level's integers; None if the prior's parameters are out of bounds.

        An `entropy.TablePrior`, or where each integer has a mixture of its own a
        `mixtures.MixturePrior`.

        Args:
            level: 0 is the finest.
            stays: what `merge` gave at the level above, None at the top.
            count: the prior is that of so many images, the first ones.
        """
        *logits, loc, scale = self._timed(self._priors[level], *_given(stays))
        own = loc.ndim - len(logits) == len(self.shapes[level])  # Else all images have the same.
        if own:
            *logits, loc, scale = (p[:count] for p in (*logits, loc, scale))
        if not (np.all(np.abs(loc) < tables.LIMIT) and np.all(scale > 0)
                and all(np.all(np.isfinite(p)) for p in (scale, *logits))):
            return None
        if own and logits and stays is not None:
            return mixtures.MixturePrior(*logits, loc, scale)
        return self._by_tables(*logits, loc, scale)

    def merge(self, level, z, stays):
        """What the integers z `[n, ...]` of a level make of those above: float32 `[batch, ...]`."""
        return self._timed(self._merges[level], self._filled(z, self.shapes[level][1:]),
                           *_given(stays))

    def sample(self, level, stays, seed):
        """Integers of a level drawn from its prior: float32 `[batch, ...]`; seed: two integers."""
        if level not in self._samples:
            self._samples[level] = _concrete(
                lambda seed, *stays: self._drawn(level, stays, seed),
                tf.TensorSpec([2], tf.int32), *self._stays[level])
        return self._timed(self._samples[level], np.array(seed, np.int32), *_given(stays))

    def _by_tables(self, *parameters):
        """The `TablePrior` of logistics, or of mixtures of which many integers share each.

        Of mixtures the last one is kept: the top's parameters are the same for all images.
        """
        if len(parameters) == 2:
            return _logistics(*parameters)
        before, made = self._tables
        if before is None or not all(map(np.array_equal, before, parameters)):
            made = _mixtures(*parameters)
            self._tables = parameters, made
        return made

    def _traced(self, level):
        """The functions of one level, in whose signature `level` does not occur."""
        prior = _concrete(lambda *stays: _parameters(self._prior(level, stays)),
                          *self._stays[level])
        merge = _concrete(
            lambda z, *stays: self._model.merge(level, z, stays[0] if stays else None),
            self.shapes[level], *self._stays[level])
        return prior, merge

    def _prior(self, level, stays):
        return self._model.prior(level, stays[0] if stays else None, self.batch)

    def _drawn(self, level, stays, seed):
        prior, shape = self._prior(level, stays), self.shapes[level]
        count = [] if len(prior.batch_shape) == len(shape) else [self.batch]
        return tf.broadcast_to(prior.sample(count, seed=seed), shape)

    def _filled(self, images, event_shape):
        filled = np.zeros([self.batch, *event_shape], np.float32)
        filled[:len(images)] = images
        return filled

    def _timed(self, function, *arrays):
        start = time.perf_counter()
        found = function(*map(tf.constant, arrays))
        found = tf.nest.map_structure(lambda tensor: tensor.numpy(), found)
        self.seconds += time.perf_counter() - start
        return found


def _concrete(function, *inputs):
    specs = [i if isinstance(i, tf.TensorSpec) else tf.TensorSpec(i) for i in inputs]
    return tf.function(function, specs, autograph=False).get_concrete_function()


def _given(stays):
    return [] if stays is None else [stays]


def _parameters(prior):
    """`(loc, scale)` or `(logits, loc, scale)`, of one shape."""
    if isinstance(prior, distributions.DiscretizedLogisticMixture):
        found = prior.logits, prior.loc, prior.scale
    elif isinstance(prior, distributions.DiscretizedLogistic):
        found = prior.loc, prior.scale
    else:
        raise ValueError('prior(level, stays, batch_size) must be a DiscretizedLogistic or a '
                         f'DiscretizedLogisticMixture; got {type(prior).__name__}.')
    shape = found[0].shape
    for parameter in found[1:]:
        shape = tf.broadcast_static_shape(shape, parameter.shape)
    return tuple(tf.broadcast_to(parameter, shape) for parameter in found)


def _logistics(loc, scale):
    centres, keys = tables.logistic_keys(loc, scale)
    return entropy.TablePrior(keys, centres, tables.logistic_table)


def _mixtures(*parameters):
    rows = np.concatenate(parameters, axis=-1)
    different, keys = np.unique(rows.reshape([-1, rows.shape[-1]]), axis=0, return_inverse=True)
    return entropy.TablePrior(keys.reshape(rows.shape[:-1]), np.zeros([], np.int32),
                         lambda key: tables.mixture_table(different[key].tobytes()))
