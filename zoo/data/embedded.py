"""The data sets that need no network, prepared on first use."""

import contextlib
import io
import os
import shutil
import tempfile

from zoo.cli import errors
from zoo.data import digits, folders, photo_patches

BUILDERS = {'digits': digits.Digits, 'photo_patches': photo_patches.PhotoPatches}


def prepared_builder(name, data_dir=None):
    """Returns the prepared TFDS builder of the embedded set `name`.

    Taken from the first of these folders that has it, else prepared in the first that can be
    written: `data_dir`, $TFDS_DATA_DIR, ~/tensorflow_datasets, a temporary folder.

    Raises:
        UsageError: none of the folders has it or can be written.
    """
    builder_class = BUILDERS[name]
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
        except OSError as error:  # say, a full disk: try the next
            failures[folder] = f' ({error.strerror})'
    tried = ', '.join(f'{folder}{failures.get(folder, "")}' for folder in candidates)
    raise errors.UsageError(f'--data_dir must be a folder that can be written, to prepare {name} '
                            f'in it; none of these can: {tried}.')


def prepare(builder_class, folder):
    """Prepares the set in `folder` and returns its builder.

    All is written to a private folder and renamed at the end, so that an interrupted run leaves no
    half of a data set, and of two that run at once one wins and the other takes its files. (TFDS
    names its own unfinished folders by Python's global random state, which may be seeded alike.)
    """
    folder.mkdir(parents=True, exist_ok=True)
    private = tempfile.mkdtemp(prefix='incomplete.', dir=folder)
    try:
        made = builder_class(data_dir=private)
        unseen = io.StringIO()  # TFDS announces a download of 0 bytes and shows its progress
        with contextlib.redirect_stdout(unseen), contextlib.redirect_stderr(unseen):
            made.download_and_prepare()
        target = builder_class(data_dir=str(folder)).data_path
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.rename(made.data_path, target)
        except OSError:
            if not target.exists():  # else another process was first, with the same data
                raise
    finally:
        shutil.rmtree(private, ignore_errors=True)
    return builder_class(data_dir=str(folder))
