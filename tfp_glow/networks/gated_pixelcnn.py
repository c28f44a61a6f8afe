"""The gated PixelCNN: outputs for a pixel see all pixels before it within reach, and no other."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from tfp_glow.networks.condition import ConditionBias, required
from tfp_glow.networks.past_conv import PastConv2D
from tfp_glow.networks.types import BatchShape, Config, Shape, Tensor

# What a condition adds to v and to h; zeros for a network that takes none.
Biases = Sequence[float | Tensor]
# See `GatedPixelCNN.incremental`.
NextRow = Callable[[list[Tensor], Tensor, Tensor], tuple[list[Tensor], list[Tensor]]]
NextPixel = Callable[[list[Tensor], list[Tensor], Tensor, Tensor], tuple[list[Tensor], Tensor]]


@keras.saving.register_keras_serializable('tfp_glow')
class GatedBlock(keras.layers.Layer):
    """One layer of both stacks of a `GatedPixelCNN`, for whole images or windows of them.

    ```none
    v' = gate(conv(v) + a),   cross = conv1x1(v' before the gate) + b
    h' = h + conv1x1(gate(conv(h) + cross)),          gate([s, t]) = tanh(s) * sigmoid(t)
    ```

    with [a, b] the condition's bias. A pixel of conv(v) sees `reach` rows above its own and, in all
    blocks but the first, its own, of which v knows nothing; conv(h) sees `reach` pixels to the left
    and, in all blocks but the first, its own. The first block has no h to add.

    Args:
      width: channels of v and of h.
      kernel_size: `2 * reach + 1`, odd.
      first: whether v and h are the image itself.
      seed: integer for the initial weights.
    """

    def __init__(self, width: int, kernel_size: int, first: bool = False, seed: int = 0,
                 **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._config: Config = {'width': width, 'kernel_size': kernel_size, 'first': first,
                                'seed': seed}
        self.first, self.reach = first, kernel_size // 2
        seeds = np.random.SeedSequence(seed).generate_state(4) >> 1

        def options(k: int, name: str) -> Config:
            return {'kernel_initializer': keras.initializers.GlorotUniform(int(seeds[k])),
                    'dtype': self.dtype_policy, 'name': name}
        depth = self.reach + (not first)
        self.vertical = PastConv2D(2 * width, (depth, kernel_size), **options(0, 'vertical'))
        self.horizontal = PastConv2D(2 * width, (1, depth), **options(1, 'horizontal'))
        self.across = keras.layers.Dense(2 * width, **options(2, 'across'))
        self.mix = keras.layers.Dense(width, **options(3, 'mix'))

    def build(self, input_shape: BatchShape) -> None:
        width = self._config['width']
        self.vertical.build(input_shape)
        self.horizontal.build(input_shape)
        self.across.build((*input_shape[:-1], 2 * width))
        self.mix.build((*input_shape[:-1], width))

    def call(self, v: Tensor, h: Tensor, biases: Biases) -> tuple[Tensor, Tensor]:
        """`v [B, H, W, I], h [B, H, W, I]` and [a, b] to v' and h'."""
        window = keras.ops.pad(v, ((0, 0), (self.reach, 0), (0, 0), (0, 0)))
        v, cross = self.rows(window[:, :-1] if self.first else window, biases)
        window = keras.ops.pad(h, ((0, 0), (0, 0), (self.reach, 0), (0, 0)))
        return v, self.pixels(window[:, :, :-1] if self.first else window, cross)

    def rows(self, window: Tensor, biases: Biases) -> tuple[Tensor, Tensor]:
        """v' and cross of the rows whose own and earlier rows are `window [B, depth.., W, I]`."""
        sides = (self.reach, self.reach)
        v = self.vertical(keras.ops.pad(window, ((0, 0), (0, 0), sides, (0, 0)))) + biases[0]
        return gate(v), self.across(v) + biases[1]

    def pixels(self, window: Tensor, cross: Tensor) -> Tensor:
        """h' of the pixels whose own and earlier h are `window [B, H, depth.., I]`."""
        h = self.mix(gate(self.horizontal(window) + cross))
        return h if self.first else h + window[:, :, self.reach:]

    def get_config(self) -> Config:
        return dict(super().get_config(), **self._config)


