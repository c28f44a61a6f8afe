"""Batch normalisation as a bijector with separate modes for training and evaluation."""

from collections.abc import Iterable

import numpy as np
import tensorflow as tf

from tfp_glow.bijectors import base, batch_moments, channel_affine, checks, moments
from tfp_glow.internal import tfp_compat
from tfp_glow.types import Condition, DType, TensorLike


class BatchNorm(base.OnePassBijector):
    """Normalises each channel by statistics of the data: `[..., H, W, C]` or `[..., D]`.

    ```none
    inverse(y) = (y - mean) / sqrt(variance + epsilon) * exp(log_scale) + shift
    forward(x) = (x - shift) * exp(-log_scale) * sqrt(variance + epsilon) + mean
    log|det J_inverse| = H * W * sum(log_scale - log(variance + epsilon) / 2)
    ```

    With zeros for `shift` and `log_scale` this is RealNVP's; MAF trains them.

    **Evaluation mode**, `training=False`: the statistics are those given, and this is an ordinary
    bijector. Set them by `update`, a moving average, or by `fit`, a pass over the data.

    **Training mode**, `training=True`: `inverse` and its log-det use the mean and variance of the
    batch that they are given, over all of its entries and pixels. The gradient goes through these
    statistics, in the value and in the log-det. The log-det is that of the map of each row with the
    statistics held fixed, as in RealNVP. The rows of a batch are then not independent. The Jacobian
    of the map of the whole batch is another one, and it is not even regular (a constant that is
    added to all rows cancels); the log-density of a batch is no sum over rows. The output no longer
    tells the statistics, so there is no `forward`: it raises. The backward pass of `Reversible` or
    of `Repeat(reversible=True)`, which would rebuild the input, raises too. Train with
    `Repeat(reversible=False)`; sample and evaluate with `with_training(False)`. Under
    `tf.distribute` a `FlowModel` normalises by the whole batch, which lies on all replicas, and
    by its weights if the examples have weights. In a training loop of your own each replica
    normalises by its own part of the batch.

    An evaluation changes no variable in either mode.

    Args:
        shift: The shift, `[C]`, a tensor or a `tf.Variable`.
        log_scale: The log of the scale, `[C]`, a tensor or a `tf.Variable`.
        mean: The mean, `[C]`, a tensor or, if `update` or `fit` is to set it, a
            `tf.Variable(trainable=False)`.
        variance: The variance, `[C]`, likewise; it must not be negative.
        training: Whether to normalise by the statistics of each batch.
        momentum: The weight of the old statistics in `update`, in [0, 1); RealNVP's code has .9.
        epsilon: A positive number that is added to the variance; RealNVP's code has 1e-4.
        event_ndims: 3 for images, 1 for vectors; the channels are the last dimension.
        validate_args: Whether to check values as well, also in graphs; see `OnePassBijector`.
        name: The name of the bijector.

    See also: `ActNorm`; `tfb.BatchNormalization`, which changes its statistics as it evaluates, and
    whose `forward` is not the inverse of its training mode.

    Raises:
        ValueError: If the four are not vectors of one length and one floating dtype, the variance
            is negative, or another argument is out of its range; if `forward` is called in training
            mode, or `inverse` is called in training mode on a batch with a single value per
            channel.

    #### References
    Dinh, Sohl-Dickstein and Bengio, *RealNVP*, 2017, arXiv:1605.08803, section 3.7, appendix E.
    Papamakarios, Pavlakou and Murray, *Masked Autoregressive Flow*, 2017, arXiv:1705.07057,
    appendix B.

    ```python
    >>> import tensorflow as tf, tfp_glow
    >>> batch_norm = tfp_glow.bijectors.BatchNorm(
    ...     shift=[0.], log_scale=[0.], mean=tf.Variable([0.], trainable=False),
    ...     variance=tf.Variable([1.], trainable=False), event_ndims=1)
    >>> batch_norm.fit([tf.constant([[4.], [6.]]), tf.constant([[5.]])])
    >>> batch_norm.mean.numpy()
    array([5.], dtype=float32)
    >>> batch_norm.with_training(True).inverse([[0.], [2.]]).numpy().round(2)
    array([[-1.], [ 1.]], dtype=float32)

    ```
    """

    def __init__(self, shift: TensorLike, log_scale: TensorLike, mean: TensorLike,
                 variance: TensorLike, training: bool = False, momentum: float = .9,
                 epsilon: float = 1e-4, event_ndims: int = 3, validate_args: bool = False,
                 name: str = 'batch_norm') -> None:
        parameters = dict(locals())
        if not isinstance(training, bool):
            raise ValueError(f'training must be True or False; got {training=}.')
        if not 0 <= momentum < 1:
            raise ValueError(f'momentum must be in [0, 1); got {momentum=}.')
        if not 0 < epsilon < np.inf:
            raise ValueError(f'epsilon must be positive; got {epsilon=}.')
        if event_ndims < 1:
            raise ValueError(f'event_ndims must be at least 1; got {event_ndims=}.')
        self._training, self._momentum, self._epsilon = training, momentum, epsilon
        with tf.name_scope(name):
            self._shift, self._log_scale, self._mean, self._variance = checks.floats(
                shift=shift, log_scale=log_scale, mean=mean, variance=variance)
            channel_affine.check_vectors(shift=self._shift, log_scale=self._log_scale,
                                         mean=self._mean, variance=self._variance)
            checks.check_known(self._variance_rule())
            super().__init__(forward_min_event_ndims=event_ndims, dtype=self._mean.dtype,
                             validate_args=validate_args, parameters=parameters, name=name)

    @classmethod
    def _parameter_properties(cls, dtype: DType | None, num_classes: int | None = None,
                              ) -> dict[str, tfp_compat.ParameterProperties]:
        return {name: tfp_compat.ParameterProperties(event_ndims=1)
                for name in ('shift', 'log_scale', 'mean', 'variance')}

    def _variance_rule(self) -> checks.Rule:
        return checks.Rule('variance', self._variance, 'not be negative', lambda v: v >= 0)

    def _parameter_rules(self) -> list[checks.Rule]:
        return [*super()._parameter_rules(), self._variance_rule()]

    @property
    def mean(self) -> tf.Tensor | tf.Variable:
        """Returns the mean that evaluation subtracts, `[C]`."""
        return self._mean

    @property
    def variance(self) -> tf.Tensor | tf.Variable:
        """Returns the variance that evaluation divides by, without epsilon, `[C]`."""
        return self._variance

    @property
    def training(self) -> bool:
        """Returns whether each batch is normalised by its own statistics."""
        return self._training

    def with_training(self, training: bool) -> 'BatchNorm':
        """Returns this bijector in the given mode, with the same variables."""
        return self.copy(training=training)

    def update(self, y: TensorLike) -> None:
        """Moves the statistics towards those of the batch `y`, data that reaches this bijector.

        ```none
        mean     <- momentum * mean     + (1 - momentum) * mean(y)
        variance <- momentum * variance + (1 - momentum) * variance(y)
        ```

        Args:
            y: The batch, `[..., *event_shape]`.

        Raises:
            ValueError: If `mean` or `variance` is no `tf.Variable`, or `y` has other channels or
                too few dimensions.
            tf.errors.InvalidArgumentError: If `y` is not finite.
        """
        y = tf.convert_to_tensor(y, self.dtype)
        if y.shape.rank <= self.forward_min_event_ndims:
            raise ValueError(f'y must have at least {self.forward_min_event_ndims + 1} dimensions, '
                             f'the batch first; got shape={y.shape}.')
        self._check_channels(y.shape)
        self._check_settable()
        old, new = self._momentum, 1 - self._momentum
        mean, variance = (tf.debugging.check_numerics(v, 'y must be finite')
                          for v in batch_moments.moments(y))
        self._mean.assign(old * self._mean + new * mean)
        self._variance.assign(old * self._variance + new * variance)

    def fit(self, batches: TensorLike | Iterable[TensorLike]) -> None:
        """Sets the statistics to those of all `batches` of data that reaches this bijector.

        This takes one pass in float64, accurate for batches of any sizes; the variance is divided
        by the number of values, not by one less.

        Args:
            batches: An iterable of `[n, *event_shape]`, such as a `tf.data.Dataset`, or one such
                array.

        Raises:
            ValueError: If `mean` or `variance` is no `tf.Variable`, a batch has other channels or
                other dimensions or is not finite, or there is no data.
        """
        self._check_settable()
        ndims = self.forward_min_event_ndims + 1

        def rows():
            for batch in moments.batches_of(batches, 'batches', ndims):
                self._check_channels(batch.shape)
                yield batch.reshape(-1, batch.shape[-1])
        count, mean, variance = moments.merge(rows(), moments.variances)
        if not count:
            raise ValueError('batches must hold data; got none.')
        self._mean.assign(mean.astype(self.dtype.as_numpy_dtype))
        self._variance.assign(variance.astype(self.dtype.as_numpy_dtype))

    def _initialize(self, y: tf.Tensor, condition: Condition = None) -> tf.Tensor:
        if isinstance(self._mean, tf.Variable) and isinstance(self._variance, tf.Variable):
            mean, variance = batch_moments.moments(y)
            self._mean.assign(mean)
            self._variance.assign(variance)
        return self.with_training(False)._inverse_and_log_det(y)[0]

    def _in_mode(self, training: bool) -> 'BatchNorm':
        return self if training == self._training else self.with_training(training)

    def _forward_and_log_det(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        self._check_channels(x.shape)
        if self._training:
            raise ValueError(
                f'training must be False for forward of {self.name}: the statistics of a batch '
                'cannot be told from its normalised values. Use with_training(False) to sample and '
                'Repeat(reversible=False) to train; got training=True.')
        log_std = .5 * tf.math.log(self._variance + self._epsilon) - self._log_scale
        return ((x - self._shift) * tf.exp(log_std) + self._mean,
                self._positions(x) * tf.reduce_sum(log_std))

    def _inverse_and_log_det(self, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        self._check_channels(y.shape)
        mean, variance = self._statistics(y)
        log_scale = self._inverse_log_scale(variance)
        return ((y - mean) * tf.exp(log_scale) + self._shift,
                self._positions(y) * tf.reduce_sum(log_scale))

    def _log_slopes(self, y: tf.Tensor, condition: Condition = None) -> tf.Tensor | None:
        """Holds the statistics of the batch fixed, as the log-det does."""
        self._check_channels(y.shape)
        return tf.broadcast_to(self._inverse_log_scale(self._statistics(y)[1]), tf.shape(y))

    def _inverse_log_scale(self, variance: tf.Tensor) -> tf.Tensor:
        return self._log_scale - .5 * tf.math.log(variance + self._epsilon)

    def _statistics(self, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        if not self._training:
            return self._mean, self._variance
        if y.shape[:-1].num_elements() == 1 and not batch_moments.over_replicas():
            raise ValueError(f'{self.name} in training mode needs at least 2 values per channel in '
                             f'a batch; got shape={y.shape}.')
        if y.shape[:-1].num_elements() is None and not batch_moments.over_replicas():
            count = tf.reduce_prod(tf.shape(y)[:-1])
            with tf.control_dependencies([tf.debugging.Assert(tf.not_equal(count, 1), [
                    f'a batch must have at least 2 values per channel for {self.name} to train; '
                    'got', count])]):
                y = tf.identity(y)
        return batch_moments.moments(y)

    def _positions(self, y: tf.Tensor) -> tf.Tensor:
        """Returns H * W for images, 1 for vectors."""
        ndims = self.forward_min_event_ndims
        count = y.shape[-ndims:-1].num_elements()
        if count is not None:
            return tf.constant(count, y.dtype)
        return tf.cast(tf.reduce_prod(tf.shape(y)[-ndims:-1]), y.dtype)

    def _check_channels(self, shape: tf.TensorShape) -> None:
        channels = self._mean.shape[0]
        if None not in (shape[-1], channels) and shape[-1] != channels:
            raise ValueError(f'the input of {self.name} must have {channels} channels; '
                             f'got shape={shape}.')

    def _check_settable(self) -> None:
        for name, value in (('mean', self._mean), ('variance', self._variance)):
            if not isinstance(value, tf.Variable):
                raise ValueError(f'{name} must be a tf.Variable to be set; '
                                 f'got {type(value).__name__}.')
