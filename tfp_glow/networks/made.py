"""MADE: a dense network whose outputs for one dimension see only the dimensions before it."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import keras
import numpy as np

from tfp_glow.networks.condition import ConditionBias, required
from tfp_glow.networks.degrees import dimension_order, hidden_degrees, units_by_degree
from tfp_glow.networks.types import Activation, BatchShape, Config, Initializer, Tensor

DEGREES = ('equal', 'random')

# See `MaskedDenseNetwork.incremental`.
Step = Callable[[list[Tensor], Tensor, Tensor], tuple[list[Tensor], Tensor]]


@keras.saving.register_keras_serializable('tfp_glow')
class MaskedDense(keras.layers.Layer):
    """A dense layer `[B, I] -> [B, J]`: x W + b, where `W[i, j]` is zero if j may not see i.

    Output j may see input i if the degree of j is at least the degree of i or, with `strict`,
    greater than it. The mask is applied in each call, so that it holds whatever values the kernel
    has. The mask is not a weight itself.

    Args:
        in_degrees: The degrees of the inputs, I integers.
        out_degrees: The degrees of the outputs, J integers.
        strict: Whether to compare by > in place of >=.
        use_bias: Whether to add b.
        kernel_initializer: An initialiser of Keras, or its name.

    #### References
    Germain et al., *MADE*, 2015, arXiv:1502.03509, section 4.
    """

    def __init__(self, in_degrees: Iterable[int], out_degrees: Iterable[int], strict: bool = False,
                 use_bias: bool = True, kernel_initializer: Initializer = 'glorot_uniform',
                 **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.in_degrees = tuple(map(int, in_degrees))
        self.out_degrees = tuple(map(int, out_degrees))
        self.strict, self.use_bias = strict, use_bias
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    def build(self, input_shape: BatchShape | None = None) -> None:
        inputs, outputs = len(self.in_degrees), len(self.out_degrees)
        self.input_spec = keras.layers.InputSpec(ndim=2, axes={-1: inputs})
        self.kernel = self.add_weight(name='kernel', shape=(inputs, outputs),
                                      initializer=self.kernel_initializer)
        if self.use_bias:
            self.bias = self.add_weight(name='bias', shape=(outputs,), initializer='zeros')

    def call(self, inputs: Tensor) -> Tensor:
        outputs = keras.ops.matmul(inputs, self.masked_kernel())
        return outputs + self.bias if self.use_bias else outputs

    def masked_kernel(self) -> Tensor:
        """Returns the kernel `[I, J]`, with zeros where an output may not see an input."""
        ops = keras.ops
        kernel = ops.convert_to_tensor(self.kernel)
        low = ops.convert_to_tensor(self.in_degrees, dtype='int32')[:, None]
        high = ops.convert_to_tensor(self.out_degrees, dtype='int32')
        seen = ops.greater(high, low) if self.strict else ops.greater_equal(high, low)
        return ops.where(seen, kernel, ops.zeros_like(kernel))

    def get_config(self) -> Config:
        return dict(super().get_config(), in_degrees=self.in_degrees, out_degrees=self.out_degrees,
                    strict=self.strict, use_bias=self.use_bias,
                    kernel_initializer=keras.initializers.serialize(self.kernel_initializer))


@keras.saving.register_keras_serializable('tfp_glow')
class MaskedDenseNetwork(keras.Model):
    """MADE: `[B, D] -> [B, D, outputs_per_dim]`, autoregressive in a given order.

    With the order o, the outputs of dimension o[t] depend only on the inputs o[0], ..., o[t-1] and
    on the condition. Input o[t] has degree t + 1. A hidden unit of degree m sees what has degree m
    or less. The outputs of o[t] see the hidden units of degree t or less. The last layer starts at
    zero. The units of a hidden layer are sorted by degree.

    Args:
        event_size: The number of dimensions D.
        outputs_per_dim: The number of outputs for each dimension.
        hidden: The number of units of each hidden layer.
        order: 'natural' (0, 1, ..., D-1), 'reversed', or 'random' (drawn with `seed`).
        degrees: The degrees of the hidden units: 'equal' for equal shares of 1 .. D-1, or 'random'
            for uniform draws with `seed` between the least degree of the layer before and D-1. With
            a condition the degrees start at 0: units of degree 0 see the condition alone, and
            dimension o[0] sees no other units.
        activation: The activation of the hidden layers: a name in Keras or a function.
        classes: The number of classes, or None. If it is given, the network is called with
            `condition=`, labels `[B]`, which add a learned bias to each hidden layer.
        condition_size: If it is given, `condition=` is vectors `[B, condition_size]`, and a linear
            map of them is added to each hidden layer.
        direct: Whether to connect inputs and outputs directly as well, as far as the order allows.
        seed: An integer from which the initial weights and all that is random are drawn.

    Raises:
        ValueError: If an argument is out of its range. The message names it.

    #### References
    Germain et al., *MADE*, 2015, arXiv:1502.03509, section 4.
    """

    def __init__(self, event_size: int, outputs_per_dim: int, hidden: Sequence[int] = (64, 64),
                 order: str = 'natural', degrees: str = 'equal', activation: Activation = 'relu',
                 classes: int | None = None, condition_size: int | None = None,
                 direct: bool = False, seed: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        hidden = tuple(hidden)
        if min(event_size, outputs_per_dim) < 1:
            raise ValueError('event_size and outputs_per_dim must be positive; '
                             f'got {event_size=}, {outputs_per_dim=}.')
        if not hidden or min(hidden) < 1:
            raise ValueError(f'hidden must hold at least one number, all positive; got {hidden=}.')
        if degrees not in DEGREES:
            raise ValueError(f'degrees must be one of {", ".join(DEGREES)}; got {degrees!r}.')
        if classes is not None and condition_size is not None:
            raise ValueError('at most one of classes and condition_size may be given; '
                             f'got {classes=}, {condition_size=}.')
        if any(size is not None and size < 1 for size in (classes, condition_size)):
            raise ValueError('classes and condition_size must be positive; '
                             f'got {classes=}, {condition_size=}.')
        self._config: Config = {'event_size': event_size, 'outputs_per_dim': outputs_per_dim,
                                'hidden': hidden, 'order': order, 'degrees': degrees,
                                'activation': activation, 'classes': classes,
                                'condition_size': condition_size, 'direct': direct, 'seed': seed}
        self.outputs_per_dim = outputs_per_dim
        self.event_shape = (event_size,)
        self.order = dimension_order(event_size, order, seed)
        self.activation = keras.activations.get(activation)
        self._connect(np.argsort(self.order) + 1)

    def _connect(self, inputs: np.ndarray) -> None:
        """Makes the layers from the degrees of the inputs."""
        config, policy = self._config, self.dtype_policy
        outputs = np.repeat(inputs, self.outputs_per_dim)
        least = 0 if self.takes_condition else 1
        rng = np.random.default_rng(config['seed'])
        self.hidden_layers, self.condition_layers, before = [], [], inputs
        for k, units in enumerate(config['hidden']):
            after = hidden_degrees(units, least, max(config['event_size'] - 1, 1),
                                   rng if config['degrees'] == 'random' else None)
            self.hidden_layers.append(MaskedDense(
                before, after, dtype=policy, name=f'hidden_{k}',
                kernel_initializer=keras.initializers.GlorotUniform(config['seed'] + 2 * k)))
            if self.takes_condition:
                self.condition_layers.append(ConditionBias(
                    units, config['classes'], config['condition_size'], side=(1, 1),
                    initializer=keras.initializers.RandomNormal(
                        0., .05, seed=config['seed'] + 2 * k + 1),
                    dtype=policy, name=f'condition_{k}'))
            before, least = after, min(after)
        self.last = MaskedDense(before, outputs, strict=True, dtype=policy, name='last',
                                kernel_initializer='zeros')
        self.direct: MaskedDense | None = None
        if config['direct']:
            self.direct = MaskedDense(inputs, outputs, strict=True, use_bias=False, dtype=policy,
                                      name='direct', kernel_initializer='zeros')

    @property
    def takes_condition(self) -> bool:
        """Whether the network is called with `condition=`."""
        return any(self._config[key] is not None for key in ('classes', 'condition_size'))

    def build(self, input_shape: BatchShape | None = None) -> None:
        layers: list[keras.Layer | None] = [
            *self.hidden_layers, *self.condition_layers, self.last, self.direct]
        for layer in filter(None, layers):
            layer.build()

    def call(self, inputs: Tensor, condition: Tensor | None = None) -> Tensor:
        biases = self._biases(condition)
        hidden = inputs
        for layer, bias in zip(self.hidden_layers, biases, strict=True):
            hidden = self.activation(layer(hidden) + bias)
        outputs = self.last(hidden)
        if self.direct is not None:
            outputs = outputs + self.direct(inputs)
        return keras.ops.reshape(outputs, (-1, *self.event_shape, self.outputs_per_dim))

    def incremental(self, batch: int | Tensor,
                    condition: Tensor | None = None) -> tuple[list[Tensor], Step] | None:
        """Runs the network one dimension at a time.

        All steps together take about the arithmetic of one call. Each hidden unit is computed once,
        as soon as all that it sees is known.

        Args:
            batch: The number B of vectors, an integer or a scalar tensor.
            condition: The condition of a call.

        Returns:
            `(state, step)`: a list of tensors, and a function of tensors
            `step(state, t, before) -> (state, raw)` to be called for t = 0, ..., D-1. `before [B]`
            is the value of dimension order[t-1], zeros for t = 0. `raw [B, outputs_per_dim]` is
            what a call would return for dimension order[t]. The answer is None if the precision is
            less than float32, where the rounding of a call matters.
        """
        if self.compute_dtype not in ('float32', 'float64'):
            return None
        ops, layers = keras.ops, [*self.hidden_layers, self.last]
        state = [ops.zeros((batch, len(layer.out_degrees)), self.compute_dtype)
                 + ops.convert_to_tensor(layer.bias) + bias
                 for layer, bias in zip(layers, [*self._biases(condition), 0.], strict=True)]
        kernels = [layer.masked_kernel() for layer in layers]
        direct = None if self.direct is None else self.direct.masked_kernel()
        tables = [[ops.convert_to_tensor(table)
                   for table in units_by_degree(layer.out_degrees, len(self.order))]
                  for layer in self.hidden_layers]
        order = ops.convert_to_tensor(self.order)

        def step(state: list[Tensor], t: Tensor, before: Tensor) -> tuple[list[Tensor], Tensor]:
            totals, before = list(state), ops.cast(before, self.compute_dtype)[:, None]
            last = order[ops.maximum(t - 1, 0)]
            totals[0] = totals[0] + before * kernels[0][last]
            if direct is not None:
                totals[-1] = totals[-1] + before * direct[last]
            for k, (units, real) in enumerate(tables):  # Units of degree t are known now.
                hidden = self.activation(ops.take(totals[k], units[t], axis=1))
                hidden = ops.where(real[t], hidden, ops.zeros_like(hidden))
                totals[k + 1] = totals[k + 1] + ops.matmul(
                    hidden, ops.take(kernels[k + 1], units[t], axis=0))
            raw = ops.reshape(totals[-1], (-1, *self.event_shape, self.outputs_per_dim))
            return totals, ops.take(raw, order[t], axis=1)
        return state, step

    def _biases(self, condition: Tensor | None) -> list[float | Tensor]:
        """Returns what the condition adds to each hidden layer."""
        if not self.takes_condition:
            return [0.] * len(self.hidden_layers)
        condition = required(condition, self.name)
        size = self._config['condition_size']
        if size is not None:
            if len(condition.shape) != 2 or condition.shape[-1] != size:
                raise ValueError(f'condition must be vectors [B, {size}]; '
                                 f'got shape={tuple(condition.shape)}.')
            condition = condition[:, None, None]
        return [layer(condition)[:, 0, 0] for layer in self.condition_layers]

    def get_config(self) -> Config:
        return dict(super().get_config(), **dict(
            self._config, activation=keras.activations.serialize(self.activation)))


def made(event_size: int, outputs_per_dim: int, hidden: Sequence[int] = (64, 64),
         **options: Any) -> MaskedDenseNetwork:
    """Returns a built `MaskedDenseNetwork` for vectors of `event_size` dimensions.

    The `options` are arguments of `MaskedDenseNetwork`.

    ```python
    >>> import tfp_glow
    >>> network = tfp_glow.networks.made(3, outputs_per_dim=2, hidden=[8, 8], order='reversed')
    >>> network.order
    array([2, 1, 0], dtype=int32)
    >>> network.count_params()
    158

    ```
    """
    network = MaskedDenseNetwork(event_size, outputs_per_dim, hidden, **options)
    network.build((None, event_size))
    return network
