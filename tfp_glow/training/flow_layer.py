"""`FlowLayer`, a flow as a layer of the user's own Keras model."""

import warnings
from collections.abc import MutableMapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfp_glow import dequantization, initialization, modes
from tfp_glow.bijectors import conditions
from tfp_glow.distributions import with_temperature
from tfp_glow.internal import configs, keras_tracking, keras_training
from tfp_glow.internal import variables as named_variables
from tfp_glow.types import Condition, Latents, Seed, TensorLike


@keras.saving.register_keras_serializable('tfp_glow')
class FlowLayer(keras.layers.Layer):
    """Gives log p(x) of a flow within a Keras model, whose `fit` then trains the flow.

    ```none
    call(x) = log p(x)        nats, `[...]` for x `[..., *event_shape]`
    ```

    Keras tracks no `tf.Module`: a flow that a Keras layer or model holds as it is never trains.
    This layer makes every variable of the flow a weight of the model, which `summary` counts, `fit`
    moves, `save_weights` saves and `trainable = False` freezes. The flow itself sees what `fit`
    does, as both have the same variables.

    Data-dependent parameters, those of `ActNorm`, are set by `initialize`. A flow with `BatchNorm`
    normalises by the batch in training, and by what `update_statistics` has set otherwise.

    Args:
        flow: A `tfd.TransformedDistribution` or a `flows.IntegerFlow`.
        name: The name of the layer.
        **kwargs: Other arguments of `keras.layers.Layer`, such as `trainable`.

    Raises:
        ValueError: If the flow has no variables.

    See also: `FlowModel`, which trains a flow alone and dequantizes images.

    ```python
    >>> import keras, numpy as np, tfp_glow
    >>> flow = tfp_glow.flows.maf(2, layers=2, hidden=[8], batch_norm=False)
    >>> layer = tfp_glow.FlowLayer(flow)
    >>> inputs = keras.Input([2])
    >>> model = keras.Model(inputs, layer(inputs))
    >>> model.compile('adam', loss=lambda y, log_prob: -log_prob)
    >>> x = np.random.default_rng(0).normal(size=[64, 2]).astype(np.float32)
    >>> history = model.fit(x, np.zeros(64), epochs=2, verbose=0)
    >>> history.history['loss'][1] < history.history['loss'][0]
    True
    >>> layer.sample(3, seed=[0, 1]).shape
    TensorShape([3, 2])

    ```
    """

    def __init__(self, flow: tfd.Distribution, name: str = 'flow_layer', **kwargs: Any) -> None:
        kwargs.setdefault('dtype', flow.dtype.name)
        super().__init__(name=name, autocast=False, **kwargs)
        if not flow.variables:
            raise ValueError(f'flow must have variables; {flow.name} has none.')
        self.flow = flow
        self._training_flow = modes.with_training(flow)
        self._takes_condition = dequantization.is_discrete(flow) is False and (
            conditions.takes_condition(flow.bijector))
        with keras.name_scope(name):
            self._held = keras_tracking.keras_variables(flow)
        if not kwargs.get('trainable', True):
            for variable in self._held:
                variable.trainable = False
        self._statistics_set = self._training_flow is self.flow
        self.built = True

    def call(self, inputs: TensorLike, condition: Condition = None,
             training: bool | None = None) -> tf.Tensor:
        """Returns log p(inputs) in nats, given the condition if the flow takes one."""
        data, given = self._as_data(inputs), self._given(condition)
        self.add_loss(tf.convert_to_tensor(keras_training.penalty([self.flow])))
        if not training:
            if not self._statistics_set:
                warnings.warn(f'{self.name}: the statistics by which the BatchNorm of '
                              f'{self.flow.name} evaluates have not been set since it trained; '
                              'call update_statistics(batch).', stacklevel=2)
            return self.flow.log_prob(data, **given)
        self._statistics_set = self._training_flow is self.flow
        self._check_initialized()
        keras_training.check_trained([self.flow])
        with keras_training.training():
            return self._training_flow.log_prob(data, **given)

    def _check_initialized(self) -> None:
        with tf.init_scope():
            if not initialization.is_initialized(self.flow):
                warnings.warn(f'{self.name}: the data-dependent parameters of {self.flow.name} '
                              'have not been set; call initialize(batch) before fit.',
                              stacklevel=3)

    def compute_output_shape(self, input_shape: Any, *conditions: Any) -> tuple[Any, ...]:
        """Returns the shape of `call`: that of the batch."""
        del conditions
        return tuple(input_shape)[:len(input_shape) - self.flow.event_shape.rank]

    def compute_output_spec(self, inputs: Any, condition: Any = None,
                            training: bool | None = None) -> keras.KerasTensor:
        """Returns the shape and the dtype of `call`, without calling it."""
        del training
        self._given(condition)
        return keras.KerasTensor(self.compute_output_shape(inputs.shape), self.flow.dtype.name)

    def initialize(self, inputs: TensorLike, condition: Condition = None) -> None:
        """Sets the data-dependent parameters that have not been set, from a batch of data."""
        initialization.initialize(self.flow, self._as_data(inputs), condition)

    def update_statistics(self, inputs: TensorLike, condition: Condition = None) -> None:
        """Sets the statistics by which `BatchNorm` evaluates, from a batch of data."""
        initialization.update_statistics(self.flow, self._as_data(inputs), condition)
        self._statistics_set = True

    def sample(self, count: int, seed: Seed = None, condition: Condition = None,
               temperature: TensorLike = 1.) -> tf.Tensor:
        """Returns so many samples, `[count, *event_shape]`; a seed is two integers."""
        return with_temperature(self.flow, temperature).sample(
            count, seed=seed, **self._given(condition))

    def latents(self, inputs: TensorLike, condition: Condition = None) -> Latents:
        """Returns the latents of data: one tensor, or a list with one per level."""
        return self.flow.bijector.inverse(self._as_data(inputs), **self._given(condition))

    def data(self, latents: Latents, condition: Condition = None) -> tf.Tensor:
        """Returns the data of latents: the inverse of `latents`."""
        return self.flow.bijector.forward(latents, **self._given(condition))

    def get_config(self) -> dict[str, Any]:
        """Returns what `from_config` rebuilds the layer from.

        Raises:
            NotImplementedError: If no builder of `tfp_glow.flows` made the flow.
        """
        return dict(super().get_config(), flow=configs.of(self.flow, 'model.save_weights(path)'))

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> 'FlowLayer':
        """Returns a layer with a flow of the same architecture."""
        config = {key: value for key, value in config.items() if key != 'autocast'}
        return cls(configs.rebuilt(config.pop('flow')), **config)

    def save_own_variables(self, store: MutableMapping[str, np.ndarray]) -> None:
        """Saves the weights by their paths."""
        named_variables.store(self.flow, store)

    def load_own_variables(self, store: MutableMapping[str, Any]) -> None:
        """Loads what `save_own_variables` saved.

        Raises:
            ValueError: If these are the weights of another flow; the message names what differs.
        """
        named_variables.load(self.flow, store)

    def _as_data(self, inputs: TensorLike) -> tf.Tensor:
        return tf.cast(inputs, self.flow.dtype)

    def _given(self, condition: Condition) -> dict[str, Condition]:
        if self._takes_condition and condition is None:
            raise ValueError(f'condition must be given to {self.name}, as {self.flow.name} takes '
                             'one; got None.')
        if condition is not None and not self._takes_condition:
            raise ValueError(f'condition must be left out for {self.name}, as {self.flow.name} '
                             'takes none.')
        return {} if condition is None else {'condition': condition}
