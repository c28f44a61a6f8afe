"""'Same' convolution that stays fast where one side has few channels."""

import keras
import numpy as np

from tfp_glow.networks.types import Tensor

FEW = 4  # Measured on CPUs: up to here the matmul forms win, gradients included.


def convolve(images: Tensor, kernel: Tensor) -> Tensor:
    """`[B, H, W, C] * [k, k, C, D] -> [B, H, W, D]`, stride 1, padding 'same', k odd.

    Direct convolution with a handful of input or output channels, and even more its gradients, run
    far below the speed of a matrix product. So for few inputs the k*k neighbours of a pixel are
    gathered and then mixed by one product; for few outputs one product makes each pixel's
    contributions to its k*k neighbours, which are then gathered. Gathering is a convolution with
    a fixed kernel of zeros and ones over few channels.
    """
    ops = keras.ops
    size, _, inputs, outputs = kernel.shape
    if size == 1 or min(inputs, outputs) > FEW:
        return ops.conv(images, kernel, padding='same')
    if inputs <= outputs:
        neighbours = ops.conv(images, _constant(_gather(size, inputs), images), padding='same')
        return _mix(neighbours, ops.reshape(kernel, (size * size * inputs, outputs)))
    flat = ops.reshape(ops.transpose(kernel, (2, 0, 1, 3)), (inputs, size * size * outputs))
    # Tap (i, j) of the pixel's neighbour at (i, j) is what the pixel needs.
    scatter = np.transpose(_gather(size, outputs), (0, 1, 3, 2))
    return ops.conv(_mix(images, flat), _constant(scatter, images), padding='same')


def _mix(images: Tensor, matrix: Tensor) -> Tensor:
    shape = keras.ops.shape(images)
    flat = keras.ops.matmul(keras.ops.reshape(images, (-1, matrix.shape[0])), matrix)
    return keras.ops.reshape(flat, (-1, *shape[1:3], matrix.shape[1]))


def _constant(value: np.ndarray, like: Tensor) -> Tensor:
    return keras.ops.convert_to_tensor(value, dtype=like.dtype)


def _gather(size: int, channels: int) -> np.ndarray:
    """`[k, k, C, k*k*C]`: output (i, j, c) copies channel c of the neighbour at (i, j)."""
    kernel = np.zeros([size, size, channels, size, size, channels], np.float32)
    for i in range(size):
        for j in range(size):
            kernel[i, j, range(channels), i, j, range(channels)] = 1
    return kernel.reshape(size, size, channels, size * size * channels)
