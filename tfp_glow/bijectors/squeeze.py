"""Squeeze: space into channels, and back."""

import tensorflow as tf

from tfp_glow.bijectors import base


class Squeeze(base.OnePassBijector):
    """Moves channels into space: `[..., H, W, f*f*C] -> [..., f*H, f*W, C]`; log|det J| = 0.

    `forward` is latent to data, so `inverse` is the squeeze of the papers. The squeezed channel of
    pixel (i, j) of an f x f block and channel c is `(i * f + j) * C + c` (`tf.nn.space_to_depth`).

    Args:
      factor: f, an integer of at least 2.
      name: name of the bijector.

    Raises:
      ValueError: `factor` < 2; sides that `factor`, or channels that its square, does not divide.

    #### References
    Dinh, Sohl-Dickstein and Bengio, *RealNVP*, 2017, arXiv:1605.08803, section 3.6.

    ```python
    >>> import tensorflow as tf, tfp_glow
    >>> tfp_glow.bijectors.Squeeze(2).inverse(tf.zeros([1, 8, 6, 3])).shape
    TensorShape([1, 4, 3, 12])

    ```
    """

    def __init__(self, factor=2, name='squeeze'):
        parameters = dict(locals())
        if factor < 2:
            raise ValueError(f'factor must be at least 2; got {factor=}.')
        self._factor = factor
        super().__init__(parameters=parameters, name=name, is_constant_jacobian=True)

    def _forward_and_log_det(self, x):
        self._forward_event_shape(x.shape[-3:])
        return tf.nn.depth_to_space(x, self._factor), tf.zeros([], x.dtype)

    def _inverse_and_log_det(self, y):
        self._inverse_event_shape(y.shape[-3:])
        return tf.nn.space_to_depth(y, self._factor), tf.zeros([], y.dtype)

    def _forward_event_shape(self, shape):
        height, width, channels = tf.TensorShape(shape).with_rank(3).as_list()
        return tf.TensorShape([_times(height, self._factor), _times(width, self._factor),
                               _over(channels, self._factor**2, 'channels')])

    def _inverse_event_shape(self, shape):
        height, width, channels = tf.TensorShape(shape).with_rank(3).as_list()
        return tf.TensorShape([_over(height, self._factor, 'height'),
                               _over(width, self._factor, 'width'),
                               _times(channels, self._factor**2)])

    def _forward_event_shape_tensor(self, shape):
        f = self._factor
        return tf.stack([shape[0] * f, shape[1] * f, shape[2] // (f * f)])

    def _inverse_event_shape_tensor(self, shape):
        f = self._factor
        return tf.stack([shape[0] // f, shape[1] // f, shape[2] * f * f])


def _times(size, factor):
    return None if size is None else size * factor


def _over(size, factor, name):
    if size is None:
        return None
    if size % factor:
        raise ValueError(f'{name} must be divisible by {factor}; got {name}={size}.')
    return size // factor
