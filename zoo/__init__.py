"""The model zoo: programs that train, evaluate, export and sample flows and VAEs."""

import os

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '2')  # Before anything imports TensorFlow.


def load(name):
    """Returns the flow or the VAE of the preset `name`, with trained weights.

    A flow is a `tfd.TransformedDistribution` whose data are in [-1/2, 1/2), see
    `tfp_glow.dequantization`, or standardised vectors. A VAE is a `tfp_glow.vaes.LatentModel` of
    integer images. What else is known of it `from_preset` gives.

    Raises:
        UsageError: there is no such preset; its files are not as they were written.
    """
    return from_preset(name).subject


def from_preset(name_or_path):
    """Returns the `zoo.runs.preset.Preset` of that name, or in that folder: its model, card, ...

    Raises:
        UsageError: as `load`.
    """
    from zoo.runs import preset
    return preset.read(name_or_path)


def list_presets():
    """Returns `{name: what it is, in one line}` of the presets that come with the package."""
    from zoo.runs import preset
    return preset.described()
