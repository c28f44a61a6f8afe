"""The image files that `zoo.compress` reads and `zoo.decompress` writes: PNG and npy."""

import contextlib
import os
import pathlib
import struct
from collections.abc import Iterator

import numpy as np
from PIL import Image

from zoo.cli import errors, files

SUFFIXES = ('.png', '.npy')
_PNG = b'\x89PNG\r\n\x1a\n'
_COLOURS = {3: 'a palette', 4: 'grey with alpha', 6: 'RGB with alpha'}


def sources(path: str | os.PathLike) -> tuple[list[str], pathlib.Path]:
    """Returns the names of the files to compress, in order, and the folder that they are in.

    Args:
        path: A file, or a folder: then all files in it and its subfolders.

    Raises:
        UsageError: If there is no file, or one that is no .png or .npy.
    """
    path = pathlib.Path(path)
    if path.is_file():
        names, folder = [path.name], path.parent
    else:
        names = sorted(f.relative_to(path).as_posix() for f in path.rglob('*') if not f.is_dir())
        folder = path
    for name in names:
        if pathlib.PurePosixPath(name).suffix not in SUFFIXES:
            raise errors.UsageError(f'INPUT must be a .png, an .npy or a folder of such; '
                                    f'got {name!r} in {str(folder)!r}.')
    if not names:
        raise errors.UsageError('INPUT must be a file that is there, or a folder with files; '
                                f'got {str(path)!r}.')
    return names, folder


def read(path: str | os.PathLike) -> np.ndarray:
    """Returns the pixels of a .png, uint8 `[H, W]` or `[H, W, 3]`, or the array of an .npy.

    The array of an .npy is memory-mapped.

    Raises:
        UsageError: If the file cannot be read, or does not hold 8-bit grey or RGB pixels only.
    """
    path = pathlib.Path(path)
    try:
        if path.suffix == '.npy':
            return np.load(path, mmap_mode='r', allow_pickle=False)
        _check_png(path)
        with Image.open(path) as picture:
            if getattr(picture, 'n_frames', 1) > 1:
                raise ValueError('it is animated')
            if 'transparency' in picture.info:
                raise ValueError('it has a transparent colour')
            return np.asarray(picture)
    except (OSError, EOFError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise errors.UsageError(f'INPUT must be 8-bit grey or RGB images without alpha; '
                                f'{str(path)!r} cannot be taken: {error}.') from error


def _check_png(path: pathlib.Path) -> None:
    """Checks the header of a PNG, since Pillow turns 16 bits into 8 without a word.

    Raises:
        ValueError: If it is no PNG of 8-bit grey or RGB pixels.
    """
    with path.open('rb') as file:
        start = file.read(26)
    if len(start) < 26 or not start.startswith(_PNG):
        raise ValueError('it is no PNG')
    depth, colour = struct.unpack('BB', start[24:])
    if colour not in (0, 2) or depth != 8:
        raise ValueError(f'it has {_COLOURS.get(colour, "grey" if colour == 0 else "RGB")} '
                         f'of {depth} bits')


def write_png(path: str | os.PathLike, array: np.ndarray) -> None:
    """Writes an array `[H, W]` or `[H, W, 1 or 3]` as a file that is there whole or not at all."""
    picture = Image.fromarray(array[..., 0] if array.shape[-1] == 1 and array.ndim == 3 else array)
    files.write_whole(path, lambda file: picture.save(file, format='PNG'))


class Target:
    """A folder or a file that arrays are written to; each file is there whole or not at all.

    Args:
        path: A new folder to fill, or a .png or .npy.
        single: Whether there is one array, for a file, or there are several, for a folder.
        overwrite: Whether files that are there are replaced.

    Raises:
        UsageError: If `path` cannot be that, or is there.
    """

    def __init__(self, path: str | os.PathLike, single: bool, overwrite: bool) -> None:
        self.path, self._single = pathlib.Path(path), single
        self._unfinished: dict[str, pathlib.Path] = {}
        rule = ('a file .png or .npy, as there is one array in INPUT' if single else
                'a folder, as there are several arrays in INPUT')
        if single != (self.path.suffix in SUFFIXES) or (
                self.path.exists() and single == self.path.is_dir()):
            raise errors.UsageError(f'OUTPUT must be {rule}; got {str(path)!r}.')
        if not self.path.parent.is_dir():
            raise errors.UsageError(f'OUTPUT must be in a folder that is there; '
                                    f'got {str(path)!r}.')
        if not overwrite and self.path.exists() and (single or any(self.path.iterdir())):
            raise errors.UsageError('OUTPUT must be new, or give --overwrite; '
                                    f'{str(path)!r} is there.')

    def make(self, name: str, shape: tuple[int, ...]) -> np.ndarray:
        """Returns an array to fill and give to `write`; that of an .npy is in a file already.

        Args:
            name: The name of the file in a folder.
            shape: The shape of the array.

        Raises:
            UsageError: If a .png cannot hold this shape.
            Failure: If the name ends in something else than .png and .npy.
        """
        path = self._place(name)
        if path.suffix == '.png':
            if len(shape) == 4 or (len(shape) == 3 and shape[-1] not in (1, 3)):
                raise errors.UsageError(f'OUTPUT must end in .npy: there are {shape[0]} images in '
                                        f'one array; got {str(path)!r}.')
            return np.empty(shape, np.uint8)
        self._unfinished[name] = path.with_name(f'.{path.name}.{os.getpid()}')
        return np.lib.format.open_memmap(self._unfinished[name], 'w+', np.uint8, shape)

    def write(self, name: str, array: np.ndarray) -> None:
        """Finishes the file of an array that `make` returned and that is filled."""
        path = self._place(name)
        if path.suffix == '.png':
            write_png(path, array)
            return
        if isinstance(array, np.memmap):
            array.flush()
        self._unfinished.pop(name).replace(path)

    def remove_unfinished(self) -> None:
        """Removes what `make` began and `write` did not finish."""
        for path in self._unfinished.values():
            path.unlink(missing_ok=True)

    def _place(self, name: str) -> pathlib.Path:
        path = self.path if self._single else self.path / name
        if path.suffix not in SUFFIXES:
            raise errors.Failure(f'INPUT must hold .png and .npy only; got {name!r}.')
        if not self._single:
            path.parent.mkdir(parents=True, exist_ok=True)
        return path


@contextlib.contextmanager
def removing(target: Target) -> Iterator[Target]:
    """Returns a context that removes the unfinished files of a `Target` when it ends."""
    try:
        yield target
    finally:
        target.remove_unfinished()
