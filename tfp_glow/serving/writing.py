"""`export`, which writes a flow or a VAE as a SavedModel bundle in a new version directory."""

import contextlib
import os
import pathlib
import shutil
import tempfile
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfp_glow import dequantization, training, vaes
from tfp_glow.bijectors import parts
from tfp_glow.serving import arguments, contents
from tfp_glow.serving import module as modules
from tfp_glow.serving.answers import Answers
from tfp_glow.types import Shape, TensorLike

Model: TypeAlias = training.FlowModel | vaes.VAEModel | vaes.LatentModel | tfd.Distribution


def export(model_or_flow: Model, directory: str | os.PathLike[str], bins: int | None = None,
           original_shape: Shape | None = None, golden_images: np.ndarray | None = None, *,
           classes: int | None = None, mean: TensorLike | None = None,
           std: TensorLike | None = None, columns: Sequence[str] | None = None,
           golden_vectors: np.ndarray | None = None) -> pathlib.Path:
    """Writes a bundle to `directory/1`, or to the next number, and returns its path.

    A bundle answers questions where only TensorFlow is installed. It does so by signatures, and by
    functions of what `tf.saved_model.load` returns. The questions to a flow over uint8 images are
    `sample`, `log_prob`, `bits_per_dim`, `encode`, `decode` and `interpolate`. The questions to a
    flow over float32 vectors, in their own units, are all of these but `bits_per_dim`. The
    questions to a conditional flow all have one more argument, the last: `label`, one integer for
    each event or one for all, `[B]` or `[1]`. The bundle holds the averaged weights if the model
    keeps them. It holds the 1x1 convolutions and their inverses as matrices. Beside the SavedModel
    lie `bundle.json`, which says what the bundle is and has the SHA-256 of each file, and
    `golden.npz`, which has inputs and outputs to check the bundle with.

    The bundle of a discrete flow, an `IntegerFlow`, does not interpolate. Its `log_prob` and
    `bits_per_dim` are exact and take no seed.

    The bundle of a VAE answers `sample`, `elbo` (a lower bound of log P(image) in nats), `encode`
    (the centre of q(z|x)), `decode` and `reconstruct`. The last two return pictures, float32, see
    `LatentModel.picture`.

    The bundle is written under another name, and renamed when it is complete.

    Args:
        model_or_flow: A `FlowModel`, or a `tfd.TransformedDistribution` over `[H, W, C]`, data in
            [-1/2, 1/2), or over `[D]`, whose base is Normal; a `flows.IntegerFlow`; a
            `vaes.VAEModel` or a `vaes.LatentModel`.
        directory: The parent of the versions, which is made if it does not exist.
        bins: For images, the number of grey levels, 2 .. 256. By default it is the model's, and 256
            for a flow.
        original_shape: The shape `(h, w, C)` of images that were padded to the flow's shape by
            repeating their edges, with the image in the centre. The bundle pads and crops them
            itself. By default it is the flow's shape.
        golden_images: A few images to check the bundle with, uint8 `[N, h, w, C]`. By default they
            are four samples of the flow.
        classes: The number of classes of a flow that takes labels 0 .. classes-1 as its condition.
        mean: For vectors x, which are `mean + std * y` for data y of the flow: `[D]`, by default 0.
        std: For vectors, likewise: `[D]`, by default 1.
        columns: The D names of the numbers in a vector, for `bundle.json`. By default they are x1,
            x2 and so on.
        golden_vectors: A few vectors `[N, D]`, used as `golden_images` are.

    Returns:
        The path of the new version.

    Raises:
        ValueError: If an argument is out of its range or is for another kind of model, or if the
            model has weights or gives answers that are not finite.

    ```python
    >>> import tempfile, tensorflow as tf, tfp_glow
    >>> flow = tfp_glow.flows.glow((8, 8, 1), levels=2, steps_per_level=1, width=4)
    >>> path = tfp_glow.serving.export(flow, tempfile.mkdtemp())
    >>> path.name
    '1'
    >>> model = tf.saved_model.load(path)
    >>> model.sample(3, .7, 0).shape
    TensorShape([3, 8, 8, 1])

    ```
    """
    distribution, make, golden = _prepared(
        model_or_flow, classes,
        {'bins': bins, 'original_shape': original_shape, 'golden_images': golden_images},
        {'mean': mean, 'std': std, 'columns': columns, 'golden_vectors': golden_vectors})
    averaged = getattr(model_or_flow, 'averaged_weights', contextlib.nullcontext)
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    unfinished = pathlib.Path(tempfile.mkdtemp(prefix='.unfinished-', dir=directory))
    try:
        with averaged():
            _check_finite(distribution)
            _write(make(distribution), golden, unfinished)
        unfinished.chmod(directory.stat().st_mode)  # mkdtemp's mode is for the owner only.
        return _rename(unfinished, directory)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def serve(model_or_flow: Any, bins: int | None = None, original_shape: Shape | None = None, *,
          classes: int | None = None, mean: np.ndarray | None = None,
          std: np.ndarray | None = None,
          columns: Sequence[str] | None = None) -> modules.AnyAnswers:
    """Returns an object that answers in this process what a bundle of the same model answers.

    It has the functions `sample`, `log_prob` and so on of a bundle, see `export`, with the weights
    that the model has when it is asked. The towers are those of the model, see `FlowModel`. A
    bundle has one tower, as it does not know its machine.

    Args:
        model_or_flow: As for `export`.
        bins: As for `export`.
        original_shape: As for `export`.
        classes: As for `export`.
        mean: As for `export`.
        std: As for `export`.
        columns: As for `export`.

    Raises:
        ValueError: If an argument is out of its range, or for another kind of model.

    ```python
    >>> import tfp_glow
    >>> flow = tfp_glow.flows.glow((8, 8, 1), levels=2, steps_per_level=1, width=4)
    >>> tfp_glow.serving.serve(flow).sample(3, .7, 0).shape
    TensorShape([3, 8, 8, 1])

    ```
    """
    distribution, make, _ = _prepared(
        model_or_flow, classes,
        {'bins': bins, 'original_shape': original_shape, 'golden_images': None},
        {'mean': mean, 'std': std, 'columns': columns, 'golden_vectors': None})
    return make(distribution, towers=getattr(model_or_flow, 'towers', 1))