@keras.saving.register_keras_serializable('tfp_glow')
class GatedPixelCNN(keras.Model):
    """Gated PixelCNN: `[B, H, W, C] -> [B, H, W, outputs]`, autoregressive in raster order.

    The outputs for a pixel depend on the pixels above it and to its left in its row, in all their
    channels, and on the condition; of its own channels they know nothing. A vertical stack v sees
    the rows above, a horizontal one h the pixels to the left and, through v, those rows; see
    `GatedBlock`. There is no blind spot: seen are all pixels before that are at most r rows above
    and at most r columns to either side, r the sum over the blocks of half their kernel's side,
    rounded down. A channel of ones beside the image lets the network tell the padding from a pixel.
    The last of the two 1x1 convolutions after the blocks starts at zero.

    Args:
      event_shape: `(H, W, C)`.
      outputs: channels of the output, for all that a pixel's distribution takes.
      width: channels of each stack.
      blocks: number of blocks, at least 1.
      kernel_size: odd side of the square whose upper half the kernels of a block are.
      first_kernel_size: that of the first block.
      classes: the network is called with `condition=`, labels `[B]` of so many classes.
      condition_size: `condition=` is vectors `[B, condition_size]`.
      condition_channels: `condition=` is a feature map `[B, h, w, condition_channels]`, which is
        brought to the images' size. A linear map of the condition is added to both stacks of each
        block, before the gate; see `ConditionBias`.
      seed: integer for the initial weights.

    Raises:
      ValueError: an argument out of its range, or a condition of another shape; the message names
        it.

    #### References
    Van den Oord et al., *Conditional Image Generation with PixelCNN Decoders*, 2016,
    arXiv:1606.05328, equations 2 to 5 and figure 2.
    """

    def __init__(self, event_shape: Shape, outputs: int, width: int = 32, blocks: int = 5,
                 kernel_size: int = 3, first_kernel_size: int = 7, classes: int | None = None,
                 condition_size: int | None = None, condition_channels: int | None = None,
                 seed: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        event_shape = tuple(event_shape)
        if len(event_shape) != 3 or None in event_shape or min(event_shape) < 1:
            raise ValueError(f'event_shape must be a known (H, W, C); got {event_shape=}.')
        if min(outputs, width, blocks) < 1:
            raise ValueError('outputs, width and blocks must be positive; '
                             f'got {outputs=}, {width=}, {blocks=}.')
        if any(size < 3 or size % 2 == 0 for size in (kernel_size, first_kernel_size)):
            raise ValueError('kernel_size and first_kernel_size must be odd and at least 3; '
                             f'got {kernel_size=}, {first_kernel_size=}.')
        given = [size for size in (classes, condition_size, condition_channels)
                 if size is not None]
        if len(given) > 1 or any(size < 1 for size in given):
            raise ValueError('at most one of classes, condition_size and condition_channels may '
                             f'be given, and it must be positive; got {classes=}, '
                             f'{condition_size=}, {condition_channels=}.')
        self._config: Config = {'event_shape': event_shape, 'outputs': outputs, 'width': width,
                                'blocks': blocks, 'kernel_size': kernel_size,
                                'first_kernel_size': first_kernel_size, 'classes': classes,
                                'condition_size': condition_size,
                                'condition_channels': condition_channels, 'seed': seed}
        self.event_shape, self.outputs, self.takes_condition = event_shape, outputs, bool(given)
        self._connect([int(s) for s in np.random.SeedSequence(seed).generate_state(
            2 * blocks + 1) >> 1])

    def _connect(self, seeds: list[int]) -> None:
        config, policy = self._config, self.dtype_policy
        width, count = config['width'], config['blocks']
        self.blocks = [
            GatedBlock(width, config['kernel_size'] if k else config['first_kernel_size'],
                       first=k == 0, seed=seeds[k], dtype=policy, name=f'block_{k}')
            for k in range(count)]
        self.condition_layers = []
        if self.takes_condition:
            size = config['condition_size']
            self.condition_layers = [ConditionBias(
                4 * width, config['classes'], size or config['condition_channels'],
                (1, 1) if size else self.event_shape[:2],
                keras.initializers.RandomNormal(0., .05, seed=seeds[count + k]),
                dtype=policy, name=f'condition_{k}') for k in range(count)]
        self.top = keras.layers.Dense(
            width, kernel_initializer=keras.initializers.GlorotUniform(seeds[-1]), dtype=policy,
            name='top')
        self.last = keras.layers.Dense(self.outputs, kernel_initializer='zeros', dtype=policy,
                                       name='last')

    def build(self, input_shape: BatchShape | None = None) -> None:
        *side, channels = self.event_shape
        hidden = (None, *side, self._config['width'])
        for k, block in enumerate(self.blocks):
            block.build(hidden if k else (None, *side, channels + 1))
        for layer in (self.top, self.last):
            layer.build(hidden)
        for layer in self.condition_layers:
            layer.build()

    def call(self, inputs: Tensor, condition: Tensor | None = None) -> Tensor:
        self._check(inputs)
        v = h = _with_ones(inputs, 1.)
        for block, biases in zip(self.blocks, self._biases(condition), strict=True):
            v, h = block(v, h, biases=biases)
        return self._outputs(h)

    def incremental(self, batch: int | Tensor, condition: Tensor | None = None,
                    ) -> tuple[list[Tensor], NextRow, list[Tensor], NextPixel]:
        """The network one row and one pixel at a time, in all at about the arithmetic of one call.

        The last rows of v and the last pixels of h that a block needs are kept: no feature of any
        pixel is computed twice.

        Args:
          batch: B, an integer or a scalar tensor.
          condition: as of a call.

        Returns:
          `(rows, next_row, pixels, next_pixel)`: the state before the first row; a function of
          tensors `next_row(rows, i, above) -> (rows, given)`, to be called for rows i = 0, 1, ...
          with the row of the image above, `[B, W, C]`, zeros for i = 0; the state before the first
          pixel of any row; and `next_pixel(pixels, given, j, before) -> (pixels, raw)`, to be
          called for columns j = 0, 1, ... of that row with the pixel to the left, `[B, C]`, zeros
          for j = 0. `raw [B, outputs]` is what a call would return for pixel (i, j).
        """
        ops = keras.ops
        _, width, channels = self.event_shape
        conditions = self._biases(condition)
        depths = [channels + 1] + [self._config['width']] * (len(self.blocks) - 1)

        def zeros(*shape: int) -> Tensor:
            return ops.zeros((batch, *shape), self.compute_dtype)

        def moved(window: Tensor, new: Tensor, axis: int, block: GatedBlock,
                  ) -> tuple[Tensor, Tensor]:
            """The window with `new` at its end, as a block takes it; and what is kept of it."""
            window = ops.concatenate([window, new], axis)
            kept = window[:, -block.reach:] if axis == 1 else window[:, :, -block.reach:]
            return (kept if block.first else window), kept

        def next_row(rows: list[Tensor], i: Tensor, above: Tensor,
                     ) -> tuple[list[Tensor], list[Tensor]]:
            v, kept, given = _with_ones(above[:, None], i > 0), [], []
            for block, window, biases in zip(self.blocks, rows, conditions, strict=True):
                window, keep = moved(window, ops.cast(v, self.compute_dtype), 1, block)
                v, cross = block.rows(window, [_row(bias, i) for bias in biases])
                kept.append(keep)
                given.append(cross)
            return kept, given

        def next_pixel(pixels: list[Tensor], given: list[Tensor], j: Tensor, before: Tensor,
                       ) -> tuple[list[Tensor], Tensor]:
            h, kept = _with_ones(before[:, None, None], j > 0), []
            for block, window, cross in zip(self.blocks, pixels, given, strict=True):
                window, keep = moved(window, ops.cast(h, self.compute_dtype), 2, block)
                h = block.pixels(window, ops.take(cross, ops.reshape(j, (1,)), axis=2))
                kept.append(keep)
            return kept, self._outputs(h)[:, 0, 0]
        rows = [zeros(block.reach, width, depth) for block, depth in zip(self.blocks, depths)]
        pixels = [zeros(1, block.reach, depth) for block, depth in zip(self.blocks, depths)]
        return rows, next_row, pixels, next_pixel

    def _biases(self, condition: Tensor | None) -> list[Biases]:
        """Of each block, what the condition adds to v and to h."""
        if not self.takes_condition:
            return [[0., 0.]] * len(self.blocks)
        condition, size = required(condition, self.name), self._config['condition_size']
        if size is not None:
            if len(condition.shape) != 2 or condition.shape[-1] != size:
                raise ValueError(f'condition must be vectors [B, {size}]; '
                                 f'got shape={tuple(condition.shape)}.')
            condition = condition[:, None, None]
        return [keras.ops.split(layer(condition), 2, -1) for layer in self.condition_layers]

    def _outputs(self, h: Tensor) -> Tensor:
        return self.last(keras.ops.relu(self.top(keras.ops.relu(h))))

    def _check(self, inputs: Tensor) -> None:
        if tuple(inputs.shape[1:]) != self.event_shape:
            raise ValueError(f'inputs must be [B, {", ".join(map(str, self.event_shape))}]; '
                             f'got shape={tuple(inputs.shape)}.')

    def get_config(self) -> Config:
        return dict(super().get_config(), **self._config)


def gated_pixelcnn(event_shape: Shape, outputs: int, width: int = 32,
                   **options: Any) -> GatedPixelCNN:
    """A built `GatedPixelCNN` for images of `event_shape = (H, W, C)`; `options` are its own.

    ```python
    >>> import tensorflow as tf, tfp_glow
    >>> network = tfp_glow.networks.gated_pixelcnn(
    ...     (4, 4, 3), outputs=2, width=6, blocks=2, condition_size=5)
    >>> network(tf.zeros([7, 4, 4, 3]), condition=tf.zeros([7, 5])).shape
    TensorShape([7, 4, 4, 2])

    ```
    """
    network = GatedPixelCNN(event_shape, outputs, width, **options)
    network.build((None, *event_shape))
    return network


def gate(hidden: Tensor) -> Tensor:
    """tanh(s) * sigmoid(t) of `hidden = [s, t]`, halves of the channels."""
    s, t = keras.ops.split(hidden, 2, -1)
    return keras.ops.tanh(s) * keras.ops.sigmoid(t)


def _with_ones(images: Tensor, real: float | Tensor) -> Tensor:
    """`images` and a channel of ones, or of zeros where they are not `real` but padding."""
    ones = keras.ops.ones_like(images[..., :1]) * keras.ops.cast(real, images.dtype)
    return keras.ops.concatenate([images, ones], -1)


def _row(bias: float | Tensor, i: Tensor) -> float | Tensor:
    """Row i of a bias `[B, H, W, c]`, with H = 1 if it is the same for all rows."""
    if not hasattr(bias, 'shape') or bias.shape[1] == 1:
        return bias
    return keras.ops.take(bias, keras.ops.reshape(i, (1,)), axis=1)
