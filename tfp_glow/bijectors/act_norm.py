"""Activation normalisation: one scale and one shift per channel, set from data once."""

import tensorflow as tf

from tfp_glow.bijectors import channel_affine, checks
from tfp_glow.internal import tfp_compat
from tfp_glow.types import Condition, DType, TensorLike

_EPSILON = 1e-6  # It is added to the standard deviation, as in the reference.


class ActNorm(channel_affine.ChannelAffine):
    """Scales and shifts each channel: `[..., H, W, C] -> [..., H, W, C]`.

    ```none
    forward(x) = x * exp(log_scale) + shift
    inverse(y) = (y - shift) * exp(-log_scale)
    log|det J_forward| = H * W * sum(log_scale)
    ```

    `tfp_glow.initialize` sets `shift` to the mean and `log_scale` to the log of the standard
    deviation that each channel has over the batch, so that the result of `inverse` has mean 0 and
    variance 1. This happens once: `initialized` remembers it, also in checkpoints. Before that, if
    `shift` and `log_scale` are zeros, the bijector is the identity.

    Args:
        shift: The shift, `[C]`, a tensor or a `tf.Variable`.
        log_scale: The log of the scale, `[C]`, a tensor or a `tf.Variable`.
        initialized: An optional boolean scalar `tf.Variable`. Its name, or the part of its name
            after the last `/`, must be 'initialized': by this name `tfp_glow.is_initialized` finds
            it. If it is not given, or if `shift` or `log_scale` is no variable,
            `tfp_glow.initialize` leaves this bijector alone.
        event_ndims: The number of dimensions of an event, the channels last: 3 for images, 1 for
            vectors `[..., C]`.
        validate_args: Whether to check values as well, also in graphs; see `OnePassBijector`.
        name: The name of the bijector.

    Raises:
        ValueError: If `shift` and `log_scale` are not vectors of one length and one floating dtype,
            `event_ndims` is not positive, or `initialized` has another name.

    #### References
    Kingma and Dhariwal, *Glow*, 2018, arXiv:1807.03039, section 3.1.

    ```python
    >>> import tensorflow as tf, tfp_glow
    >>> act_norm = tfp_glow.bijectors.ActNorm(shift=[1., 2.], log_scale=[0., 0.])
    >>> act_norm.forward(tf.zeros([1, 4, 4, 2]))[0, 0, 0].numpy()
    array([1., 2.], dtype=float32)

    ```
    """

    def __init__(self, shift: TensorLike, log_scale: TensorLike,
                 initialized: tf.Variable | None = None, event_ndims: int = 3,
                 validate_args: bool = False, name: str = 'act_norm') -> None:
        parameters = dict(locals())
        with tf.name_scope(name):
            self._shift, self._log_scale = checks.floats(shift=shift, log_scale=log_scale)
            self._initialized = initialized
            channel_affine.check_vectors(shift=self._shift, log_scale=self._log_scale)
            if isinstance(initialized, tf.Variable) and not checks.is_flag(initialized):
                raise ValueError(f"initialized must be a variable named '{checks.FLAG}'; "
                                 f'got {initialized.name!r}.')
            super().__init__(event_ndims=event_ndims, dtype=self._shift.dtype,
                             validate_args=validate_args, parameters=parameters, name=name)

    @property
    def channels(self) -> int | None:
        return self._shift.shape[0]

    @classmethod
    def _parameter_properties(cls, dtype: DType | None, num_classes: int | None = None,
                              ) -> dict[str, tfp_compat.ParameterProperties]:
        return {'shift': tfp_compat.ParameterProperties(event_ndims=1),
                'log_scale': tfp_compat.ParameterProperties(event_ndims=1)}

    @property
    def shift(self) -> tf.Tensor | tf.Variable:
        """Returns what `forward` adds, `[C]`."""
        return self._shift

    @property
    def log_scale(self) -> tf.Tensor | tf.Variable:
        """Returns the log of the factor of `forward`, `[C]`."""
        return self._log_scale

    def _forward_affine(self) -> channel_affine.Affine:
        log_scale = tf.convert_to_tensor(self._log_scale)
        return channel_affine.Affine(
            tf.linalg.diag(tf.exp(log_scale)), tf.convert_to_tensor(self._shift),
            tf.reduce_sum(log_scale))

    def _inverse_affine(self) -> channel_affine.Affine:
        log_scale = tf.convert_to_tensor(self._log_scale)
        scale = tf.exp(-log_scale)
        return channel_affine.Affine(
            tf.linalg.diag(scale), -self._shift * scale, -tf.reduce_sum(log_scale))

    def _forward_and_log_det(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        channel_affine.check_channels(x, self._shift.shape[0])
        log_scale = tf.convert_to_tensor(self._log_scale)
        return (x * tf.exp(log_scale) + self._shift,
                channel_affine.pixels(x) * tf.reduce_sum(log_scale))

    def _inverse_and_log_det(self, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        channel_affine.check_channels(y, self._shift.shape[0])
        log_scale = tf.convert_to_tensor(self._log_scale)
        return ((y - self._shift) * tf.exp(-log_scale),
                -channel_affine.pixels(y) * tf.reduce_sum(log_scale))

    def _log_slopes(self, y: tf.Tensor, condition: Condition = None) -> tf.Tensor | None:
        channel_affine.check_channels(y, self._shift.shape[0])
        return tf.broadcast_to(-tf.convert_to_tensor(self._log_scale), tf.shape(y))

    def singular_values(self) -> tf.Tensor | None:
        return None  # The matrix is diagonal.

    def _initialize(self, y: tf.Tensor, condition: Condition = None) -> tf.Tensor:
        settable = isinstance(self._shift, tf.Variable) and isinstance(self._log_scale, tf.Variable)
        if settable and self._initialized is not None:
            mean, variance = tf.nn.moments(y, axes=list(range(y.shape.rank - 1)))
            log_scale = tf.math.log(tf.sqrt(variance) + _EPSILON)
            done = tf.convert_to_tensor(self._initialized)
            self._shift.assign(tf.where(done, self._shift, mean))
            self._log_scale.assign(tf.where(done, self._log_scale, log_scale))
            self._initialized.assign(True)
        return super()._initialize(y, condition=condition)
