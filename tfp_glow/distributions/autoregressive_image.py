"""Images as a chain of pixels: the likelihood that a PixelCNN gives."""

import functools
from collections.abc import Callable
from typing import Any

import tensorflow as tf
from tensorflow_probability import distributions as tfd
from tensorflow_probability import random as tfp_random

from tfp_glow.distributions.pixels import BernoulliPixel, LogisticMixturePixel
from tfp_glow.internal import keras_bridge, tfp_compat
from tfp_glow.types import DType, Seed, Shape, TensorLike

# With so many pixels or more, eager mode takes longer than it takes to trace a function.
_TRACED = 64
# A function of the distribution of a value and of the value's index, which returns the value.
_Draw = Callable[[tfd.Distribution, tf.Tensor], tf.Tensor]


class AutoregressiveImage(tfd.Distribution):
    """Integer images `[H, W, C]` in which each value is given those before it in raster order.

    ```none
    log p(x) = sum over pixels i and channels c of log pixel(raw_i, x_i,<c).prob(x_ic),
               raw = network(centre(x), condition),     raw_i a function of x_<i alone
    ```

    `log_prob` runs the network once. `sample` goes pixel by pixel in a `tf.while_loop`, within XLA
    and SavedModels too. With `networks.gated_pixelcnn` it keeps what the network computed of
    earlier pixels, so that all pixels together cost about one run. Other networks are run once per
    pixel. Both ways take the same random numbers for a pixel. So the same seed gives the same
    images, unless a draw falls within a rounding error of the border between two values.

    Args:
        network: A built Keras network or any callable, `[B, H, W, C] -> [B, H, W, outputs]`, with
            `condition=` if one is given. Whoever writes a network other than
            `networks.gated_pixelcnn` answers for its order.
        pixel: A function of `raw [..., outputs]` and `earlier [..., c]` that returns the
            distribution of channel c, of batch shape `[...]`, over scalars in 0 .. bins-1. It has
            `outputs`, `channels` and `bins`: a `BernoulliPixel` or a `LogisticMixturePixel`.
        side: The size of the images, `(H, W)`. By default it is that of the network.
        condition: A tensor `[B, ...]` for a batch of B distributions, or None for a single
            distribution.
        centre: An elementwise function from images to what the network is given of them, in
            float32. By default it is (x + 1/2) / bins - 1/2.
        caching: False to run the whole network for each pixel that is sampled.
        name: The name of the distribution.

    Raises:
        ValueError: If `pixel` does not fit the network, if no `side` is known, or if images have
            another shape.

    #### References
    * Van den Oord et al., 2016, arXiv:1606.05328, section 2.
    * Ramachandran et al., *Fast Generation for Convolutional Autoregressive Models*, 2017,
      arXiv:1704.06001: sampling with what is kept of earlier pixels.

    ```python
    >>> import tensorflow as tf, tfp_glow
    >>> pixel = tfp_glow.distributions.LogisticMixturePixel(channels=3, bins=256)
    >>> network = tfp_glow.networks.gated_pixelcnn((4, 4, 3), pixel.outputs, width=4, blocks=1)
    >>> image = tfp_glow.distributions.AutoregressiveImage(network, pixel)
    >>> image.log_prob(image.sample(2, seed=[1, 2])).shape
    TensorShape([2])

    ```
    """

    def __init__(self, network: Callable[..., tf.Tensor],
                 pixel: BernoulliPixel | LogisticMixturePixel, side: Shape | None = None,
                 condition: TensorLike | None = None,
                 centre: Callable[[tf.Tensor], tf.Tensor] | None = None, caching: bool = True,
                 name: str = 'autoregressive_image') -> None:
        parameters = dict(locals())
        with tf.name_scope(name) as name:
            self._network = keras_bridge.as_module(network, 'network')
            described = getattr(self._network, 'layer', self._network)
            shape = getattr(described, 'event_shape', None)
            if shape is None:
                if side is None:
                    raise ValueError('side must be given for a network without event_shape; '
                                     'got side=None.')
                shape = (*side, pixel.channels)
            shape = tuple(shape)
            if shape[2] != pixel.channels or (side is not None and shape[:2] != tuple(side)):
                raise ValueError(f'network must be for images of {side or shape[:2]} pixels of '
                                 f'{pixel.channels} channels; got event_shape={shape}.')
            outputs = getattr(described, 'outputs', pixel.outputs)
            if outputs != pixel.outputs:
                raise ValueError(f'network must have the {pixel.outputs} outputs that pixel '
                                 f'takes; got {outputs=}.')
            self._pixel, self._shape, self._caching = pixel, tf.TensorShape(shape), caching
            self._condition = None if condition is None else tf.convert_to_tensor(condition)
            self._centre = centre or (lambda x: (x + .5) / pixel.bins - .5)
            super().__init__(
                dtype=tf.float32, reparameterization_type=tfd.NOT_REPARAMETERIZED,
                validate_args=False, allow_nan_stats=True, parameters=parameters, name=name)

    @classmethod
    def _parameter_properties(cls, dtype: DType, num_classes: int | None = None) -> dict[str, Any]:
        return {'condition': tfp_compat.ParameterProperties(
            event_ndims=lambda self: self._condition.shape.rank - 1)}

    @property
    def network(self) -> Callable[..., tf.Tensor]:
        """The network, as it was given or wrapped."""
        return self._network

    @property
    def pixel(self) -> BernoulliPixel | LogisticMixturePixel:
        """The function that makes the distribution of a pixel from the network's outputs."""
        return self._pixel

    def from_noise(self, noise: TensorLike) -> tf.Tensor:
        """Returns draws `[*batch, H, W, C]` for given noise, the same noise for all of the batch.

        Value t is the quantile `noise[t]` of its distribution given the values before it. Noise
        that is uniform on [0, 1) makes draws. Equal conditions make equal draws.

        Args:
            noise: Numbers in [0, 1), `[H, W, C]`.

        Raises:
            ValueError: If the noise has another shape.
        """
        noise = tf.convert_to_tensor(noise, self.dtype)
        if not noise.shape.is_compatible_with(self._shape):
            raise ValueError(f'noise must have the event shape {tuple(self._shape)}; '
                             f'got shape={noise.shape}.')
        noise = tf.reshape(noise, [-1])
        levels = tf.range(self._pixel.bins, dtype=self.dtype)

        def quantile(distribution: tfd.Distribution, index: tf.Tensor) -> tf.Tensor:
            shape = tf.concat([[-1], tf.ones_like(distribution.batch_shape_tensor())], 0)
            below = tf.cumsum(tf.exp(distribution.log_prob(tf.reshape(levels, shape))))
            level = tf.reduce_sum(tf.cast(below <= noise[index], self.dtype), 0)
            return tf.minimum(level, levels[-1])
        return self._drawn([], quantile)

    def _event_shape(self) -> tf.TensorShape:
        return self._shape

    def _event_shape_tensor(self) -> tf.Tensor:
        return tf.constant(self._shape.as_list(), tf.int32)

    def _batch_shape(self) -> tf.TensorShape:
        return tf.TensorShape([]) if self._condition is None else self._condition.shape[:1]

    def _batch_shape_tensor(self) -> tf.Tensor:
        return tf.shape(self._condition)[:1] if self._condition is not None else tf.zeros(
            [0], tf.int32)

    def _log_prob(self, x: tf.Tensor) -> tf.Tensor:
        x = tf.cast(x, self.dtype)
        if not x.shape[-3:].is_compatible_with(self._shape):
            raise ValueError(f'images must end in the event shape {tuple(self._shape)}; '
                             f'got shape={x.shape}.')
        lead = tf.broadcast_dynamic_shape(tf.shape(x)[:-3], self.batch_shape_tensor())
        static = tf.broadcast_static_shape(x.shape[:-3], self.batch_shape)
        x = tf.reshape(tf.broadcast_to(x, tf.concat([lead, self._shape], 0)), [-1, *self._shape])
        raw = self._raw(x, self._conditions(lead))
        total = sum(tf.reduce_sum(self._pixel(raw, x[..., :c]).log_prob(x[..., c]), [1, 2])
                    for c in range(self._pixel.channels))
        return tf.ensure_shape(tf.reshape(total, lead), static)

    def _sample_n(self, n: int | tf.Tensor, seed: Seed | None = None) -> tf.Tensor:
        seed = tfp_random.sanitize_seed(seed)

        def draw(distribution: tfd.Distribution, index: tf.Tensor) -> tf.Tensor:
            return distribution.sample(
                seed=tf.random.experimental.stateless_fold_in(seed, index))
        return self._drawn([n], draw)

    def _drawn(self, sample_shape: TensorLike, draw: _Draw) -> tf.Tensor:
        """Returns images `[*sample_shape, *batch, H, W, C]` whose value t is `draw(p, t)`.

        Here p is the distribution of value t given the values before it, for all images at once.
        """
        lead = tf.concat([tf.cast(sample_shape, tf.int32), self.batch_shape_tensor()], 0)
        count = tf.reduce_prod(lead)
        known = tf.get_static_value(count)
        steps = functools.partial(self._steps, lead, count if known is None else int(known), draw)
        if tf.executing_eagerly() and self._shape[:2].num_elements() >= _TRACED:
            steps = tf.function(steps, autograph=False)
        known = tf.get_static_value(lead)
        batch = [None] * lead.shape[0] if known is None else known.tolist()
        return tf.ensure_shape(steps(), [*batch, *self._shape])

    def _steps(self, lead: tf.Tensor, count: int | tf.Tensor, draw: _Draw) -> tf.Tensor:
        condition, run = self._conditions(lead), None
        if self._caching and hasattr(self._network, 'incremental'):
            run = self._network.incremental(count, **condition)
        images = (self._by_runs(count, condition, draw) if run is None
                  else self._by_increments(count, run, draw))
        return tf.reshape(images, tf.concat([lead, self._shape], 0))

    def _by_increments(self, count: int | tf.Tensor, run: tuple, draw: _Draw) -> tf.Tensor:
        """Returns images `[B, H, W, C]`; `run` is what the network's `incremental` returned."""
        rows, next_row, start, next_pixel = run
        height, width, channels = self._shape
        static = tf.TensorShape([count if isinstance(count, int) else None])

        def row(i: tf.Tensor, rows: list[tf.Tensor], above: tf.Tensor,
                image: tf.TensorArray) -> tuple:
            rows, given = next_row(rows, i, above)

            def pixel(j: tf.Tensor, pixels: list[tf.Tensor], before: tf.Tensor,
                      line: tf.TensorArray) -> tuple:
                pixels, raw = next_pixel(pixels, given, j, before)
                new = self._values(raw, i * width + j, draw)
                return j + 1, pixels, self._centre(new), line.write(j, new)
            line = tf.TensorArray(self.dtype, width, element_shape=static + [channels])
            *_, line = _loop(width, pixel, start, tf.zeros([count, channels], self.dtype), line)
            line = tf.transpose(line.stack(), [1, 0, 2])
            return i + 1, rows, self._centre(line), image.write(i, line)
        image = tf.TensorArray(self.dtype, height, element_shape=static + [width, channels])
        *_, image = _loop(height, row, rows, tf.zeros([count, width, channels], self.dtype), image)
        return tf.transpose(image.stack(), [1, 0, 2, 3])

    def _by_runs(self, count: int | tf.Tensor, condition: dict[str, tf.Tensor],
                 draw: _Draw) -> tf.Tensor:
        """Returns the same images, `[B, H * W, C]`, by one run of the whole network per pixel."""
        size, channels = self._shape[:2].num_elements(), self._pixel.channels
        pixels = tf.range(size)[:, tf.newaxis]

        def body(t: tf.Tensor, images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            raw = self._raw(tf.reshape(images, [-1, *self._shape]), condition)
            raw = tf.gather(tf.reshape(raw, [-1, size, self._pixel.outputs]), t, axis=1)
            new = self._values(raw, t, draw)
            return t + 1, tf.where(pixels == t, new[:, tf.newaxis], images)
        return _loop(size, body, tf.zeros([count, size, channels], self.dtype))[1]

    def _values(self, raw: tf.Tensor, t: tf.Tensor, draw: _Draw) -> tf.Tensor:
        """Returns pixel t of all images, channel after channel: `raw [B, outputs]` to `[B, C]`."""
        raw, channels = tf.cast(raw, self.dtype), self._pixel.channels
        earlier = tf.zeros_like(raw[:, :0])
        for c in range(channels):
            new = tf.cast(draw(self._pixel(raw, earlier), t * channels + c), self.dtype)
            earlier = tf.concat([earlier, tf.reshape(new, [-1, 1])], 1)
        return tf.ensure_shape(earlier, raw.shape[:1] + [channels])

    def _raw(self, images: tf.Tensor, condition: dict[str, tf.Tensor]) -> tf.Tensor:
        raw = tf.cast(self._network(self._centre(images), **condition), self.dtype)
        wanted = [*self._shape[:2], self._pixel.outputs]
        if not raw.shape[1:].is_compatible_with(wanted):
            raise ValueError(f'network must return the shape [B, {", ".join(map(str, wanted))}]; '
                             f'got shape={raw.shape}.')
        return raw

    def _conditions(self, lead: tf.Tensor) -> dict[str, tf.Tensor]:
        """Returns the network's argument `condition`, flattened, for a batch of `lead` images."""
        if self._condition is None:
            return {}
        one = self._condition.shape[1:]
        given = tf.broadcast_to(self._condition, tf.concat([lead, one], 0))
        return {'condition': tf.reshape(given, [-1, *one])}


def _loop(times: int, body: Callable[..., tuple], *state: Any) -> tuple:
    """Returns the state after `body(t, *state)` for t = 0 .. times-1."""
    return tf.while_loop(lambda t, *_: t < times, body, (tf.constant(0), *state),
                         parallel_iterations=1, maximum_iterations=times)
