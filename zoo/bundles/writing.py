"""`write`: writes a trained model as a SavedModel bundle."""

import os
import pathlib

from tfp_glow import serving
from zoo.runs.run import Trained

_GOLDEN = 4  # A bundle holds so many test images or vectors that it can be checked with.


def write(trained: Trained, out: str | os.PathLike) -> pathlib.Path:
    """Writes a trained model as the next version in the folder `out`; returns its path.

    A bundle of vectors answers in the data's own units; a conditional one knows their classes.

    Raises:
        ValueError: If the model gives no finite answers.
    """
    return serving.export(trained.model, out, classes=trained.classes,
                          **trained.data.serving_arguments(_GOLDEN))
