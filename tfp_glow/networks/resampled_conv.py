"""A weight-normalised convolution that halves or doubles the sides of images."""

from collections.abc import Callable
from typing import Any

import keras

from tfp_glow.networks.types import Activation, BatchShape, Config, Shape, Tensor
from tfp_glow.networks.weight_norm import WeightNormConv2D


@keras.saving.register_keras_serializable('tfp_glow')
class ResampledConv2D(keras.layers.Layer):
    """A `WeightNormConv2D` that may halve or double the sides of images.

    ```none
    [B, H, W, C] -> [B, H * grow / shrink, W * grow / shrink, filters]
    depth_to_space(conv(space_to_depth(activation(x), shrink)), grow)
    ```

    It takes the place of the reference's strided convolutions and their transposes. It is such a
    convolution, with a kernel of side `kernel_size * shrink` or `kernel_size * grow`.

    Args:
        filters: The number of output channels.
        kernel_size: The odd side of the kernel at the coarse side.
        shrink: The factor by which the sides are divided before the convolution.
        grow: The factor by which the sides are multiplied after the convolution.
        activation: The activation before the convolution: a name in Keras, a function, or None for
            none.
        scale: The standard deviation of the outputs once `initialize` has seen data.
        position_bias: See `WeightNormConv2D`.
        seed: An integer from which the initial weights are drawn.

    Raises:
        ValueError: If `filters`, `shrink` or `grow` is not positive; when the layer is built, if
            the sides are unknown or not divisible by `shrink`.
    """

    def __init__(self, filters: int, kernel_size: int = 3, shrink: int = 1, grow: int = 1,
                 activation: Activation | None = None, scale: float = .1,
                 position_bias: bool = False, seed: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if min(filters, shrink, grow) < 1:
            raise ValueError('filters, shrink and grow must be positive; '
                             f'got {filters=}, {shrink=}, {grow=}.')
        self._config: Config = {'filters': filters, 'kernel_size': kernel_size, 'shrink': shrink,
                                'grow': grow, 'activation': activation, 'scale': scale,
                                'position_bias': position_bias, 'seed': seed}
        self.filters, self.shrink, self.grow = filters, shrink, grow
        self.activation = keras.activations.get(activation)
        self.convolution = WeightNormConv2D(
            filters * grow**2, kernel_size, scale, position_bias,
            keras.initializers.RandomNormal(0., .05, seed=seed), dtype=self.dtype_policy,
            name='conv')

    def build(self, input_shape: BatchShape) -> None:
        batch, *side, channels = input_shape
        if any(length is None or length % self.shrink for length in side):
            raise ValueError(f'the sides of the images must be divisible by {self.shrink}, shrink; '
                             f'got {tuple(side)}.')
        self.convolution.build((batch, *(length // self.shrink for length in side),
                                channels * self.shrink**2))

    def call(self, inputs: Tensor) -> Tensor:
        return self._run(inputs, self.convolution)

    def initialize(self, inputs: Tensor) -> Tensor:
        """Sets gain and bias from `inputs` once, and returns the output."""
        return self._run(keras.ops.cast(inputs, self.compute_dtype), self.convolution.initialize)

    def _run(self, inputs: Tensor, convolution: Callable[[Tensor], Tensor]) -> Tensor:
        coarse = _space_to_depth(self.activation(inputs), self.shrink)
        return _depth_to_space(convolution(coarse), self.grow)

    def get_config(self) -> Config:
        return dict(super().get_config(), **dict(
            self._config, activation=keras.activations.serialize(self.activation)))


def resampled_conv(input_shape: Shape, filters: int, **options: Any) -> ResampledConv2D:
    """Returns a built `ResampledConv2D` for images of `input_shape = (H, W, C)`.

    The `options` are arguments of `ResampledConv2D`.

    ```python
    >>> import tensorflow as tf, tfp_glow
    >>> stem = tfp_glow.networks.resampled_conv((8, 8, 1), filters=16, shrink=2)
    >>> stem(tf.zeros([5, 8, 8, 1])).shape
    TensorShape([5, 4, 4, 16])

    ```
    """
    layer = ResampledConv2D(filters, **options)
    layer.build((None, *input_shape))
    return layer


def _space_to_depth(images: Tensor, factor: int) -> Tensor:
    if factor == 1:
        return images
    _, height, width, channels = images.shape
    height, width = height // factor, width // factor
    blocks = keras.ops.reshape(images, (-1, height, factor, width, factor, channels))
    return keras.ops.reshape(keras.ops.transpose(blocks, (0, 1, 3, 2, 4, 5)),
                             (-1, height, width, factor**2 * channels))


def _depth_to_space(images: Tensor, factor: int) -> Tensor:
    if factor == 1:
        return images
    _, height, width, channels = images.shape
    channels = channels // factor**2
    blocks = keras.ops.reshape(images, (-1, height, width, factor, factor, channels))
    return keras.ops.reshape(keras.ops.transpose(blocks, (0, 1, 3, 2, 4, 5)),
                             (-1, height * factor, width * factor, channels))
