"""Multi-scale architecture: levels, at each of which some of the channels leave as latents."""

from collections.abc import Iterable, Sequence
from typing import Any

import tensorflow as tf
from tensorflow_probability import bijectors as tfb

from tfp_glow.bijectors import base, checks, conditions, parts, splits
from tfp_glow.bijectors.introspection import Visit
from tfp_glow.bijectors.pullback import Pullback
from tfp_glow.types import Condition, DType, Shape


class MultiScale(base.OnePassBijector):
    """Maps a list of latents to an image and back, level by level.

    In the direction of the density, level l maps its image through `levels[l].inverse`. Then, on
    every level but the last, its channels are split: the first half goes on to the next level, and
    the second half leaves as latent z_l. Another `share` than the half may go on, see
    `splits.channels`. Before z_l leaves, the conditional prior `exits[l]` takes it to noise, given
    what stays.

    ```none
    h_0 = y;  [h_l+1, z_l] = split(exits[l].inverse(levels[l].inverse(h_l)));
    z_L = levels[L].inverse(h_L)
    inverse(y) = [z_0, ..., z_L]        forward([z_0, ..., z_L]) = y
    log|det J_inverse| = the sum over levels and exits
    ```

    Args:
        levels: The bijectors over images, the finest (nearest to the data) first.
        exits: None, or one bijector for each level but the last; it must leave the channels that go
            on as they are, as `Coupling` does.
        event_shape: The shape of the image, or None for any. If it is given, an image of another
            shape is refused, which a base that broadcasts might accept.
        share: The share of the channels that goes on, in (0, 1): one number, or one for each level
            but the last.
        validate_args: Whether to check values as well, also in graphs; see `OnePassBijector`.
        name: The name of the bijector.

    Raises:
        ValueError: If there are no levels, the number of exits does not fit, `share` is out of
            range, the bijectors have more than one dtype, an image has another shape than
            `event_shape`, or latents do not fit together.
        TypeError: If one of `levels` or `exits` is no bijector.

    #### References
    Dinh et al., *RealNVP*, 2017, arXiv:1605.08803, section 3.6 and figure 4b.
    Kingma and Dhariwal, *Glow*, 2018, arXiv:1807.03039, figure 2b.

    ```python
    >>> import tensorflow as tf, tfp_glow
    >>> from tfp_glow import bijectors as tgb
    >>> multi_scale = tgb.MultiScale([tgb.Squeeze(2), tgb.Squeeze(2)])
    >>> [z.shape.as_list() for z in multi_scale.inverse(tf.zeros([1, 8, 8, 1]))]
    [[1, 4, 4, 2], [1, 2, 2, 8]]

    ```
    """

    def __init__(self, levels: Iterable[tfb.Bijector], exits: Iterable[tfb.Bijector] | None = None,
                 event_shape: Shape | None = None,
                 share: float | Sequence[float] = .5, validate_args: bool = False,
                 name: str = 'multi_scale') -> None:
        parameters = dict(locals())
        self._levels = list(levels)
        count = len(self._levels)
        if not count:
            raise ValueError(f'levels must hold at least one bijector; got {levels=}.')
        self._exits = list(exits) if exits is not None else [tfb.Identity()] * (count - 1)
        if len(self._exits) != count - 1:
            raise ValueError(f'exits must hold one bijector per level but the last, {count - 1}; '
                             f'got {len(self._exits)}.')
        checks.check_bijectors('each of levels', self._levels)
        checks.check_bijectors('each of exits', self._exits)
        self._event_shape = tf.TensorShape(event_shape).with_rank(3)
        if not isinstance(share, Sequence):
            self._splits = [splits.channels(share=share)] * (count - 1)
        elif len(share) == count - 1:
            self._splits = [splits.channels(share=s) for s in share]
        else:
            raise ValueError(f'share must be one number or one per level but the last, {count - 1};'
                             f' got {share=}.')
        super().__init__(forward_min_event_ndims=[3] * count, inverse_min_event_ndims=3,
                         dtype=parts.common_dtype(levels=self._levels, exits=self._exits),
                         validate_args=validate_args, parameters=parameters, name=name)

    @property
    def levels(self) -> tuple[tfb.Bijector, ...]:
        """Returns the bijectors of the levels, the finest first."""
        return tuple(self._levels)

    @property
    def exits(self) -> tuple[tfb.Bijector, ...]:
        """Returns the conditional priors of the latents that leave early, the finest first."""
        return tuple(self._exits)

    @property
    def splits(self) -> tuple[splits.Channels, ...]:
        """Returns the splits into the channels that go on and those that leave.

        Every level but the last has one.
        """
        return tuple(self._splits)

    @property
    def takes_condition(self) -> bool:
        return any(map(conditions.takes_condition, [*self._levels, *self._exits]))

    def _forward_and_log_det(self, x: list[tf.Tensor], condition: Condition = None,
                             ) -> tuple[tf.Tensor, tf.Tensor]:
        *exited, h = x
        h, total = parts.forward_and_log_det(self._levels[-1], h, 3, condition)
        finer = zip(self._levels, self._exits, self._splits, exited)
        for level, exit_, split, z in reversed(list(finer)):
            h = _join_channels(split, h, z)
            h, exit_log_det = parts.forward_and_log_det(exit_, h, 3, condition)
            h, log_det = parts.forward_and_log_det(level, h, 3, condition)
            total += exit_log_det + log_det
        self._check_event('the image of x', h)
        return h, total

    def _inverse_and_log_det(self, y: tf.Tensor, condition: Condition = None,
                             ) -> tuple[list[tf.Tensor], tf.Tensor]:
        self._check_event('y', y)
        h, latents, total = y, [], tf.zeros([], y.dtype)
        for level, exit_, split in zip(self._levels, self._exits, self._splits):
            h, log_det = parts.inverse_and_log_det(level, h, 3, condition)
            h, exit_log_det = parts.inverse_and_log_det(exit_, h, 3, condition)
            h, z = split.apart(h)
            latents.append(z)
            total += log_det + exit_log_det
        h, log_det = parts.inverse_and_log_det(self._levels[-1], h, 3, condition)
        return [*latents, h], total + log_det

    def _check_event(self, name: str, image: tf.Tensor) -> None:
        if not image.shape[1:].is_compatible_with(self._event_shape):
            raise ValueError(f'{name} must have the event shape {tuple(self._event_shape)} of '
                             f'{self.name}; got event_shape={tuple(image.shape[1:])}.')

    def _forward_pullback(self, y: tf.Tensor, dy: tf.Tensor, dlog_det: tf.Tensor,
                          pullback: Pullback, condition: Condition = None,
                          ) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
        rest = (dlog_det, pullback, condition)
        latents, dlatents = [], []
        for level, exit_, split in zip(self._levels, self._exits, self._splits):
            y, dy = parts.forward_pullback(level, y, dy, *rest)
            y, dy = parts.forward_pullback(exit_, y, dy, *rest)
            (y, z), (dy, dz) = split.apart(y), split.apart(dy)
            latents.append(z)
            dlatents.append(dz)
        y, dy = parts.forward_pullback(self._levels[-1], y, dy, *rest)
        return [*latents, y], [*dlatents, dy]

    def _inverse_pullback(self, x: list[tf.Tensor], dx: list[tf.Tensor], dlog_det: tf.Tensor,
                          pullback: Pullback, condition: Condition = None,
                          ) -> tuple[tf.Tensor, tf.Tensor]:
        rest = (dlog_det, pullback, condition)
        (*exited, h), (*dexited, dh) = x, dx
        h, dh = parts.inverse_pullback(self._levels[-1], h, dh, *rest)
        for level, exit_, z, dz in reversed(list(zip(self._levels, self._exits, exited, dexited))):
            h, dh = tf.concat([h, z], -1), tf.concat([dh, dz], -1)
            h, dh = parts.inverse_pullback(exit_, h, dh, *rest)
            h, dh = parts.inverse_pullback(level, h, dh, *rest)
        return h, dh

    def visit_parts(self, y: tf.Tensor, visit: Visit) -> list[tf.Tensor]:
        latents = []
        for index, (exit_, split) in enumerate(zip(self._exits, self._splits)):
            y = visit(f'level_{index}/', self._levels[index], y)
            if not isinstance(exit_, tfb.Identity):
                y = visit(f'level_{index}/exit', exit_, y)
            y, z = split.apart(y)
            latents.append(z)
        return [*latents, visit(f'level_{len(self._exits)}/', self._levels[-1], y)]

    def _in_mode(self, training: bool) -> 'MultiScale':
        levels, exits = ([parts.in_mode(part, training) for part in bijectors]
                         for bijectors in (self._levels, self._exits))
        old = [*self._levels, *self._exits]
        unchanged = all(new is part for new, part in zip([*levels, *exits], old))
        return self if unchanged else self.copy(levels=levels, exits=exits)

    def _frozen_values(self) -> Any:
        return [parts.frozen_values(part) for part in [*self._levels, *self._exits]]

    def _with_frozen(self, values: Any) -> 'MultiScale':
        frozen = [parts.with_frozen(part, v)
                  for part, v in zip([*self._levels, *self._exits], values)]
        count = len(self._levels)
        shares = [split.share for split in self._splits]
        return MultiScale(frozen[:count], frozen[count:], self._event_shape, shares,
                          self.validate_args, name=self.name)

    def _forward_dtype(self, input_dtype: Any, **kwargs: Any) -> DType:
        return tf.nest.flatten(input_dtype)[0]

    def _inverse_dtype(self, output_dtype: DType, **kwargs: Any) -> list[DType]:
        return [output_dtype] * len(self._levels)

    def _forward_event_shape(self, shapes: Sequence[tf.TensorShape]) -> tf.TensorShape:
        *exited, shape = [tf.TensorShape(s) for s in shapes]
        shape = self._levels[-1].forward_event_shape(shape)
        for level, z in reversed(list(zip(self._levels, exited))):
            whole = None if None in (shape[-1], z[-1]) else shape[-1] + z[-1]
            shape = level.forward_event_shape(shape[:-1].concatenate([whole]))
        return shape

    def _inverse_event_shape(self, shape: tf.TensorShape) -> list[tf.TensorShape]:
        shapes = []
        for level, split in zip(self._levels, self._splits):
            *side, channels = level.inverse_event_shape(shape).with_rank(3).as_list()
            moved = None if channels is None else split.moved(channels)
            shapes.append(tf.TensorShape([*side, moved]))
            shape = tf.TensorShape([*side, None if channels is None else channels - moved])
        return [*shapes, self._levels[-1].inverse_event_shape(shape)]

    def _forward_event_shape_tensor(self, shapes: Sequence[tf.Tensor]) -> tf.Tensor:
        *exited, shape = shapes
        shape = self._levels[-1].forward_event_shape_tensor(shape)
        for level, z in reversed(list(zip(self._levels, exited))):
            shape = level.forward_event_shape_tensor(
                tf.concat([shape[:-1], shape[-1:] + z[-1:]], 0))
        return shape

    def _inverse_event_shape_tensor(self, shape: tf.Tensor) -> list[tf.Tensor]:
        shapes = []
        for level, split in zip(self._levels, self._splits):
            shape = level.inverse_event_shape_tensor(shape)
            side, channels = shape[:-1], shape[-1:]
            moved = split.moved(channels)
            shapes.append(tf.concat([side, moved], 0))
            shape = tf.concat([side, channels - moved], 0)
        return [*shapes, self._levels[-1].inverse_event_shape_tensor(shape)]


def _join_channels(split: splits.Channels, h: tf.Tensor, z: tf.Tensor) -> tf.Tensor:
    """Returns what stayed and the latent that left, as one image again."""
    kept, moved = h.shape[-1], z.shape[-1]
    if (not h.shape[:-1].is_compatible_with(z.shape[:-1])
            or (None not in (kept, moved) and split.moved(kept + moved) != moved)):
        raise ValueError('x must hold latents of one image, each of the shape of what the '
                         f'coarser ones give, here {h.shape}; got shape={z.shape}.')
    return tf.concat([h, z], -1)
