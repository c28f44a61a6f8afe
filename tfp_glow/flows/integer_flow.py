"""Defines integer discrete flows: distributions over integer images, without dequantization."""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf
from tensorflow_probability import bijectors as tfb
from tensorflow_probability import distributions as tfd
from tensorflow_probability import random as tfp_random

from tfp_glow import bijectors as tgb
from tfp_glow.bijectors import folding
from tfp_glow.distributions.latents import temperatures
from tfp_glow.types import DType, Seed, Shape, TensorLike


class IntegerFlow(tfd.Distribution):
    """Models integer images `[H, W, C]` by a bijection to integers whose prior is learned.

    Each level transforms its input. Then half of the channels, or another share, leave as a latent
    whose prior depends on what stays. The output of the last level is the coarsest latent.

    ```none
    h_0 = x;   [h_l+1, z_l] = split(levels[l].inverse(h_l));   z_L = levels[L].inverse(h_L)
    log P(x) = log top(z_L) + sum over l of log priors[l](h_l+1)(z_l)
    ```

    The bijection is between integers, so there is no log-determinant, and P is a mass: exact, not a
    bound. Values are integers held as floats. **P is a distribution over all integers**, not over
    0 .. bins-1 alone: a trained model gives little mass to the others, but samples may have some.

    A decoder knows nothing but what it has decoded. It goes from the coarsest level to the finest:

    ```none
    stays = None
    for level in reversed(range(flow.num_levels)):
        z = ...                                       # of flow.prior(level, stays, batch_size)
        stays = flow.merge(level, z, stays)
    x = stays
    ```

    Args:
        event_shape: The shape `(H, W, C)` of the images.
        levels: For each level, the finest first, a bijector of images that maps integers to
            integers with a log-determinant of 0. It is made of `Squeeze`, `Shuffle` and
            `IntegerCoupling`.
        priors: For each level but the last, a function `what stays [B, H, W, C'] -> distribution`
            of scalars, whose batch shape is the latent's shape `[B, H, W, C]`.
        top: A function `batch_size -> distribution` of the coarsest latent, likewise.
        temperature: The factor of the priors' scales, one or one per level, see `with_temperature`.
            At 0 a logistic gives its middle, and a mixture the middle of the component that is
            drawn.
        share: The share of the channels that stays where others leave, one number or one per level
            but the last.
        validate_args: Whether to check that images are integers.
        name: The name of the distribution.

    Raises:
        ValueError: If there are no levels, if the number of priors or of temperatures does not fit,
            or if the event shape is not known or not that of images.
    #### References
    Hoogeboom, Peters, van den Berg and Welling, *Integer Discrete Flows and Lossless Compression*,
    2019, arXiv:1905.07376.

    ```python
    >>> import tensorflow as tf, tfp_glow
    >>> flow = tfp_glow.flows.idf((8, 8, 1), levels=2, steps_per_level=1, width=4, depth=2, bins=17)
    >>> images = tf.random.stateless_uniform([3, 8, 8, 1], [1, 2], 0, 17, tf.int32)
    >>> flow.log_prob(images).shape
    TensorShape([3])
    >>> [z.shape.as_list() for z in flow.decompose(images)]
    [[3, 4, 4, 2], [3, 2, 2, 8]]

    ```
    """

    def __init__(self, event_shape: Shape, levels: Sequence[tfb.Bijector],
                 priors: Sequence[Callable[[tf.Tensor], tfd.Distribution]],
                 top: Callable[[int | tf.Tensor], tfd.Distribution], temperature: TensorLike = 1.,
                 share: float | Sequence[float] = .5, validate_args: bool = False,
                 name: str = 'integer_flow') -> None:
        parameters = dict(locals())
        shape = tf.TensorShape(event_shape)
        if shape.rank != 3 or not shape.is_fully_defined():
            raise ValueError(f'event_shape must be a known (height, width, channels); got {shape}.')
        with tf.name_scope(name) as name:
            self._image_shape = shape
            self._bijector = tgb.MultiScale(
                levels, event_shape=shape,
                share=list(share) if isinstance(share, Sequence) else share)
            self._priors, self._top = list(priors), top
            if len(self._priors) != self.num_levels - 1:
                raise ValueError('priors must hold one function per level but the last, '
                                 f'{self.num_levels - 1}; got {len(self._priors)}.')
            self._temperatures = temperatures(temperature, self.num_levels)
            super().__init__(
                dtype=self._bijector.dtype or tf.float32,
                reparameterization_type=tfd.NOT_REPARAMETERIZED, validate_args=validate_args,
                allow_nan_stats=True, parameters=parameters, name=name)

    @classmethod
    def _parameter_properties(cls, dtype: DType, num_classes: int | None = None) -> dict[str, Any]:
        return {}

    @property
    def bijector(self) -> tgb.MultiScale:
        """The bijection between the list of latents and the image, a `MultiScale`."""
        return self._bijector

    @property
    def discrete(self) -> bool:
        """True: `log_prob` takes integers as they are, without dequantization."""
        return True

    @property
    def num_levels(self) -> int:
        """The number of levels, which is also the number of latents."""
        return len(self._bijector.levels)

    @property
    def temperature(self) -> tuple[Any, ...]:
        """The factor of the priors' scales for each level: numbers and scalar tensors."""
        return tuple(self._temperatures)

    @property
    def latent_shapes(self) -> list[tf.TensorShape]:
        """The shape `[H, W, C]` of each latent, the finest first."""
        return self._bijector.inverse_event_shape(self._image_shape)

    def decompose(self, x: TensorLike) -> list[tf.Tensor]:
        """Returns the latents `[z_0, ..., z_L]` of integer images `[B, H, W, C]`, finest first."""
        return self._taken_apart(x)[0]

    def prior(self, level: int, stays: tf.Tensor | None = None,
              batch_size: int | tf.Tensor | None = None) -> tfd.Distribution:
        """Returns the distribution of z_level, of scalars.

        Its batch shape is `[B, *latent_shapes[level]]`.

        Args:
            level: The level, 0 .. num_levels-1; 0 is the finest.
            stays: What the coarser levels were merged to; None for the last level.
            batch_size: B for the last level; at other levels B is that of `stays`.

        Raises:
            ValueError: If `stays` is given where it is not needed, or missing where it is needed,
                or if the level is unknown.
        """
        self._check_level(level, 'stays', stays)
        prior = (self._top(1 if batch_size is None else batch_size) if stays is None
                 else self._priors[level](stays))
        temperature = self._temperatures[level]
        if isinstance(temperature, (int, float)) and temperature == 1:
            return prior
        return prior.copy(scale=prior.scale * tf.cast(temperature, self.dtype))

    def merge(self, level: int, z: tf.Tensor, stays: tf.Tensor | None = None) -> tf.Tensor:
        """Returns what stays of the next finer level or, at level 0, the image x.

        Args:
            level: The level, 0 .. num_levels-1; 0 is the finest.
            z: The latent of that level, `[B, *latent_shapes[level]]`.
            stays: What the coarser levels were merged to; None for the last level.

        Raises:
            ValueError: If `prior` would raise it.
        """
        self._check_level(level, 'stays', stays)
        whole = z if stays is None else tf.concat([stays, z], -1)
        return self._bijector.levels[level].forward(tf.identity(whole))

    def _check_level(self, level: int, name: str, stays: tf.Tensor | None) -> None:
        """Raises a `ValueError` if the level is unknown or does not fit `stays`."""
        last = self.num_levels - 1
        if not 0 <= level <= last:
            raise ValueError(f'level must be in 0 .. {last}; got {level=}.')
        if (stays is None) != (level == last):
            raise ValueError(f'{name} must be given for every level but the last, {last}; '
                             f'got {level=} with{"out" if stays is None else ""} it.')

    def _taken_apart(self, x: TensorLike) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
        """Returns `(latents, what stayed of each level but the last)`."""
        *levels, last = self._bijector.levels
        h, latents, stayed = tf.cast(x, self.dtype), [], []
        self._bijector.inverse_event_shape(h.shape[1:])
        for level, split in zip(levels, self._bijector.splits):
            h, z = split.apart(level.inverse(h))
            latents.append(z)
            stayed.append(h)
        return [*latents, last.inverse(h)], stayed

    def _event_shape(self) -> tf.TensorShape:
        return self._image_shape

    def _event_shape_tensor(self) -> tf.Tensor:
        return tf.constant(self._image_shape.as_list(), tf.int32)

    def _log_prob(self, x: tf.Tensor) -> tf.Tensor:
        latents, stayed = self._taken_apart(folding.fold_batch(x, 3))
        total = 0.
        for level, (z, stays) in enumerate(zip(latents, [*stayed, None])):
            total += tf.reduce_sum(self.prior(level, stays).log_prob(z), axis=[1, 2, 3])
        static = x.shape[:-3]
        return tf.ensure_shape(tf.reshape(total, tf.shape(x)[:-3]), static)

    def _sample_n(self, n: int | tf.Tensor, seed: Seed | None = None) -> tf.Tensor:
        stays = None
        seeds = tfp_random.split_seed(seed, self.num_levels)
        for level in reversed(range(self.num_levels)):
            z = self.prior(level, stays, n).sample(seed=seeds[level])
            stays = self.merge(level, z, stays)
        return stays

    def _sample_control_dependencies(self, x: tf.Tensor) -> list[Any]:
        if not self.validate_args:
            return []
        x = tf.cast(x, self.dtype)
        return [tf.debugging.assert_equal(x, tf.floor(x), f'{self.name}: values must be integers.')]
