"""Channel permutations: the fixed alternatives to the invertible 1x1 convolution."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tfp_glow.bijectors import channel_affine, checks
from tfp_glow.internal import tfp_compat
from tfp_glow.types import DType, TensorLike


class Shuffle(channel_affine.ChannelAffine):
    """Permutes channels: `[..., H, W, C] -> [..., H, W, C]`; log|det J| = 0.

    ```none
    inverse(y)[..., c] = y[..., permutation[c]]
    forward(x)[..., permutation[c]] = x[..., c]
    ```

    Args:
        permutation: An int32 permutation of 0 .. C-1, `[C]`. Give a `tf.Variable(trainable=False)`
            to have it saved with the model; `random_permutation(channels, seed)` draws one.
        dtype: The dtype of the events.
        event_ndims: The number of dimensions of an event, the channels last: 3 for images, 1 for
            vectors `[..., C]`.
        validate_args: Whether to check values as well, also in graphs; see `OnePassBijector`.
        name: The name of the bijector.

    Raises:
        ValueError: If `permutation` is no vector of integers, or is known and no permutation; or if
            `event_ndims` is not positive.

    #### References
    Kingma and Dhariwal, *Glow*, 2018, arXiv:1807.03039, section 3.2 and figure 3.

    ```python
    >>> import tensorflow as tf, tfp_glow
    >>> shuffle = tfp_glow.bijectors.Shuffle([2, 0, 1])
    >>> shuffle.inverse(tf.constant([[[[5., 6., 7.]]]])).numpy()
    array([[[[7., 5., 6.]]]], dtype=float32)

    ```
    """

    def __init__(self, permutation: TensorLike, dtype: DType = tf.float32, event_ndims: int = 3,
                 validate_args: bool = False, name: str = 'shuffle') -> None:
        parameters = dict(locals())
        with tf.name_scope(name):
            self._permutation = (permutation if checks.is_reference(permutation)
                                 else tf.convert_to_tensor(permutation))
            if not self._permutation.dtype.is_integer:
                raise ValueError('permutation must hold integers; '
                                 f'got dtype={self._permutation.dtype.name}.')
            channel_affine.check_vector('permutation', self._permutation)
            checks.check_known(*self._parameter_rules())
            super().__init__(event_ndims=event_ndims, dtype=dtype, validate_args=validate_args,
                             parameters=parameters, name=name)

    @property
    def channels(self) -> int | None:
        return self._permutation.shape[0]

    @classmethod
    def _parameter_properties(cls, dtype: DType | None, num_classes: int | None = None,
                              ) -> dict[str, tfp_compat.ParameterProperties]:
        return {'permutation': tfp_compat.ParameterProperties(event_ndims=1)}

    def _parameter_rules(self) -> list[checks.Rule]:
        return [checks.Rule(
            'permutation', self._permutation, 'hold each of 0 .. C-1 once',
            lambda p: tf.reduce_all(tf.sort(p) == tf.range(tf.size(p, p.dtype), dtype=p.dtype)))]

    def _rows(self) -> tf.Tensor:
        return tf.one_hot(self._permutation, self._permutation.shape[0], dtype=self.dtype)

    def _inverse_affine(self) -> channel_affine.Affine:
        return self._affine(tf.linalg.matrix_transpose(self._rows()))

    def _forward_affine(self) -> channel_affine.Affine:
        return self._affine(self._rows())

    def _affine(self, matrix: tf.Tensor) -> channel_affine.Affine:
        return channel_affine.Affine(matrix, tf.zeros_like(matrix[0]), tf.zeros([], self.dtype))

    def _inverse_and_log_det(self, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        channel_affine.check_channels(y, self._permutation.shape[0])
        return tf.gather(y, self._permutation, axis=-1), tf.zeros([], self.dtype)

    def _forward_and_log_det(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        channel_affine.check_channels(x, self._permutation.shape[0])
        return (tf.gather(x, tf.argsort(tf.convert_to_tensor(self._permutation)), axis=-1),
                tf.zeros([], self.dtype))


class Reverse(channel_affine.ChannelAffine):
    """Reverses the order of the channels: `[..., H, W, C] -> [..., H, W, C]`; log|det J| = 0.

    ```none
    forward(x)[..., c] = x[..., C - 1 - c] = inverse(x)[..., c]
    ```

    Args:
        channels: C, a positive integer.
        dtype: The dtype of the events.
        event_ndims: The number of dimensions of an event, the channels last: 3 for images, 1 for
            vectors `[..., C]`.
        validate_args: Whether to check values as well, also in graphs; see `OnePassBijector`.
        name: The name of the bijector.

    Raises:
        ValueError: If `channels` or `event_ndims` is not positive.

    #### References
    Dinh, Sohl-Dickstein and Bengio, *RealNVP*, 2017, arXiv:1605.08803, section 3.5.

    ```python
    >>> import tensorflow as tf, tfp_glow
    >>> tfp_glow.bijectors.Reverse(2).forward(tf.constant([[[[5., 6.]]]])).numpy()
    array([[[[6., 5.]]]], dtype=float32)

    ```
    """

    def __init__(self, channels: int, dtype: DType = tf.float32, event_ndims: int = 3,
                 validate_args: bool = False, name: str = 'reverse') -> None:
        parameters = dict(locals())
        if channels < 1:
            raise ValueError(f'channels must be positive; got {channels=}.')
        self._channels = channels
        super().__init__(event_ndims=event_ndims, dtype=dtype, validate_args=validate_args,
                         parameters=parameters, name=name)

    @property
    def channels(self) -> int:
        return self._channels

    def _forward_affine(self) -> channel_affine.Affine:
        return channel_affine.Affine(
            tf.reverse(tf.eye(self._channels, dtype=self.dtype), [0]),
            tf.zeros([self._channels], self.dtype), tf.zeros([], self.dtype))

    _inverse_affine = _forward_affine

    def _forward_and_log_det(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        channel_affine.check_channels(x, self._channels)
        return tf.reverse(x, [-1]), tf.zeros([], self.dtype)

    def _inverse_and_log_det(self, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return self._forward_and_log_det(y)


def random_permutation(channels: int, seed: int | Sequence[int]) -> np.ndarray:
    """Returns an int32 permutation of `channels` channels, the same for the same `seed`.

    The seed is an integer, or several.
    """
    return np.random.default_rng(seed).permutation(channels).astype(np.int32)
