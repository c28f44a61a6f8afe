"""A convolution whose kernel is given by direction and length."""

from collections.abc import Sequence
from typing import Any

import keras

from tfp_glow.networks import convolve
from tfp_glow.networks.types import BatchShape, Config, Initializer, Tensor

_EPSILON = 1e-6  # Added to the standard deviation, and to the square of a kernel's length.


@keras.saving.register_keras_serializable('tfp_glow')
class WeightNormConv2D(keras.layers.Layer):
    """A convolution `[B, H, W, C] -> [B, H, W, filters]`: conv(x, gain * v / ||v||) + bias.

    The padding is 'same'. The length ||v|| is that of each filter, over its k * k * C entries.
    `initialize(x)` sets gain and bias so that the output of each filter has mean 0 and standard
    deviation `scale`. It does so once, and remembers it; before, gain is `scale` and bias is 0.
    Kernel and gain keep the precision of the weights; the convolution has the precision of the
    layer.

    Args:
        filters: The number of output channels.
        kernel_size: The odd side k of the kernel.
        scale: A number, or one number for each filter. Where it is 0, the output is 0 at first.
        position_bias: Whether to learn a bias `[H, W, filters]` besides `[filters]`: for data that
            are aligned, such as centred objects.
        kernel_initializer: The initialiser of v: one of Keras, or its name.

    #### References
    Salimans and Kingma, *Weight Normalization*, 2016, arXiv:1602.07868, equations 2 and 6.
    """

    def __init__(self, filters: int, kernel_size: int, scale: float | Sequence[float] = 1.,
                 position_bias: bool = False, kernel_initializer: Initializer = 'random_normal',
                 **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.filters = filters
        self.kernel_size = kernel_size
        self.scale = scale
        self.position_bias = position_bias
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    def build(self, input_shape: BatchShape) -> None:
        self.input_spec = keras.layers.InputSpec(ndim=4, axes={-1: input_shape[-1]})
        self.kernel = self.add_weight(
            name='kernel', initializer=self.kernel_initializer, autocast=False,
            shape=(self.kernel_size, self.kernel_size, input_shape[-1], self.filters))
        self.gain = self.add_weight(name='gain', shape=(self.filters,), initializer='zeros',
                                    autocast=False)
        self.gain.assign(self._scales())
        self.bias = self.add_weight(name='bias', shape=(self.filters,), initializer='zeros')
        if self.position_bias:
            self.bias_map = self.add_weight(
                name='bias_map', shape=(*input_shape[1:3], self.filters), initializer='zeros')
        self.initialized = self.add_weight(
            name='initialized', shape=(), initializer='zeros', trainable=False)

    def call(self, inputs: Tensor) -> Tensor:
        bias = self.bias + self.bias_map if self.position_bias else self.bias
        return self._convolved(inputs, self.gain) + bias

    def initialize(self, inputs: Tensor) -> Tensor:
        """Sets gain and bias from `inputs` once, and returns the output."""
        ops = keras.ops
        outputs = self._convolved(ops.cast(inputs, self.compute_dtype), 1.)
        mean, variance = ops.moments(ops.cast(outputs, self.gain.dtype), axes=[0, 1, 2])
        gain = self._scales() / (ops.sqrt(variance) + _EPSILON)
        done = ops.cast(self.initialized, 'bool')
        self.bias.assign(ops.where(done, self.bias, -mean * gain))
        self.gain.assign(ops.where(done, self.gain, gain))
        self.initialized.assign(1.)
        return self(inputs)

    def _convolved(self, inputs: Tensor, gain: float | Tensor) -> Tensor:
        ops = keras.ops
        kernel = ops.convert_to_tensor(self.kernel)
        squares = ops.sum(ops.square(kernel), axis=(0, 1, 2)) + _EPSILON**2
        kernel = kernel * (gain * ops.rsqrt(squares))
        return convolve.convolve(inputs, ops.cast(kernel, self.compute_dtype))

    def _scales(self) -> Tensor:
        scale = keras.ops.convert_to_tensor(self.scale, dtype=self.gain.dtype)
        return keras.ops.broadcast_to(scale, (self.filters,))

    def get_config(self) -> Config:
        return dict(super().get_config(), filters=self.filters, kernel_size=self.kernel_size,
                    scale=self.scale, position_bias=self.position_bias,
                    kernel_initializer=keras.initializers.serialize(self.kernel_initializer))
