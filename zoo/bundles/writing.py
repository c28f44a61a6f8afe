"""From a run's model to its SavedModel bundle."""

from tfp_glow import serving

_GOLDEN = 4  # Test images or vectors that a bundle can be checked with.


def write(run, data, model, out):
    """Writes `model`, of `run` on `data`, as the next version in the folder `out`; its path.

    A bundle of vectors answers in the data's own units; a conditional one knows their classes.

    Raises:
        ValueError: the model gives no finite answers.
    """
    golden = data.take('test', min(_GOLDEN, data.sizes['test']))
    bijector = getattr(getattr(model, 'flow', None), 'bijector', None)  # A VAE has none.
    classes = data.num_classes if getattr(bijector, 'takes_condition', False) else None
    if data.bins is None:
        return serving.export(model, out, classes=classes, mean=data.mean, std=data.std,
                              columns=data.columns, golden_vectors=data.unscale(golden))
    return serving.export(model, out, original_shape=data.original_shape, classes=classes,
                          golden_images=run.prepare(data.crop(golden)))
