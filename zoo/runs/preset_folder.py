"""Finds the folders of presets and checks their files. This needs no TensorFlow."""

import hashlib
import json
import os
import pathlib
from typing import Any

from zoo.cli import errors, files

# The folder of the presets that come with the package.
FOLDER = pathlib.Path(__file__).parents[1] / 'presets'
FILES = ('config.json', 'weights.npz', 'card.json', 'card.md', 'curve.png', 'samples.png')
SUMS = 'sha256.json'


def names() -> list[str]:
    """Returns the names of the presets that come with the package."""
    return sorted(p.parent.name for p in FOLDER.glob('*/config.json'))


def described() -> dict[str, str]:
    """Returns `{name: what the preset is, in one line}`."""
    lines = {}
    for name in names():
        card = read_json(FOLDER / name / 'card.json')
        lines[name] = (f'{card["model"]} on {card["dataset"]}: {card["figure"]}, '
                       f'{card["training_seconds"] / 60:.0f} minutes of training')
    return lines


def find(name_or_path: str | os.PathLike, called: str = 'preset') -> pathlib.Path:
    """Returns the folder of a preset.

    Args:
        name_or_path: A name in `names()`, or the path of a folder.
        called: What an error calls it: '--preset' in programs.

    Raises:
        UsageError: If there is no such preset; the message names the nearest one.
    """
    known = names()
    if not str(name_or_path):
        raise errors.UsageError(f"{called} must be the name or the folder of a preset; got ''.")
    if str(name_or_path) in known:
        return FOLDER / str(name_or_path)
    path = pathlib.Path(name_or_path)
    if path.is_dir():
        return path
    meant = errors.did_you_mean(str(name_or_path), known, cutoff=0.)
    listed = f'one of {", ".join(known)}, or ' if known else ''
    raise errors.UsageError(f'{called} must be {listed}a folder; '
                            f'got {str(name_or_path)!r}.{meant}')


def check_source(workdir: str | None, preset: str | None) -> None:
    """Checks that either a run directory or a preset is given, and that the preset is there.

    Raises:
        UsageError: If both are given, or neither, or there is no such preset.
    """
    if bool(workdir) == bool(preset):
        raise errors.UsageError('give --workdir=RUN, a run directory of zoo.train, or '
                                f'--preset=NAME; got {"both" if workdir else "neither"}.')
    if preset:
        find(preset, '--preset')


def check_sums(folder: pathlib.Path) -> None:
    """Checks the files of a preset.

    Raises:
        UsageError: If a file is missing or is not as it was written.
    """
    try:
        sums = files.read_object(folder / SUMS)
        wrong = [name for name in FILES if sums[name] != _sum(folder / name)]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise errors.UsageError(f'preset must be a folder with {", ".join(FILES)} and {SUMS}; '
                                f'{str(folder)!r} lacks something ({error}).') from None
    if wrong:
        raise errors.UsageError(f'preset {folder.name!r} must be as it was written; '
                                f'{", ".join(wrong)} is cut short or changed (SHA-256).')


def write_sums(folder: pathlib.Path) -> None:
    """Writes the sums of all files of a preset."""
    sums = {name: _sum(folder / name) for name in FILES}
    (folder / SUMS).write_text(json.dumps(sums, indent=2) + '\n')


def card(name_or_path: str | os.PathLike) -> dict[str, Any]:
    """Returns the card of a preset, without reading its weights."""
    return read_json(find(name_or_path) / 'card.json')


def read_json(path: pathlib.Path) -> dict[str, Any]:
    """Returns the object that a JSON file of a preset holds.

    Raises:
        UsageError: If the file cannot be read, or holds something else.
    """
    try:
        return files.read_object(path)
    except (OSError, ValueError) as error:
        raise errors.UsageError(f'preset {path.parent.name!r} has a {path.name} that cannot be '
                                f'read ({error}).') from None


def _sum(path: pathlib.Path) -> str:
    with path.open('rb') as file:
        return hashlib.file_digest(file, 'sha256').hexdigest()
