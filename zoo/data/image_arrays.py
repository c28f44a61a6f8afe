"""`load`: an npz file of arrays of images as an `ImageData`."""

import pathlib
import zipfile
from collections.abc import Callable, Mapping

import numpy as np

from zoo.cli import errors
from zoo.data import image_data, reading, tables
from zoo.data import splits as data_splits
from zoo.data.picture_options import PictureOptions

SPLITS = tables.SPLITS
_ALONE = ('x', 'images', 'image')  # The names of an array that is not one of a split.
_LABELS = ('y', 'labels', 'label')


def load(name: str, options: PictureOptions, padding: Callable[[int, int], reading.Padding],
         flips: bool | None = None, shifts: float = 0., upside_down: bool = False,
         bits: int = 8) -> image_data.ImageData:
    """Returns the images of an npz file, uint8 `[N, H, W]` or `[N, H, W, 1 or 3]`.

    The file has an array for each split, `train`, `validation` and `test` or `x_train` and so on,
    or one array, `x` or `images`. Labels, integers from 0, are in `train_label` or `y_train` and so
    on, or in `y` or `labels`. A split that is missing is drawn from train, a tenth of it, by a
    fixed seed.

    Args:
        name: The path of the file.
        options: How pictures become images; all must be left out.
        padding: A function of the height and the width of an image that returns how it is padded.
        flips: Whether training mirrors half of the images; None for False.
        shifts: Training moves images by up to this share of their sides and repeats their edges.
        upside_down: Whether training mirrors half of the images top to bottom as well.
        bits: How many bits of each channel are kept, the highest ones.

    Raises:
        UsageError: If the file breaks a rule.
    """
    start = f'--dataset={name}: '
    options.refuse(f'for --dataset={name}, whose images have one size')
    images, labels = _splits(_arrays(name, start), start)
    shape = next(iter(images.values())).shape[1:]
    classes = _classes(images, labels, start)
    images, labels = _completed(images, labels, start)
    pad = padding(*shape[:2])
    readers = {split: reading.ArrayReader(
        np.pad(images[split], ((0, 0), *pad, (0, 0)), mode='edge'), labels[split])
        for split in SPLITS}
    return image_data.ImageData(
        name=name, image_shape=tuple(readers['train'].in_order(1, 1).element_spec[0].shape[1:]),
        original_shape=shape, bins=2**bits, bits=bits, num_classes=classes,
        sizes={split: readers[split].size for split in SPLITS},
        splits={split: split for split in SPLITS}, flips=bool(flips), shifts=shifts,
        upside_down=upside_down, readers=readers)


def _arrays(name: str, start: str) -> dict[str, np.ndarray]:
    try:
        with np.load(pathlib.Path(name).expanduser(), allow_pickle=False) as file:
            return dict(file)
    except Exception as error:  # Its type depends on what is wrong with the file.
        raise errors.UsageError(f'{start}it must be a whole npz file of arrays, none of them '
                                f'pickled objects; {error}.') from error


