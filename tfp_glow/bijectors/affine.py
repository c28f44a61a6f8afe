"""Elementwise inner transforms of a coupling: additive, multiplicative and affine.

An inner transform is a callable `raw -> bijector` with an attribute `outputs_per_channel`: the
number n of parameters of each transformed channel. For C channels, the last axis of raw holds n
blocks of size C, one block for each parameter. An inner transform that has variables of its own is
a `tf.Module`.
"""

import tensorflow as tf

from tfp_glow.bijectors import base, checks, scale_maps
from tfp_glow.bijectors.types import ScaleMap
from tfp_glow.internal import tfp_compat
from tfp_glow.types import DType, TensorLike


class ShiftScale(base.OnePassBijector):
    """Shifts, then scales, in the direction data -> latent, as Glow's coupling does; elementwise.

    ```none
    inverse(y) = (y + shift) * exp(log_scale)
    forward(x) = x * exp(-log_scale) - shift
    log|d inverse / dy| = log_scale
    ```

    Args:
        shift: A tensor or a `tf.Variable` that broadcasts with the input, or None for a pure scale.
        log_scale: A tensor or a `tf.Variable` that broadcasts with the input, or None for a pure
            shift.
        validate_args: Whether to check values as well, also in graphs; see `OnePassBijector`.
        name: The name of the bijector.

    Raises:
        ValueError: If neither is given, or the two do not have one floating dtype.

    ```python
    >>> import tfp_glow
    >>> float(tfp_glow.bijectors.ShiftScale(shift=1., log_scale=0.).inverse(2.))
    3.0

    ```
    """

    def __init__(self, shift: TensorLike | None = None, log_scale: TensorLike | None = None,
                 validate_args: bool = False, name: str = 'shift_scale') -> None:
        parameters = dict(locals())
        if shift is None and log_scale is None:
            raise ValueError(f'shift or log_scale must be given; got {shift=}, {log_scale=}.')
        with tf.name_scope(name):
            tensors = checks.floats(**{name: value for name, value in (
                ('shift', shift), ('log_scale', log_scale)) if value is not None})
            self._shift = None if shift is None else tensors[0]
            self._log_scale = None if log_scale is None else tensors[-1]
            super().__init__(forward_min_event_ndims=0, dtype=tensors[0].dtype,
                             validate_args=validate_args, parameters=parameters, name=name)

    @classmethod
    def _parameter_properties(cls, dtype: DType | None, num_classes: int | None = None,
                              ) -> dict[str, tfp_compat.ParameterProperties]:
        return {'shift': tfp_compat.ParameterProperties(event_ndims=0),
                'log_scale': tfp_compat.ParameterProperties(event_ndims=0)}

    def _forward_and_log_det(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        shift, log_scale = self._read()
        y, log_det = x, tf.zeros_like(x)
        if log_scale is not None:
            y, log_det = y * tf.exp(-log_scale), log_det - log_scale
        return y if shift is None else y - shift, log_det

    def _inverse_and_log_det(self, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        shift, log_scale = self._read()
        x, log_det = y if shift is None else y + shift, tf.zeros_like(y)
        if log_scale is not None:
            x, log_det = x * tf.exp(log_scale), log_det + log_scale
        return x, log_det

    def _read(self) -> list[tf.Tensor | None]:
        return [None if p is None else tf.convert_to_tensor(p)
                for p in (self._shift, self._log_scale)]


class Additive:
    """The inner transform `raw -> ShiftScale(shift=raw)` of a `Coupling`; one raw channel each.

    #### References
    Dinh et al., *NICE*, 2014, arXiv:1410.8516, section 3.2: the additive coupling law.
    """

    outputs_per_channel = 1

    def __call__(self, raw: tf.Tensor) -> ShiftScale:
        return ShiftScale(raw)


class Multiplicative(tf.Module):
    """The inner transform `raw -> ShiftScale(log_scale=scale_map(raw))` of a `Coupling`.

    Args:
        scale_map: The map `raw -> log_scale`; by default `scale_maps.sigmoid()`.

    #### References
    Dinh et al., *NICE*, 2014, arXiv:1410.8516, section 3.2: the multiplicative coupling law.
    """

    outputs_per_channel = 1

    def __init__(self, scale_map: ScaleMap | None = None) -> None:
        super().__init__()
        self._scale_map = scale_map or scale_maps.sigmoid()

    def __call__(self, raw: tf.Tensor) -> ShiftScale:
        return ShiftScale(log_scale=self._scale_map(raw))


class AffineInner(tf.Module):
    """The inner transform `[shift, s] -> ShiftScale(shift, scale_map(s))` of a `Coupling`.

    The first half of the raw output is the shift, and its second half is s. The reference
    interleaves them; that is the same model with the output channels in another order.

    Args:
        scale_map: The map `s -> log_scale`; by default `scale_maps.sigmoid()`, Glow's sigmoid(s +
            2).
    """

    outputs_per_channel = 2

    def __init__(self, scale_map: ScaleMap | None = None) -> None:
        super().__init__()
        self._scale_map = scale_map or scale_maps.sigmoid()

    def __call__(self, raw: tf.Tensor) -> ShiftScale:
        shift, s = tf.split(raw, 2, axis=-1)
        return ShiftScale(shift, self._scale_map(s))


def per_channel(raw: tf.Tensor, count: int) -> tf.Tensor:
    """Returns the blocks of raw, one row per channel: `[..., count * C] -> [..., C, count]`."""
    shape = tf.shape(raw)
    sides = [shape[i] if side is None else side for i, side in enumerate(raw.shape)]
    blocks = tf.reshape(raw, [*sides[:-1], count, sides[-1] // count])
    return tf.linalg.matrix_transpose(blocks)
