"""Glow's coupling network."""

from typing import Any

import keras

from tfp_glow.networks.condition import ConditionBias, required
from tfp_glow.networks.scaled_conv import ScaledConv2D
from tfp_glow.networks.types import BatchShape, Config, Shape, Tensor


@keras.saving.register_keras_serializable('tfp_glow')
class ConvNetwork(keras.Model):
    """3x3 convolution, ReLU, 1x1, ReLU, 3x3 that starts at zero: `[B, H, W, C] -> [B, H, W, out]`.

    As in the reference, the hidden layers have actnorm and the last layer is scaled by exp(3
    log_scale). With `act_norm=False` all three are plain convolutions with a bias. The weights of
    the hidden layers start as draws from a Normal with standard deviation .05.

    Args:
        outputs: The number of channels of the output.
        width: The number of channels of both hidden layers.
        act_norm: Whether to normalise the hidden layers from data and to scale the last layer.
        edge_indicator: Whether to tell the 3x3 convolutions where the image ends.
        position_bias: Whether to give the 3x3 convolutions a bias per position, see `ScaledConv2D`.
        classes: The number of classes, or None. If it is given, the network is called with
            `condition=`, labels `[B]`, which add a learned bias to the first hidden layer; see
            `ConditionBias`.
        condition_channels: The number of channels, or None. If it is given, the network is called
            with `condition=`, a feature map `[B, h, w, condition_channels]`.
        seed: An integer from which the initial weights are drawn.

    Raises:
        ValueError: If `outputs` or `width` is not positive.

    #### References
    Kingma and Dhariwal, *Glow*, 2018, arXiv:1807.03039, section 3.3 and appendix B.
    """

    def __init__(self, outputs: int, width: int, act_norm: bool = True, edge_indicator: bool = True,
                 position_bias: bool = False, classes: int | None = None,
                 condition_channels: int | None = None, seed: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if outputs < 1 or width < 1:
            raise ValueError(f'outputs and width must be positive; got {outputs=}, {width=}.')
        self._config: Config = {'outputs': outputs, 'width': width, 'act_norm': act_norm,
                                'edge_indicator': edge_indicator, 'position_bias': position_bias,
                                'classes': classes, 'condition_channels': condition_channels,
                                'seed': seed}
        hidden = {'rate': 1. if act_norm else None, 'normalise': act_norm,
                  'edge_indicator': edge_indicator, 'dtype': self.dtype_policy}
        self.convolutions = [
            ScaledConv2D(width, 3, keras.initializers.RandomNormal(0., .05, seed=seed),
                         name='conv_in', position_bias=position_bias, **hidden),
            ScaledConv2D(width, 1, keras.initializers.RandomNormal(0., .05, seed=seed + 1),
                         name='conv_hidden', **hidden),
            ScaledConv2D(outputs, 3, 'zeros', rate=3. if act_norm else None,
                         edge_indicator=edge_indicator, position_bias=position_bias,
                         dtype=self.dtype_policy, name='conv_out')]

    @property
    def takes_condition(self) -> bool:
        """Whether the network is called with `condition=`."""
        return any(self._config[key] is not None for key in ('classes', 'condition_channels'))

    def build(self, input_shape: BatchShape) -> None:
        if self.takes_condition:
            self.condition_bias = ConditionBias(
                self._config['width'], self._config['classes'], self._config['condition_channels'],
                input_shape[1:3], keras.initializers.RandomNormal(
                    0., .05, seed=self._config['seed'] + 2),
                dtype=self.dtype_policy, name='condition_bias')
            self.condition_bias.build()
        for layer in self.convolutions:
            layer.build(input_shape)
            input_shape = (*input_shape[:-1], layer.filters)
        self.built = True

    def call(self, inputs: Tensor, condition: Tensor | None = None) -> Tensor:
        first, second, last = self.convolutions
        hidden = keras.ops.relu(self._conditioned(first(inputs), condition))
        return last(keras.ops.relu(second(hidden)))

    def initialize(self, inputs: Tensor, condition: Tensor | None = None) -> None:
        """Sets the data-dependent weights of the hidden layers from `inputs`, once."""
        first, second, _ = self.convolutions
        if first.normalise:
            hidden = self._conditioned(first.initialize(inputs), condition)
            second.initialize(keras.ops.relu(hidden))

    def _conditioned(self, hidden: Tensor, condition: Tensor | None) -> Tensor:
        if not self.takes_condition:
            return hidden
        return hidden + self.condition_bias(required(condition, self.name))

    def get_config(self) -> Config:
        return dict(super().get_config(), **self._config)


def conv_network(input_shape: Shape, outputs: int, width: int, **options: Any) -> ConvNetwork:
    """Returns a built `ConvNetwork` for images of `input_shape = (H, W, C)`.

    The `options` are arguments of `ConvNetwork`.

    ```python
    >>> import tfp_glow
    >>> network = tfp_glow.networks.conv_network((8, 8, 6), outputs=12, width=16)
    >>> network.count_params()
    3190

    ```
    """
    network = ConvNetwork(outputs, width, **options)
    network.build((None, *input_shape))
    return network
