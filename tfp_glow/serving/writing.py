"""`export`: writes a flow or a VAE as a SavedModel bundle in a new version directory."""

import contextlib
import os
import pathlib
import shutil
import tempfile

import tensorflow as tf

from tfp_glow import dequantization, vaes
from tfp_glow.bijectors import parts
from tfp_glow.serving import arguments, contents
from tfp_glow.serving import module as modules


def export(model_or_flow, directory, bins=None, original_shape=None, golden_images=None, *,
           classes=None, mean=None, std=None, columns=None, golden_vectors=None):
    """Writes `directory/1`, or the next number, and returns its path.

    A flow's bundle answers `sample`, `log_prob`, `bits_per_dim`, `encode`, `decode` and
    `interpolate` about uint8 images, or all of these but `bits_per_dim` about float32 vectors in
    their own units, as signatures and as functions of what `tf.saved_model.load` returns, where
    only TensorFlow is installed. The questions to a conditional flow all have one more argument,
    the last: `label`, one integer for each event or one for all, `[B]` or `[1]`. It holds the
    averaged weights if the model keeps them, and the 1x1 convolutions and their inverses as
    matrices. Beside the SavedModel lie `bundle.json` (what it is, SHA-256 of each file) and
    `golden.npz` (inputs and outputs to check it with).

    A discrete flow's, an `IntegerFlow`'s, does not interpolate, and its `log_prob` and
    `bits_per_dim` are exact and take no seed.

    A VAE's answers `sample`, `elbo` (a lower bound of log P(image) in nats), `encode` (the
    centre of q(z|x)), `decode` and `reconstruct`: the last two give pictures, float32, see
    `LatentModel.picture`.

    It is written under another name and renamed when it is whole.

    Args:
      model_or_flow: a `FlowModel`, or a `tfd.TransformedDistribution` over `[H, W, C]`, data in
        [-1/2, 1/2), or over `[D]`, whose base is Normal; a `flows.IntegerFlow`; a `vaes.VAEModel`
        or a `vaes.LatentModel`.
      directory: the parent of the versions; made if it is not there.
      bins: of images, the number of grey levels, 2 .. 256; by default the model's, 256 for a flow.
      original_shape: `(h, w, C)` of images that were padded to the flow's shape by repeating their
        edges, centred; the bundle pads and crops them itself. By default the flow's.
      golden_images: uint8 `[N, h, w, C]`, a few images to check the bundle with; by default four
        samples of the flow.
      classes: number of classes of a flow that takes labels 0 .. classes-1 as its condition.
      mean: of vectors x, which are `mean + std * y` for data y of the flow: `[D]`, by default 0.
      std: likewise, by default 1.
      columns: D names of the numbers in a vector, for `bundle.json`; by default x1, x2 and so on.
      golden_vectors: `[N, D]`, as `golden_images`.

    Raises:
      ValueError: an argument out of its range or for another kind of model, or a model that gives
        no finite answers.

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
    subject = getattr(model_or_flow, 'flow', getattr(model_or_flow, 'vae', model_or_flow))
    of_images = {'bins': bins, 'original_shape': original_shape, 'golden_images': golden_images}
    of_vectors = {'mean': mean, 'std': std, 'columns': columns, 'golden_vectors': golden_vectors}
    if isinstance(subject, vaes.LatentModel):
        arguments.refuse('a VAE', classes=classes, **of_vectors)
        make, golden = arguments.for_vae(model_or_flow, subject, *of_images.values())
    else:
        make, golden = _for_flow(model_or_flow, subject, classes, of_images, of_vectors)
    averaged = getattr(model_or_flow, 'averaged_weights', contextlib.nullcontext)
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    unfinished = pathlib.Path(tempfile.mkdtemp(prefix='.unfinished-', dir=directory))
    try:
        with averaged():
            _write(make(subject), golden, unfinished)
        unfinished.chmod(directory.stat().st_mode)  # mkdtemp's is for the owner only.
        return _rename(unfinished, directory)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _for_flow(model, flow, classes, of_images, of_vectors):
    """`flow -> Answers`, and the golden events."""
    rank = flow.event_shape.rank
    if rank not in (1, 3) or not flow.event_shape.is_fully_defined():
        raise ValueError('model_or_flow must have a known event shape, (height, width, channels) '
                         f'or (dimensions,); got {flow.event_shape}.')
    arguments.check_classes(flow, classes)
    if rank == 3:
        arguments.refuse('a flow over images', **of_vectors)
        make, golden = arguments.for_images(model, flow, *of_images.values())
    else:
        arguments.refuse('a flow over vectors', **of_images)
        make, golden = arguments.for_vectors(flow, *of_vectors.values())
    return lambda flow: make(_frozen(flow), classes=classes), golden


def _frozen(flow):
    """An equal flow that reads what its parameters alone determine from variables."""
    if dequantization.is_discrete(flow):  # Its permutations are exact as they are.
        return flow
    values = tf.nest.map_structure(
        lambda value: tf.Variable(value, trainable=False, name='frozen'),
        parts.frozen_values(flow.bijector))
    return flow.copy(bijector=parts.with_frozen(flow.bijector, values))


def _write(answers, golden, path):
    module = modules.Module(answers)
    tf.saved_model.save(
        module, str(path), modules.signatures(module, answers),
        tf.saved_model.SaveOptions(experimental_custom_gradients=False))
    contents.write(path, answers, module, golden)


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
