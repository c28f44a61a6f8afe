"""Whitening: an affine map, fitted to data, that makes all covariances those of noise."""

import math
from collections.abc import Iterable

import numpy as np
import tensorflow as tf

from tfp_glow.bijectors import base, checks, moments
from tfp_glow.internal import tfp_compat
from tfp_glow.types import DType, Shape, TensorLike

_KINDS = ('pca', 'zca')


class Whitening(base.OnePassBijector):
    """Decorrelates events and scales them to variance 1: `[..., *event_shape]` to the same.

    With y, x and mean flattened to vectors of size D, V = axes and s = exp(log_scale):

    ```none
    pca: inverse(y) = (y - mean) V / s          forward(x) = (x * s) V' + mean
    zca: inverse(y) = ((y - mean) V / s) V'     forward(x) = ((x V) * s) V' + mean
    log|det J_inverse| = -sum(log_scale)
    ```

    PCA's latents are coordinates along the principal axes, in their order. ZCA turns them back, to
    the whitened data that are nearest to the data. V is orthogonal, so that nothing is inverted and
    the log-det is exact; `mean` and `log_scale` may be trained. `fit_whitening` makes a `Whitening`
    from data. An event costs O(D^2).

    Args:
        mean: The mean, `[D]`, a tensor or a `tf.Variable`.
        axes: The axes, `[D, D]`, orthogonal, one principal axis in each column; a tensor or a
            `tf.Variable(trainable=False)`.
        log_scale: The log of the deviation along each axis, `[D]`.
        kind: 'pca' or 'zca'.
        event_shape: The shape of an event, with D entries in all; by default `[D]`.
        validate_args: Whether to check values as well, also in graphs; see `OnePassBijector`.
        name: The name of the bijector.

    Raises:
        ValueError: If the shapes do not fit, `axes` is not orthogonal or is trainable, or `kind` is
            another.

    #### References
    Bell and Sejnowski, *The "independent components" of natural scenes are edge filters*, Vision
    Research 37(23), 1997, for ZCA.
    Kessy, Lewin and Strimmer, *Optimal whitening and decorrelation*, 2018, arXiv:1512.00809.

    ```python
    >>> import tensorflow as tf, tfp_glow
    >>> whitening = tfp_glow.bijectors.Whitening(
    ...     mean=[1., 1.], axes=[[0., 1.], [1., 0.]], log_scale=[0., 0.])
    >>> whitening.inverse(tf.constant([[2., 4.]])).numpy()
    array([[3., 1.]], dtype=float32)

    ```
    """

    def __init__(self, mean: TensorLike, axes: TensorLike, log_scale: TensorLike, kind: str = 'pca',
                 event_shape: Shape | None = None, validate_args: bool = False,
                 name: str = 'whitening') -> None:
        parameters = dict(locals())
        _check_kind(kind)
        self._kind = kind
        with tf.name_scope(name):
            self._mean, self._axes, self._log_scale = checks.floats(
                mean=mean, axes=axes, log_scale=log_scale)
            size = self._mean.shape[0] if self._mean.shape.rank == 1 else None
            for label, value, shape in (('mean', self._mean, [size]),
                                        ('axes', self._axes, [size, size]),
                                        ('log_scale', self._log_scale, [size])):
                if size is None or value.shape != shape:
                    raise ValueError(f'{label} must be of shape [{", ".join("D" * len(shape))}], '
                                     f'D = {size or "the size of mean"}; got shape={value.shape}.')
            if isinstance(self._axes, tf.Variable) and self._axes.trainable:
                raise ValueError('axes must not be trained, to stay orthogonal; '
                                 'got a trainable variable.')
            checks.check_known(self._axes_rule())
            shape = tf.TensorShape([size] if event_shape is None else event_shape)
            if not shape.rank or shape.num_elements() != size:
                raise ValueError(f'event_shape must have {size} entries in all, as mean; '
                                 f'got {event_shape=}.')
            self._event_shape = shape
            super().__init__(forward_min_event_ndims=shape.rank, dtype=self._mean.dtype,
                             validate_args=validate_args, parameters=parameters, name=name)

    @classmethod
    def _parameter_properties(cls, dtype: DType | None, num_classes: int | None = None,
                              ) -> dict[str, tfp_compat.ParameterProperties]:
        return {'mean': tfp_compat.ParameterProperties(event_ndims=1),
                'axes': tfp_compat.ParameterProperties(event_ndims=2),
                'log_scale': tfp_compat.ParameterProperties(event_ndims=1)}

    def _axes_rule(self) -> checks.Rule:
        return checks.Rule('axes', self._axes, 'be orthogonal', _is_orthogonal)

    def _parameter_rules(self) -> list[checks.Rule]:
        return [*super()._parameter_rules(), self._axes_rule()]

    @property
    def mean(self) -> tf.Tensor | tf.Variable:
        """Returns the mean of the data, `[D]`."""
        return self._mean

    @property
    def axes(self) -> tf.Tensor | tf.Variable:
        """Returns the principal axes, one in each column, `[D, D]`."""
        return self._axes

    @property
    def log_scale(self) -> tf.Tensor | tf.Variable:
        """Returns the log of the data's deviation along each axis, `[D]`."""
        return self._log_scale

    def _forward_and_log_det(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        z = self._flat(x)
        if self._kind == 'zca':
            z = z @ self._axes
        y = tf.matmul(z * tf.exp(self._log_scale), self._axes, transpose_b=True) + self._mean
        return tf.reshape(y, [-1, *self._event_shape]), tf.reduce_sum(self._log_scale)

    def _inverse_and_log_det(self, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        x = ((self._flat(y) - self._mean) @ self._axes) * tf.exp(-self._log_scale)
        if self._kind == 'zca':
            x = tf.matmul(x, self._axes, transpose_b=True)
        return tf.reshape(x, [-1, *self._event_shape]), -tf.reduce_sum(self._log_scale)

    def singular_values(self) -> tf.Tensor | None:
        return tf.exp(-tf.cast(self._log_scale, tf.float64))

    def _flat(self, events: tf.Tensor) -> tf.Tensor:
        if not events.shape[1:].is_compatible_with(self._event_shape):
            raise ValueError(f'the input of {self.name} must have the event shape '
                             f'{self._event_shape}; got shape={events.shape}.')
        return tf.reshape(events, [-1, self._mean.shape[0]])


def fit_whitening(data: TensorLike | Iterable[TensorLike], kind: str = 'pca', epsilon: float = 1e-6,
                  dtype: DType = tf.float32, name: str = 'whitening') -> Whitening:
    """Returns the `Whitening` of `data`, whose parameters are variables that do not train.

    The axes are the eigenvectors of the covariance (over N, not N - 1), the greatest eigenvalue
    first; the sign of each makes its largest entry positive. The deviations are sqrt(eigenvalue +
    epsilon). Mean and covariance come from one pass in float64.

    Args:
        data: Images or vectors: one array `[N, *event_shape]`, or an iterable of such batches, as a
            `tf.data.Dataset`.
        kind: 'pca' or 'zca'.
        epsilon: A number, not negative, that is added to the variances; a constant direction is
            divided by its square root. With 0 the whitened data have exactly the identity as
            covariance; the covariance of the data must then have full rank.
        dtype: The dtype of the parameters.
        name: The name of the bijector.

    Raises:
        ValueError: If there are fewer than 2 samples; if `epsilon` is 0 and there are fewer than D
            + 1 samples or the covariance is singular; if batches have unlike event shapes or are
            not finite; or if an argument is out of range.

    ```python
    >>> import numpy as np, tfp_glow
    >>> data = np.random.default_rng(0).standard_normal([100, 3]) @ np.diag([1., 2., 3.])
    >>> whitening = tfp_glow.bijectors.fit_whitening(data, 'zca', epsilon=0.)
    >>> np.cov(whitening.inverse(data), rowvar=False, bias=True).round(3) + 0.
    array([[1., 0., 0.], [0., 1., 0.], [0., 0., 1.]])

    ```
    """
    _check_kind(kind)
    if not 0 <= epsilon < np.inf:
        raise ValueError(f'epsilon must not be negative; got {epsilon=}.')
    event_shape: list[int] = []

    def rows():
        for batch in moments.batches_of(data, 'data'):
            event_shape[:] = batch.shape[1:]
            yield batch.reshape(len(batch), -1)
    count, mean, covariance = moments.merge(rows(), moments.covariances)
    size = math.prod(event_shape)
    needed = 2 if epsilon else size + 1
    if count < needed:
        raise ValueError(f'data must hold at least {needed} samples for {epsilon=}; got {count}.')
    eigenvalues, axes = np.linalg.eigh(covariance)
    eigenvalues, axes = eigenvalues[::-1], axes[:, ::-1]
    if not epsilon and eigenvalues[-1] <= size * np.finfo(np.float64).eps * eigenvalues[0]:
        raise ValueError('data must have a covariance of full rank where epsilon is 0; got '
                         f'eigenvalues from {eigenvalues[-1]:.3g} to {eigenvalues[0]:.3g}.')
    axes = axes * np.sign(axes[np.argmax(np.abs(axes), axis=0), np.arange(size)])
    log_scale = .5 * np.log(np.maximum(eigenvalues, 0) + epsilon)
    variables = {label: tf.Variable(value, trainable=False, dtype=dtype, name=f'{name}/{label}')
                 for label, value in (('mean', mean), ('axes', axes), ('log_scale', log_scale))}
    return Whitening(**variables, kind=kind, event_shape=tuple(event_shape), name=name)


def _check_kind(kind: str) -> None:
    if kind not in _KINDS:
        raise ValueError(f"kind must be 'pca' or 'zca'; got {kind=}.")


def _is_orthogonal(axes: tf.Tensor) -> tf.Tensor:
    error = tf.matmul(axes, axes, transpose_a=True) - tf.eye(axes.shape[0], dtype=axes.dtype)
    return tf.reduce_all(tf.abs(error) < np.sqrt(np.finfo(axes.dtype.as_numpy_dtype).eps))
