"""Distributions over integers, made of flows over continuous data, with bounds of likelihoods."""

import math
import numbers
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd
from tensorflow_probability import random as tfp_random
from tensorflow_probability import util as tfp_util

from tfp_glow.internal import draws, value_checks
from tfp_glow.types import Condition, DType, Seed, TensorLike


class Dequantized(tfd.Distribution):
    """Integers 0 .. bins-1 whose probability is the mass that a flow gives to their cell.

    ```none
    P(x) = integral over u in [0, 1)^D of p((x + u) / bins - 1/2) / bins^D

    log P(x) >= E[log 1/k sum_i w_i] - D log(bins),    u_1 .. u_k ~ q(u|x),
                w_i = p((x + u_i) / bins - 1/2) / q(u_i|x)
    ```

    The integral is not known. `log_prob_lower_bound` draws the noise u and returns what is inside
    the expectation, and so does `log_prob`: **their mean over seeds is a lower bound** of log P(x),
    while `exp` of one such value is an unbiased estimate of P(x). The bound rises to log P(x) as
    q(u|x) comes near p(u|x) or as k grows.

    `log_prob` must be given a seed, two integers, and is then a function of it. For if the noise
    were silently fixed, a flow that is trained on it would learn that noise.

    `sample` floors (y + 1/2) * bins of the flow's samples y and clips it to 0 .. bins-1. The mass
    outside [-1/2, 1/2)^D is thus drawn as the nearest image. So the P(x) above sum to at most 1
    over all images, and the bound is also a lower bound of the probability that an image is drawn.

    Args:
        flow: A distribution over data in [-1/2, 1/2), of a known event shape.
        bins: The number of grey levels.
        noise: The distribution q(u|x) over [0, 1), of the same event shape, such as
            `VariationalNoise`. It is called with `condition=`, the middles (x + 1/2) / bins - 1/2
            of the cells, a batch `[B, *event_shape]`. None for uniform noise.
        importance_samples: The number k. Each of the k samples costs an evaluation of the flow. All
            k run in one loop, which keeps nothing of them but their sum unless gradients are asked
            for.
        validate_args: As for all distributions. Images are always checked to be in 0 .. bins-1,
            within a `tf.function` as well.
        name: The name of the distribution.

    Raises:
        ValueError: If `bins` is less than 2, if `importance_samples` is less than 1, if the event
            shape is unknown, or if the noise has another one. When called, if images have another
            shape or (where their values are known) are out of range, or if `log_prob` is called
            without a seed.
        TypeError: If images are not integers.

    #### References
    * Theis, van den Oord and Bethge, 2016, arXiv:1511.01844, section 3.1: the uniform noise.
    * Ho, Chen, Srinivas, Duan and Abbeel, *Flow++*, 2019, arXiv:1902.00275, section 3.1: q(u|x).
    * Burda, Grosse and Salakhutdinov, 2016, arXiv:1509.00519: k samples.

    ```python
    >>> import tensorflow as tf, tfp_glow
    >>> flow = tfp_glow.flows.glow((4, 4, 1), levels=1, steps_per_level=1, width=4)
    >>> noise = tfp_glow.distributions.VariationalNoise(tfp_glow.flows.glow(
    ...     (4, 4, 1), 1, 1, width=4, condition_channels=1, name='noise'))
    >>> model = tfp_glow.distributions.Dequantized(flow, bins=17, noise=noise)
    >>> images = model.sample(2, seed=[1, 2])
    >>> images.dtype, images.shape
    (tf.int32, TensorShape([2, 4, 4, 1]))
    >>> model.log_prob(images, seed=[3, 4]).shape
    TensorShape([2])

    ```
    """

    def __init__(self, flow: tfd.Distribution, bins: int, noise: tfd.Distribution | None = None,
                 importance_samples: int = 1, validate_args: bool = False,
                 name: str = 'dequantized') -> None:
        parameters = dict(locals())
        shape = flow.event_shape
        if not isinstance(shape, tf.TensorShape) or not shape.is_fully_defined():
            raise ValueError(f'flow must be over one tensor of known shape; got {shape}.')
        if noise is not None and not shape.is_compatible_with(noise.event_shape):
            raise ValueError(f'noise must have the event shape of flow, {tuple(shape)}; '
                             f'got {noise.event_shape}.')
        with tf.name_scope(name) as name:
            self._flow = flow
            self._noise = noise
            self._bins = _integer('bins', bins, 2)
            self._importance_samples = _integer('importance_samples', importance_samples, 1)
            super().__init__(
                dtype=tf.int32, reparameterization_type=tfd.NOT_REPARAMETERIZED,
                validate_args=validate_args, allow_nan_stats=True, parameters=parameters,
                name=name)

    @classmethod
    def _parameter_properties(cls, dtype: DType, num_classes: int | None = None) -> dict[str, Any]:
        return {'flow': tfp_util.BatchedComponentProperties()}

    @property
    def flow(self) -> tfd.Distribution:
        """The distribution p over continuous data."""
        return self._flow

    @property
    def noise(self) -> tfd.Distribution | None:
        """The distribution q of the noise, or None if it is uniform."""
        return self._noise

    @property
    def bins(self) -> int:
        """The number of grey levels."""
        return self._bins

    @property
    def importance_samples(self) -> int:
        """The number of draws of the noise per image, unless a call asks for another number."""
        return self._importance_samples

    def log_prob_lower_bound(self, x: TensorLike, seed: Seed | None,
                             importance_samples: int | None = None,
                             condition: Condition | None = None) -> tf.Tensor:
        """Returns one draw of the lower bound of log P(x), in nats: `[..., *event_shape] -> [...]`.

        The draw is differentiable in all variables of the flow and of the noise. The first of k
        draws of the noise is the draw of k = 1 with the same seed.

        Args:
            x: Integers of any dtype.
            seed: Two integers, of which the answer is a function. None or one integer is stateful,
                see `tfp.random.sanitize_seed`.
            importance_samples: The number k; by default that of the constructor.
            condition: The condition of the flow, if it takes one.
        """
        samples = self._importance_samples if importance_samples is None else _integer(
            'importance_samples', importance_samples, 1)
        values = self._values(x)
        seed = tfp_random.sanitize_seed(seed)
        kwargs = {} if condition is None else {'condition': condition}
        batch_shape = values.shape[:values.shape.rank - self.event_shape.rank]

        def log_weight(i: int | tf.Tensor) -> tf.Tensor:
            return self._log_weight(
                values, tf.random.experimental.stateless_fold_in(seed, i), kwargs)
        if samples == 1:
            total = log_weight(0)
        else:
            static = tf.broadcast_static_shape(batch_shape, self.batch_shape)

            def add(i: tf.Tensor, total: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
                both = tf.stack([total, tf.ensure_shape(log_weight(i), static)])
                return i + 1, tf.reduce_logsumexp(both, 0)
            nothing = tf.fill(tf.broadcast_dynamic_shape(
                tf.shape(values)[:batch_shape.rank], self.batch_shape_tensor()),
                tf.constant(-np.inf, values.dtype))
            _, total = tf.while_loop(
                lambda i, _: i < samples, add, (tf.constant(0), tf.ensure_shape(nothing, static)),
                parallel_iterations=1, maximum_iterations=samples)
        return total - (math.log(samples) + self._dims * math.log(self._bins))

    def bits_per_dim(self, x: TensorLike, seed: Seed | None, importance_samples: int | None = None,
                     condition: Condition | None = None, counted: int | None = None) -> tf.Tensor:
        """Returns one draw of the upper bound of the bits per dimension of x: `[...]`.

        Args:
            x: See `log_prob_lower_bound`.
            seed: See `log_prob_lower_bound`.
            importance_samples: See `log_prob_lower_bound`.
            condition: See `log_prob_lower_bound`.
            counted: The number of dimensions of the original images, where padding made them
                larger.
        """
        bound = self.log_prob_lower_bound(x, seed, importance_samples, condition)
        return -bound / ((counted or self._dims) * math.log(2))

    @property
    def _dims(self) -> int:
        return self.event_shape.num_elements()

    def _event_shape(self) -> tf.TensorShape:
        return self._flow.event_shape

    def _event_shape_tensor(self) -> tf.Tensor:
        return tf.constant(self.event_shape.as_list(), tf.int32)

    def _call_log_prob(self, value: TensorLike, name: str, **kwargs: Any) -> tf.Tensor:
        # TFP would silently convert floats to the integers of this distribution.
        return super()._call_log_prob(tf.convert_to_tensor(value), name, **kwargs)

    def _call_prob(self, value: TensorLike, name: str, **kwargs: Any) -> tf.Tensor:
        return super()._call_prob(tf.convert_to_tensor(value), name, **kwargs)

    def _log_prob(self, x: TensorLike, seed: Seed | None = None,
                  condition: Condition | None = None) -> tf.Tensor:
        """Returns `log_prob_lower_bound(x, seed, condition=condition)`; the seed must be given."""
        if seed is None:
            raise ValueError(f'seed must be given to log_prob of {self.name}, for it is a bound '
                             'that depends on noise; got None.')
        return self.log_prob_lower_bound(x, seed, condition=condition)

    def _call_sample_n(self, sample_shape: TensorLike, seed: Seed | None,
                       condition: Condition | None = None) -> tf.Tensor:
        kwargs = {} if condition is None else {'condition': condition}
        data = self._flow.sample(sample_shape, seed=seed, **kwargs)
        levels = tf.floor((data + .5) * self._bins)
        return tf.cast(tf.clip_by_value(levels, 0, self._bins - 1), self.dtype)

    def _sample_and_log_prob(self, sample_shape: TensorLike, seed: Seed | None,
                             condition: Condition | None = None) -> tuple[tf.Tensor, tf.Tensor]:
        for_sample, for_noise = tfp_random.split_seed(seed)
        x = self._call_sample_n(sample_shape, for_sample, condition)
        return x, self.log_prob_lower_bound(x, for_noise, condition=condition)

    def _values(self, x: TensorLike) -> tf.Tensor:
        """Returns images as floats, after checking them as far as they are known."""
        x = tf.convert_to_tensor(x)
        if not x.dtype.is_integer:
            raise TypeError(f'x must be integers; got dtype={x.dtype.name}.')
        shape = self.event_shape
        if x.shape.rank is None or x.shape.rank < shape.rank or not (
                x.shape[x.shape.rank - shape.rank:].is_compatible_with(shape)):
            raise ValueError(f'x must end in the event shape {tuple(shape)}; got shape={x.shape}.')
        # The values are checked in graphs as well.
        return tf.cast(value_checks.levels('x', x, self._bins), self._flow.dtype)

    def _log_weight(self, values: tf.Tensor, seed: tf.Tensor,
                    kwargs: dict[str, Condition]) -> tf.Tensor:
        """Returns log p((x + u) / bins - 1/2) - log q(u|x) for one draw of u."""
        u, log_q = self._draw(values, seed)
        # The sum may round up to the edge of the cell, which belongs to the next grey level.
        edge = (values + 1) / self._bins - (.5 + np.finfo(values.dtype.as_numpy_dtype).eps)
        data = tf.minimum((values + u) / self._bins - .5, edge)
        return self._flow.log_prob(data, **kwargs) - log_q

    def _draw(self, values: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the noise of all images and its log-density."""
        shape, dtype = tf.shape(values), values.dtype
        if self._noise is None:
            return draws.uniform_like(values, seed, dtype), tf.zeros([], dtype)
        images = tf.reshape((values + .5) / self._bins - .5, [-1, *self.event_shape])
        count = tf.shape(images)[0] if images.shape[0] is None else images.shape[0]
        u, log_q = self._noise.experimental_sample_and_log_prob(
            count, seed=seed, condition=tf.cast(images, self._noise.dtype))
        batch_ndims = values.shape.rank - self.event_shape.rank
        u = tf.ensure_shape(tf.reshape(tf.cast(u, dtype), shape), values.shape)
        return u, tf.ensure_shape(tf.reshape(tf.cast(log_q, dtype), shape[:batch_ndims]),
                                  values.shape[:batch_ndims])


def _integer(name: str, value: object, least: int) -> int:
    if not isinstance(value, numbers.Integral) or value < least:
        raise ValueError(f'{name} must be an integer of at least {least}; got {name}={value}.')
    return int(value)
