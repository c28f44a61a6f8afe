"""The networks of integer discrete flows: densely connected convolutions."""

from typing import Any

import keras
import numpy as np

from tfp_glow.networks.scaled_conv import ScaledConv2D
from tfp_glow.networks.types import BatchShape, Config, Shape, Tensor

_ACTIVATIONS = ('relu', 'swish')
# Numbers of groups of the group normalisation: the largest that divides the channels is taken.
_GROUPS = (1, 2, 4, 8)


@keras.saving.register_keras_serializable('tfp_glow')
class DenseNetwork(keras.Model):
    """Each layer sees the outputs of all layers before it: `[B, H, W, C] -> [B, H, W, outputs]`.

    ```none
    h_0 = x;   h_k = [h_k-1, act(norm(conv3x3(act(norm(conv1x1(h_k-1))))))]       k = 1 .. depth
    output = conv3x3(h_depth), which starts at zero
    ```

    With `project`, inputs that have more than `project` channels are brought to `project` channels,
    and the output sees the inputs once more: h_0 = conv1x1(x), output = conv3x3(h_depth) +
    conv1x1(x), which starts at zero too. The reference does not have this.

    The 1x1 convolutions keep the number of channels. The 3x3 convolutions add `width` channels in
    all, and each of them adds a number as near to width / depth as can be.

    Two refinements are options. With `normalise`, norm is a group normalisation; without it, norm
    is the identity. With `rezero`, the last convolution starts like the others, and each of its
    outputs is multiplied by a learned number that starts at zero.

    Args:
        outputs: The number of channels of the output.
        width: The number of channels that all layers add together.
        depth: The number of layers.
        activation: The function act: 'relu' or 'swish'.
        normalise: Whether to have the group normalisation.
        rezero: Whether to have the learned factors.
        position_bias: Whether to give the first 3x3 convolution and the last one a bias per
            position: for data that are aligned, such as centred objects. The reference does not
            have this.
        project: The number of channels described above, or None for no projection.
        seed: An integer from which the initial weights are drawn.

    Raises:
        ValueError: If `outputs`, `depth` or `project` is not positive, if `width` is less than
            `depth`, or if the activation is unknown.

    #### References
    * Hoogeboom, Peters, van den Berg and Welling, *Integer Discrete Flows*, 2019,
      arXiv:1905.07376, appendix, and its code's networks.
    * van den Berg, Gritsenko, Dehghani, Sønderby and Salimans, *IDF++*, 2021, arXiv:2006.12459:
      the refinements.
    """

    def __init__(self, outputs: int, width: int, depth: int = 12, activation: str = 'relu',
                 normalise: bool = False, rezero: bool = False, position_bias: bool = False,
                 project: int | None = None, seed: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if min(outputs, depth) < 1 or width < depth:
            raise ValueError('outputs and depth must be positive and width at least depth; '
                             f'got {outputs=}, {width=}, {depth=}.')
        if project is not None and project < 1:
            raise ValueError(f'project must be positive, or None; got {project=}.')
        if activation not in _ACTIVATIONS:
            raise ValueError(f'activation must be one of {", ".join(_ACTIVATIONS)}; '
                             f'got {activation!r}.')
        self._config: Config = {'outputs': outputs, 'width': width, 'depth': depth,
                                'activation': activation, 'normalise': normalise, 'rezero': rezero,
                                'position_bias': position_bias, 'project': project, 'seed': seed}
        self.gate_initializer = keras.initializers.Zeros()

    def build(self, input_shape: BatchShape) -> None:
        config, channels = self._config, input_shape[-1]
        depth, bias = config['depth'], config['position_bias']
        seeds = [int(s) for s in np.random.SeedSequence(config['seed']).generate_state(
            2 * depth + 1) >> 1]
        self.blocks, self.projected = [], channels > (config['project'] or channels)
        if self.projected:
            self.project = ScaledConv2D(config['project'], 1, _glorot(seeds[1]), None,
                                        dtype=self.dtype_policy, name='project')
            self.bypass = self._output(1, seeds[1] + 1, 'bypass')
            for layer in (self.project, self.bypass):
                layer.build((*input_shape[:-1], channels))
            channels = config['project']
        for k in range(depth):
            # The last layers are the wider ones where the width is no multiple of the depth.
            growth = config['width'] * (k + 1) // depth - config['width'] * k // depth
            block = DenseLayer(growth, config['activation'], config['normalise'], bias and k == 0,
                               seeds[2 * k], dtype=self.dtype_policy, name=f'layer_{k}')
            block.build((*input_shape[:-1], channels))
            self.blocks.append(block)
            channels += growth
        self.last = self._output(3, seeds[-1], 'conv_out', position_bias=bias)
        self.last.build((*input_shape[:-1], channels))
        if config['rezero']:
            self.gate = self.add_weight(name='gate', shape=(config['outputs'],),
                                        initializer=self.gate_initializer, autocast=False)
        self.built = True

    def _output(self, size: int, seed: int, name: str, **options: Any) -> ScaledConv2D:
        """Returns an output layer in the precision of the weights.

        In bfloat16 a shift of 100 would have an error of up to .25.
        """
        start = _glorot(seed) if self._config['rezero'] else 'zeros'
        return ScaledConv2D(self._config['outputs'], size, start, None, dtype=self.variable_dtype,
                            name=name, **options)

    def call(self, inputs: Tensor) -> Tensor:
        hidden = self.project(inputs) if self.projected else inputs
        for block in self.blocks:
            hidden = block(hidden)
        outputs = self.last(keras.ops.cast(hidden, self.variable_dtype))
        if self.projected:
            outputs = outputs + self.bypass(keras.ops.cast(inputs, self.variable_dtype))
        return outputs * self.gate if self._config['rezero'] else outputs

    def get_config(self) -> Config:
        return dict(super().get_config(), **self._config)


@keras.saving.register_keras_serializable('tfp_glow')
class DenseLayer(keras.layers.Layer):
    """One layer of a `DenseNetwork`: `[B, H, W, C] -> [B, H, W, C + growth]`."""

    def __init__(self, growth: int, activation: str = 'relu', normalise: bool = False,
                 position_bias: bool = False, seed: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._config: Config = {'growth': growth, 'activation': activation, 'normalise': normalise,
                                'position_bias': position_bias, 'seed': seed}
        self._activation = getattr(keras.ops, activation)

    def build(self, input_shape: BatchShape) -> None:
        *rest, channels = input_shape
        growth, seed, kind = self._config['growth'], self._config['seed'], self.dtype_policy
        self.mix = ScaledConv2D(channels, 1, _glorot(seed), None, dtype=kind, name='mix')
        self.conv = ScaledConv2D(growth, 3, _glorot(seed + 1), None, dtype=kind, name='conv',
                                 position_bias=self._config['position_bias'])
        self.norms = [keras.layers.GroupNormalization(
            max(g for g in _GROUPS if count % g == 0), dtype=kind, name=f'norm_{i}')
            for i, count in enumerate((channels, growth)) if self._config['normalise']]
        for layer, count in zip((self.mix, self.conv, *self.norms), 3 * (channels,) + (growth,)):
            layer.build((*rest, count))

    def call(self, inputs: Tensor) -> Tensor:
        hidden = inputs
        for i, layer in enumerate((self.mix, self.conv)):
            hidden = layer(hidden)
            if self.norms:
                hidden = self.norms[i](hidden)
            hidden = self._activation(hidden)
        return keras.ops.concatenate([inputs, hidden], axis=-1)

    def get_config(self) -> Config:
        return dict(super().get_config(), **self._config)


def dense_network(input_shape: Shape, outputs: int, width: int, **options: Any) -> DenseNetwork:
    """Returns a built `DenseNetwork` for images of `input_shape = (H, W, C)`.

    The `options` are arguments of `DenseNetwork`.

    ```python
    >>> import tfp_glow
    >>> network = tfp_glow.networks.dense_network((8, 8, 3), outputs=1, width=16, depth=4)
    >>> network.count_params()
    1924

    ```
    """
    network = DenseNetwork(outputs, width, **options)
    network.build((None, *input_shape))
    return network


def _glorot(seed: int) -> keras.initializers.Initializer:
    return keras.initializers.GlorotUniform(seed=seed)
