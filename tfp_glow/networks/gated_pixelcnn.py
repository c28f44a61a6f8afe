"""The gated PixelCNN: its outputs for a pixel see the earlier pixels within reach and no others."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from tfp_glow.networks.condition import ConditionBias, required
from tfp_glow.networks.gated_block import Biases, GatedBlock
from tfp_glow.networks.types import BatchShape, Config, Shape, Tensor

# See `GatedPixelCNN.incremental`.
NextRow = Callable[[list[Tensor], Tensor, Tensor], tuple[list[Tensor], list[Tensor]]]
NextPixel = Callable[[list[Tensor], list[Tensor], Tensor, Tensor], tuple[list[Tensor], Tensor]]


@keras.saving.register_keras_serializable('tfp_glow')
class GatedPixelCNN(keras.Model):
    """Gated PixelCNN: `[B, H, W, C] -> [B, H, W, outputs]`, autoregressive in raster order.

    The outputs for a pixel depend on the condition, on the pixels above it and on the pixels to its
    left in its row, in all their channels. They know nothing of the pixel's own channels. A
    vertical stack v sees the rows above. A horizontal stack h sees the pixels to the left and,
    through v, those rows; see `GatedBlock`. There is no blind spot: a pixel sees all earlier pixels
    that are at most r rows above it and at most r columns to either side, where r is the sum over
    the blocks of half the side of their kernel, rounded down. A channel of ones beside the image
    lets the network tell the padding from a pixel. After the blocks come two 1x1 convolutions, of
    which the last starts at zero.

    Args:
        event_shape: The shape of the images, `(H, W, C)`.
        outputs: The number of channels of the output: all numbers that the distribution of a pixel
            takes.
        width: The number of channels of each stack.
        blocks: The number of blocks, at least 1.
        kernel_size: The odd side of a square. The kernels of a block are its upper half.
        first_kernel_size: The same for the first block.
        classes: The number of classes, or None. If it is given, the network is called with
            `condition=`, labels `[B]`.
        condition_size: If it is given, `condition=` is vectors `[B, condition_size]`.
        condition_channels: If it is given, `condition=` is a feature map
            `[B, h, w, condition_channels]`, which is brought to the size of the images. A linear
            map of the condition is added to both stacks of each block, before the gate; see
            `ConditionBias`.
        seed: An integer from which the initial weights are drawn.

    Raises:
        ValueError: If an argument is out of its range, or if a condition has another shape. The
            message names it.

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
        """Runs the network one row and one pixel at a time.

        All steps together take about the arithmetic of one call. The last rows of v and the last
        pixels of h that a block needs are kept: no feature of any pixel is computed twice.

        Args:
            batch: The number B of images, an integer or a scalar tensor.
            condition: The condition of a call.

        Returns:
            `(rows, next_row, pixels, next_pixel)`. `rows` is the state before the first row.
            `next_row(rows, i, above) -> (rows, given)` is a function of tensors, to be called for
            the rows i = 0, 1, ... with the row of the image above, `[B, W, C]`, zeros for i = 0.
            `pixels` is the state before the first pixel of any row.
            `next_pixel(pixels, given, j, before) -> (pixels, raw)` is a function of tensors, to be
            called for the columns j = 0, 1, ... of that row with the pixel to the left, `[B, C]`,
            zeros for j = 0. `raw [B, outputs]` is what a call would return for pixel (i, j).
        """
        ops = keras.ops
        _, width, channels = self.event_shape
        conditions = self._biases(condition)
        depths = [channels + 1] + [self._config['width']] * (len(self.blocks) - 1)

        def zeros(*shape: int) -> Tensor:
            return ops.zeros((batch, *shape), self.compute_dtype)

        def moved(window: Tensor, new: Tensor, axis: int, block: GatedBlock,
                  ) -> tuple[Tensor, Tensor]:
            """Appends `new`; returns the window that the block takes, and the part to keep."""
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
        """Returns what the condition adds to v and to h of each block."""
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
    """Returns a built `GatedPixelCNN` for images of `event_shape = (H, W, C)`.

    The `options` are arguments of `GatedPixelCNN`.

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


def _with_ones(images: Tensor, real: float | Tensor) -> Tensor:
    """Appends a channel of ones to `images`, or of zeros where they are padding and not `real`."""
    ones = keras.ops.ones_like(images[..., :1]) * keras.ops.cast(real, images.dtype)
    return keras.ops.concatenate([images, ones], -1)


def _row(bias: float | Tensor, i: Tensor) -> float | Tensor:
    """Returns row i of a bias `[B, H, W, c]`, whose H is 1 if the bias is the same for all rows."""
    if not hasattr(bias, 'shape') or bias.shape[1] == 1:
        return bias
    return keras.ops.take(bias, keras.ops.reshape(i, (1,)), axis=1)
