"""`take_from`: starts a training from the weights of a preset or of another run."""

import os
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from zoo.cli import errors
from zoo.models.assembly import Model
from zoo.runs import config_file, opening, preset
from zoo.runs.run import Run

_FLAG = 'initialized'  # The last part of the names of variables that say that others are set.


def take_from(source: str, run: Run, model: Model) -> dict[str, Any]:
    """Sets the weights of a model to those of a trained one, where names and shapes agree.

    What depends on data and is not taken with all that belongs to it is initialised from the data
    of the run, as in a model with fresh weights.

    Args:
        source: The name or folder of a preset, or a run directory.
        run: The run that is to start.
        model: Its model, whose weights are set.

    Returns:
        What config.json keeps: the source and the names of the weights that were left.

    Raises:
        UsageError: If there is no such source, if it is another model, or if nothing agrees.
    """
    try:
        model_name, values = _read(source)
    except errors.UsageError as error:
        raise errors.UsageError(f'--from={source}: {error}') from None
    if model_name != run.model:
        raise errors.UsageError(f'--from must be of --model={run.model}; {source!r} is of '
                                f'{model_name}.')
    own: dict[str, np.ndarray] = {}
    model.store_weights(own)
    left = sorted(name for name, value in own.items()
                  if name not in values or np.shape(values[name]) != np.shape(value))
    left = sorted({*left, *_flags_of(left, own)})
    if len(left) == len(own):
        raise errors.UsageError(f'--from must have weights of the shapes of this model; {source!r} '
                                'has none.')
    model.load_own_variables(
        {name: value if name in left else values[name] for name, value in own.items()})
    unused = sorted(set(values) - set(own))
    print(f'weights: {len(own) - len(left)} of {len(own)} are those of {source!r}'
          + (f'; fresh ones, as their shapes or names differ: {_some(left)}' if left else '')
          + (f'; not taken: {_some(unused)}' if unused else '') + '.')
    return {'from': source, 'fresh': left, 'not_taken': unused}


def _read(source: str) -> tuple[str, Mapping[str, np.ndarray]]:
    """Returns the name of a model, and the values of its averaged weights by name."""
    if (pathlib.Path(source) / config_file.NAME).exists() and 'preset_format' not in (
            config_file.read(source)):
        trained = opening.load(source)
        opened, name = trained.model, trained.run.model
    else:
        read = preset.read(source)
        opened, name = read.model, read.run.model
    values: dict[str, np.ndarray] = {}
    with opened.averaged_weights():
        opened.store_weights(values)
    return name, values


def _flags_of(left: list[str], names: Mapping[str, Any]) -> list[str]:
    """Returns the flags that say that a part is set of which something is left."""
    parents = {os.path.dirname(name.replace('.', '/')) for name in left}
    return [name for name in names if name.replace('.', '/').endswith(f'/{_FLAG}')
            and os.path.dirname(name.replace('.', '/')) in parents]


def _some(names: list[str]) -> str:
    shown = ', '.join(names[:3])
    return shown if len(names) <= 3 else f'{shown} and {len(names) - 3} more'
