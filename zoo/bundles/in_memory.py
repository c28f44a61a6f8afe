"""A preset as if it were an opened bundle, without files."""

import dataclasses
import os
from typing import Any

from tfp_glow import serving
from zoo.bundles import reading
from zoo.models.spec import Kind
from zoo.runs import preset


@dataclasses.dataclass(frozen=True)
class PresetBundle(reading.Bundle):
    """A `Bundle` that was made of a preset in this process.

    Attributes:
        answers: What `load` returns.
    """

    answers: Any

    def load(self) -> Any:
        """Returns the module that answers `sample(n, temperature, seed)` and so on."""
        return self.answers


def of_preset(name_or_path: str | os.PathLike, towers: int = 1) -> PresetBundle:
    """Returns a preset as a bundle.

    Args:
        name_or_path: The name or the folder of the preset.
        towers: The number of shares of a batch that are computed beside each other.

    Raises:
        UsageError: If there is no such preset, or it cannot be read.
    """
    opened = preset.read(name_or_path)
    opened.model.towers = towers
    arguments: dict[str, Any] = {'original_shape': opened.events.original_shape}
    about: dict[str, Any] = {'name': opened.name, 'bins': opened.events.bins}
    if opened.run.spec.kind_of(opened.events.event_shape) is Kind.VECTOR_FLOW:
        # A preset of vectors does not hold their scale: the data do.
        arguments = opened.run.load_data().serving_arguments(1)
        del arguments['golden_vectors']
        about['columns'] = arguments['columns']
    answers = serving.serve(opened.model, classes=opened.events.classes, **arguments)
    about |= {'kind': answers.kind, 'classes': opened.events.classes}
    return PresetBundle(opened.path, about, '--preset', answers)
