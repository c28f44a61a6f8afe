"""Dense encoders from images to vectors, and decoders from vectors to images."""

from collections.abc import Sequence

import keras

from tfp_glow.networks.mlp import MLPNetwork
from tfp_glow.networks.types import Activation, DType, Shape


def dense_encoder(input_shape: Shape, outputs: int, hidden: Sequence[int] = (512, 512),
                  activation: Activation = 'relu', seed: int = 0, dtype: DType | None = None,
                  name: str = 'encoder') -> keras.Sequential:
    """Returns a built network of dense layers: `[B, H, W, C] -> [B, outputs]`.

    Args:
        input_shape: The shape of the images, `(H, W, C)`.
        outputs: The number of entries of the output.
        hidden: The number of units of each hidden layer.
        activation: The activation of the hidden layers: a name in Keras or a function.
        seed: An integer from which the initial weights are drawn.
        dtype: A dtype or a dtype policy of Keras.
        name: The name of the network, a prefix of its weights' names.

    Raises:
        ValueError: As for `MLPNetwork`.

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
    """Returns a built network of dense layers: `[B, inputs] -> [B, H, W, C]`.

    Args:
        inputs: The number of entries of the input.
        output_shape: The shape of the images, `(H, W, C)`.
        hidden: See `dense_encoder`.
        activation: See `dense_encoder`.
        seed: See `dense_encoder`.
        dtype: See `dense_encoder`.
        name: See `dense_encoder`.

    Raises:
        ValueError: As for `MLPNetwork`.
    """
    height, width, channels = output_shape
    return keras.Sequential([
        keras.Input([inputs], dtype=keras.DTypePolicy(dtype or 'float32').compute_dtype),
        MLPNetwork(height * width * channels, hidden, activation, zero_last=False, seed=seed,
                   dtype=dtype, name='mlp'),
        keras.layers.Reshape((height, width, channels), dtype=dtype)], name=name)
