"""Flow++'s coupling network: gated convolutions and gated self-attention."""

from typing import Any

import keras
import numpy as np

from tfp_glow.networks.condition import ConditionBias, required
from tfp_glow.networks.scaled_conv import ScaledConv2D
from tfp_glow.networks.types import BatchShape, Config, DType, Shape, Tensor


@keras.saving.register_keras_serializable('tfp_glow')
class GatedAttentionNetwork(keras.Model):
    """Gated residual network with self-attention: `[B, H, W, C] -> [B, H, W, outputs]`.

    ```none
    h = conv3x3(x);  each block: h = norm(h + gate(conv(h)));  h = norm(h + gate(attend(h)))
    gate([a, b]) = a * sigmoid(b)
    conv(h) = conv1x1(concat_elu(conv3x3(concat_elu(h))))
    attend(h) = dense(heads(softmax(q k' / sqrt(d)) v)),   [q, k, v] = dense(h + position)
    output = conv3x3(concat_elu(h)), which starts at zero
    ```

    Here concat_elu(h) = [elu(h), elu(-h)], and `norm` is the layer norm of each pixel. The
    attention is over all H * W positions, whose embedding is learned.

    The network differs from the reference in two ways on purpose. It has no dropout: a network here
    is a function of its input and its condition alone, so that a flow is one bijector and its
    inverse is exact. And its weights start by Glorot's rule and not from data, for which the layer
    norm makes up.

    Args:
        outputs: The number of channels of the output.
        width: The number of channels of the hidden layers, a multiple of `heads`.
        blocks: The number of blocks.
        heads: The number of heads of the attention, or 0 for blocks without attention.
        max_positions: The greatest H * W with attention, which costs (H * W)^2. The network of
            larger images has none.
        position_bias: Whether to give the first and the last convolution a bias per position.
        classes: The number of classes, or None. If it is given, the network is called with
            `condition=`, labels `[B]`, which add a learned bias to the first hidden layer; see
            `ConditionBias`.
        condition_channels: The number of channels, or None. If it is given, the network is called
            with `condition=`, a feature map `[B, h, w, condition_channels]`.
        seed: An integer from which the initial weights are drawn.

    Raises:
        ValueError: If `outputs`, `width` or `blocks` is not positive, or if `heads` does not divide
            `width`.

    #### References
    Ho, Chen, Srinivas, Duan and Abbeel, *Flow++*, 2019, arXiv:1902.00275, section 3.3.
    """

    def __init__(self, outputs: int, width: int, blocks: int = 10, heads: int = 4,
                 max_positions: int = 1024, position_bias: bool = False, classes: int | None = None,
                 condition_channels: int | None = None, seed: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if min(outputs, width, blocks) < 1:
            raise ValueError('outputs, width and blocks must be positive; '
                             f'got {outputs=}, {width=}, {blocks=}.')
        if heads < 0 or (heads and width % heads):
            raise ValueError(f'heads must be 0 or divide width; got {heads=}, {width=}.')
        self._config: Config = {'outputs': outputs, 'width': width, 'blocks': blocks,
                                'heads': heads, 'max_positions': max_positions,
                                'position_bias': position_bias, 'classes': classes,
                                'condition_channels': condition_channels, 'seed': seed}

    @property
    def takes_condition(self) -> bool:
        """Whether the network is called with `condition=`."""
        return any(self._config[key] is not None for key in ('classes', 'condition_channels'))

    def build(self, input_shape: BatchShape) -> None:
        config, side = self._config, tuple(input_shape[1:3])
        width, bias = config['width'], config['position_bias']
        heads = config['heads'] if np.prod(side) <= config['max_positions'] else 0
        seeds = [int(s) for s in np.random.SeedSequence(config['seed']).generate_state(
            2 + 2 * config['blocks']) >> 1]
        self.conv_in = ScaledConv2D(width, 3, _glorot(seeds[0]), None, position_bias=bias,
                                    dtype=self.dtype_policy, name='conv_in')
        self.conv_out = ScaledConv2D(config['outputs'], 3, 'zeros', 3., position_bias=bias,
                                     dtype=self.dtype_policy, name='conv_out')
        self.conv_in.build(input_shape)
        self.conv_out.build((None, *side, 2 * width))
        if self.takes_condition:
            self.condition_bias = ConditionBias(
                width, config['classes'], config['condition_channels'], side, _glorot(seeds[1]),
                dtype=self.dtype_policy, name='condition_bias')
            self.condition_bias.build()
        self.blocks = []
        for i in range(config['blocks']):
            kind = {'dtype': self.dtype_policy}
            self.blocks.append(GatedConv(width, seeds[2 + 2 * i], name=f'conv_{i}', **kind))
            if heads:
                self.blocks.append(GatedAttention(
                    width, heads, seeds[3 + 2 * i], name=f'attention_{i}', **kind))
        for block in self.blocks:
            block.build((None, *side, width))
        self.built = True

    def call(self, inputs: Tensor, condition: Tensor | None = None) -> Tensor:
        hidden = self.conv_in(inputs)
        if self.takes_condition:
            hidden = hidden + self.condition_bias(required(condition, self.name))
        for block in self.blocks:
            hidden = block(hidden)
        return self.conv_out(_concat_elu(hidden))

    def get_config(self) -> Config:
        return dict(super().get_config(), **self._config)


class _Gated(keras.layers.Layer):
    """Computes `norm(h + a * sigmoid(b))`, where `[a, b]` comes from the subclass's `update`."""

    def __init__(self, width: int, seed: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._config: Config = {'width': width, 'seed': seed}
        self.norm = keras.layers.LayerNormalization(
            epsilon=1e-5, dtype=self.dtype_policy, name='norm')

    def call(self, hidden: Tensor) -> Tensor:
        a, b = keras.ops.split(self.update(hidden), 2, axis=-1)
        return self.norm(hidden + a * keras.ops.sigmoid(b))

    def get_config(self) -> Config:
        return dict(super().get_config(), **self._config)


@keras.saving.register_keras_serializable('tfp_glow')
class GatedConv(_Gated):
    """The gated convolution of a `GatedAttentionNetwork`."""

    def build(self, input_shape: BatchShape) -> None:
        width, seed = self._config['width'], self._config['seed']
        self.conv = ScaledConv2D(width, 3, _glorot(seed), None, dtype=self.dtype_policy,
                                 name='conv')
        self.mix = _dense(2 * width, seed + 1, self.dtype_policy, 'mix')
        for layer in (self.conv, self.mix):
            layer.build((*input_shape[:-1], 2 * width))
        self.norm.build(input_shape)

    def update(self, hidden: Tensor) -> Tensor:
        """Returns the a and b of the gate: `[B, H, W, width] -> [B, H, W, 2 * width]`."""
        return self.mix(_concat_elu(self.conv(_concat_elu(hidden))))


@keras.saving.register_keras_serializable('tfp_glow')
class GatedAttention(_Gated):
    """The gated multi-head self-attention of a `GatedAttentionNetwork`."""

    def __init__(self, width: int, heads: int, seed: int = 0, **kwargs: Any) -> None:
        super().__init__(width, seed, **kwargs)
        self._config['heads'] = heads
        self.position_initializer = keras.initializers.RandomNormal(0., .01, seed=seed + 2)

    def build(self, input_shape: BatchShape) -> None:
        width, seed = self._config['width'], self._config['seed']
        self.position = self.add_weight(name='position', shape=input_shape[1:],
                                        initializer=self.position_initializer)
        self.attend = _dense(3 * width, seed, self.dtype_policy, 'attend')
        self.mix = _dense(2 * width, seed + 1, self.dtype_policy, 'mix')
        for layer in (self.attend, self.mix, self.norm):
            layer.build(input_shape)

    def update(self, hidden: Tensor) -> Tensor:
        """Returns the a and b of the gate: `[B, H, W, width] -> [B, H, W, 2 * width]`."""
        ops, heads = keras.ops, self._config['heads']
        height, width, channels = hidden.shape[1:]
        size = channels // heads
        attend = ops.reshape(self.attend(hidden + self.position),
                             (-1, height * width, 3, heads, size))
        query, key, value = ops.unstack(ops.transpose(attend, (2, 0, 3, 1, 4)), 3)
        weights = ops.softmax(ops.matmul(
            query * size**-.5, ops.transpose(key, (0, 1, 3, 2))), axis=-1)
        mixed = ops.transpose(ops.matmul(weights, value), (0, 2, 1, 3))
        return self.mix(ops.reshape(mixed, (-1, height, width, channels)))


def gated_attention_network(input_shape: Shape, outputs: int, width: int,
                            **options: Any) -> GatedAttentionNetwork:
    """Returns a built `GatedAttentionNetwork` for images of `input_shape = (H, W, C)`.

    The `options` are arguments of `GatedAttentionNetwork`.

    ```python
    >>> import tfp_glow
    >>> network = tfp_glow.networks.gated_attention_network(
    ...     (4, 4, 2), outputs=6, width=8, blocks=1, heads=2)
    >>> network.count_params()
    2980

    ```
    """
    network = GatedAttentionNetwork(outputs, width, **options)
    network.build((None, *input_shape))
    return network


def _dense(units: int, seed: int, dtype: DType, name: str) -> keras.layers.Dense:
    return keras.layers.Dense(units, kernel_initializer=_glorot(seed), dtype=dtype, name=name)


def _glorot(seed: int) -> keras.initializers.Initializer:
    return keras.initializers.GlorotUniform(seed=seed)


def _concat_elu(hidden: Tensor) -> Tensor:
    return keras.ops.elu(keras.ops.concatenate([hidden, -hidden], axis=-1))
