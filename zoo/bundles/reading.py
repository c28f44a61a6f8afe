"""`open_bundle`: reads what `zoo.export` wrote. It needs nothing but TensorFlow and NumPy."""

import dataclasses
import hashlib
import json
import os
import pathlib
from typing import Any

from zoo.cli import errors

FORMAT = 1


@dataclasses.dataclass(frozen=True)
class Bundle:
    """A SavedModel bundle on disk.

    Attributes:
        path: Its folder.
        about: What its `bundle.json` says.
        flag: The flag that names it, for errors.
    """

    path: pathlib.Path
    about: dict[str, Any]
    flag: str

    @property
    def kind(self) -> str:
        """What its events are: 'images' or 'vectors'."""
        return self.about.get('kind', 'images')

    @property
    def family(self) -> str:
        """What the model is: 'flow' or 'vae'."""
        return self.about.get('family', 'flow')

    @property
    def bins(self) -> int:
        """The number of grey levels of images."""
        return self.about['bins']

    @property
    def columns(self) -> list[str]:
        """The names of the numbers in a vector."""
        return self.about['columns']

    @property
    def classes(self) -> int | None:
        """The number of classes of a conditional model, else None."""
        return self.about.get('classes')

    def load(self) -> Any:
        """Returns the model: `sample(n, temperature, seed)` and so on, and `signatures`.

        Raises:
            UsageError: If TensorFlow cannot read it.
        """
        import tensorflow as tf  # Late: a wrong flag is reported at once.
        try:
            return tf.saved_model.load(str(self.path))
        except Exception as error:  # Its type depends on what is wrong with the files.
            raise errors.UsageError(
                f'{self.flag} must be a bundle that this TensorFlow, {tf.__version__}, can read '
                f'({one_line(error)}); got {str(self.path)!r}.') from error


def open_bundle(path: str | os.PathLike, flag: str = '--saved_model') -> Bundle:
    """Returns the `Bundle` in a folder.

    Args:
        path: The folder of a version, or the parent of such folders: then the newest is taken.
        flag: The flag that names it, for errors.

    Raises:
        UsageError: If there is no bundle, or it is not as it was written; the message names `flag`.
    """
    folder = _version(pathlib.Path(path), flag)
    try:
        about = json.loads((folder / 'bundle.json').read_text(encoding='utf-8'))
        known, sums = about['format'], about['sha256']
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise errors.UsageError(f'{flag} must be a bundle that zoo.export wrote, with a whole '
                                f'bundle.json; got {str(folder)!r}.') from error
    if known != FORMAT:
        raise errors.UsageError(f'{flag} must be a bundle of format {FORMAT}; {str(folder)!r} has '
                                f'format {known}.')
    for name, expected in sums.items():
        _check_file(folder, name, expected, flag)
    return Bundle(folder, about, flag)


def one_line(error: Exception) -> str:
    """Returns the message of an error of TensorFlow without the rest of its report."""
    text = str(getattr(error, 'message', None) or error)
    for noise in ('<stack traces unavailable>\n', '\n\t ['):
        head, separator, tail = text.partition(noise)
        text = (tail if noise.startswith('<') else head) if separator else text
    return ' '.join(text.split())[:300] or type(error).__name__


def _version(path: pathlib.Path, flag: str) -> pathlib.Path:
    """Returns `path` itself if it has a model, else the numbered folder with the highest number."""
    if not path.is_dir():
        raise errors.UsageError(f'{flag} must be a folder that zoo.export wrote; '
                                f'there is none at {str(path)!r}.')
    if (path / 'bundle.json').exists() or (path / 'saved_model.pb').exists():
        return path
    versions = [p for p in path.iterdir() if p.name.isdecimal() and p.is_dir()]
    if not versions:
        raise errors.UsageError(f'{flag} must be a folder that zoo.export wrote; {str(path)!r} has '
                                'neither a bundle.json nor version folders 1, 2, ...')
    return max(versions, key=lambda p: int(p.name))


def _check_file(folder: pathlib.Path, name: str, expected: str, flag: str) -> None:
    try:
        with (folder / name).open('rb') as file:
            actual = hashlib.file_digest(file, 'sha256').hexdigest()
    except OSError as error:
        raise errors.UsageError(f'{flag} must be a whole bundle; {str(folder)!r} lacks '
                                f'{name}.') from error
    if actual != expected:
        raise errors.UsageError(f'{flag} must be a bundle as it was written; {name} in '
                                f'{str(folder)!r} is cut short or changed (SHA-256).')
