"""Checks the arguments of `export` and turns them into a function that makes the `Answers`."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from tensorflow_probability import distributions as tfd

from tfp_glow import dequantization, vaes
from tfp_glow.bijectors import conditions
from tfp_glow.serving import frame as framing
from tfp_glow.serving import images, integer_images, latent_images, vectors
from tfp_glow.types import Shape, TensorLike


def for_images(
        model: Any, flow: tfd.Distribution, bins: int | None, original_shape: Shape | None,
        golden: np.ndarray | None,
) -> tuple[Callable[..., images.FramedAnswers], np.ndarray | None]:
    """Returns a function `(flow, classes=) -> Answers` about images, and the golden images."""
    bins, frame, golden = _about_images(model, flow, bins, original_shape, golden)
    discrete = dequantization.is_discrete(flow)
    make = integer_images.IntegerImageAnswers if discrete else images.ImageAnswers
    return functools.partial(make, bins=bins, frame=frame), golden


def for_vae(
        model: Any, vae: vaes.LatentModel, bins: int | None, original_shape: Shape | None,
        golden: np.ndarray | None,
) -> tuple[Callable[..., latent_images.LatentImageAnswers], np.ndarray | None]:
    """Returns a function `vae -> LatentImageAnswers`, and the golden images."""
    _, frame, golden = _about_images(model, vae, bins, original_shape, golden)
    return functools.partial(latent_images.LatentImageAnswers, frame=frame), golden


def _about_images(
        model: Any, distribution: tfd.Distribution | vaes.LatentModel, bins: int | None,
        original_shape: Shape | None, golden: np.ndarray | None,
) -> tuple[int, framing.Frame, np.ndarray | None]:
    """Returns `(bins, Frame, golden images)` of images that a flow or a VAE models."""
    event_shape = tuple(distribution.event_shape)
    bins = _checked_bins(bins, getattr(model, 'bins', None))
    frame = framing.Frame(event_shape, event_shape if original_shape is None else original_shape)
    counted = getattr(model, 'counted_dims', None)
    if counted is not None and counted != np.prod(frame.image_shape):
        raise ValueError(f'original_shape must have the {counted} numbers that bits/dim of the '
                         f'model counts; got original_shape={frame.image_shape}.')
    if golden is not None:
        golden = _checked_images(np.asarray(golden), frame, bins)
    return bins, frame, golden


def for_vectors(
        flow: tfd.Distribution, mean: TensorLike | None, std: TensorLike | None,
        columns: Sequence[str] | None, golden: np.ndarray | None,
) -> tuple[Callable[..., vectors.VectorAnswers], np.ndarray | None]:
    """Returns a function `(flow, classes=) -> Answers` about vectors, and the golden vectors."""
    dims = flow.event_shape[0]
    mean = np.asarray(np.zeros(dims) if mean is None else mean, np.float64)
    std = np.asarray(np.ones(dims) if std is None else std, np.float64)
    columns = [f'x{i + 1}' for i in range(dims)] if columns is None else list(columns)
    for name, values in (('mean', mean), ('std', std)):
        if values.shape != (dims,) or not np.all(np.isfinite(values)):
            raise ValueError(f'{name} must be {dims} finite numbers, one for each dimension; '
                             f'got {name}={values}.')
    if np.min(std) <= 0:
        raise ValueError(f'std must be positive; got {std=}.')
    if len(columns) != dims:
        raise ValueError(f'columns must be {dims} names, one for each dimension; got {columns=}.')
    if golden is not None:
        golden = np.asarray(golden, np.float32)
        if golden.shape[1:] != (dims,) or not len(golden) or not np.all(np.isfinite(golden)):
            raise ValueError(f'golden_vectors must be finite, [N, {dims}] with N > 0; got the '
                             f'shape {list(golden.shape)}.')
    return functools.partial(vectors.VectorAnswers, mean=mean, std=std, columns=columns), golden


def refuse(kind: str, **arguments: Any) -> None:
    """Refuses arguments that are not for this kind.

    Raises:
        ValueError: If one of `arguments` is not None.
    """
    for name, value in arguments.items():
        if value is not None:
            raise ValueError(f'{name} must be left out for {kind}; got one.')


def check_classes(flow: tfd.Distribution, classes: int | None) -> None:
    """Checks that `classes` is given if `flow` takes a condition, and only then.

    Raises:
        ValueError: If `classes` is missing, is given without need, or is not positive.
    """
    takes = conditions.takes_condition(flow.bijector)
    if takes != (classes is not None):
        rule = 'be the number of classes of' if takes else 'be left out for'
        raise ValueError(f'classes must {rule} a flow that takes {"a" if takes else "no"} '
                         f'condition; got {classes=}.')
    if classes is not None and classes < 1:
        raise ValueError(f'classes must be positive; got {classes=}.')


def _checked_bins(bins: int | None, models: int | None) -> int:
    if bins is None:
        bins = models or 256
    if not 2 <= bins <= 256:
        raise ValueError(f'bins must be in 2 .. 256; got {bins=}.')
    if models is not None and bins != models:
        raise ValueError(f'bins must be those of the model, {models}; got {bins=}.')
    return bins


def _checked_images(golden: np.ndarray, frame: framing.Frame, bins: int) -> np.ndarray:
    if golden.dtype != np.uint8 or golden.shape[1:] != frame.image_shape or not len(golden):
        raise ValueError(f'golden_images must be uint8 [N, *{frame.image_shape}] with N > 0; '
                         f'got {golden.dtype} {list(golden.shape)}.')
    if golden.max() >= bins:
        raise ValueError(f'golden_images must have grey levels below {bins=}; got {golden.max()}.')
    return golden
