"""Coupling: part of an event conditions an invertible transform of the rest."""

from typing import Any

import tensorflow as tf

from tfp_glow.bijectors import affine, base, introspection, parts, splits
from tfp_glow.bijectors.pullback import Pullback, match_log_det
from tfp_glow.bijectors.split import Split
from tfp_glow.bijectors.types import Inner, Network, PairOf
from tfp_glow.internal import keras_bridge


class CouplingBase(base.OnePassBijector):
    """The evaluation of couplings in both directions, and their reverse products; see `Coupling`.

    Args:
        conditioner: A built Keras network or any callable.
        inner: The map `raw -> bijector` of what moves.
        split: A `splits.Split`.
        event_ndims: The number of dimensions of the events.
        validate_args: Whether to check values as well.
        parameters: What the subclass was built from.
        name: The name of the bijector.
    """

    def __init__(self, conditioner: Network, inner: Inner, split: Split, event_ndims: int,
                 validate_args: bool, parameters: dict[str, Any], name: str) -> None:
        if event_ndims < 1:
            raise ValueError(f'event_ndims must be positive; got {event_ndims=}.')
        self._conditioner = keras_bridge.as_module(conditioner)
        self._inner = inner
        self._split = split
        self._split.check_event_ndims(event_ndims)
        super().__init__(forward_min_event_ndims=event_ndims, validate_args=validate_args,
                         parameters=parameters, name=name)

    @property
    def conditioner(self) -> Network:
        """Returns the network, as it was given or wrapped."""
        return self._conditioner

    @property
    def takes_condition(self) -> bool:
        return keras_bridge.takes_condition(self._conditioner)

    def _seen(self, kept: tf.Tensor) -> tf.Tensor:
        """Returns what the network is shown of what is kept."""
        return kept

    def _forward_and_log_det(self, x: tf.Tensor, **condition: Any) -> tuple[tf.Tensor, tf.Tensor]:
        return self._transform(x, condition, parts.forward_and_log_det)

    def _inverse_and_log_det(self, y: tf.Tensor, **condition: Any) -> tuple[tf.Tensor, tf.Tensor]:
        return self._transform(y, condition, parts.inverse_and_log_det)

    def _transform(self, event: tf.Tensor, condition: dict[str, Any], function: PairOf,
                   ) -> tuple[tf.Tensor, tf.Tensor]:
        kept, moved = self._split.apart(event)
        inner = self._inner(self._raw(kept, moved, condition))
        after, log_det = function(inner, moved, moved.shape.rank - 1)
        after.set_shape(moved.shape)  # Not every TFP bijector keeps the static shape.
        return self._split.together(kept, after), log_det

    def _forward_pullback(self, y: tf.Tensor, dy: tf.Tensor, dlog_det: tf.Tensor,
                          pullback: Pullback, **condition: Any) -> tuple[tf.Tensor, tf.Tensor]:
        return self._pull(y, dy, dlog_det, pullback, condition,
                          parts.inverse_and_log_det, parts.forward_and_log_det)

    def _inverse_pullback(self, x: tf.Tensor, dx: tf.Tensor, dlog_det: tf.Tensor,
                          pullback: Pullback, **condition: Any) -> tuple[tf.Tensor, tf.Tensor]:
        return self._pull(x, dx, dlog_det, pullback, condition,
                          parts.forward_and_log_det, parts.inverse_and_log_det)

    def _raw(self, kept: tf.Tensor, moved: tf.Tensor, condition: dict[str, Any]) -> tf.Tensor:
        # A network may compute in bfloat16.
        raw = self._output_of(
            'conditioner', tf.cast(self._conditioner(self._seen(kept), **condition), kept.dtype))
        each = getattr(self._inner, 'outputs_per_channel', None)
        channels = self._split.channels_of(kept, moved)
        if not _broadcasts(raw.shape[:-1], kept.shape[:-1]):
            raise ValueError('conditioner must give an output for each pixel, or one for all, of '
                             f'{kept.shape}; got shape={raw.shape}.')
        if (each is not None and channels is not None
                and raw.shape[-1] not in (None, each * channels)):
            raise ValueError(
                f'conditioner must give {each * channels} channels, {each} for each of {channels}, '
                f'as {type(self._inner).__name__} wants; got {raw.shape[-1]}.')
        return self._split.gather(raw, kept)

    def _pull(self, outputs: tf.Tensor, doutputs: tf.Tensor, dlog_det: tf.Tensor,
              pullback: Pullback, condition: dict[str, Any], rebuild: PairOf, function: PairOf,
              ) -> tuple[tf.Tensor, tf.Tensor]:
        """Rebuilds the input and pulls the cotangents; one run of the network serves both."""
        kept, moved = self._split.apart(outputs)
        dkept, dmoved = self._split.apart(doutputs)
        ndims = moved.shape.rank - 1
        raw = self._raw(pullback.watch(kept), moved, condition)
        with pullback.paused():
            cut = tf.identity(raw)
        inner = self._inner(pullback.watch(cut))
        with pullback.paused():
            before, _ = rebuild(inner, moved, ndims)
            before.set_shape(moved.shape)
        again, log_det = function(inner, pullback.watch(before), ndims)
        dbefore, draw = pullback.pull(
            [again, log_det], [before, cut], [dmoved, match_log_det(dlog_det, log_det)])
        dconditioner, = pullback.pull([raw], [kept], [draw])
        return (self._split.together(kept, before),
                self._split.together(dkept + dconditioner, dbefore))

    def _initialize(self, y: tf.Tensor, **condition: Any) -> tf.Tensor:
        if hasattr(self._conditioner, 'initialize'):
            self._conditioner.initialize(self._seen(self._split.apart(y)[0]), **condition)
        return super()._initialize(y, **condition)


