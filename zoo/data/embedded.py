"""The data sets that need no network, which are prepared on first use."""

import contextlib
import io
import os
import pathlib
import shutil
import tempfile

import tensorflow_datasets as tfds

from zoo.cli import errors
from zoo.data import digits, folders, photo_patches

BUILDERS: dict[str, type[tfds.core.DatasetBuilder]] = {
    'digits': digits.Digits, 'photo_patches': photo_patches.PhotoPatches}


def prepared_builder(name: str, data_dir: str | None = None) -> tfds.core.DatasetBuilder:
    """Returns the prepared TFDS builder of the embedded set `name`.

    The set is taken from the first of these folders that has it, or else prepared in the first that
    can be written: `data_dir`, $TFDS_DATA_DIR, ~/tensorflow_datasets, a temporary folder.

    Raises:
        UsageError: If none of the folders has it or can be written.
    """
    builder_class = BUILDERS[name]
    if data_dir and not folders.is_writable(folders.expand(data_dir)) and not folders.expand(
            data_dir).is_dir():
        raise errors.UsageError(f'--data_dir must be a folder, or one that can be made; '
                                f'got {str(data_dir)!r}.')
    candidates = [folders.expand(data_dir)] if data_dir else []
    candidates += [*folders.default_folders(), folders.temporary_folder()]
    for folder in candidates:
        builder = builder_class(data_dir=str(folder))
        if builder.data_path.exists():
            return builder
    failures = {}
    for folder in filter(folders.is_writable, candidates):
        try:
            return prepare(builder_class, folder)
        except OSError as error:  # The disk may be full: the next folder is tried.
            failures[folder] = f' ({error.strerror})'
    tried = ', '.join(f'{folder}{failures.get(folder, "")}' for folder in candidates)
    raise errors.UsageError(f'--data_dir must be a folder that can be written, to prepare {name} '
                            f'in it; none of these can: {tried}.')


def prepare(builder_class: type[tfds.core.DatasetBuilder],
            folder: pathlib.Path) -> tfds.core.DatasetBuilder:
    """Prepares a data set in `folder` and returns its builder.

    All files are written to a private folder, which is renamed at the end. So an interrupted run
    leaves no half of a data set, and if two run at once, one wins and the other takes its files.
    (TFDS names its own unfinished folders by Python's global random state, which may be seeded
    alike in both.)

    Raises:
        OSError: If the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    private = tempfile.mkdtemp(prefix='incomplete.', dir=folder)
    try:
        made = builder_class(data_dir=private)
        unseen = io.StringIO()  # TFDS announces a download of 0 bytes and shows its progress.
        with contextlib.redirect_stdout(unseen), contextlib.redirect_stderr(unseen):
            made.download_and_prepare()
        target = builder_class(data_dir=str(folder)).data_path
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.rename(made.data_path, target)
        except OSError:
            if not target.exists():  # Otherwise another process was first, with the same data.
                raise
    finally:
        shutil.rmtree(private, ignore_errors=True)
    return builder_class(data_dir=str(folder))
