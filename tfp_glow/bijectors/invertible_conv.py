"""Invertible 1x1 convolution, in PLU and in dense form."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tfp_glow.bijectors import channel_affine, checks
from tfp_glow.internal import tfp_compat
from tfp_glow.types import DType, TensorLike


class InvertibleConv1x1(channel_affine.ChannelAffine):
    """Mixes channels with one matrix at every pixel: `[..., H, W, C] -> [..., H, W, C]`.

    ```none
    inverse(y)[h, w] = y[h, w] @ W        W = P L (U + diag(sign * exp(log_s)))
    forward(x)[h, w] = x[h, w] @ W^-1
    log|det J_inverse| = H * W * sum(log_s)
    ```

    As in the paper, the matrix belongs to the direction of the density, data to latent, so that
    training inverts nothing. Only the strictly lower part of `lower` and the strictly upper part of
    `upper` are read.

    Args:
        permutation: The fixed permutation matrix P, `[C, C]`.
        lower: A matrix, `[C, C]`; L is its strictly lower part plus the identity.
        upper: A matrix, `[C, C]`; U is its strictly upper part.
        sign: The signs of the diagonal, `[C]`, fixed.
        log_s: The log of the size of the diagonal, `[C]`.
        validate_args: Whether to check values as well, also in graphs; see `OnePassBijector`.
        name: The name of the bijector.

    See also: `DenseConv1x1`; `plu_parameters`, which draws initial values; `tfb.ScaleMatvecLU`,
    which is the same map on vectors.

    Raises:
        ValueError: If the matrices are not `[C, C]`, the vectors are not `[C]`, or they do not have
            one floating dtype.

    #### References
    Kingma and Dhariwal, *Glow*, 2018, arXiv:1807.03039, section 3.2, equations 9 to 11.

    ```python
    >>> import tensorflow as tf, tfp_glow
    >>> conv = tfp_glow.bijectors.InvertibleConv1x1(
    ...     **tfp_glow.bijectors.plu_parameters(channels=4, seed=0))
    >>> conv.inverse(tf.ones([2, 8, 8, 4])).shape
    TensorShape([2, 8, 8, 4])

    ```
    """

    def __init__(self, permutation: TensorLike, lower: TensorLike, upper: TensorLike,
                 sign: TensorLike, log_s: TensorLike, validate_args: bool = False,
                 name: str = 'invertible_conv1x1') -> None:
        parameters = dict(locals())
        with tf.name_scope(name):
            self._permutation, self._lower, self._upper, self._sign, self._log_s = checks.floats(
                permutation=permutation, lower=lower, upper=upper, sign=sign, log_s=log_s)
            channel_affine.check_vectors(log_s=self._log_s, sign=self._sign)
            for label, matrix in (('permutation', self._permutation), ('lower', self._lower),
                                  ('upper', self._upper)):
                _check_square(label, matrix, self._log_s.shape[0])
            super().__init__(dtype=self._lower.dtype, validate_args=validate_args,
                             parameters=parameters, name=name)

    @property
    def channels(self) -> int | None:
        return self._log_s.shape[0]

    @classmethod
    def _parameter_properties(cls, dtype: DType | None, num_classes: int | None = None,
                              ) -> dict[str, tfp_compat.ParameterProperties]:
        matrix, vector = (tfp_compat.ParameterProperties(event_ndims=n) for n in (2, 1))
        return {'permutation': matrix, 'lower': matrix, 'upper': matrix,
                'sign': vector, 'log_s': vector}

    def _parameter_rules(self) -> list[checks.Rule]:
        return [*super()._parameter_rules(),
                checks.Rule('permutation', self._permutation, 'be a permutation matrix',
                            _is_permutation),
                checks.Rule('sign', self._sign, 'be -1 or 1', lambda s: tf.abs(s) == 1)]

    def _triangles(self) -> tuple[tf.Tensor, tf.Tensor]:
        lower = tf.convert_to_tensor(self._lower)
        upper = tf.convert_to_tensor(self._upper)
        lower = tf.linalg.set_diag(tf.linalg.band_part(lower, -1, 0), tf.ones_like(self._log_s))
        upper = tf.linalg.set_diag(tf.linalg.band_part(upper, 0, -1),
                                   self._sign * tf.exp(self._log_s))
        return lower, upper

    def _inverse_affine(self) -> channel_affine.Affine:
        lower, upper = self._triangles()
        matrix = tf.linalg.matmul(self._permutation, lower @ upper)
        return channel_affine.Affine(matrix, tf.zeros_like(self._log_s),
                                     tf.reduce_sum(self._log_s))

    def _forward_affine(self) -> channel_affine.Affine:
        lower, upper = self._triangles()
        half = tf.linalg.triangular_solve(
            lower, tf.linalg.matrix_transpose(tf.convert_to_tensor(self._permutation)))
        matrix = tf.linalg.triangular_solve(upper, half, lower=False)
        return channel_affine.Affine(matrix, tf.zeros_like(self._log_s),
                                     -tf.reduce_sum(self._log_s))


class DenseConv1x1(channel_affine.ChannelAffine):
    """`InvertibleConv1x1` with a free matrix: `inverse(y)[h, w] = y[h, w] @ kernel`.

    ```none
    forward(x)[h, w] = x[h, w] @ kernel^-1
    log|det J_inverse| = H * W * log|det kernel|
    ```

    Determinant and inverse come from a QR decomposition, which compiles under XLA, while `slogdet`
    does not. An evaluation costs O(C^3).

    Args:
        kernel: The matrix, `[C, C]`, a tensor or a `tf.Variable`; it must not be singular.
        validate_args: Whether to check values as well, also in graphs; see `OnePassBijector`.
        name: The name of the bijector.

    Raises:
        ValueError: If `kernel` is no square matrix.

    #### References
    Kingma and Dhariwal, *Glow*, 2018, arXiv:1807.03039, section 3.2, equation 9.

    ```python
    >>> import tensorflow as tf, tfp_glow
    >>> conv = tfp_glow.bijectors.DenseConv1x1([[2., 0.], [0., 2.]])
    >>> conv.forward(tf.ones([1, 1, 1, 2])).numpy()
    array([[[[0.5, 0.5]]]], dtype=float32)

    ```
    """

    def __init__(self, kernel: TensorLike, validate_args: bool = False, name: str = 'dense_conv1x1',
                 ) -> None:
        parameters = dict(locals())
        with tf.name_scope(name):
            self._kernel, = checks.floats(kernel=kernel)
            _check_square('kernel', self._kernel, self._kernel.shape[-1:].num_elements())
            super().__init__(dtype=self._kernel.dtype, validate_args=validate_args,
                             parameters=parameters, name=name)

    @property
    def channels(self) -> int | None:
        return self._kernel.shape[0]

    @classmethod
    def _parameter_properties(cls, dtype: DType | None, num_classes: int | None = None,
                              ) -> dict[str, tfp_compat.ParameterProperties]:
        return {'kernel': tfp_compat.ParameterProperties(event_ndims=2)}

    def _parameter_rules(self) -> list[checks.Rule]:
        return [*super()._parameter_rules(),
                checks.Rule('kernel', self._kernel, 'not be singular', _is_regular)]

    def _inverse_affine(self) -> channel_affine.Affine:
        kernel = tf.convert_to_tensor(self._kernel)
        _, r = tf.linalg.qr(kernel)
        return channel_affine.Affine(kernel, tf.zeros_like(kernel[0]), _log_diagonal(r))

    def _forward_affine(self) -> channel_affine.Affine:
        kernel = tf.convert_to_tensor(self._kernel)
        q, r = tf.linalg.qr(kernel)
        inverse = tf.linalg.triangular_solve(r, tf.linalg.matrix_transpose(q), lower=False)
        return channel_affine.Affine(inverse, tf.zeros_like(kernel[0]), -_log_diagonal(r))


def plu_parameters(channels: int, seed: int | Sequence[int], dtype: DType = np.float32,
                   ) -> dict[str, np.ndarray]:
    """Returns initial values of `InvertibleConv1x1`: the PLU form of a random rotation.

    The matrix is the Q of a QR decomposition of a `[channels, channels]` standard Gaussian, so that
    the log-det starts at 0.

    Args:
        channels: C.
        seed: An integer, or several; the same seed gives the same matrix.
        dtype: The dtype of the values.

    Returns:
        The arguments of `InvertibleConv1x1` by their names, as NumPy arrays.
    """
    import scipy.linalg  # pylint: disable=g-import-not-at-top
    permutation, lower, upper = scipy.linalg.lu(rotation(channels, seed))
    diagonal = np.diag(upper)
    values = {'permutation': permutation, 'lower': np.tril(lower, -1), 'upper': np.triu(upper, 1),
              'sign': np.sign(diagonal), 'log_s': np.log(np.abs(diagonal))}
    return {name: value.astype(dtype) for name, value in values.items()}


def rotation(channels: int, seed: int | Sequence[int]) -> np.ndarray:
    """Returns a random orthogonal `[channels, channels]` matrix: the Q of a Gaussian's QR.

    Its dtype is float64.
    """
    return np.linalg.qr(np.random.default_rng(seed).standard_normal([channels, channels]))[0]


def _check_square(name: str, value: tf.Tensor | tf.Variable, size: int | None) -> None:
    if value.shape.rank != 2 or value.shape != (size, size):
        raise ValueError(f'{name} must be a square matrix over the channels; '
                         f'got shape={value.shape}.')


def _is_permutation(matrix: tf.Tensor) -> tf.Tensor:
    ones = tf.ones_like(matrix[0])
    return tf.reduce_all(((matrix == 0) | (matrix == 1))
                         & (tf.reduce_sum(matrix, 0) == ones) & (tf.reduce_sum(matrix, 1) == ones))


def _is_regular(matrix: tf.Tensor) -> tf.Tensor:
    _, r = tf.linalg.qr(matrix)
    sizes = tf.abs(tf.linalg.diag_part(r))
    least = sizes.shape[0] * np.finfo(matrix.dtype.as_numpy_dtype).eps * tf.reduce_max(sizes)
    return tf.reduce_min(sizes) > least


def _log_diagonal(triangular: tf.Tensor) -> tf.Tensor:
    return tf.reduce_sum(tf.math.log(tf.abs(tf.linalg.diag_part(triangular))))
