"""Where data sets are looked for and prepared."""

import os
import pathlib
import stat
import tempfile


def default_folders():
    """Returns TFDS's folders: $TFDS_DATA_DIR if set, then ~/tensorflow_datasets."""
    home = expand('~/tensorflow_datasets')
    named = os.environ.get('TFDS_DATA_DIR')
    return [expand(named), home] if named else [home]


def temporary_folder():
    """Returns the last resort: one folder per user among the system's temporary files."""
    user = os.getuid() if hasattr(os, 'getuid') else ''  # elsewhere such folders are the user's own
    return pathlib.Path(tempfile.gettempdir(), f'tensorflow_datasets_{user}')


def expand(path):
    return pathlib.Path(os.path.expanduser(path))


def is_writable(folder):
    """Returns whether `folder` can be written, or made. Heeds its mode even for root."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    any_write = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH
    return folder.is_dir() and os.access(folder, os.W_OK) and bool(
        folder.stat().st_mode & any_write)
