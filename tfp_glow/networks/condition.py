"""How a condition enters a network: as a bias per class, or as a map added to a hidden layer."""

from typing import Any

import keras

from tfp_glow.networks.types import BatchShape, Config, Initializer, Shape, Tensor


@keras.saving.register_keras_serializable('tfp_glow')
class ConditionBias(keras.layers.Layer):
    """What a condition adds to images of `filters` channels.

    * `classes=n`: integer labels `[B]` from 0 to n - 1 become `[B, 1, 1, filters]`, a learned row
      for each class. Other labels become zeros.
    * `channels=c`: feature maps `[B, h, w, c]` become `[B, H, W, filters]` by a 1x1 convolution.
      The map is first brought to the size of the images: by averages where h and w are multiples
      of H and W, by interpolation otherwise.

    Args:
        filters: The number of channels of the result.
        classes: The number of classes, or None.
        channels: The number of channels of the feature map, or None.
        side: The size of the images, `(H, W)`. It is needed with `channels`.
        initializer: The initialiser of the weights: one of Keras, or its name.

    Raises:
        ValueError: If not exactly one of `classes` and `channels` is given, if it is not positive,
            or if `channels` is given without `side`.
    """

    def __init__(self, filters: int, classes: int | None = None, channels: int | None = None,
                 side: Shape | None = None, initializer: Initializer = 'zeros',
                 **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if (classes is None) == (channels is None):
            raise ValueError('exactly one of classes and channels must be given; '
                             f'got {classes=}, {channels=}.')
        if any(size is not None and size < 1 for size in (classes, channels)):
            raise ValueError(f'classes and channels must be positive; got {classes=}, {channels=}.')
        if channels is not None and side is None:
            raise ValueError(f'side must be given with channels; got {side=}.')
        self.filters, self.classes, self.channels = filters, classes, channels
        self.side = None if side is None else tuple(side)
        self.kernel_initializer = keras.initializers.get(initializer)

    def build(self, input_shape: BatchShape | None = None) -> None:
        self.kernel = self.add_weight(name='kernel', initializer=self.kernel_initializer,
                                      shape=(self.classes or self.channels, self.filters))

    def call(self, condition: Tensor) -> Tensor:
        ops = keras.ops
        kernel = ops.convert_to_tensor(self.kernel)
        if self.classes is not None:
            if len(condition.shape) != 1:
                raise ValueError('condition must be one label per image, [B]; '
                                 f'got shape={tuple(condition.shape)}.')
            rows = ops.one_hot(ops.cast(condition, 'int32'), self.classes, dtype=kernel.dtype)
            return ops.matmul(rows, kernel)[:, None, None]
        if len(condition.shape) != 4 or condition.shape[-1] != self.channels:
            raise ValueError(f'condition must be a map [B, h, w, {self.channels}]; '
                             f'got shape={tuple(condition.shape)}.')
        return ops.matmul(_resized(ops.cast(condition, kernel.dtype), tuple(self.side or ())),
                          kernel)

    def get_config(self) -> Config:
        return dict(super().get_config(), filters=self.filters, classes=self.classes,
                    channels=self.channels, side=self.side,
                    initializer=keras.initializers.serialize(self.kernel_initializer))


def required(condition: Tensor | None, name: str) -> Tensor:
    """Returns `condition`, which a network needs that was built for one.

    Raises:
        ValueError: If `condition` is None.
    """
    if condition is None:
        raise ValueError(f'condition must be given to {name!r}, built for one; got None.')
    return condition


def _resized(images: Tensor, side: tuple[int, ...]) -> Tensor:
    given = tuple(images.shape[1:3])
    if given == side:
        return images
    if all(g is not None and g % s == 0 for g, s in zip(given, side)):
        factors = tuple(g // s for g, s in zip(given, side))
        return keras.ops.average_pool(images, factors, factors)
    return keras.ops.image.resize(images, side, interpolation='bilinear',
                                  data_format='channels_last')
