"""Integer discrete flows: distributions over integer images, without dequantization."""

import tensorflow as tf
from tensorflow_probability import distributions as tfd
from tensorflow_probability import random as tfp_random

from tfp_glow import bijectors as tgb
from tfp_glow.bijectors import folding
from tfp_glow.distributions.latents import temperatures


class IntegerFlow(tfd.Distribution):
    """Images of integers, `[H, W, C]`, by a bijection to integers whose prior is learned.

    Level by level, what comes in is transformed, and half of its channels, or another share, leave
    as a latent whose prior depends on what stays; what the last level gives is the coarsest latent.

    ```none
    h_0 = x;   [h_l+1, z_l] = split(levels[l].inverse(h_l));   z_L = levels[L].inverse(h_L)
    log P(x) = log top(z_L) + sum over l of log priors[l](h_l+1)(z_l)
    ```

    As the bijection is between integers there is no log-determinant, and P is a mass: exact, not a
    bound. Values are integers held as floats. **P is a distribution over all integers**, not over
    0 .. bins-1 alone: a trained model gives little to the others, but samples may have some.

    A decoder, which knows nothing but what it has decoded, goes from the coarsest to the finest:

    ```none
    stays = None
    for level in reversed(range(flow.num_levels)):
        z = ...                                       # of flow.prior(level, stays, batch_size)
        stays = flow.merge(level, z, stays)
    x = stays
    ```

    Args:
      event_shape: `(H, W, C)` of the images.
      levels: for each level, the finest first, a bijector of images that maps integers to integers
        with a log-determinant of 0: of `Squeeze`, `Shuffle` and `IntegerCoupling`.
      priors: for each level but the last, `what stays [B, H, W, C'] -> distribution` of scalars,
        with the latent's shape `[B, H, W, C]` as its batch shape.
      top: `batch_size -> distribution` of the coarsest latent, likewise.
      temperature: factor of the priors' scales, one or one per level, see `with_temperature`. At 0
        the middle of a logistic is drawn, in a mixture that of each component.
      share: of the channels that stays where others leave, one number or one per level but the
        last.
      validate_args: check that images are integers.
      name: name of the distribution.

    Raises:
      ValueError: no levels, a number of priors that does not fit, or of temperatures; an event
        shape that is not known or not that of images.

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

    def __init__(self, event_shape, levels, priors, top, temperature=1., share=.5,
                 validate_args=False, name='integer_flow'):
        parameters = dict(locals())
        shape = tf.TensorShape(event_shape)
        if shape.rank != 3 or not shape.is_fully_defined():
            raise ValueError(f'event_shape must be a known (height, width, channels); got {shape}.')
        with tf.name_scope(name) as name:
            self._image_shape = shape
            self._bijector = tgb.MultiScale(levels, event_shape=shape, share=share)
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
    def _parameter_properties(cls, dtype, num_classes=None):
        return {}

    @property
    def bijector(self):
        """The bijection between the list of latents and the image, a `MultiScale`."""
        return self._bijector

    @property
    def discrete(self):
        """True: `log_prob` is of integers as they are, and takes no dequantization."""
        return True

    @property
    def num_levels(self):
        """The number of levels, and of latents."""
        return len(self._bijector.levels)

    @property
    def temperature(self):
        """The factor of the priors' scales for each level."""
        return tuple(self._temperatures)

    @property
    def latent_shapes(self):
        """`[H, W, C]` of each latent, the finest first."""
        return self._bijector.inverse_event_shape(self._image_shape)

    def decompose(self, x):
        """The latents `[z_0, ..., z_L]` of integer images `[B, H, W, C]`, the finest first."""
        return self._taken_apart(x)[0]

    def prior(self, level, stays=None, batch_size=None):
        """The distribution of z_level, of scalars, with batch shape `[B, *latent_shapes[level]]`.

        Args:
          level: 0 .. num_levels-1; 0 is the finest.
          stays: what the coarser levels were merged to; None for the last level.
          batch_size: B of the last level; elsewhere that of `stays`.

        Raises:
          ValueError: `stays` without need or missing, or an unknown level.
        """
        self._check_level(level, 'stays', stays)
        prior = (self._top(1 if batch_size is None else batch_size) if stays is None
                 else self._priors[level](stays))
        temperature = self._temperatures[level]
        if isinstance(temperature, (int, float)) and temperature == 1:
            return prior
        return prior.copy(scale=prior.scale * tf.cast(temperature, self.dtype))

    def merge(self, level, z, stays=None):
        """What stays of the next finer level, or at level 0 the image x.

        Args:
          level: 0 .. num_levels-1; 0 is the finest.
          z: the latent of that level, `[B, *latent_shapes[level]]`.
          stays: what the coarser levels were merged to; None for the last level.

        Raises:
          ValueError: as `prior`.
        """
        self._check_level(level, 'stays', stays)
        whole = z if stays is None else tf.concat([stays, z], -1)
        return self._bijector.levels[level].forward(tf.identity(whole))

    def _check_level(self, level, name, stays):
        last = self.num_levels - 1
        if not 0 <= level <= last:
            raise ValueError(f'level must be in 0 .. {last}; got {level=}.')
        if (stays is None) != (level == last):
            raise ValueError(f'{name} must be given for every level but the last, {last}; '
                             f'got {level=} with{"out" if stays is None else ""} it.')

    def _taken_apart(self, x):
        """`(latents, what stayed of each level but the last)`."""
        *levels, last = self._bijector.levels
        h, latents, stayed = tf.cast(x, self.dtype), [], []
        self._bijector.inverse_event_shape(h.shape[1:])
        for level, split in zip(levels, self._bijector.splits):
            h, z = split.apart(level.inverse(h))
            latents.append(z)
            stayed.append(h)
        return [*latents, last.inverse(h)], stayed

    def _event_shape(self):
        return self._image_shape

    def _event_shape_tensor(self):
        return tf.constant(self._image_shape.as_list(), tf.int32)

    def _log_prob(self, x):
        latents, stayed = self._taken_apart(folding.fold_batch(x, 3))
        total = 0.
        for level, (z, stays) in enumerate(zip(latents, [*stayed, None])):
            total += tf.reduce_sum(self.prior(level, stays).log_prob(z), axis=[1, 2, 3])
        static = x.shape[:-3]
        return tf.ensure_shape(tf.reshape(total, tf.shape(x)[:-3]), static)

    def _sample_n(self, n, seed=None):
        stays = None
        seeds = tfp_random.split_seed(seed, self.num_levels)
        for level in reversed(range(self.num_levels)):
            z = self.prior(level, stays, n).sample(seed=seeds[level])
            stays = self.merge(level, z, stays)
        return stays

    def _sample_control_dependencies(self, x):
        if not self.validate_args:
            return []
        x = tf.cast(x, self.dtype)
        return [tf.debugging.assert_equal(x, tf.floor(x), f'{self.name}: values must be integers.')]