def _splits(arrays: Mapping[str, np.ndarray], start: str,
            ) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Returns the images `[N, H, W, C]` and the labels of each split, and checks their shapes."""
    images, labels, used = {}, {}, set()
    for split in SPLITS:
        for key, label in ((split, f'{split}_label'), (f'x_{split}', f'y_{split}')):
            if key in arrays and split not in images:
                images[split] = arrays[key]
                used.add(key)
                if label in arrays:
                    labels[split] = arrays[label]
                    used.add(label)
    if not images:
        key = next((k for k in _ALONE if k in arrays),
                   next(iter(arrays)) if len(arrays) == 1 else None)
        if key is not None:
            images['train'], used = arrays[key], {key}
            label = next((k for k in _LABELS if k in arrays), None)
            if label is not None:
                labels['train'] = arrays[label]
                used.add(label)
    others = sorted(set(arrays) - used)
    if 'train' not in images or others:
        raise errors.UsageError(
            f'{start}it must have the arrays train, or x_train, or one of {", ".join(_ALONE)}, and '
            f'none that is not used; it has {", ".join(sorted(arrays)) or "none"}'
            f'{f", of which {others[0]} is not used" if images and others else ""}.')
    for split, array in images.items():
        if array.dtype != np.uint8:
            raise errors.UsageError(f'{start}images must be uint8, levels 0 .. 255; those of '
                                    f'{split} are {array.dtype}.')
        if array.ndim not in (3, 4) or array.shape[3:] not in ((), (1,), (3,)) or not array.size:
            raise errors.UsageError(f'{start}images must be [N, H, W] or [N, H, W, 1 or 3] with '
                                    f'N > 0; those of {split} are {list(array.shape)}.')
        images[split] = array.reshape(*array.shape[:3], -1)
    shapes = {split: list(array.shape[1:]) for split, array in images.items()}
    if len(set(map(tuple, shapes.values()))) > 1:
        raise errors.UsageError(f'{start}all splits must have images of one shape; got {shapes}.')
    return images, labels


def _classes(images: Mapping[str, np.ndarray], labels: dict[str, np.ndarray],
             start: str) -> int | None:
    """Returns the number of classes, or None; labels become int64 [N], -1 without classes."""
    if labels and set(labels) != set(images):
        raise errors.UsageError(f'{start}all splits must have labels, or none; those of '
                                f'{", ".join(sorted(set(images) - set(labels)))} are missing.')
    given = bool(labels)
    for split, array in images.items():
        own = labels.setdefault(split, np.full(len(array), -1))
        own = own.reshape(-1) if own.shape == (len(array), 1) else own
        if own.shape != (len(array),) or own.dtype.kind not in 'iu':
            raise errors.UsageError(f'{start}labels must be integers, one for each of the '
                                    f'{len(array)} images of {split}; got {own.dtype} '
                                    f'{list(own.shape)}.')
        labels[split] = own.astype(np.int64)
    if not given:
        return None
    most = max(0, int(labels['train'].max()))
    if most >= len(images['train']):
        raise errors.UsageError(f'{start}labels must be classes, fewer than the '
                                f'{len(images["train"])} images of train; got {most}.')
    for split, own in labels.items():
        if own.min() < 0 or own.max() > most:
            raise errors.UsageError(f'{start}labels must be in 0 .. {most}, the greatest of train; '
                                    f'{split} has {own.min()} .. {own.max()}.')
    return most + 1


def _completed(images: dict[str, np.ndarray], labels: dict[str, np.ndarray], start: str,
               ) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Returns all three splits; what is missing is drawn from train."""
    if 'validation' in images and 'test' not in images:
        images['test'], labels['test'] = images.pop('validation'), labels.pop('validation')
    order = np.random.default_rng(0).permutation(len(images['train']))
    count = data_splits.held_out(len(order))
    for split in ('test', 'validation'):
        if split not in images:
            held, order = np.sort(order[:count]), order[count:]
            images[split], labels[split] = images['train'][held], labels['train'][held]
    if not len(order):
        raise errors.UsageError(f'{start}it must have 3 images or more; it has '
                                f'{len(images["train"])}.')
    order = np.sort(order)
    images['train'], labels['train'] = images['train'][order], labels['train'][order]
    return images, labels


def is_images(path: str) -> bool:
    """Returns whether an npz file holds arrays of images: one has three dimensions or more."""
    try:
        with zipfile.ZipFile(pathlib.Path(path).expanduser()) as file:
            for name in file.namelist():
                with file.open(name) as member:
                    version = np.lib.format.read_magic(member)
                    read = (np.lib.format.read_array_header_1_0 if version == (1, 0)
                            else np.lib.format.read_array_header_2_0)
                    if len(read(member)[0]) >= 3:
                        return True
    except Exception:  # What is wrong with the file is said when it is read as a table.
        return False
    return False
