"""Masked convolutions: the outputs for a value of an image see only the values before it."""

from collections.abc import Iterable
from typing import Any

import keras
import numpy as np

from tfp_glow.networks.condition import ConditionBias, required
from tfp_glow.networks.convolve import convolve
from tfp_glow.networks.degrees import dimension_order
from tfp_glow.networks.types import Activation, BatchShape, Config, Initializer, Shape, Tensor

ORDERS = ('natural', 'reversed')


@keras.saving.register_keras_serializable('tfp_glow')
class MaskedConv2D(keras.layers.Layer):
    """A convolution with padding 'same' that sees earlier pixels: `[B, H, W, I] -> [B, H, W, J]`.

    Of its own pixel, an output sees the inputs whose degree is at most its own degree or, with
    `strict`, less than it. The mask is applied to the kernel in each call, so that it holds
    whatever values the kernel has. The mask is not a weight itself.

    Args:
        in_degrees: The degrees of the inputs, I integers.
        out_degrees: The degrees of the outputs, J integers.
        kernel_size: The odd side of the kernel.
        strict: Whether to compare by < (mask A) in place of <= (mask B).
        backward: Whether the earlier pixels are those below and to the right.
        kernel_initializer: An initialiser of Keras, or its name.

    Raises:
        ValueError: If `kernel_size` is even or not positive.

    #### References
    Van den Oord, Kalchbrenner and Kavukcuoglu, *Pixel Recurrent Neural Networks*, 2016,
    arXiv:1601.06759, section 3.4.
    """

    def __init__(self, in_degrees: Iterable[int], out_degrees: Iterable[int], kernel_size: int,
                 strict: bool = False, backward: bool = False,
                 kernel_initializer: Initializer = 'glorot_uniform', **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if kernel_size < 1 or kernel_size % 2 == 0:
            raise ValueError(f'kernel_size must be odd and positive; got {kernel_size=}.')
        self.in_degrees = tuple(map(int, in_degrees))
        self.out_degrees = tuple(map(int, out_degrees))
        self.kernel_size, self.strict, self.backward = kernel_size, strict, backward
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    def build(self, input_shape: BatchShape | None = None) -> None:
        inputs, outputs = len(self.in_degrees), len(self.out_degrees)
        self.input_spec = keras.layers.InputSpec(ndim=4, axes={-1: inputs})
        self.kernel = self.add_weight(
            name='kernel', shape=(self.kernel_size, self.kernel_size, inputs, outputs),
            initializer=self.kernel_initializer)
        self.bias = self.add_weight(name='bias', shape=(outputs,), initializer='zeros')

    def call(self, inputs: Tensor) -> Tensor:
        ops = keras.ops
        kernel = ops.convert_to_tensor(self.kernel)
        kernel = ops.where(self._mask(), kernel, ops.zeros_like(kernel))
        return convolve(inputs, kernel) + self.bias

    def _mask(self) -> np.ndarray:
        size, middle = self.kernel_size, self.kernel_size // 2
        low, high = np.array(self.in_degrees)[:, None], np.array(self.out_degrees)
        mask = np.zeros([size, size, len(self.in_degrees), len(self.out_degrees)], bool)
        mask[:middle] = mask[middle, :middle] = True
        if self.backward:
            mask = mask[::-1, ::-1].copy()
        mask[middle, middle] = low < high if self.strict else low <= high
        return mask

    def get_config(self) -> Config:
        return dict(super().get_config(), in_degrees=self.in_degrees, out_degrees=self.out_degrees,
                    kernel_size=self.kernel_size, strict=self.strict, backward=self.backward,
                    kernel_initializer=keras.initializers.serialize(self.kernel_initializer))


@keras.saving.register_keras_serializable('tfp_glow')
class MaskedConvNetwork(keras.Model):
    """Residual masked convolutions: `[B, H, W, C] -> [B, H, W, C, outputs_per_dim]`.

    The order is the raster scan or its reverse: pixel after pixel and, within a pixel, channel
    after channel. The outputs of a value depend only on the values before it and on the condition.
    They see farther back with more `blocks` and a larger `kernel_size`. Of the rows above, they see
    only a triangle on the right. A first convolution with mask A is followed by blocks h +
    conv1x1(relu(conv(relu(h)))) with mask B and by a 1x1 convolution that starts at zero.

    Args:
        event_shape: The shape of the images, `(H, W, C)`.
        outputs_per_dim: The number of outputs for each value of the image.
        width: The number of hidden channels, shared out among the C degrees.
        blocks: The number of residual blocks.
        kernel_size: The odd side of the kernels.
        order: 'natural' or 'reversed'.
        activation: The activation: a name in Keras or a function.
        classes: The number of classes, or None. If it is given, the network is called with
            `condition=`, labels `[B]`, which add a learned bias to the first hidden layer; see
            `ConditionBias`.
        condition_channels: The number of channels, or None. If it is given, the network is called
            with `condition=`, a feature map `[B, h, w, condition_channels]`.
        seed: An integer from which the initial weights are drawn.

    Raises:
        ValueError: If an argument is out of its range. The message names it.

    #### References
    Van den Oord, Kalchbrenner and Kavukcuoglu, *Pixel Recurrent Neural Networks*, 2016,
    arXiv:1601.06759, table 1.
    """

    def __init__(self, event_shape: Shape, outputs_per_dim: int, width: int = 32, blocks: int = 2,
                 kernel_size: int = 3, order: str = 'natural', activation: Activation = 'relu',
                 classes: int | None = None, condition_channels: int | None = None, seed: int = 0,
                 **kwargs: Any) -> None:
        super().__init__(**kwargs)
        event_shape = tuple(event_shape)
        if len(event_shape) != 3 or None in event_shape or min(event_shape) < 1:
            raise ValueError(f'event_shape must be a known (H, W, C); got {event_shape=}.')
        if min(outputs_per_dim, width) < 1 or blocks < 0:
            raise ValueError('outputs_per_dim and width must be positive and blocks not negative; '
                             f'got {outputs_per_dim=}, {width=}, {blocks=}.')
        if classes is not None and condition_channels is not None:
            raise ValueError('at most one of classes and condition_channels may be given; '
                             f'got {classes=}, {condition_channels=}.')
        if any(size is not None and size < 1 for size in (classes, condition_channels)):
            raise ValueError('classes and condition_channels must be positive; '
                             f'got {classes=}, {condition_channels=}.')
        self._config: Config = {'event_shape': event_shape, 'outputs_per_dim': outputs_per_dim,
                                'width': width, 'blocks': blocks, 'kernel_size': kernel_size,
                                'order': order, 'activation': activation, 'classes': classes,
                                'condition_channels': condition_channels, 'seed': seed}
        self.event_shape, self.outputs_per_dim = event_shape, outputs_per_dim
        self.order = dimension_order(int(np.prod(event_shape)), order, choices=ORDERS)
        self.activation = keras.activations.get(activation)
        self._connect(dimension_order(event_shape[2], order))

    def _connect(self, inputs: np.ndarray) -> None:
        """Makes the layers from the degrees of the channels."""
        config, seed = self._config, self._config['seed']
        width, size = config['width'], config['kernel_size']
        hidden = np.arange(width) * len(inputs) // width
        outputs = np.repeat(inputs, self.outputs_per_dim)

        def convolution(name: str, in_degrees: np.ndarray, out_degrees: np.ndarray, side: int,
                        initializer: Initializer, strict: bool = False) -> MaskedConv2D:
            return MaskedConv2D(in_degrees, out_degrees, side, strict,
                                backward=config['order'] == 'reversed', name=name,
                                kernel_initializer=initializer, dtype=self.dtype_policy)

        def glorot(k: int) -> keras.initializers.Initializer:
            return keras.initializers.GlorotUniform(seed + k)
        self.first = convolution('conv_in', inputs, hidden, size, strict=True,
                                 initializer=glorot(0))
        self.blocks = [[
            convolution(f'block_{k}_a', hidden, hidden, size, initializer=glorot(2 * k + 1)),
            convolution(f'block_{k}_b', hidden, hidden, 1, initializer=glorot(2 * k + 2))]
            for k in range(config['blocks'])]
        self.last = convolution('conv_out', hidden, outputs, 1, initializer='zeros')
        self.condition_bias: ConditionBias | None = None
        if self.takes_condition:
            self.condition_bias = ConditionBias(
                width, config['classes'], config['condition_channels'], self.event_shape[:2],
                keras.initializers.RandomNormal(0., .05, seed=seed + 2 * config['blocks'] + 1),
                dtype=self.dtype_policy, name='condition_bias')

    @property
    def takes_condition(self) -> bool:
        """Whether the network is called with `condition=`."""
        return any(self._config[key] is not None for key in ('classes', 'condition_channels'))

    def build(self, input_shape: BatchShape | None = None) -> None:
        blocks = [layer for block in self.blocks for layer in block]
        layers: list[keras.Layer | None] = [self.first, self.condition_bias, *blocks, self.last]
        for layer in filter(None, layers):
            layer.build()

    def call(self, inputs: Tensor, condition: Tensor | None = None) -> Tensor:
        hidden = self.first(inputs)
        if self.condition_bias is not None:
            hidden = hidden + self.condition_bias(required(condition, self.name))
        for one, other in self.blocks:
            hidden = hidden + other(self.activation(one(self.activation(hidden))))
        outputs = self.last(self.activation(hidden))
        return keras.ops.reshape(outputs, (-1, *self.event_shape, self.outputs_per_dim))

    def get_config(self) -> Config:
        return dict(super().get_config(), **dict(
            self._config, activation=keras.activations.serialize(self.activation)))


def masked_conv(event_shape: Shape, outputs_per_dim: int, width: int = 32,
                **options: Any) -> MaskedConvNetwork:
    """Returns a built `MaskedConvNetwork` for images of `event_shape = (H, W, C)`.

    The `options` are arguments of `MaskedConvNetwork`.

    ```python
    >>> import tensorflow as tf, tfp_glow
    >>> network = tfp_glow.networks.masked_conv((4, 4, 3), outputs_per_dim=2, width=6, blocks=1)
    >>> network(tf.zeros([5, 4, 4, 3])).shape
    TensorShape([5, 4, 4, 3, 2])

    ```
    """
    network = MaskedConvNetwork(event_shape, outputs_per_dim, width, **options)
    network.build((None, *event_shape))
    return network
