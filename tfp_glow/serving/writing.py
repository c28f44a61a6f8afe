"""`export`: writes a flow as a SavedModel bundle in a new version directory."""

import contextlib
import os
import pathlib
import shutil
import tempfile

import numpy as np
import tensorflow as tf

from tfp_glow.bijectors import base
from tfp_glow.serving import answers as answering
from tfp_glow.serving import contents
from tfp_glow.serving import frame as framing
from tfp_glow.serving import module as modules


def export(model_or_flow, directory, bins=None, original_shape=None, golden_images=None):
    """Writes `directory/1`, or the next number, and returns its path.

    The bundle answers `sample`, `log_prob`, `bits_per_dim`, `encode`, `decode` and `interpolate`
    about uint8 images, as signatures and as functions of what `tf.saved_model.load` returns, where
    only TensorFlow is installed. It holds the averaged weights if the model keeps them, and the
    1x1 convolutions and their inverses as matrices. Beside the SavedModel lie `bundle.json` (what
    it is, SHA-256 of each file) and `golden.npz` (inputs and outputs to check it with).

    It is written under another name and renamed when it is whole.

    Args:
      model_or_flow: a `FlowModel`, or a `tfd.TransformedDistribution` over `[H, W, C]`, data in
        [-1/2, 1/2), whose base is Normal.
      directory: the parent of the versions; made if it is not there.
      bins: number of grey levels, 2 .. 256; by default the model's, 256 for a flow.
      original_shape: `(h, w, C)` of images that were padded to the flow's shape by repeating their
        edges, centred; the bundle pads and crops them itself. By default the flow's.
      golden_images: uint8 `[N, h, w, C]`, a few images to check the bundle with; by default four
        samples of the flow.

    Raises:
      ValueError: an argument out of its range, or a flow that gives no finite answers.

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
    flow = getattr(model_or_flow, 'flow', model_or_flow)
    event_shape = tuple(flow.event_shape.as_list())
    if len(event_shape) != 3 or None in event_shape:
        raise ValueError(f'model_or_flow must have a known event shape (height, width, channels); '
                         f'got {event_shape}.')
    bins = _checked_bins(bins, getattr(model_or_flow, 'bins', None))
    frame = framing.Frame(event_shape, event_shape if original_shape is None else original_shape)
    counted = getattr(model_or_flow, 'counted_dims', None)
    if counted is not None and counted != np.prod(frame.image_shape):
        raise ValueError(f'original_shape must have the {counted} numbers that bits/dim of the '
                         f'model counts; got original_shape={frame.image_shape}.')
    if golden_images is not None:
        golden_images = _checked_images(np.asarray(golden_images), frame, bins)
    averaged = getattr(model_or_flow, 'averaged_weights', lambda: contextlib.nullcontext(flow))
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    unfinished = pathlib.Path(tempfile.mkdtemp(prefix='.unfinished-', dir=directory))
    try:
        with averaged():
            answers = answering.Answers(_frozen(flow), bins, frame)
            _write(answers, golden_images, unfinished)
        unfinished.chmod(directory.stat().st_mode)  # mkdtemp's is for the owner only.
        return _rename(unfinished, directory)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _frozen(flow):
    """An equal flow that reads what its parameters alone determine from variables."""
    values = tf.nest.map_structure(
        lambda value: tf.Variable(value, trainable=False, name='frozen'),
        base.frozen_values(flow.bijector))
    return flow.copy(bijector=base.with_frozen(flow.bijector, values))


def _write(answers, golden_images, path):
    module = modules.Module(answers)
    tf.saved_model.save(
        module, str(path), modules.signatures(module, answers),
        tf.saved_model.SaveOptions(experimental_custom_gradients=False))
    contents.write(path, answers, module, golden_images)


def _rename(unfinished, directory):
    """Gives it the next number; nobody else's version is ever replaced."""
    while True:
        taken = [int(p.name) for p in directory.iterdir() if p.name.isdecimal()]
        path = directory / str(max(taken, default=0) + 1)
        try:
            os.rename(unfinished, path)
            return path
        except OSError:
            if not path.exists():
                raise


def _checked_bins(bins, models):
    if bins is None:
        bins = models or 256
    if not 2 <= bins <= 256:
        raise ValueError(f'bins must be in 2 .. 256; got {bins=}.')
    if models is not None and bins != models:
        raise ValueError(f'bins must be those of the model, {models}; got {bins=}.')
    return bins


def _checked_images(images, frame, bins):
    if images.dtype != np.uint8 or images.shape[1:] != frame.image_shape or not len(images):
        raise ValueError(f'golden_images must be uint8 [N, *{frame.image_shape}] with N > 0; '
                         f'got {images.dtype} {list(images.shape)}.')
    if images.max() >= bins:
        raise ValueError(f'golden_images must have grey levels below {bins=}; got {images.max()}.')
    return images
