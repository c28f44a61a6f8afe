"""Encoders of images to vectors and decoders back, of dense layers."""

from collections.abc import Sequence

import keras

from tfp_glow.networks.mlp import MLPNetwork
from tfp_glow.networks.types import Activation, DType, Shape


def dense_encoder(input_shape: Shape, outputs: int, hidden: Sequence[int] = (512, 512),
                  activation: Activation = 'relu', seed: int = 0, dtype: DType | None = None,
                  name: str = 'encoder') -> keras.Sequential:
    """A built network of dense layers: `[B, H, W, C] -> [B, outputs]`.

    Args:
      input_shape: `(H, W, C)`.
      outputs: entries of the output.
      hidden: units of each hidden layer.
      activation: of the hidden layers, by a Keras name or a function.
      seed: integer for the initial weights.
      dtype: Keras dtype or policy.
      name: of the network, a prefix of its weights' names.

    Raises:
      ValueError: as `MLPNetwork`.

    ```python
    >>> import tfp_glow
    >>> tfp_glow.networks.dense_encoder((4, 4, 1), outputs=6, hidden=[8]).output_shape
    (None, 6)

    ```
    """
    return keras.Sequential([
        keras.Input(input_shape, dtype=keras.DTypePolicy(dtype or 'float32').compute_dtype),
        keras.layers.Flatten(dtype=dtype),
        MLPNetwork(outputs, hidden, activation, zero_last=False, seed=seed, dtype=dtype,
                   name='mlp')], name=name)


def dense_decoder(inputs: int, output_shape: Shape, hidden: Sequence[int] = (512, 512),
                  activation: Activation = 'relu', seed: int = 0, dtype: DType | None = None,
                  name: str = 'decoder') -> keras.Sequential:
    """A built network of dense layers: `[B, inputs] -> [B, H, W, C]`.

    Args:
      inputs: entries of the input.
      output_shape: `(H, W, C)`.
      hidden: see `dense_encoder`, as the others.
      activation: likewise.
      seed: likewise.
      dtype: likewise.
      name: likewise.

    Raises:
      ValueError: as `MLPNetwork`.
    """
    height, width, channels = output_shape
    return keras.Sequential([
        keras.Input([inputs], dtype=keras.DTypePolicy(dtype or 'float32').compute_dtype),
        MLPNetwork(height * width * channels, hidden, activation, zero_last=False, seed=seed,
                   dtype=dtype, name='mlp'),
        keras.layers.Reshape((height, width, channels), dtype=dtype)], name=name)
