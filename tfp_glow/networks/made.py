"""MADE: a dense network whose outputs for one dimension see only the dimensions before it."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import keras
import numpy as np

from tfp_glow.networks.condition import ConditionBias, required
from tfp_glow.networks.types import Activation, BatchShape, Config, Initializer, Tensor

ORDERS = ('natural', 'reversed', 'random')
DEGREES = ('equal', 'random')

# See `MaskedDenseNetwork.incremental`.
Step = Callable[[list[Tensor], Tensor, Tensor], tuple[list[Tensor], Tensor]]


@keras.saving.register_keras_serializable('tfp_glow')
class MaskedDense(keras.layers.Layer):
    """`[B, I] -> [B, J]`: x W + b, where `W[i, j]` counts only if output j may see input i.

    It may if its degree is at least the input's or, with `strict`, above it. The mask is applied
    in each call, so that it holds whatever the kernel is set to, and is no weight itself.

    Args:
      in_degrees: I integers.
      out_degrees: J integers.
      strict: compare by > in place of >=.
      use_bias: add b.
      kernel_initializer: a Keras initialiser.

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
        """`[I, J]`: the kernel, zero where it does not count."""
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

    With the order o, the outputs of dimension o[t] depend on the inputs o[0], ..., o[t-1] and the
    condition only. Input o[t] has degree t + 1; a hidden unit of degree m sees what has degree m
    or less; the outputs of o[t] see hidden units of degree t or less. The last layer starts at
    zero. The units of a hidden layer are sorted by degree.

    Args:
      event_size: D.
      outputs_per_dim: outputs for each dimension.
      hidden: units of each hidden layer.
      order: 'natural' (0, 1, ..., D-1), 'reversed', or 'random' (by `seed`).
      degrees: of hidden units: 'equal' shares of 1 .. D-1, or 'random' (by `seed`): uniform
        between the least of the layer before and D-1. With a condition they start at 0, the
        degree of units that see the condition alone, for dimension o[0] sees no others.
      activation: of the hidden layers, by a Keras name or a function.
      classes: the network is called with `condition=`, labels `[B]` of so many classes, which add
        a learned bias to each hidden layer.
      condition_size: `condition=` is vectors `[B, condition_size]`; a linear map of them is added
        to each hidden layer.
      direct: connect inputs and outputs directly as well, as far as the order allows.
      seed: integer for the initial weights and all that is random.

    Raises:
      ValueError: an argument out of its range; the message names it.

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
        """Makes the layers, given the degrees of the inputs."""
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
        """The network one dimension at a time, in all at about the arithmetic of one call.

        Each hidden unit is computed once, as soon as what it sees is known.

        Args:
          batch: B, an integer or a scalar tensor.
          condition: as of a call.

        Returns:
          `(state, step)`: a list of tensors, and a function of tensors `step(state, t, before) ->
          (state, raw)` to be called for t = 0, ..., D-1. `before [B]` is the value of dimension
          order[t-1], zeros for t = 0; `raw [B, outputs_per_dim]` is what a call would return for
          dimension order[t]. None with less than float32, where the rounding of a call matters.
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
            for k, (units, real) in enumerate(tables):  # Those of degree t are complete now.
                hidden = self.activation(ops.take(totals[k], units[t], axis=1))
                hidden = ops.where(real[t], hidden, ops.zeros_like(hidden))
                totals[k + 1] = totals[k + 1] + ops.matmul(
                    hidden, ops.take(kernels[k + 1], units[t], axis=0))
            raw = ops.reshape(totals[-1], (-1, *self.event_shape, self.outputs_per_dim))
            return totals, ops.take(raw, order[t], axis=1)
        return state, step

    def _biases(self, condition: Tensor | None) -> list[float | Tensor]:
        """What the condition adds to each hidden layer."""
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
    """A built `MaskedDenseNetwork` for vectors of `event_size` dimensions; `options` are its own.

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


def dimension_order(size: int, order: str, seed: int = 0,
                    choices: Sequence[str] = ORDERS) -> np.ndarray:
    """`[size]`, int32: the dimensions from the first determined to the last.

    Raises:
      ValueError: `order` is none of `choices`.
    """
    if order not in choices:
        raise ValueError(f'order must be one of {", ".join(choices)}; got {order!r}.')
    dimensions = np.arange(size, dtype=np.int32)
    if order == 'random':
        return np.random.default_rng(seed).permutation(dimensions)
    return dimensions[::-1] if order == 'reversed' else dimensions


def hidden_degrees(units: int, least: int, greatest: int,
                   rng: np.random.Generator | None = None) -> np.ndarray:
    """`[units]`, ascending in `least .. greatest`: in equal shares, or drawn by `rng`."""
    if rng is not None:
        return np.sort(rng.integers(least, greatest, units, endpoint=True))
    steps = np.arange(units) * (greatest - least + 1) // max(units - 1, 1)
    return np.minimum(least + steps, greatest)


def units_by_degree(degrees: Sequence[int] | np.ndarray,
                    size: int) -> tuple[np.ndarray, np.ndarray]:
    """Which units have degree 0, ..., size-1, in rows of one length.

    Args:
      degrees: ascending integers.
      size: number of rows.

    Returns:
      `[size, n]`, int32, indices into `degrees`, and `[size, n]`, bool: False where a row with
      less than n units is filled up.
    """
    starts, stops = (np.searchsorted(degrees, np.arange(size), side) for side in ('left', 'right'))
    places = np.arange(max(1, max(stops - starts)))
    real = places < (stops - starts)[:, None]
    return np.where(real, starts[:, None] + places, 0).astype(np.int32), real
