"""Convolutional encoders from images to vectors, and decoders from vectors to images."""

from collections.abc import Iterable, Sequence
from typing import Any

import keras

from tfp_glow.networks.types import BatchShape, Config, DType, Shape, Tensor

_SMALL = .1  # The factor of a residual block's output, as in the reference.


@keras.saving.register_keras_serializable('tfp_glow')
class ConvEncoder(keras.Model):
    """Strided convolutions and residual blocks, then dense layers: `[B, H, W, C] -> [B, outputs]`.

    ```none
    for each level l:   h = conv3x3(h), of stride 2 to width * 2^l channels
                        h = h + conv3x3(elu(conv3x3(elu(h)))) / 10                  for each block
    output = dense(elu(dense(elu(h))))
    ```

    Args:
        outputs: The number of entries of the output.
        width: The number of channels of the first level.
        levels: The number of levels. Each one halves the sides, rounding up, and doubles the
            channels.
        blocks: The number of residual blocks of each level.
        hidden: The number of units of the first dense layer.
        seed: An integer from which the initial weights are drawn.

    Raises:
        ValueError: If `outputs`, `width`, `levels` or `hidden` is not positive.

    #### References
    Kingma et al., *Improving Variational Inference with Inverse Autoregressive Flow*, 2016,
    arXiv:1606.04934, section 6.1: the encoder for MNIST is of this kind.
    """

    def __init__(self, outputs: int, width: int = 16, levels: int = 2, blocks: int = 1,
                 hidden: int = 256, seed: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._config: Config = {'outputs': outputs, 'width': width, 'levels': levels,
                                'blocks': blocks, 'hidden': hidden, 'seed': seed}
        _check_positive(outputs=outputs, width=width, levels=levels, hidden=hidden)
        layers = _Layers(seed, self.dtype_policy)
        self.levels = [
            [layers.conv(width << level, strides=2),
             *(layers.block(width << level) for _ in range(blocks))] for level in range(levels)]
        self.flatten = keras.layers.Flatten(dtype=self.dtype_policy)
        self.dense_layers = [layers.dense(hidden), layers.dense(outputs)]

    def build(self, input_shape: BatchShape) -> None:
        shape = tuple(input_shape)
        for down, *blocks in self.levels:
            shape = _build(blocks, _build([[down]], shape))
        _build([self.dense_layers], (None, shape[1] * shape[2] * shape[3]))
        self.built = True

    def call(self, inputs: Tensor) -> Tensor:
        hidden = inputs
        for down, *blocks in self.levels:
            hidden = _residual(blocks, down(hidden))
        first, last = self.dense_layers
        return last(keras.ops.elu(first(self.flatten(keras.ops.elu(hidden)))))

    def get_config(self) -> Config:
        return dict(super().get_config(), **self._config)


@keras.saving.register_keras_serializable('tfp_glow')
class ConvDecoder(keras.Model):
    """The reverse of a `ConvEncoder`: `[B, inputs] -> [B, *image_shape]`.

    Transposed convolutions double the sides, starting from the sides at which the encoder ends. The
    result is cropped at the end.

    Args:
        image_shape: The shape `(H, W, C)` of the output.
        width: See `ConvEncoder`.
        levels: See `ConvEncoder`.
        blocks: See `ConvEncoder`.
        hidden: See `ConvEncoder`.
        seed: See `ConvEncoder`.

    Raises:
        ValueError: If `width`, `levels` or `hidden` is not positive.
    """

    def __init__(self, image_shape: Shape, width: int = 16, levels: int = 2, blocks: int = 1,
                 hidden: int = 256, seed: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._config: Config = {'image_shape': tuple(image_shape), 'width': width, 'levels': levels,
                                'blocks': blocks, 'hidden': hidden, 'seed': seed}
        _check_positive(width=width, levels=levels, hidden=hidden)
        height, side, channels = image_shape
        layers = _Layers(seed, self.dtype_policy)
        top = (-(-height // 2**levels), -(-side // 2**levels), width << levels - 1)
        self.dense_layers = [layers.dense(hidden), layers.dense(top[0] * top[1] * top[2])]
        self.to_map = keras.layers.Reshape(top, dtype=self.dtype_policy)
        self.levels = [
            [*(layers.block(width << level) for _ in range(blocks)),
             layers.conv(channels if level == 0 else width << level - 1, strides=2,
                         transposed=True)] for level in reversed(range(levels))]

    def build(self, input_shape: BatchShape) -> None:
        _build([self.dense_layers], input_shape)
        shape = (None, *self.to_map.target_shape)
        for *blocks, up in self.levels:
            shape = _build([[up]], _build(blocks, shape))
        self.built = True

    def call(self, inputs: Tensor) -> Tensor:
        first, last = self.dense_layers
        hidden = self.to_map(last(keras.ops.elu(first(inputs))))
        for *blocks, up in self.levels:
            hidden = up(keras.ops.elu(_residual(blocks, hidden)))
        height, width, _ = self._config['image_shape']
        return hidden[:, :height, :width]

    def get_config(self) -> Config:
        return dict(super().get_config(), **self._config)


def conv_encoder(input_shape: Shape, outputs: int, **options: Any) -> ConvEncoder:
    """Returns a built `ConvEncoder` for images of `input_shape = (H, W, C)`.

    The `options` are arguments of `ConvEncoder`.

    ```python
    >>> import tensorflow as tf, tfp_glow
    >>> network = tfp_glow.networks.conv_encoder((7, 7, 1), outputs=6, width=4, hidden=8)
    >>> network(tf.zeros([5, 7, 7, 1])).shape
    TensorShape([5, 6])

    ```
    """
    network = ConvEncoder(outputs, **options)
    network.build((None, *input_shape))
    return network


def conv_decoder(inputs: int, output_shape: Shape, **options: Any) -> ConvDecoder:
    """Returns a built `ConvDecoder` to images of `output_shape = (H, W, C)`.

    The `options` are arguments of `ConvDecoder`.

    ```python
    >>> import tensorflow as tf, tfp_glow
    >>> network = tfp_glow.networks.conv_decoder(3, (7, 7, 2), width=4, hidden=8)
    >>> network(tf.zeros([5, 3])).shape
    TensorShape([5, 7, 7, 2])

    ```
    """
    network = ConvDecoder(output_shape, **options)
    network.build((None, inputs))
    return network


class _Layers:
    """Makes layers, each of them with a seed of its own."""

    def __init__(self, seed: int, policy: DType) -> None:
        self._seed, self._count, self._policy = seed, 0, policy

    def _options(self, kind: str) -> Config:
        self._count += 1
        return {'kernel_initializer': keras.initializers.GlorotUniform(self._seed + self._count),
                'dtype': self._policy, 'name': f'{kind}_{self._count}'}

    def dense(self, units: int) -> keras.layers.Dense:
        return keras.layers.Dense(units, **self._options('dense'))

    def conv(self, filters: int, strides: int = 1, transposed: bool = False) -> keras.Layer:
        kind = keras.layers.Conv2DTranspose if transposed else keras.layers.Conv2D
        return kind(filters, 3, strides=strides, padding='same', **self._options('conv'))

    def block(self, filters: int) -> list[keras.Layer]:
        return [self.conv(filters), self.conv(filters)]


def _build(blocks: Iterable[Iterable[keras.Layer]], shape: BatchShape) -> BatchShape:
    """Builds the layers of all blocks one after the other and returns the shape of the output."""
    for layer in (layer for block in blocks for layer in block):
        layer.build(shape)
        shape = layer.compute_output_shape(shape)
    return shape


def _residual(blocks: Iterable[Sequence[keras.Layer]], hidden: Tensor) -> Tensor:
    for one, other in blocks:
        hidden = hidden + _SMALL * other(keras.ops.elu(one(keras.ops.elu(hidden))))
    return hidden


def _check_positive(**numbers: int) -> None:
    for name, value in numbers.items():
        if value < 1:
            raise ValueError(f'{name} must be positive; got {name}={value}.')
