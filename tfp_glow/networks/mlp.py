"""A plain multi-layer perceptron over vectors."""

from collections.abc import Sequence
from typing import Any

import keras

from tfp_glow.networks.condition import ConditionBias, required
from tfp_glow.networks.types import Activation, BatchShape, Config, Tensor


@keras.saving.register_keras_serializable('tfp_glow')
class MLPNetwork(keras.Model):
    """Dense layers, the last of which is linear: `[B, inputs] -> [B, outputs]`.

    ```none
    h_0 = x        h_k = activation(h_{k-1} W_k + b_k + row_k(condition))        y = h_n W + b
    ```

    Args:
        outputs: The number of entries of the output.
        hidden: The number of units of each hidden layer; an empty list makes a linear map.
        activation: The activation of the hidden layers: a name in Keras or a function.
        zero_last: Whether the last layer starts at zero, so that a coupling starts as the identity.
        classes: The number of classes, or None. If it is given, the network is called with
            `condition=`, labels `[B]`, which add a learned bias to each hidden layer; see
            `ConditionBias`.
        seed: An integer from which the initial weights are drawn.

    Raises:
        ValueError: If `outputs` or a number in `hidden` is not positive, or if `classes` is given
            without a hidden layer.

    #### References
    Dinh, Krueger and Bengio, *NICE*, 2014, arXiv:1410.8516, section 5.1.
    """

    def __init__(self, outputs: int, hidden: Sequence[int] = (64, 64),
                 activation: Activation = 'relu', zero_last: bool = True,
                 classes: int | None = None, seed: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        hidden = tuple(hidden)
        if outputs < 1 or min(hidden, default=1) < 1:
            raise ValueError(f'outputs and hidden must be positive; got {outputs=}, {hidden=}.')
        if classes is not None and not hidden:
            raise ValueError('hidden must hold at least one number for a condition to enter by; '
                             f'got {hidden=}, {classes=}.')
        self._config: Config = {'outputs': outputs, 'hidden': hidden, 'zero_last': zero_last,
                                'classes': classes, 'seed': seed}
        self.activation = keras.activations.get(activation)
        sizes = [*hidden, outputs]
        self.dense_layers = [keras.layers.Dense(
            units, name=f'dense_{k}', dtype=self.dtype_policy,
            kernel_initializer='zeros' if zero_last and k == len(hidden)
            else keras.initializers.GlorotUniform(seed + 2 * k)) for k, units in enumerate(sizes)]
        self.condition_layers = [] if classes is None else [ConditionBias(
            units, classes, name=f'condition_{k}', dtype=self.dtype_policy,
            initializer=keras.initializers.RandomNormal(0., .05, seed=seed + 2 * k + 1))
            for k, units in enumerate(hidden)]

    @property
    def takes_condition(self) -> bool:
        """Whether the network is called with `condition=`."""
        return self._config['classes'] is not None

    def build(self, input_shape: BatchShape) -> None:
        for layer in self.dense_layers:
            layer.build(input_shape)
            input_shape = (*input_shape[:-1], layer.units)
        for layer in self.condition_layers:
            layer.build()
        self.built = True

    def call(self, inputs: Tensor, condition: Tensor | None = None) -> Tensor:
        *hidden_layers, last = self.dense_layers
        hidden = inputs
        for k, layer in enumerate(hidden_layers):
            hidden = layer(hidden)
            if self.takes_condition:
                rows = self.condition_layers[k](required(condition, self.name))
                hidden = hidden + rows[:, 0, 0]
            hidden = self.activation(hidden)
        return last(hidden)

    def get_config(self) -> Config:
        return dict(super().get_config(), **self._config,
                    activation=keras.activations.serialize(self.activation))


def mlp(inputs: int, outputs: int, hidden: Sequence[int] = (64, 64), **options: Any) -> MLPNetwork:
    """Returns a built `MLPNetwork` for vectors of `inputs` entries.

    The `options` are arguments of `MLPNetwork`.

    Raises:
        ValueError: If `inputs` is not positive, and as for `MLPNetwork`.

    ```python
    >>> import tfp_glow
    >>> network = tfp_glow.networks.mlp(3, outputs=2, hidden=[8, 8])
    >>> network.count_params()
    122

    ```
    """
    if inputs < 1:
        raise ValueError(f'inputs must be positive; got {inputs=}.')
    network = MLPNetwork(outputs, hidden, **options)
    network.build((None, inputs))
    return network
