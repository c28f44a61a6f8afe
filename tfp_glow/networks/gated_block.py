"""One layer of the gated PixelCNN: a vertical and a horizontal stack of causal convolutions."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from tfp_glow.networks.past_conv import PastConv2D
from tfp_glow.networks.types import BatchShape, Config, Tensor

# What a condition adds to v and to h; zeros for a network that takes none.
Biases = Sequence[float | Tensor]


@keras.saving.register_keras_serializable('tfp_glow')
class GatedBlock(keras.layers.Layer):
    """One layer of both stacks of a `GatedPixelCNN`, for whole images or for windows of them.

    ```none
    v' = gate(conv(v) + a),   cross = conv1x1(v' before the gate) + b
    h' = h + conv1x1(gate(conv(h) + cross)),          gate([s, t]) = tanh(s) * sigmoid(t)
    ```

    Here [a, b] is the bias from the condition. For a pixel, conv(v) sees `reach` rows above the
    pixel's row. In all blocks but the first it also sees v in the pixel's own row, where v knows
    nothing of that row of the image. conv(h) sees `reach` pixels to the left and, in all blocks but
    the first, the pixel itself. The first block has no h to add.

    Args:
        width: The number of channels of v and of h.
        kernel_size: The odd number `2 * reach + 1`.
        first: Whether v and h are the image itself.
        seed: An integer from which the initial weights are drawn.
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
        """Returns v' and h' from `v [B, H, W, I]`, `h [B, H, W, I]` and the biases [a, b]."""
        window = keras.ops.pad(v, ((0, 0), (self.reach, 0), (0, 0), (0, 0)))
        v, cross = self.rows(window[:, :-1] if self.first else window, biases)
        window = keras.ops.pad(h, ((0, 0), (0, 0), (self.reach, 0), (0, 0)))
        return v, self.pixels(window[:, :, :-1] if self.first else window, cross)

    def rows(self, window: Tensor, biases: Biases) -> tuple[Tensor, Tensor]:
        """Returns v' and cross of rows; `window [B, depth.., W, I]` holds them and earlier ones."""
        sides = (self.reach, self.reach)
        v = self.vertical(keras.ops.pad(window, ((0, 0), (0, 0), sides, (0, 0)))) + biases[0]
        return gate(v), self.across(v) + biases[1]

    def pixels(self, window: Tensor, cross: Tensor) -> Tensor:
        """Returns h' of pixels; `window [B, H, depth.., I]` holds their h and earlier ones."""
        h = self.mix(gate(self.horizontal(window) + cross))
        return h if self.first else h + window[:, :, self.reach:]

    def get_config(self) -> Config:
        return dict(super().get_config(), **self._config)


def gate(hidden: Tensor) -> Tensor:
    """Returns tanh(s) * sigmoid(t) of `hidden = [s, t]`, the two halves of its channels."""
    s, t = keras.ops.split(hidden, 2, -1)
    return keras.ops.tanh(s) * keras.ops.sigmoid(t)
