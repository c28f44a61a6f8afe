"""Walks from the data to the latents: visits each layer of a flow with what reaches it."""

from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf
from tensorflow_probability import bijectors as tfb

from tfp_glow.bijectors import conditions, introspection
from tfp_glow.types import Condition


class Visit(NamedTuple):
    """Holds a bijector that was evaluated once, from the data to the latents."""
    path: str
    bijector: tfb.Bijector
    condition: Condition  # This is None if the bijector takes none.
    y: tf.Tensor
    x: Any  # These are the latents, or what goes on to the next layer.
    log_det: tf.Tensor  # This is the log-det of the inverse, per event or one for all.

    @property
    def kwargs(self) -> dict[str, Any]:
        """The keyword arguments of the bijector's methods."""
        return conditions.condition_kwargs(self.bijector, self.condition)


def visit(path: str, bijector: tfb.Bijector, y: tf.Tensor, condition: Condition = None) -> Visit:
    """Evaluates any TFP bijector on a batch `y [B, ...]`, whatever its cache holds."""
    y, kwargs = tf.identity(y), conditions.condition_kwargs(bijector, condition)
    x = bijector.inverse(y, **kwargs)
    log_det = bijector.inverse_log_det_jacobian(y, event_ndims=y.shape.rank - 1, **kwargs)
    return Visit(path, bijector, kwargs.get('condition'), y, x, log_det)


def walk(bijector: tfb.Bijector, y: tf.Tensor, condition: Condition,
         measure: Callable[[Visit], None]) -> Any:
    """Calls `measure` with a `Visit` of each layer of a flow, the nearest to the data first.

    The walk goes into each bijector that has parts, see `Introspection.visit_parts`. Any other
    bijector is a layer. The path of a layer is made of the names of what it stands in:
    `level_0/repeat[3]/coupling`. A container that stands alone, as a level or a step does, adds
    nothing to the path of its parts, unless these are numbered by it.

    Args:
        bijector: Any TFP bijector.
        y: A batch with one dimension before the event's.
        condition: The condition of the batch, which may be None.
        measure: A function of each `Visit`.

    Returns:
        The latents.
    """
    def go(path: str, stands_alone: bool, bijector: tfb.Bijector, y: tf.Tensor) -> Any:
        own_path = _join(path, bijector.name) if stands_alone else path

        def go_to_part(name: str, part: tfb.Bijector, value: Any) -> Any:
            place = name.removesuffix('/')
            part_path = own_path + place if place.startswith('[') else _join(path, place)
            return go(part_path, name.endswith('/'), part, value)
        latents = introspection.visit_parts(bijector, y, go_to_part)
        if latents is not None:
            return latents
        layer = visit(own_path or bijector.name, bijector, y, condition)
        measure(layer)
        return layer.x
    return go('', True, bijector, y)


def _join(path: str, name: str) -> str:
    return f'{path}/{name}' if path and name else path or name
