"""RealNVP's coupling network."""

from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from tfp_glow.networks.condition import ConditionBias, required
from tfp_glow.networks.types import Apply, BatchShape, Config, Shape, Tensor
from tfp_glow.networks.weight_norm import WeightNormConv2D


@keras.saving.register_keras_serializable('tfp_glow')
class ResidualNetwork(keras.Model):
    """Weight-normalised residual network whose layers all reach the output.

    It maps `[B, H, W, C] -> [B, H, W, outputs]`, and each convolution is a `WeightNormConv2D`:

    ```none
    h_0 = conv3x3(relu([x, -x, mask]))
    h_k = h_k-1 + conv3x3(relu(conv3x3(relu(h_k-1))))           k = 1 .. blocks
    output = conv1x1(relu(conv1x1_0(h_0) + ... + conv1x1_blocks(h_blocks)))
    ```

    The reference also has batch normalisation before each ReLU of the blocks. This network has none
    on purpose: it is a function of its input alone, the same in training and evaluation and in both
    directions of the flow. The bijector `BatchNorm` after each coupling normalises what reaches the
    next network. Inside a network, weight normalisation with data-dependent initialisation does the
    work.

    Args:
        outputs: The number of channels of the output.
        width: The number of channels of the hidden layers.
        blocks: The number of residual blocks.
        bottleneck: Whether blocks have 1x1, 3x3 and 1x1 convolutions in place of two of 3x3. All of
            them have `width` channels, as in the reference's code.
        mask: An array `[H, W]` that the network sees as one more channel, the same for all images,
            such as which pixels condition. None for no such channel.
        position_bias: Whether to give the first and the last convolution a bias per position.
        zero_outputs: The number of output channels, counted from the first, that start at 0. The
            others start with mean 0 and variance 1 once initialised. By default all start at 0.
        classes: The number of classes, or None. If it is given, the network is called with
            `condition=`, labels `[B]`, which add a learned bias to h_0; see `ConditionBias`.
        condition_channels: The number of channels, or None. If it is given, the network is called
            with `condition=`, a feature map `[B, h, w, condition_channels]`.
        seed: An integer from which the initial weights are drawn.

    Raises:
        ValueError: If `outputs` or `width` is not positive, if `blocks` is negative, if
            `zero_outputs` is not in 0 .. outputs, or if `mask` does not have the height and width
            of the images.

    #### References
    Dinh, Sohl-Dickstein and Bengio, *RealNVP*, 2017, arXiv:1605.08803, section 4.1, and its code's
    `resnet`.
    """

    def __init__(self, outputs: int, width: int, blocks: int = 4, bottleneck: bool = False,
                 mask: npt.ArrayLike | None = None, position_bias: bool = False,
                 zero_outputs: int | None = None, classes: int | None = None,
                 condition_channels: int | None = None, seed: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if outputs < 1 or width < 1:
            raise ValueError(f'outputs and width must be positive; got {outputs=}, {width=}.')
        if blocks < 0:
            raise ValueError(f'blocks must be at least 0; got {blocks=}.')
        zero_outputs = outputs if zero_outputs is None else zero_outputs
        if not 0 <= zero_outputs <= outputs:
            raise ValueError(f'zero_outputs must be in 0 .. {outputs}, the outputs; '
                             f'got {zero_outputs=}.')
        self._mask = None if mask is None else np.asarray(mask, np.float32)
        self._config: Config = {'outputs': outputs, 'width': width, 'blocks': blocks,
                                'bottleneck': bottleneck,
                                'mask': None if self._mask is None else self._mask.tolist(),
                                'position_bias': position_bias, 'zero_outputs': zero_outputs,
                                'classes': classes, 'condition_channels': condition_channels,
                                'seed': seed}
        seeds = iter(range(seed, seed + 4 * blocks + 3))

        def convolution(filters: int, size: int, name: str, **options: Any) -> WeightNormConv2D:
            return WeightNormConv2D(
                filters, size, dtype=self.dtype_policy, name=name, **options,
                kernel_initializer=keras.initializers.RandomNormal(0., .05, seed=next(seeds)))
        sizes = (1, 3, 1) if bottleneck else (3, 3)
        self.first = convolution(width, 3, 'conv_in', position_bias=position_bias)
        self.blocks = [[convolution(width, size, f'block_{k}_{i}') for i, size in enumerate(sizes)]
                       for k in range(blocks)]
        self.skips = [convolution(width, 1, f'skip_{k}') for k in range(blocks + 1)]
        self.last = convolution(
            outputs, 1, 'conv_out', position_bias=position_bias,
            scale=[0.] * zero_outputs + [1.] * (outputs - zero_outputs))

    @property
    def takes_condition(self) -> bool:
        """Whether the network is called with `condition=`."""
        return any(self._config[key] is not None for key in ('classes', 'condition_channels'))

    def build(self, input_shape: BatchShape) -> None:
        batch, *side, channels = input_shape
        width = self._config['width']
        if self._mask is not None and self._mask.shape != tuple(side):
            raise ValueError(f'mask must have the height and width of the images, {tuple(side)}; '
                             f'got shape={self._mask.shape}.')
        if self.takes_condition:
            self.condition_bias = ConditionBias(
                width, self._config['classes'], self._config['condition_channels'], side,
                keras.initializers.RandomNormal(0., .05, seed=self._config['seed'] - 1),
                dtype=self.dtype_policy, name='condition_bias')
            self.condition_bias.build()
        self.first.build((batch, *side, 2 * channels + (self._mask is not None)))
        for layer in [*(layer for block in self.blocks for layer in block), *self.skips, self.last]:
            layer.build((batch, *side, width))
        self.built = True

    def call(self, inputs: Tensor, condition: Tensor | None = None) -> Tensor:
        return self._run(inputs, condition, lambda layer, x: layer(x))

    def initialize(self, inputs: Tensor, condition: Tensor | None = None) -> None:
        """Sets gains and biases from `inputs`, layer by layer, once."""
        self._run(keras.ops.cast(inputs, self.compute_dtype), condition,
                  lambda layer, x: layer.initialize(x))

    def _run(self, inputs: Tensor, condition: Tensor | None, apply: Apply) -> Tensor:
        relu = keras.ops.relu
        hidden = apply(self.first, self._features(inputs))
        if self.takes_condition:
            hidden = hidden + self.condition_bias(required(condition, self.name))
        total = apply(self.skips[0], hidden)
        for block, skip in zip(self.blocks, self.skips[1:]):
            change = hidden
            for layer in block:
                change = apply(layer, relu(change))
            hidden = hidden + change
            total = total + apply(skip, hidden)
        return apply(self.last, relu(total))

    def _features(self, inputs: Tensor) -> Tensor:
        ops = keras.ops
        features = [ops.relu(inputs), ops.relu(-inputs)]
        if self._mask is not None:
            mask = ops.convert_to_tensor(self._mask[..., np.newaxis], dtype=inputs.dtype)
            features.append(ops.broadcast_to(mask, (*ops.shape(inputs)[:-1], 1)))
        return ops.concatenate(features, axis=-1)

    def get_config(self) -> Config:
        return dict(super().get_config(), **self._config)


def residual_network(input_shape: Shape, outputs: int, width: int,
                     **options: Any) -> ResidualNetwork:
    """Returns a built `ResidualNetwork` for images of `input_shape = (H, W, C)`.

    The `options` are arguments of `ResidualNetwork`.

    ```python
    >>> import tensorflow as tf, tfp_glow
    >>> network = tfp_glow.networks.residual_network((8, 8, 3), outputs=6, width=16, blocks=1)
    >>> network(tf.zeros([5, 8, 8, 3])).shape
    TensorShape([5, 8, 8, 6])

    ```
    """
    network = ResidualNetwork(outputs, width, **options)
    network.build((None, *input_shape))
    return network
