"""Writes presets: the averaged weights of a trained model, as arrays in an npz file."""

import dataclasses
import os
import pathlib
import shutil
import zipfile
from collections.abc import Callable

import numpy as np

from zoo.cli import errors, files
from zoo.runs import preset, preset_folder
from zoo.runs.run import Trained

MANTISSA_BITS = 23  # The number of them in a float32.


def write(trained: Trained, folder: str | os.PathLike,
          fill: Callable[[pathlib.Path], None]) -> None:
    """Writes the averaged weights of a trained model as a preset.

    Args:
        trained: The run, its data and its model.
        folder: The path of a folder that does not exist or is empty. It is there once all is in
            it; what a killed process left of it is removed.
        fill: A function that is called with the folder before the sums are made. It writes the card
            and the pictures.

    Raises:
        Failure: If a weight or a figure is not finite.
    """
    folder = pathlib.Path(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = folder.with_name(f'.unfinished-{folder.name}')
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    try:
        _fill(trained, unfinished, fill)
        unfinished.replace(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _fill(trained: Trained, folder: pathlib.Path, fill: Callable[[pathlib.Path], None]) -> None:
    """Writes all files of a preset into a folder."""
    run = trained.run.portable()
    events = run.events(trained.data)
    config = {'preset_format': preset.FORMAT, 'run': run.to_json(), 'data': events.to_json()}
    files.write_json(folder / 'config.json', config)
    with trained.averaged_weights():
        values: dict[str, np.ndarray] = {}
        trained.model.store_weights(values)
        _save(folder / 'weights.npz', values)
    fill(folder)
    preset_folder.write_sums(folder)


def with_averaged_weights(trained: Trained, mantissa_bits: int = MANTISSA_BITS) -> Trained:
    """Returns a copy of a trained model that has the averaged weights as its own.

    Its trainable weights are rounded to `mantissa_bits` of the 23 bits of their mantissas.
    """
    values: dict[str, np.ndarray] = {}
    with trained.averaged_weights():
        trained.model.store_weights(values)
    copy = trained.run.build(trained.data, for_training=False)
    copy.load_own_variables(values)
    dropped = MANTISSA_BITS - mantissa_bits
    for weight in copy.trainable_variables if dropped else ():
        bits = np.asarray(weight, np.float32).view(np.uint32)
        bits = (bits + np.uint32(1 << dropped - 1)) >> dropped << dropped  # Ties away from zero.
        weight.assign(bits.view(np.float32))
    return dataclasses.replace(trained, model=copy)


def _save(path: pathlib.Path, arrays: dict[str, np.ndarray]) -> None:
    """Writes an npz for `np.load`; that of rounded weights is a fifth smaller than NumPy's own."""
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_LZMA) as archive:
        for name, array in arrays.items():
            if not np.isfinite(array).all():
                raise errors.Failure(f'a preset must hold finite weights; {name} is not finite.')
            with archive.open(f'{name}.npy', 'w', force_zip64=True) as file:
                np.lib.format.write_array(file, np.asanyarray(array), allow_pickle=False)
