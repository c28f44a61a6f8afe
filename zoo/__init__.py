"""The model zoo: programs that train, evaluate, export and sample flows and VAEs."""

import os
from typing import TYPE_CHECKING, Any

from zoo.cli.errors import UsageError

if TYPE_CHECKING:
    from zoo.runs.preset import Preset

__all__ = ['UsageError', 'from_preset', 'list_presets', 'load']

# This has to be set before anything imports TensorFlow, which logs errors of the GPU on machines
# that have none.
LOG_LEVEL_IS_OURS = 'TF_CPP_MIN_LOG_LEVEL' not in os.environ
os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')


def load(name: str) -> Any:
    """Returns the flow or the VAE of the preset `name`, with trained weights.

    A flow is a `tfd.TransformedDistribution` whose data are in [-1/2, 1/2), see
    `tfp_glow.dequantization`, or standardised vectors. A VAE is a `tfp_glow.vaes.LatentModel` of
    integer images. `from_preset` returns what else is known of it.

    Raises:
        UsageError: If there is no such preset, or its files are not as they were written.
    """
    return from_preset(name).distribution


def from_preset(name_or_path: str | os.PathLike) -> 'Preset':
    """Returns the `zoo.runs.preset.Preset` of a name, or in a folder: its model, its card and more.

    Raises:
        UsageError: If there is no such preset, or its files are not as they were written.
    """
    from zoo.runs import preset  # Late: programs start by importing this package.
    return preset.read(name_or_path)


def list_presets() -> dict[str, str]:
    """Returns the presets that come with the package, as `{name: what it is, in one line}`."""
    from zoo.runs import preset_folder
    return preset_folder.described()
