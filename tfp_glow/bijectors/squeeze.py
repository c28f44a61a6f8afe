"""Squeeze: moves space into channels, and back."""

import numpy as np
import tensorflow as tf

from tfp_glow.bijectors import base

_ORDERS = ('space_to_depth', 'glow', 'realnvp')


class Squeeze(base.OnePassBijector):
    """Moves channels into space: `[..., H, W, f*f*C] -> [..., f*H, f*W, C]`; log|det J| = 0.

    `forward` is latent to data, so `inverse` is the squeeze of the papers. Pixel (i, j) of an f x f
    block goes, with its channel c, to the squeezed channel

    ```none
    space_to_depth: (i * f + j) * C + c      pixel by pixel, as tf.nn.space_to_depth
    glow:           c * f * f + i * f + j    channel by channel
    realnvp:        rank(i, j) * C + c       pixel by pixel, those with even i + j first
    ```

    where `rank` counts row by row: (0, 0), (1, 1), (0, 1), (1, 0) for f = 2. The first two orders
    are the same for C = 1. 'glow' is the order of Glow's code, of `tfb.Glow`, and of RealNVP's code
    before its couplings over channels. It differs from the default by a fixed rearrangement of
    channels, which an invertible 1x1 convolution absorbs. 'realnvp' is the order of RealNVP's code
    where a level lets half of its channels leave: that half is one colour of the checkerboard.

    Args:
        factor: f, an integer of at least 2; even for 'realnvp'.
        order: The order of the squeezed channels: 'space_to_depth', 'glow' or 'realnvp'.
        validate_args: Whether to check values as well, also in graphs; see `OnePassBijector`.
        name: The name of the bijector.

    Raises:
        ValueError: If `factor` < 2, or is odd with 'realnvp'; if `order` is unknown; if `factor`
            does not divide the sides, or its square does not divide the channels.

    #### References
    Dinh, Sohl-Dickstein and Bengio, *RealNVP*, 2017, arXiv:1605.08803, section 3.6 and figure 3.
    Kingma and Dhariwal, *Glow*, 2018, arXiv:1807.03039, section 3.

    ```python
    >>> import tensorflow as tf, tfp_glow
    >>> tfp_glow.bijectors.Squeeze(2).inverse(tf.zeros([1, 8, 6, 3])).shape
    TensorShape([1, 4, 3, 12])
    >>> image = tf.constant([[[[1.], [2.]], [[3.], [4.]]]])
    >>> tfp_glow.bijectors.Squeeze(2, order='realnvp').inverse(image).numpy()
    array([[[[1., 4., 2., 3.]]]], dtype=float32)

    ```
    """

    def __init__(self, factor: int = 2, order: str = 'space_to_depth', validate_args: bool = False,
                 name: str = 'squeeze') -> None:
        parameters = dict(locals())
        if factor < 2:
            raise ValueError(f'factor must be at least 2; got {factor=}.')
        if order not in _ORDERS:
            raise ValueError(f'order must be one of {", ".join(_ORDERS)}; got {order=}.')
        if order == 'realnvp' and factor % 2:
            raise ValueError(f'factor must be even for {order=}, whose first half is one colour of '
                             f'the checkerboard; got {factor=}.')
        self._factor = factor
        self._order = order
        super().__init__(validate_args=validate_args, parameters=parameters, name=name,
                         is_constant_jacobian=True)

    def _forward_and_log_det(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        shape = self._expanded(x.shape[-3:])
        y = tf.nn.depth_to_space(self._from_order(x), self._factor)
        return _with_event_shape(y, shape), tf.zeros([], x.dtype)

    def _inverse_and_log_det(self, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        shape = self._squeezed(y.shape[-3:])
        x = self._to_order(tf.nn.space_to_depth(y, self._factor))
        return _with_event_shape(x, shape), tf.zeros([], y.dtype)

    def _to_order(self, squeezed: tf.Tensor) -> tf.Tensor:
        """Rearranges channels from the order of `tf.nn.space_to_depth` to that of this bijector."""
        if self._order == 'space_to_depth':
            return squeezed
        pixels = tf.split(squeezed, self._factor**2, axis=-1)
        if self._order == 'glow':
            return tf.reshape(tf.stack(pixels, axis=-1), tf.shape(squeezed))
        return tf.concat([pixels[k] for k in _checkerboard(self._factor)], axis=-1)

    def _from_order(self, squeezed: tf.Tensor) -> tf.Tensor:
        count = self._factor**2
        if self._order == 'space_to_depth':
            return squeezed
        if self._order == 'glow':
            shape = tf.concat([tf.shape(squeezed)[:-1], [-1, count]], 0)
            return tf.concat(tf.unstack(tf.reshape(squeezed, shape), count, axis=-1), axis=-1)
        pixels = tf.split(squeezed, count, axis=-1)
        return tf.concat([pixels[k] for k in np.argsort(_checkerboard(self._factor))], axis=-1)

    def _forward_event_shape(self, shape: tf.TensorShape) -> tf.TensorShape:
        return self._expanded(shape)

    def _inverse_event_shape(self, shape: tf.TensorShape) -> tf.TensorShape:
        return self._squeezed(shape)

    def _expanded(self, shape: tf.TensorShape) -> tf.TensorShape:
        height, width, channels = tf.TensorShape(shape).with_rank(3).as_list()
        return tf.TensorShape([_multiplied(height, self._factor), _multiplied(width, self._factor),
                               _divided(channels, self._factor**2, 'channels')])

    def _squeezed(self, shape: tf.TensorShape) -> tf.TensorShape:
        height, width, channels = tf.TensorShape(shape).with_rank(3).as_list()
        return tf.TensorShape([_divided(height, self._factor, 'height'),
                               _divided(width, self._factor, 'width'),
                               _multiplied(channels, self._factor**2)])

    def _forward_event_shape_tensor(self, shape: tf.Tensor) -> tf.Tensor:
        f = self._factor
        return tf.stack([shape[0] * f, shape[1] * f, shape[2] // (f * f)])

    def _inverse_event_shape_tensor(self, shape: tf.Tensor) -> tf.Tensor:
        f = self._factor
        return tf.stack([shape[0] // f, shape[1] // f, shape[2] * f * f])


def _with_event_shape(images: tf.Tensor, event_shape: tf.TensorShape) -> tf.Tensor:
    """States the static shape again, which a reshape of an unknown batch forgets."""
    return tf.ensure_shape(images, images.shape[:-3].concatenate(event_shape))


def _checkerboard(factor: int) -> list[int]:
    """Returns the pixels of a block, numbered row by row, those of the even colour first."""
    return sorted(range(factor**2), key=lambda k: ((k // factor + k % factor) % 2, k))


def _multiplied(size: int | None, factor: int) -> int | None:
    return None if size is None else size * factor


def _divided(size: int | None, factor: int, name: str) -> int | None:
    if size is None:
        return None
    if size % factor:
        raise ValueError(f'{name} must be divisible by {factor}; got {name}={size}.')
    return size // factor
