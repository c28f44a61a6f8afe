"""Finds the pictures of a folder, their classes and their splits. This decodes nothing."""

import dataclasses
import os
import pathlib
import stat
import unicodedata
from collections.abc import Iterable, Iterator, Sequence

from zoo.cli import errors

SUFFIXES = ('.png', '.jpg', '.jpeg', '.jpe', '.jfif', '.webp', '.bmp', '.tif', '.tiff')
SPLITS = {'train': 'train', 'training': 'train', 'validation': 'validation', 'valid': 'validation',
          'val': 'validation', 'dev': 'validation', 'test': 'test', 'testing': 'test'}
_SHOWN = 3  # Messages name at most so many files.


@dataclasses.dataclass(frozen=True)
class Listing:
    """The pictures of a folder.

    Attributes:
        root: The folder.
        paths: The paths of the pictures of each split, relative to the folder, in order; under None
            those of a folder without splits.
        classes: The names of the classes, sorted; empty without classes.
        unusable: What cannot be a picture, `(path, reason)`: links, what is no regular file, and
            empty files.
        others: The paths of files that are no pictures by their names.
    """

    root: pathlib.Path
    paths: dict[str | None, list[str]]
    classes: tuple[str, ...]
    unusable: list[tuple[str, str]]
    others: list[str]

    def label(self, path: str) -> int:
        """Returns the number of the class of a picture, or -1 without classes."""
        if not self.classes:
            return -1
        parts = path.split(os.sep)
        return self.classes.index(_plain(parts[0 if None in self.paths else 1]))


def find(name: str | os.PathLike, flag: str = '--dataset') -> Listing:
    """Returns the pictures of a folder; hidden files and folders are not looked at.

    Subfolders `train`, `validation` and `test` are splits. Other subfolders, of the folder or of
    each split, are classes, unless pictures lie beside them.

    Args:
        name: The folder.
        flag: What an error calls it.

    Raises:
        UsageError: If there is no such folder, it has no pictures, or two of its classes or splits
            cannot be told apart.
    """
    root = pathlib.Path(os.path.expanduser(os.fspath(name)))
    start = f'{flag}={name}: '
    if not root.is_dir():
        raise errors.UsageError(f'{start}it must be a folder of pictures; there is none.')
    try:
        listed, unusable, others = _listed(root)
    except OSError as error:
        raise errors.UsageError(f'{start}it must be a folder that can be read; '
                                f'{error.strerror or error}: {error.filename}.') from error
    if not listed and not unusable:
        left_out = f', but {shown(others)}' if others else ''
        raise errors.UsageError(f'{start}it must hold pictures ({", ".join(SUFFIXES)}); it has '
                                f'none{left_out}.')
    folders = sorted({path.split(os.sep)[0] for path in listed if os.sep in path})
    splits = {folder: SPLITS[folder.lower()] for folder in folders if folder.lower() in SPLITS}
    if not splits:
        return Listing(root, {None: listed}, _classes(listed, 0, start), unusable, others)
    outside = [path for path in listed if path.split(os.sep)[0] not in splits]
    if outside:
        raise errors.UsageError(f'{start}all pictures must lie in its splits, '
                                f'{", ".join(splits)}; {shown(outside)} does not.')
    if len(set(splits.values())) < len(splits):
        raise errors.UsageError(f'{start}each split must have one folder; it has '
                                f'{", ".join(splits)}.')
    paths: dict[str | None, list[str]] = {
        split: [path for path in listed if path.split(os.sep)[0] == folder]
        for folder, split in splits.items()}
    if 'train' not in paths:
        raise errors.UsageError(f'{start}it must have a folder train beside '
                                f'{" and ".join(splits)}; it has none.')
    classes = _classes(paths['train'], 1, start)
    for split, own in paths.items():
        others_there = _classes(own, 1, start)
        wrong = set(others_there) - set(classes) if others_there else set(classes)
        if wrong:
            raise errors.UsageError(
                f'{start}each split must have the classes of train, {shown(classes) or "none"}; '
                f'{split} has {shown(others_there) or "none"}.')
    return Listing(root, paths, classes, unusable, others)


def shown(names: Sequence[str]) -> str:
    """Returns at most three names as text, and how many more there are."""
    text = ', '.join(str(name) for name in names[:_SHOWN])
    return text if len(names) <= _SHOWN else f'{text} and {len(names) - _SHOWN:,} more'


def _listed(root: pathlib.Path) -> tuple[list[str], list[tuple[str, str]], list[str]]:
    """Returns the paths of pictures, of what cannot be one with reasons, and of all others."""
    pictures, unusable, others = [], [], []
    for path, entry in _walk(root):
        is_picture = path.lower().endswith(SUFFIXES)
        if entry.is_symlink():
            if is_picture or entry.is_dir():
                unusable.append((path, 'is a link'))
            continue
        if not is_picture:
            others.append(path)
            continue
        status = entry.stat(follow_symlinks=False)
        if not stat.S_ISREG(status.st_mode):
            unusable.append((path, 'is no regular file'))
        elif not status.st_size:
            unusable.append((path, 'is empty'))
        else:
            pictures.append(path)
    return sorted(pictures), sorted(unusable), sorted(others)


def _walk(root: pathlib.Path, below: str = '') -> Iterator[tuple[str, os.DirEntry]]:
    """Yields the relative paths and the entries of all that is no folder, and of links to them."""
    with os.scandir(root / below) as entries:
        for entry in entries:
            path = os.path.join(below, entry.name)
            if entry.name.startswith('.'):
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(root, path)
            else:
                yield path, entry


def _classes(paths: Iterable[str], depth: int, start: str) -> tuple[str, ...]:
    """Returns the sorted names of the folders in which all pictures lie, if there are several."""
    names = set()
    for path in paths:
        parts = path.split(os.sep)
        if len(parts) == depth + 1:
            return ()
        names.add(parts[depth])
    if len(names) < 2:
        return ()
    alike: dict[str, str] = {}
    for name in sorted(names):
        other = alike.setdefault(_plain(name).casefold(), name)
        if other != name:
            raise errors.UsageError(f'{start}no two classes may have one name; got {other!r} and '
                                    f'{name!r}.')
    return tuple(sorted(map(_plain, names)))


def _plain(name: str) -> str:
    """Returns a name in the one form in which systems that write letters otherwise agree."""
    return unicodedata.normalize('NFC', name)
