"""A convolution with padding 'same' that stays fast where one side has few channels."""

import keras
import numpy as np

from tfp_glow.networks.types import Tensor

# Measured on CPUs: with at most so many channels the forms with a matrix product are faster,
# gradients included.
FEW = 4


def convolve(images: Tensor, kernel: Tensor) -> Tensor:
    """Convolves: `[B, H, W, C] * [k, k, C, D] -> [B, H, W, D]`, stride 1, padding 'same', k odd.

    A direct convolution with few input or output channels runs far below the speed of a matrix
    product, and its gradients even more so. With few inputs, the k*k neighbours of a pixel are
    therefore gathered and then mixed by one product. With few outputs, one product makes the
    contributions of each pixel to its k*k neighbours, which are then gathered. Gathering is a
    convolution over few channels with a fixed kernel of zeros and ones.
    """
    ops = keras.ops
    size, _, inputs, outputs = kernel.shape
    if size == 1 or min(inputs, outputs) > FEW:
        return ops.conv(images, kernel, padding='same')
    if inputs <= outputs:
        neighbours = ops.conv(images, _constant(_gather(size, inputs), images), padding='same')
        return _mix(neighbours, ops.reshape(kernel, (size * size * inputs, outputs)))
    flat = ops.reshape(ops.transpose(kernel, (2, 0, 1, 3)), (inputs, size * size * outputs))
    # A pixel needs the contribution (i, j) of its neighbour at (i, j).
    scatter = np.transpose(_gather(size, outputs), (0, 1, 3, 2))
    return ops.conv(_mix(images, flat), _constant(scatter, images), padding='same')


def _mix(images: Tensor, matrix: Tensor) -> Tensor:
    shape = keras.ops.shape(images)
    flat = keras.ops.matmul(keras.ops.reshape(images, (-1, matrix.shape[0])), matrix)
    return keras.ops.reshape(flat, (-1, *shape[1:3], matrix.shape[1]))


def _constant(value: np.ndarray, like: Tensor) -> Tensor:
    return keras.ops.convert_to_tensor(value, dtype=like.dtype)


def _gather(size: int, channels: int) -> np.ndarray:
    """Returns `[k, k, C, k*k*C]`: output (i, j, c) copies channel c of the neighbour at (i, j)."""
    kernel = np.zeros([size, size, channels, size, size, channels], np.float32)
    for i in range(size):
        for j in range(size):
            kernel[i, j, range(channels), i, j, range(channels)] = 1
    return kernel.reshape(size, size, channels, size * size * channels)
