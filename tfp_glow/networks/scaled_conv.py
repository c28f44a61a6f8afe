"""The convolution of Glow's networks: scaled per output channel, with an edge indicator."""

from typing import Any

import keras
import numpy as np

from tfp_glow.networks import convolve
from tfp_glow.networks.types import BatchShape, Config, Initializer, Tensor

_EPSILON = 1e-6  # Added to the standard deviation, as in the reference.


@keras.saving.register_keras_serializable('tfp_glow')
class ScaledConv2D(keras.layers.Layer):
    """A convolution `[B, H, W, C] -> [B, H, W, filters]`: (conv(x) + bias) * exp(log_scale * rate).

    The padding is 'same'. With `normalise`, `initialize(x)` sets bias and log_scale so that the
    output has mean 0 and variance 1 per channel (actnorm inside the network). It does so once, and
    remembers it. With `edge_indicator` the input gets one more channel that is 1 in the zero
    padding and 0 elsewhere, so that the network sees where the image ends. The indicator and the
    scale are folded into the kernel, which costs nothing on the images.

    Args:
        filters: The number of output channels.
        kernel_size: The odd side of the kernel.
        kernel_initializer: An initialiser of Keras, or its name.
        rate: The factor of log_scale, or None for no scale at all.
        normalise: Whether to have the data-dependent initialisation, which needs a rate.
        edge_indicator: Whether to add the indicator channel. It changes nothing if `kernel_size` is
            1.
        position_bias: Whether to learn a bias `[H, W, filters]` besides `[filters]`: for data that
            are aligned, such as centred objects. The reference does not have this.

    Raises:
        ValueError: If `normalise` is given without a `rate`. When called, if `edge_indicator` is
            given and the height or width of the images is unknown.

    #### References
    openai/glow, `tfops.py`: `conv2d` with actnorm, `conv2d_zeros`, `add_edge_padding`.
    """

    def __init__(self, filters: int, kernel_size: int,
                 kernel_initializer: Initializer = 'glorot_uniform', rate: float | None = 1.,
                 normalise: bool = False, edge_indicator: bool = False, position_bias: bool = False,
                 **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if normalise and rate is None:
            raise ValueError(f'normalise needs a rate; got {normalise=}, {rate=}.')
        self.filters = filters
        self.kernel_size = kernel_size
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.edge_kernel_initializer = self.kernel_initializer
        self.rate = rate
        self.normalise = normalise
        self.edge_indicator = edge_indicator and kernel_size > 1
        self.position_bias = position_bias

    def build(self, input_shape: BatchShape) -> None:
        self.input_spec = keras.layers.InputSpec(ndim=4, axes={-1: input_shape[-1]})
        side = (self.kernel_size, self.kernel_size)
        self.kernel = self.add_weight(
            name='kernel', shape=(*side, input_shape[-1], self.filters),
            initializer=self.kernel_initializer)
        self.bias = self.add_weight(name='bias', shape=(self.filters,), initializer='zeros')
        if self.position_bias:
            self.bias_map = self.add_weight(
                name='bias_map', shape=(*input_shape[1:3], self.filters), initializer='zeros')
        if self.edge_indicator:
            self.edge_kernel = self.add_weight(
                name='edge_kernel', shape=(*side, 1, self.filters),
                initializer=self.edge_kernel_initializer)
        if self.rate is not None:
            self.log_scale = self.add_weight(
                name='log_scale', shape=(self.filters,), initializer='zeros')
        if self.normalise:
            self.initialized = self.add_weight(
                name='initialized', shape=(), initializer='zeros', trainable=False)

    def call(self, inputs: Tensor) -> Tensor:
        ops = keras.ops
        kernel, bias = ops.convert_to_tensor(self.kernel), ops.convert_to_tensor(self.bias)
        if self.edge_indicator:
            bias = bias + self._edge(inputs.shape[1:3])
        if self.position_bias:
            bias = bias + self.bias_map
        if self.rate is not None:
            scale = ops.exp(self.log_scale * self.rate)
            kernel, bias = kernel * scale, bias * scale
        return convolve.convolve(inputs, kernel) + bias

    def _edge(self, side: BatchShape) -> Tensor:
        """Returns the indicator's share of the output of any image: `[1, H, W, filters]`."""
        if None in side:
            raise ValueError(f'edge_indicator needs a known height and width; got {side}.')
        pad = self.kernel_size // 2
        frame = np.pad(np.zeros(side), pad, constant_values=1.)[np.newaxis, ..., np.newaxis]
        frame = keras.ops.convert_to_tensor(frame, dtype=self.compute_dtype)
        return keras.ops.conv(frame, keras.ops.convert_to_tensor(self.edge_kernel),
                              padding='valid')

    def initialize(self, inputs: Tensor) -> Tensor:
        """Sets bias and scale from `inputs` once, and returns the output."""
        ops = keras.ops
        if self.normalise:
            old = [ops.copy(v) for v in (self.bias, self.log_scale)]
            self.bias.assign(ops.zeros_like(self.bias))
            self.log_scale.assign(ops.zeros_like(self.log_scale))
            mean, variance = ops.moments(ops.cast(self(inputs), 'float32'), axes=[0, 1, 2])
            mean, variance = (ops.cast(v, self.bias.dtype) for v in (mean, variance))
            new = [-mean, -ops.log(ops.sqrt(variance) + _EPSILON) / self.rate]
            done = ops.cast(self.initialized, 'bool')
            for weight, before, after in zip((self.bias, self.log_scale), old, new):
                weight.assign(ops.where(done, before, after))
            self.initialized.assign(1.)
        return self(inputs)

    def get_config(self) -> Config:
        return dict(super().get_config(), filters=self.filters, kernel_size=self.kernel_size,
                    kernel_initializer=keras.initializers.serialize(self.kernel_initializer),
                    rate=self.rate, normalise=self.normalise, edge_indicator=self.edge_indicator,
                    position_bias=self.position_bias)
