"""Networks of one layer of a ladder VAE: weight-normalised residual blocks, ELU before each."""

from collections.abc import Sequence
from typing import Any

import keras

from tfp_glow.networks.resampled_conv import ResampledConv2D
from tfp_glow.networks.types import Apply, BatchShape, Config, DType, Shape, Tensor

_RESIDUAL = .1  # The factor of what a block adds.


class _LadderNetwork(keras.Model):
    """What the networks of a layer share: their convolutions are called or initialised in turn."""

    def __init__(self, config: Config, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        for key, least in (('width', 1), ('latent_channels', 1), ('context_channels', 0)):
            if config.get(key, least) < least:
                raise ValueError(f'{key} must be at least {least}; got {config[key]}.')
        self._config = config

    def call(self, inputs: Tensor | list[Tensor]) -> Tensor | list[Tensor]:
        return self._run(inputs, lambda layer, x: layer(x))

    def initialize(self, inputs: Tensor | list[Tensor]) -> None:
        """Sets gains and biases from `inputs`, layer by layer, once."""
        dtype = self.compute_dtype
        inputs = [keras.ops.cast(x, dtype) for x in inputs] if isinstance(
            inputs, (list, tuple)) else keras.ops.cast(inputs, dtype)
        self._run(inputs, lambda layer, x: layer.initialize(x))

    def get_config(self) -> Config:
        return dict(super().get_config(), **self._config)

    def _convolution(self, filters: int, name: str, seed: int = 0,
                     **options: Any) -> ResampledConv2D:
        return ResampledConv2D(filters, activation='elu', seed=self._config['seed'] + seed,
                               dtype=self.dtype_policy, name=name, **options)


@keras.saving.register_keras_serializable('tfp_glow')
class LadderUp(_LadderNetwork):
    """A layer on the way up: `x [B, H, W, width] -> [features, mean, log_sd, context]`.

    ```none
    mean, log_sd, context, hidden = conv3x3(elu(x))
    features = shrunk(x) + .1 * conv3x3(elu(hidden))
    ```

    The results have the sides h = H / shrink and w = W / shrink. They have width, latent_channels,
    latent_channels and context_channels channels.

    Args:
        side: The sides `(H, W)` of x.
        width: The number of channels of the features.
        latent_channels: The number of channels of the latents.
        context_channels: The number of channels that the flow of the posterior is told; it may be
            0.
        shrink: The factor between the sides of x and the sides of the latents.
        top: Whether the layer is the last on the way up. Nothing reads the features of that layer,
            which are then just shrunk(x), without weights.
        seed: An integer from which the initial weights are drawn.

    Raises:
        ValueError: If a number of channels is out of its range, or if `side` is not divisible by
            `shrink`.

    #### References
    Kingma et al., *Improving Variational Inference with Inverse Autoregressive Flow*, 2016,
    arXiv:1606.04934, section 5.3 and figure 3.
    """

    def __init__(self, side: Shape, width: int, latent_channels: int, context_channels: int = 0,
                 shrink: int = 1, top: bool = False, seed: int = 0, **kwargs: Any) -> None:
        super().__init__({'side': tuple(side), 'width': width, 'latent_channels': latent_channels,
                          'context_channels': context_channels, 'shrink': shrink, 'top': top,
                          'seed': seed}, **kwargs)
        self.sizes = [latent_channels, latent_channels, context_channels, *([] if top else [width])]
        self.first = self._convolution(sum(self.sizes), 'conv_in', shrink=shrink)
        self.second = None if top else self._convolution(width, 'conv_out', seed=1)

    def build(self, input_shape: BatchShape | None = None) -> None:
        side, width, shrink = (self._config[key] for key in ('side', 'width', 'shrink'))
        self.first.build((None, *side, width))
        if self.second is not None:
            self.second.build((None, side[0] // shrink, side[1] // shrink, width))

    def _run(self, inputs: Tensor, apply: Apply) -> list[Tensor]:
        mean, log_sd, context, *hidden = _split(apply(self.first, inputs), self.sizes)
        shrink = self._config['shrink']
        if shrink > 1:
            inputs = keras.ops.average_pool(inputs, shrink, shrink)
        if self.second is not None:
            inputs = inputs + _RESIDUAL * apply(self.second, *hidden)
        return [inputs, mean, log_sd, context]


@keras.saving.register_keras_serializable('tfp_glow')
class LadderDown(_LadderNetwork):
    """What a layer on the way down says of its latents: `x [B, h, w, width] ->` six tensors.

    ```none
    [prior_mean, prior_log_sd, mean, log_sd, context, hidden] = conv3x3(elu(x))
    ```

    The first four have latent_channels channels, context has context_channels and hidden has width.
    mean and log_sd are the share of the way down in the posterior's mean and log_sd.

    Args:
        side: The sides `(h, w)` of x.
        width: See `LadderUp`.
        latent_channels: See `LadderUp`.
        context_channels: See `LadderUp`.
        position_bias: Whether to learn the bias of the outputs per position, see
            `WeightNormConv2D`.
        seed: An integer from which the initial weights are drawn.

    Raises:
        ValueError: If a number of channels is out of its range.

    #### References
    See `LadderUp`.
    """

    def __init__(self, side: Shape, width: int, latent_channels: int, context_channels: int = 0,
                 position_bias: bool = False, seed: int = 0, **kwargs: Any) -> None:
        super().__init__({'side': tuple(side), 'width': width, 'latent_channels': latent_channels,
                          'context_channels': context_channels, 'position_bias': position_bias,
                          'seed': seed}, **kwargs)
        self.sizes = [latent_channels] * 4 + [context_channels, width]
        self.first = self._convolution(sum(self.sizes), 'conv_in', position_bias=position_bias)

    def build(self, input_shape: BatchShape | None = None) -> None:
        self.first.build((None, *self._config['side'], self._config['width']))

    def _run(self, inputs: Tensor, apply: Apply) -> list[Tensor]:
        return _split(apply(self.first, inputs), self.sizes)


@keras.saving.register_keras_serializable('tfp_glow')
class LadderMerge(_LadderNetwork):
    """The end of a layer on the way down: `[x, latents, hidden] -> [B, H, W, width]`.

    ```none
    features = grown(x) + .1 * conv3x3(elu([latents, hidden]))
    ```

    The three inputs have the sides h and w, and width, latent_channels and width channels. The
    result has the sides `H = h * grow` and `W = w * grow`.

    Args:
        side: The sides `(h, w)` of the inputs.
        width: See `LadderUp`.
        latent_channels: See `LadderUp`.
        grow: The factor between the sides of the latents and the sides of the features.
        seed: An integer from which the initial weights are drawn.

    Raises:
        ValueError: If a number of channels or `grow` is not positive.

    #### References
    See `LadderUp`.
    """

    def __init__(self, side: Shape, width: int, latent_channels: int, grow: int = 1, seed: int = 0,
                 **kwargs: Any) -> None:
        super().__init__({'side': tuple(side), 'width': width, 'latent_channels': latent_channels,
                          'grow': grow, 'seed': seed}, **kwargs)
        self.first = self._convolution(width, 'conv_out', grow=grow)

    def build(self, input_shape: BatchShape | None = None) -> None:
        config = self._config
        self.first.build((None, *config['side'], config['latent_channels'] + config['width']))

    def _run(self, inputs: list[Tensor], apply: Apply) -> Tensor:
        features, latents, hidden = inputs
        change = apply(self.first, keras.ops.concatenate([latents, hidden], axis=-1))
        grow = self._config['grow']
        for axis in (1, 2) if grow > 1 else ():
            features = keras.ops.repeat(features, grow, axis=axis)
        return features + _RESIDUAL * change


def ladder_layer(side: Shape, width: int, latent_channels: int, context_channels: int = 0,
                 factor: int = 1, top: bool = False, position_bias: bool = False, seed: int = 0,
                 dtype: DType | None = None) -> tuple[LadderUp, LadderDown, LadderMerge]:
    """Returns the built networks `(up, down, merge)` of one layer of a ladder.

    Args:
        side: The sides `(H, W)` of the features below the layer.
        width: See `LadderUp`.
        latent_channels: See `LadderUp`.
        context_channels: See `LadderUp`.
        factor: The number by which the sides are divided on the way up and multiplied on the way
            down.
        top: See `LadderUp`.
        position_bias: See `LadderDown`.
        seed: An integer from which the initial weights are drawn.
        dtype: A dtype or a dtype policy of Keras.

    Raises:
        ValueError: As for `LadderUp`.

    ```python
    >>> import tensorflow as tf, tfp_glow
    >>> up, down, merge = tfp_glow.networks.ladder_layer((8, 8), 16, latent_channels=4, factor=2)
    >>> features, mean, log_sd, context = up(tf.zeros([5, 8, 8, 16]))
    >>> features.shape, mean.shape
    (TensorShape([5, 4, 4, 16]), TensorShape([5, 4, 4, 4]))
    >>> merge([features, mean, down(features)[-1]]).shape
    TensorShape([5, 8, 8, 16])

    ```
    """
    up = LadderUp(side, width, latent_channels, context_channels, factor, top, seed=seed,
                  dtype=dtype, name='up')
    coarse = tuple(length // factor for length in side)
    down = LadderDown(coarse, width, latent_channels, context_channels, position_bias,
                      seed=seed + 2, dtype=dtype, name='down')
    merge = LadderMerge(coarse, width, latent_channels, factor, seed=seed + 3, dtype=dtype,
                        name='merge')
    for network in (up, down, merge):
        network.build()
    return up, down, merge


def _split(images: Tensor, sizes: Sequence[int]) -> list[Tensor]:
    ends = [sum(sizes[:k]) for k in range(1, len(sizes))]
    return list(keras.ops.split(images, ends, axis=-1))
