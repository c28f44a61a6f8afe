"""The model zoo: programs that train, evaluate, export and sample flows and VAEs."""

import os
from typing import TYPE_CHECKING, Any

from zoo.cli.errors import UsageError

if TYPE_CHECKING:
    from zoo.runs.preset import Preset

__all__ = ['UsageError', 'from_preset', 'list_presets', 'load']

# Before anything imports TensorFlow: it logs errors of the GPU on machines that have none.
LOG_LEVEL_IS_OURS = 'TF_CPP_MIN_LOG_LEVEL' not in os.environ
os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')


def load(name: str) -> Any:
    """Returns the flow or the VAE of the preset `name`, with trained weights.

    A flow is a `tfd.TransformedDistribution` whose data are in [-1/2, 1/2), see
    `tfp_glow.dequantization`, or standardised vectors. A VAE is a `tfp_glow.vaes.LatentModel` of
    integer images. What else is known of it `from_preset` gives.

    Raises:
        UsageError: If there is no such preset, or its files are not as they were written.
    """
    return from_preset(name).distribution


def from_preset(name_or_path: str | os.PathLike) -> 'Preset':
    """Returns the `zoo.runs.preset.Preset` of that name, or in that folder: its model, card, ...

    Raises:
        UsageError: As `load`.
    """
    from zoo.runs import preset  # Late: programs start by importing this package.
    return preset.read(name_or_path)


def list_presets() -> dict[str, str]:
    """Returns `{name: what it is, in one line}` of the presets that come with the package."""
    from zoo.runs import preset_folder
    return preset_folder.described()
