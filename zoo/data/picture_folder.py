"""`load`: a folder of the user's own pictures, of any sizes, as an `ImageData`."""

import concurrent.futures
import dataclasses
import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from zoo.cli import errors, processor
from zoo.data import (
    image_data,
    picture_decoding,
    picture_files,
    picture_readers,
    reading,
    splits,
)
from zoo.data.picture_options import PictureOptions

T = TypeVar('T')
_AT_ONCE = 64  # A thread is given so many files.


def load(name: str, options: PictureOptions, padding: Callable[[int, int], reading.Padding],
         flips: bool | None = None, shifts: float = 0., upside_down: bool = False, bits: int = 8,
         tell: Callable[[str], object] = print) -> image_data.ImageData:
    """Returns the pictures of a folder, see `picture_files.find`, as an `ImageData`.

    A folder without splits is split by file, so that no tile of a test picture has a sibling in
    training: a tenth for test and a tenth for validation, at most 5,000 files each, those whose
    names have the least SHA-256. Images that fit into memory, 1 GiB in each split, are decoded
    once, at once. Others are read from their files in each epoch.

    Args:
        name: The folder.
        options: How pictures become images.
        padding: A function of the height and the width of an image that returns how it is padded.
        flips: Whether training mirrors half of the images; None for True, as for photographs.
        shifts: Training moves images by up to this share of their sides and repeats their edges.
        upside_down: Whether training mirrors half of the images top to bottom as well.
        bits: How many bits of each channel are kept, the highest ones.
        tell: Is called with each line that says what was done to the pictures or left out.

    Raises:
        UsageError: If there are too few pictures, or some cannot be used; the message names them.
    """
    start = f'--dataset={name}: '
    listing = picture_files.find(name)
    if listing.others:
        tell(f'{name}: left out, as no pictures by their names: '
             f'{picture_files.shown(listing.others)}.')
    headers, unusable = _headers(listing)
    channels = _channels(options, headers)
    shape = _shape(options, headers, channels, start)
    small = [path for path, h in headers.items() if min(h.height, h.width) < (options.size or 1)
             or (options.tiles and not _tiles(h, options))]
    if small and not options.skip_small:
        raise errors.UsageError(
            f'{start}no picture may be smaller than --size={options.size}'
            f'{" after --shrink" if options.shrink != (1,) else ""}; {len(small):,} of '
            f'{len(headers):,} are: {picture_files.shown(small)}. --skip_small leaves them out.')
    notes = picture_decoding.Notes()
    pad = padding(*shape[:2])
    parts = {}
    for split, paths in _split(listing, set(headers) - set(small), start).items():
        labels = np.array([listing.label(path) for path in paths], np.int64)
        counts = np.array([_tiles(headers[path], options) if options.tiles else 1
                           for path in paths], np.int64)
        parts[split] = picture_readers.Pictures(
            listing.root, paths, labels, counts, shape, options, pad, notes)
    readers = {}
    for split, pictures in parts.items():
        readers[split], damaged = _reader(pictures, split == 'train')
        unusable += damaged
    _check_usable(unusable, options, name, tell)
    for line in [*notes.lines(), *([f'{_number(small)} smaller than an image are left out: '
                                    f'{picture_files.shown(small)}'] if small else [])]:
        tell(f'{name}: {line}.')
    empty = [split for split, reader in readers.items() if not reader.size]
    if empty:
        raise errors.UsageError(f'{start}each split must have pictures that can be used; '
                                f'{" and ".join(empty)} has none.')
    where = 'by file' if None in listing.paths else 'in its folder'
    return image_data.ImageData(
        name=name, image_shape=next(iter(parts.values())).image_shape, original_shape=shape,
        bins=2**bits, bits=bits, num_classes=len(listing.classes) or None,
        sizes={split: readers[split].size for split in readers},
        splits={split: f'{split}: {_number(pictures.paths)} {where}'
                for split, pictures in parts.items()},
        flips=True if flips is None else flips, shifts=shifts, upside_down=upside_down,
        readers=readers, class_names=listing.classes)


def _number(paths: Sequence[object]) -> str:
    return f'{len(paths):,} picture{"s" * (len(paths) != 1)}'


def _headers(listing: picture_files.Listing,
             ) -> tuple[dict[str, picture_decoding.Header], list[tuple[str, str]]]:
    """Returns the header of each picture, and the paths without one, with reasons."""
    def read(path: str) -> picture_decoding.Header | str:
        try:
            return picture_decoding.header(listing.root / path)
        except picture_decoding.Unreadable as error:
            return str(error)
    paths = [path for own in listing.paths.values() for path in own]
    results = dict(zip(paths, _beside_each_other(read, paths)))
    return ({path: h for path, h in results.items() if not isinstance(h, str)},
            [*listing.unusable, *((p, h) for p, h in results.items() if isinstance(h, str))])


def _beside_each_other(function: Callable[[Any], T], items: Sequence[Any]) -> list[T]:
    # By parts, as the pool holds more of each call that waits than a picture's header takes.
    parts = [items[start:start + _AT_ONCE] for start in range(0, len(items), _AT_ONCE)]
    with concurrent.futures.ThreadPoolExecutor(processor.cores()) as pool:
        results = pool.map(lambda part: [function(item) for item in part], parts)
        return [result for part in results for result in part]