def _prepared(model_or_flow: Any, classes: int | None, of_images: dict[str, Any],
              of_vectors: dict[str, Any],
              ) -> tuple[Any, Callable[..., modules.AnyAnswers], np.ndarray | None]:
    """Returns the flow or VAE of a model, what makes its `Answers`, and the golden events."""
    distribution = getattr(
        model_or_flow, 'flow', getattr(model_or_flow, 'vae', model_or_flow))
    if isinstance(distribution, vaes.LatentModel):
        arguments.refuse('a VAE', classes=classes, **of_vectors)
        return (distribution, *arguments.for_vae(model_or_flow, distribution, *of_images.values()))
    return (distribution,
            *_for_flow(model_or_flow, distribution, classes, of_images, of_vectors))


def _for_flow(model: Any, flow: tfd.Distribution, classes: int | None, of_images: dict[str, Any],
              of_vectors: dict[str, Any],
              ) -> tuple[Callable[..., Answers], np.ndarray | None]:
    """Returns a function `(flow, towers=1) -> Answers`, and the golden events."""
    rank = flow.event_shape.rank
    if rank not in (1, 3) or not flow.event_shape.is_fully_defined():
        raise ValueError('model_or_flow must have a known event shape, (height, width, channels) '
                         f'or (dimensions,); got {flow.event_shape}.')
    arguments.check_classes(flow, classes)
    make: Callable[..., Answers]
    if rank == 3:
        arguments.refuse('a flow over images', **of_vectors)
        make, golden = arguments.for_images(model, flow, *of_images.values())
    else:
        arguments.refuse('a flow over vectors', **of_images)
        make, golden = arguments.for_vectors(flow, *of_vectors.values())
    return lambda flow, towers=1: make(_frozen(flow), classes=classes, towers=towers), golden


def _frozen(flow: tfd.Distribution) -> tfd.Distribution:
    """Returns an equal flow that reads from variables what its parameters alone determine."""
    if dequantization.is_discrete(flow):  # Its permutations are exact as they are.
        return flow
    values = tf.nest.map_structure(
        lambda value: tf.Variable(value, trainable=False, name='frozen'),
        parts.frozen_values(flow.bijector))
    return flow.copy(bijector=parts.with_frozen(flow.bijector, values))


def _check_finite(distribution: tf.Module) -> None:
    for variable in distribution.variables:
        value = variable.numpy()
        if value.dtype.kind == 'f' and not np.isfinite(value).all():
            raise ValueError(f'model_or_flow must have finite weights; {variable.name} is not.')


def _write(answers: modules.AnyAnswers, golden: np.ndarray | None, path: pathlib.Path) -> None:
    module = modules.Module(answers)
    tf.saved_model.save(
        module, str(path), modules.signatures(module, answers),
        tf.saved_model.SaveOptions(experimental_custom_gradients=False))
    contents.write(path, answers, module, golden)


def _rename(unfinished: pathlib.Path, directory: pathlib.Path) -> pathlib.Path:
    """Gives the unfinished version the next number, and never replaces an existing version."""
    while True:
        taken = [int(p.name) for p in directory.iterdir() if p.name.isdecimal()]
        path = directory / str(max(taken, default=0) + 1)
        try:
            os.rename(unfinished, path)
            return path
        except OSError:
            if not path.exists():
                raise
