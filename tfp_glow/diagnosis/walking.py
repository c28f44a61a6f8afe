"""The walk from the data to the latents: each layer of a flow, on what reaches it."""

import collections
import typing

import tensorflow as tf
from tensorflow_probability import bijectors as tfb

from tfp_glow import bijectors as tgb
from tfp_glow.bijectors import parts
from tfp_glow.internal import tfp_compat

# Containers that stand alone, as a level or a step does, add nothing to the path of their parts.
_UNNAMED = (tgb.Chain, tgb.MultiScale, tgb.Reversible, tfp_compat.Chain)


class Visit(typing.NamedTuple):
    """A bijector, evaluated once from data to latents."""
    path: str
    bijector: tfb.Bijector
    condition: dict  # Keyword arguments of the bijector's methods.
    y: tf.Tensor
    x: typing.Any  # The latents, or what goes on to the next layer.
    log_det: tf.Tensor  # Of the inverse, per event or one for all.


def visit(path, bijector, y, condition=None):
    """Evaluates any TFP bijector on a batch `y [B, ...]`, whatever its cache holds."""
    y, given = tf.identity(y), parts.condition_kwargs(bijector, condition)
    x = bijector.inverse(y, **given)
    log_det = bijector.inverse_log_det_jacobian(y, event_ndims=y.shape.rank - 1, **given)
    return Visit(path, bijector, given, y, x, log_det)


def walk(bijector, y, condition=None):
    """Yields a `Visit` for each layer of `bijector`, the nearest to the data first.

    Goes into `Chain`, `MultiScale`, `Repeat`, `Reversible` and `tfb.Chain`; any other bijector is a
    layer. `y` is a batch with one dimension before the event's. The path of a layer is made of the
    names of what it stands in: `level_0/repeat[3]/coupling`.
    """
    return _walk(_under('', bijector), bijector, y, condition)


def _walk(path, bijector, y, condition):
    """`walk` below `path`; the generator returns what leaves on the side of the latents."""
    if isinstance(bijector, tgb.Reversible):
        return (yield from _walk(path, bijector.bijector, y, condition))
    if isinstance(bijector, tgb.MultiScale):
        return (yield from _walk_levels(path, bijector, y, condition))
    parts = _parts(path, bijector)
    if parts is None:
        found = visit(path or bijector.name, bijector, y, condition)
        yield found
        return found.x
    for part_path, part in parts:
        y = yield from _walk(part_path, part, y, condition)
    return y


def _walk_levels(path, bijector, y, condition):
    for index, level in enumerate(bijector.levels):
        level_path = _join(path, f'level_{index}')
        y = yield from _walk(_under(level_path, level), level, y, condition)
        if index < len(bijector.exits):
            exit_ = bijector.exits[index]
            if not isinstance(exit_, tfb.Identity):
                y = yield from _walk(_join(level_path, 'exit'), exit_, y, condition)
            y, _ = tgb.splits.channels().apart(y)  # The first half goes on.


def _parts(path, bijector):
    """`(path, bijector)` of what a chain applies in turn, or None of a layer."""
    if isinstance(bijector, tgb.Repeat):
        return ((_under(f'{path}[{index}]', step), step)
                for index, step in enumerate(map(bijector.step, range(bijector.times))))
    if isinstance(bijector, tgb.Chain):
        return _numbered(path, bijector.parts)
    if isinstance(bijector, tfp_compat.Chain) and not any(  # Not if one takes several latents.
            tf.nest.is_nested(part.inverse_min_event_ndims) for part in bijector.bijectors):
        return _numbered(path, bijector.bijectors)
    return None


def _numbered(path, parts):
    """The parts under their names; those that share one are numbered."""
    counts, seen = collections.Counter(part.name for part in parts), collections.Counter()
    for part in parts:
        number = f'[{seen[part.name]}]' if counts[part.name] > 1 else ''
        seen[part.name] += 1
        yield _join(path, part.name + number), part


def _under(path, bijector):
    """The path of what stands alone at `path`."""
    return path if isinstance(bijector, _UNNAMED) else _join(path, bijector.name)


def _join(path, name):
    return f'{path}/{name}' if path else name