class Coupling(CouplingBase):
    """Transforms one part of an event given the other: `[..., H, W, C] -> [..., H, W, C]`.

    With y = [y1, y2] taken apart by `split`, by default the first ceil(C / 2) channels in y1:

    ```none
    inverse(y) = [y1, inner(conditioner(y1)).inverse(y2)]
    forward(x) = [x1, inner(conditioner(x1)).forward(x2)]
    log|det J| = the sum of the inner transform's
    ```

    The network runs once in an evaluation, and once in the constant-memory backward pass. The inner
    transform is evaluated where entries move and nowhere else, for any split.

    Args:
        conditioner: A built Keras network or any callable, `y1 -> raw`, by default
            `[B, H, W, ceil(C/2)] -> [B, H, W, n * (C//2)]`, where n is the `outputs_per_channel` of
            the inner transform: 1 if it is additive, 2 if it is affine. With a split by pixels the
            network sees the whole image, with zeros where pixels move, and gives n * C channels,
            see `splits`.
        inner: The map `raw -> bijector` of y2: `Additive()`, `Multiplicative(scale_map)`,
            `AffineInner(scale_map)`, `SplineInner(bins)`, `MixtureCDFInner(components)`, or a
            function that returns any TFP bijector. The default is `AffineInner()`, Glow's.
        split: What conditions and what moves, from `splits`; by default `splits.channels()`.
        event_ndims: The number of dimensions of the events: 3 for images, 1 for vectors `[..., D]`,
            of which the network sees `[B, D']`.
        validate_args: Whether to check values as well, also in graphs; see `OnePassBijector`.
        name: The name of the bijector.

    Raises:
        ValueError: If the event cannot be split in this way, as one with fewer than two channels;
            if the network gives another number of channels than `inner` wants, or another number of
            pixels; or if the Keras network is not built.

    #### References
    Dinh et al., *RealNVP*, 2017, arXiv:1605.08803, equations 4 to 8, and 9 for masks.
    Kingma and Dhariwal, *Glow*, 2018, arXiv:1807.03039, section 3.3.

    ```python
    >>> import tensorflow as tf, tfp_glow
    >>> from tfp_glow import bijectors as tgb
    >>> coupling = tgb.Coupling(conditioner=lambda x1: 3. * x1, inner=tgb.Additive())
    >>> coupling.inverse(tf.ones([1, 1, 1, 2])).numpy()
    array([[[[1., 4.]]]], dtype=float32)
    >>> nice = tgb.Coupling(lambda x1: 3. * x1, tgb.Additive(), tgb.splits.even_odd(), 1)
    >>> nice.inverse([1., 2., 3., 4.]).numpy()
    array([ 1.,  5.,  3., 13.], dtype=float32)

    ```
    """

    def __init__(self, conditioner: Network, inner: Inner | None = None, split: Split | None = None,
                 event_ndims: int = 3, validate_args: bool = False, name: str = 'coupling') -> None:
        parameters = dict(locals())
        super().__init__(conditioner, inner or affine.AffineInner(), split or splits.channels(),
                         event_ndims, validate_args, parameters, name)

    def _log_slopes(self, y: tf.Tensor, **condition: Any) -> tf.Tensor | None:
        kept, moved = self._split.apart(y)
        inner = self._inner(self._raw(kept, moved, condition))
        return introspection.log_slopes(inner, moved)


def _broadcasts(shape: tf.TensorShape, to: tf.TensorShape) -> bool:
    """Returns whether a tensor of `shape` may broadcast to one of the shape `to`."""
    try:
        return tf.broadcast_static_shape(shape, to).is_compatible_with(to)
    except ValueError:
        return False
