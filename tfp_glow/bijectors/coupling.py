"""Coupling: part of the channels conditions an invertible transform of the rest."""

import tensorflow as tf

from tfp_glow.bijectors import affine, base
from tfp_glow.internal import keras_bridge


class Coupling(base.OnePassBijector):
    """Transforms the last channels given the first: `[..., H, W, C] -> [..., H, W, C]`.

    With y = [y1, y2] split along the channels, the first ceil(C / 2) in y1:

    ```none
    inverse(y) = [y1, inner(conditioner(y1)).inverse(y2)]
    forward(x) = [x1, inner(conditioner(x1)).forward(x2)]
    log|det J| = the sum of the inner transform's
    ```

    The network runs once an evaluation, and once in the constant-memory backward pass.

    Args:
      conditioner: a built Keras network or any callable, `[B, H, W, ceil(C/2)] -> raw`, where raw
        has what `inner` wants: C//2 channels if additive, 2 * (C//2) if affine.
      inner: `raw -> bijector` of y2; `Additive()` or `AffineInner(scale_map)`, or a function that
        returns any TFP bijector. Default `AffineInner()`, Glow's.
      name: name of the bijector.

    Raises:
      ValueError: the input has fewer than two channels; the Keras network is not built.

    #### References
    Dinh et al., *RealNVP*, 2017, arXiv:1605.08803, equations 4 to 8.
    Kingma and Dhariwal, *Glow*, 2018, arXiv:1807.03039, section 3.3.

    ```python
    >>> import tensorflow as tf, tfp_glow
    >>> coupling = tfp_glow.bijectors.Coupling(
    ...     conditioner=lambda x1: 3. * x1, inner=tfp_glow.bijectors.Additive())
    >>> coupling.inverse(tf.ones([1, 1, 1, 2])).numpy()
    array([[[[1., 4.]]]], dtype=float32)

    ```
    """

    def __init__(self, conditioner, inner=None, name='coupling'):
        parameters = dict(locals())
        self._conditioner = keras_bridge.as_module(conditioner)
        self._inner = inner or affine.AffineInner()
        super().__init__(parameters=parameters, name=name)

    @property
    def conditioner(self):
        """The network, as given or wrapped."""
        return self._conditioner

    @property
    def takes_condition(self):
        return keras_bridge.takes_condition(self._conditioner)

    def _forward_and_log_det(self, x, **condition):
        x1, x2 = split(x)
        y2, log_det = base.forward_and_log_det(self._inner(self._raw(x1, condition)), x2, 3)
        return tf.concat([x1, y2], -1), log_det

    def _inverse_and_log_det(self, y, **condition):
        y1, y2 = split(y)
        x2, log_det = base.inverse_and_log_det(self._inner(self._raw(y1, condition)), y2, 3)
        return tf.concat([y1, x2], -1), log_det

    def _forward_pullback(self, y, dy, dlog_det, pullback, **condition):
        return self._pull(y, dy, dlog_det, pullback, condition,
                          base.inverse_and_log_det, base.forward_and_log_det)

    def _inverse_pullback(self, x, dx, dlog_det, pullback, **condition):
        return self._pull(x, dx, dlog_det, pullback, condition,
                          base.forward_and_log_det, base.inverse_and_log_det)

    def _raw(self, kept, condition):  # A network may compute in bfloat16.
        return tf.cast(self._conditioner(kept, **condition), kept.dtype)

    def _pull(self, outputs, doutputs, dlog_det, pullback, condition, rebuild, function):
        """One run of the network serves the rebuilding and both products."""
        kept, moved = split(outputs)
        dkept, dmoved = split(doutputs)
        raw = self._raw(pullback.watch(kept), condition)
        with pullback.paused():
            cut = tf.identity(raw)
        inner = self._inner(pullback.watch(cut))
        with pullback.paused():
            before, _ = rebuild(inner, moved, 3)
        again, log_det = function(inner, pullback.watch(before), 3)
        dbefore, draw = pullback.pull(
            [again, log_det], [before, cut], [dmoved, base.like(dlog_det, log_det)])
        dconditioner, = pullback.pull([raw], [kept], [draw])
        return tf.concat([kept, before], -1), tf.concat([dkept + dconditioner, dbefore], -1)

    def _initialize(self, y, **condition):
        if hasattr(self._conditioner, 'initialize'):
            self._conditioner.initialize(split(y)[0], **condition)
        return super()._initialize(y, **condition)


def split(images):
    """The first ceil(C / 2) channels and the rest."""
    channels = images.shape[-1]
    if channels is None or channels < 2:
        raise ValueError(f'a coupling needs at least 2 channels, known; got shape={images.shape}.')
    kept = (channels + 1) // 2
    return tf.split(images, [kept, channels - kept], axis=-1)