def _channels(options: PictureOptions, headers: Mapping[str, picture_decoding.Header]) -> int:
    if options.channels != 'auto':
        return int(options.channels)
    grey = sum(h.is_grey for h in headers.values())
    return 1 if 2 * grey > len(headers) else 3


def _shape(options: PictureOptions, headers: Mapping[str, picture_decoding.Header], channels: int,
           start: str) -> tuple[int, int, int]:
    """Returns the shape of an image.

    Raises:
        UsageError: If the pictures have several sizes and `options` names none.
    """
    if options.size is not None:
        return options.size, options.size, channels
    sizes: dict[tuple[int, int], str] = {}
    for path, h in headers.items():
        sizes.setdefault((h.height, h.width), path)
    if len(sizes) > 1:
        (first, one), (second, other) = list(sizes.items())[:2]
        raise errors.UsageError(
            f'{start}its pictures have {len(sizes):,} sizes, such as {first[0]}x{first[1]} ({one}) '
            f'and {second[0]}x{second[1]} ({other}): --size=N shrinks and crops them to NxN, and '
            '--tiles cuts them into such tiles.')
    if options.tiles:
        raise errors.UsageError('--tiles must come with --size, the side of a tile; got none.')
    height, width = next(iter(sizes), (0, 0))
    return height, width, channels


def _tiles(h: picture_decoding.Header, options: PictureOptions) -> int:
    return picture_readers.tile_count(h.height, h.width, options.size or 1, options.shrink)


def _split(listing: picture_files.Listing, usable: set[str], start: str) -> dict[str, list[str]]:
    """Returns the pictures of train, validation and test.

    Splits that are folders of their own stay. A folder without `test` is tested on its
    `validation`, as a data set of TFDS is. What is missing is taken from train.

    Raises:
        UsageError: If there are too few pictures.
    """
    own = {split: [path for path in paths if path in usable]
           for split, paths in listing.paths.items()}
    train = own.get(None, own.get('train', []))
    found: dict[str, list[str]] = {
        split: own[split] for split in ('validation', 'test') if split in own}
    if 'validation' in found and 'test' not in found:
        found = {'test': found['validation']}
    missing = [split for split in ('test', 'validation') if split not in found]
    ranked = sorted(train, key=lambda path: hashlib.sha256(
        path.replace(os.sep, '/').encode('utf-8', 'surrogateescape')).digest())
    for split in missing:
        count = splits.held_out(len(train))
        found[split], ranked = sorted(ranked[:count]), ranked[count:]
    if not ranked:
        raise errors.UsageError(f'{start}it must have {len(missing) + 1} pictures or more that can '
                                f'be used, {" and ".join([*missing, "train"])} taking one each at '
                                f'least; it has {len(train)}.')
    return {'train': sorted(ranked), 'validation': found['validation'], 'test': found['test']}


def _reader(pictures: picture_readers.Pictures, trains: bool,
            ) -> tuple[reading.ArrayReader | picture_readers.PictureReader,
                       list[tuple[str, str]]]:
    """Returns the reader of a split, and the paths of damaged pictures, with reasons.

    Images that fit into memory are decoded now. Of others, damaged ones are found when they are
    read; but tiles are counted first, so that all are read once if damaged ones are left out.
    """
    options = pictures.options
    moves = trains and options.crop == 'random' and not options.tiles
    fits = pictures.size * int(np.prod(pictures.image_shape)) <= reading.MEMORY_LIMIT
    damaged: list[tuple[str, str]] = []

    def decode(index: int) -> np.ndarray | None:
        try:
            pixels = pictures.pixels(index)
            images = pictures.cut(index, pixels)
        except picture_decoding.Unreadable as error:
            damaged.append((pictures.paths[index], str(error)))
            return None
        if not fits:
            return images[:0]
        return pixels if moves else images
    if not fits and not (options.tiles and options.skip_unreadable):
        return picture_readers.PictureReader(pictures), []
    decoded = _beside_each_other(decode, range(len(pictures.paths)))
    whole = [index for index, pixels in enumerate(decoded) if pixels is not None]
    values = [pixels for pixels in decoded if pixels is not None]
    pictures = dataclasses.replace(
        pictures, paths=[pictures.paths[i] for i in whole], labels=pictures.labels[whole],
        counts=pictures.counts[whole])
    if not fits or moves:
        return picture_readers.PictureReader(pictures, values if fits else None), damaged
    empty = np.zeros([0, *pictures.image_shape], np.uint8)
    return reading.ArrayReader(np.concatenate([empty, *values]),
                               np.repeat(pictures.labels, pictures.counts)), damaged


def _check_usable(unusable: Sequence[tuple[str, str]], options: PictureOptions, name: str,
                  tell: Callable[[str], object]) -> None:
    """Says which files are left out.

    Raises:
        UsageError: If there are any and they are not to be left out.
    """
    if not unusable:
        return
    files = picture_files.shown([f'{path} {reason}' for path, reason in sorted(unusable)])
    if not options.skip_unreadable:
        raise errors.UsageError(
            f'--dataset={name}: all of its pictures must be readable; {len(unusable):,} '
            f'{"is" if len(unusable) == 1 else "are"} not: {files}. --skip_unreadable leaves them '
            'out.')
    tell(f'{name}: left out, as they cannot be read: {files}.')
