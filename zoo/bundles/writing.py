"""From a trained model to its SavedModel bundle."""

import os
import pathlib

from tfp_glow import serving
from zoo.runs.run import Trained

_GOLDEN = 4  # Test images or vectors that a bundle can be checked with.


def write(trained: Trained, out: str | os.PathLike) -> pathlib.Path:
    """Writes a trained model as the next version in the folder `out`; returns its path.

    A bundle of vectors answers in the data's own units; a conditional one knows their classes.

    Raises:
        ValueError: If the model gives no finite answers.
    """
    return serving.export(trained.model, out, classes=trained.classes,
                          **trained.data.serving_arguments(_GOLDEN))
