"""A convolution whose kernel is shaped so that it sees only what lies above and to the left."""

from collections.abc import Sequence
from typing import Any

import keras

from tfp_glow.networks.convolve import FEW
from tfp_glow.networks.types import BatchShape, Config, Initializer, Tensor


@keras.saving.register_keras_serializable('tfp_glow')
class PastConv2D(keras.layers.Layer):
    """Convolution without padding of windows: `[B, H + k - 1, W + l - 1, I] -> [B, H, W, J]`.

    The window alone settles which pixels an output sees. There is no mask, and there are no weights
    that a mask would hide, so that an output never sees more, whatever values the weights have. A
    window of the size of the kernel is one matrix product. So is a window of few channels, whose
    neighbours are gathered first.

    Args:
        filters: The number J of output channels.
        kernel_size: The sides `(k, l)`.
        kernel_initializer: An initialiser of Keras, or its name.
    """

    def __init__(self, filters: int, kernel_size: Sequence[int],
                 kernel_initializer: Initializer = 'glorot_uniform', **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.filters, self.kernel_size = filters, tuple(kernel_size)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    def build(self, input_shape: BatchShape) -> None:
        self.input_spec = keras.layers.InputSpec(ndim=4, axes={-1: input_shape[-1]})
        self.kernel = self.add_weight(
            name='kernel', shape=(*self.kernel_size, input_shape[-1], self.filters),
            initializer=self.kernel_initializer)
        self.bias = self.add_weight(name='bias', shape=(self.filters,), initializer='zeros')

    def call(self, inputs: Tensor) -> Tensor:
        ops, (rows, columns) = keras.ops, self.kernel_size
        if inputs.shape[-1] > FEW and tuple(inputs.shape[1:3]) != self.kernel_size:
            return ops.conv(inputs, self.kernel, padding='valid') + self.bias
        height, width = inputs.shape[1] - rows + 1, inputs.shape[2] - columns + 1
        neighbours = ops.concatenate([
            inputs[:, i:i + height, j:j + width] for i in range(rows) for j in range(columns)], -1)
        kernel = ops.reshape(self.kernel, (-1, self.filters))
        return ops.matmul(neighbours, kernel) + self.bias

    def get_config(self) -> Config:
        return dict(super().get_config(), filters=self.filters, kernel_size=self.kernel_size,
                    kernel_initializer=keras.initializers.serialize(self.kernel_initializer))
