"""Reads presets: trained models in folders that are checked by SHA-256 first.

A preset is a folder with `config.json` (the run and the data that it was trained on),
`weights.npz` (the averaged weights), `card.json` and `card.md` (what is known of it), pictures of
samples and of the learning curve, and `sha256.json` (the sums of all other files). The sums are
checked before any other file is read. Weights are arrays, never pickled objects.
"""

import dataclasses
import os
import pathlib
import zipfile
from typing import Any

import numpy as np

from zoo.cli import errors
from zoo.models.options import Events
from zoo.models.spec import Kind
from zoo.runs import preset_folder
from zoo.runs.run import Run

FORMAT = 1


@dataclasses.dataclass(frozen=True)
class Preset:
    """A trained model with what is known of it.

    Attributes:
        name: The name of the preset, which is the name of its folder.
        distribution: What was trained, with its averaged weights: a flow, which is a
            `tfd.TransformedDistribution` or an `IntegerFlow`, or a VAE, which is a
            `tfp_glow.vaes.LatentModel`.
        model: The `FlowModel` or `VAEModel` of the distribution, not compiled.
        run: The `zoo.runs.run.Run` that trained it.
        events: What the model was told of its data: `event_shape`, `bins`, `classes` and more.
        card: A dictionary of the data, split, seed, time, figures, licence and command.
        path: The folder of the preset.
    """

    name: str
    distribution: Any
    model: Any
    run: Run
    events: Events
    card: dict[str, Any]
    path: pathlib.Path

    @property
    def flow(self) -> Any:
        """The distribution, if it is a flow.

        Raises:
            UsageError: If the distribution is a VAE.
        """
        if self.run.spec.kind is Kind.VAE:
            raise errors.UsageError(f'preset must be that of a flow; {self.name!r} is a VAE.')
        return self.distribution


def read(name_or_path: str | os.PathLike) -> Preset:
    """Returns the preset of a name in `preset_folder.names()`, or of the path of a folder.

    Raises:
        UsageError: If there is no such preset, if a file is missing or is not as it was written, if
            the configuration is of a newer version, or if the weights are those of another model.
    """
    folder = preset_folder.find(name_or_path)
    preset_folder.check_sums(folder)
    config = preset_folder.read_json(folder / 'config.json')
    if config.get('preset_format', 0) not in range(FORMAT + 1):
        raise errors.UsageError(f'preset {folder.name!r} must be of format {FORMAT} or older; '
                                f'it has {config["preset_format"]}.')
    try:
        run, events = Run.from_json(config['run']), Events.from_json(config['data'])
        model = run.assemble(events, for_training=False)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise errors.UsageError(f'preset {folder.name!r} has a config.json that cannot be read '
                                f'({error}).') from None
    try:
        with np.load(folder / 'weights.npz', allow_pickle=False) as weights:
            model.load_own_variables(weights)
    except (ValueError, OSError, zipfile.BadZipFile) as error:
        raise errors.UsageError(f'preset {folder.name!r} has a weights.npz that does not hold the '
                                f'weights of its config.json ({error}).') from None
    distribution = model.vae if run.spec.kind is Kind.VAE else model.flow
    card = preset_folder.read_json(folder / 'card.json')
    return Preset(folder.name, distribution, model, run, events, card, folder)
