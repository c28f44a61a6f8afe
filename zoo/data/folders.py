"""The folders in which data sets are looked for and prepared."""

import os
import pathlib
import stat
import tempfile


def default_folders() -> list[pathlib.Path]:
    """Returns TFDS's folders: $TFDS_DATA_DIR if set, then ~/tensorflow_datasets."""
    home = expand('~/tensorflow_datasets')
    named = os.environ.get('TFDS_DATA_DIR')
    return [expand(named), home] if named else [home]


def temporary_folder() -> pathlib.Path:
    """Returns the last resort: one folder per user among the system's temporary files."""
    # Systems without user ids keep temporary files in a folder of the user's own.
    user = os.getuid() if hasattr(os, 'getuid') else ''
    return pathlib.Path(tempfile.gettempdir(), f'tensorflow_datasets_{user}')


def expand(path: str | os.PathLike) -> pathlib.Path:
    """Returns a path in which `~` stands for the user's home."""
    return pathlib.Path(os.path.expanduser(path))


def is_writable(folder: pathlib.Path) -> bool:
    """Returns whether `folder` can be written, or made. Its mode counts even for root."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    any_write = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH
    return folder.is_dir() and os.access(folder, os.W_OK) and bool(
        folder.stat().st_mode & any_write)
