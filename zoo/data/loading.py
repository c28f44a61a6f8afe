"""`load`: from a data set's name to an `ImageData`; it checks every rule about images."""

from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from zoo.cli import errors
from zoo.data import (
    binarized,
    dataset_names,
    image_arrays,
    image_data,
    picture_folder,
    reading,
    sources,
)
from zoo.data.picture_options import PictureOptions
from zoo.data.splits import MOST_HELD_OUT

# These are sets of natural images, whose mirror images are as likely. Those of digits and letters
# (mnist, kmnist, emnist, svhn_cropped) are not, nor are those of fashion_mnist: all of its shoes
# point to the left.
_MIRRORED = ('cifar10', 'cifar100', 'cinic10', 'celeb_a', 'celeb_a_hq', 'lsun', 'stl10')


def load(name: str, data_dir: str | None = None, pad: bool = False, divisor: int = 1,
         flips: bool | None = None, binarize: str = '', shifts: float = 0.,
         upside_down: bool = False, bits: int = 8,
         pictures: PictureOptions | None = None) -> image_data.ImageData:
    """Returns the data set `name` as an `ImageData`; it is prepared on first use.

    Args:
        name: An embedded set (`digits`, `photo_patches`), TFDS's name of any image data set, the
            path of a folder of pictures, see `picture_folder.load`, or of an npz file of images,
            see `image_arrays.load`.
        data_dir: The folder where TFDS has prepared it, or shall prepare it. Default: TFDS's own.
        pad: Whether to pad images whose sides `divisor` does not divide, by repeating their edges.
        divisor: What the model needs both sides to be divisible by, 2**levels.
        flips: Whether training mirrors half of the images. Default: what the set's metadata say,
            else True for natural images only.
        binarize: '' for the images as they are; 'dynamic' or 'static' for draws of black and white
            pixels, see `binarized.BinaryReader`. Dynamic ones are drawn anew in each epoch of
            training.
        shifts: Training moves images by up to this share of their sides and repeats their edges.
        upside_down: Whether training mirrors half of the images top to bottom as well.
        bits: How many bits of each channel are kept, the highest ones; only of 256 levels.
        pictures: How pictures of any sizes become images of one size.

    Raises:
        UsageError: If there is no such data set, or it does not suit the other arguments. The
            message is one line that names the flag, the rule and the value.
        ValueError: If `divisor` is less than 1.
    """
    if divisor < 1:
        raise ValueError(f'divisor must be at least 1; got {divisor=}.')
    name, pictures = str(name), pictures or PictureOptions()
    if not 1 <= bits <= 8:
        raise errors.UsageError(f'--bits must be in [1, 8]; got {bits}.')
    if not 0 <= shifts < 1:
        raise errors.UsageError(f'--shifts must be in [0, 1); got {shifts}.')
    if binarize not in ('', 'dynamic', 'static'):
        raise errors.UsageError(f'--binarize must be dynamic, static or empty; got {binarize!r}.')
    if dataset_names.is_folder(name) or dataset_names.is_image_file(name):
        of_folder = dataset_names.is_folder(name)
        what = 'a folder of pictures' if of_folder else 'an npz file of images'
        if binarize:
            raise errors.UsageError(f'--binarize must be left out for {what}; got {binarize}.')
        own: Any = picture_folder.load if of_folder else image_arrays.load
        return own(name, pictures, lambda height, width: _padding(
            name, (height, width, 1), pad, divisor), flips=flips, shifts=shifts,
            upside_down=upside_down, bits=bits)
    pictures.refuse(f'for --dataset={name}, which is no folder of pictures', 'size')
    builder = sources.find_builder(name, data_dir)
    image_key = _image_key(name, builder.info.features, pictures.size)
    shape = builder.info.features[image_key].shape
    if pictures.size is not None:
        shape = (pictures.size, pictures.size, shape[2])
    padding = _padding(name, shape, pad, divisor)
    sources.require_prepared(builder)
    metadata = builder.info.metadata or {}
    label = dict(builder.info.features.items()).get('label')
    num_classes = label.num_classes if isinstance(label, tfds.features.ClassLabel) else None
    splits = choose_splits(name, {s: i.num_examples for s, i in builder.info.splits.items()})
    if flips is None:
        mirrored = builder.name in _MIRRORED or 'imagenet' in builder.name
        flips = bool(metadata.get('flips', mirrored))
    has_labels = num_classes is not None
    bins = int(metadata.get('bins', 256))
    shown = 2 if binarize else bins
    if bits < 8 and shown != 256:
        raise errors.UsageError(f'--bits needs data of 256 levels; {name} has {shown}; '
                                f'got {bits}.')
    readers = {}
    for number, (split, part) in enumerate(splits.items()):
        where = (builder, part, image_key, has_labels, padding, pictures.size)
        readers[split] = reading.SplitReader(*where) if not binarize else binarized.BinaryReader(
            *where, bins=bins, dynamic=binarize == 'dynamic', number=number)
    (top, bottom), (left, right) = padding
    return image_data.ImageData(
        name=name,
        image_shape=(shape[0] + top + bottom, shape[1] + left + right, shape[2]),
        original_shape=tuple(shape),
        bins=2**bits if bits < 8 else shown,
        original_bins=shown,
        bits=bits,
        num_classes=num_classes,
        sizes={split: reader.size for split, reader in readers.items()},
        splits=splits,
        flips=flips,
        shifts=shifts,
        upside_down=upside_down,
        readers=readers,
        binarize=binarize)


def choose_splits(name: str, counts: dict[str, int]) -> dict[str, str]:
    """Returns the TFDS split strings of train, validation and test.

    The set's own splits are kept. A set that has a validation split and no test split is tested on
    the former, as its publications do. What is still missing is held out from the end of train: a
    tenth of it, at most 5,000 images.

    Args:
        name: The name of the data set, for errors.
        counts: The number of examples in each of its own splits.

    Raises:
        UsageError: If there is no train split, or it is too small to hold anything out.
    """
    if not counts.get('train'):
        raise errors.UsageError(f'--dataset={name} must have a split named train with examples; '
                                f'it has {", ".join(counts) or "none"}.')
    own = next((s for s in ('validation', 'valid', 'val', 'dev') if counts.get(s)), None)
    test = 'test' if counts.get('test') else own
    validation = own if own != test else None
    end, held_out = counts['train'], min(MOST_HELD_OUT, counts['train'] // 10)
    missing = (validation is None) + (test is None)
    if missing and not held_out:
        raise errors.UsageError(f'--dataset={name} must have 10 training examples or more, to hold '
                                f'out those for validation; it has {end}.')
    kept = end - missing * held_out
    if validation is None:
        stop = kept + held_out
        validation = f'train[{kept}:{stop if stop < end else ""}]'
    return {
        'train': f'train[:{kept}]' if missing else 'train',
        'validation': validation,
        'test': test or f'train[{end - held_out}:]',
    }


def _image_key(name: str, features: Any, size: int | None) -> str:
    """Returns the name of the image feature, which must be uint8 of the shape (H, W, 1 or 3).

    Raises:
        UsageError: If there is no such feature.
    """
    images = [k for k, f in features.items() if isinstance(f, tfds.features.Image)]
    key = 'image' if 'image' in images else images[0] if len(images) == 1 else None
    if key is None:
        raise errors.UsageError(f'--dataset={name} must have one image feature, or one named '
                                f'image; it has {", ".join(images) or "none"}.')
    feature = features[key]
    dtype = np.dtype(feature.np_dtype)
    if size is None and len(feature.shape) == 3 and None in feature.shape[:2]:
        raise errors.UsageError(f'--size must be given for --dataset={name}, whose images differ '
                                'in size; got none.')
    if len(feature.shape) != 3 or feature.shape[2] not in (1, 3) or dtype != np.uint8:
        raise errors.UsageError(
            f'--dataset={name} must have uint8 images of one size, (height, width, 1 or 3); '
            f'its feature {key} is {dtype.name} {tuple(feature.shape)}.')
    return key


def _padding(name: str, shape: tuple[int, int, int], pad: bool, divisor: int) -> reading.Padding:
    """Returns ((top, bottom), (left, right)), as even as possible.

    Raises:
        UsageError: If padding is needed and `pad` is not set.
    """
    extra = [-side % divisor for side in shape[:2]]
    if any(extra) and not pad:
        raise errors.UsageError(
            f'--levels: image sides must be divisible by {divisor} (2**levels), and '
            f'--dataset={name} has {shape[0]}x{shape[1]}: pass --pad to repeat the edges to '
            f'{shape[0] + extra[0]}x{shape[1] + extra[1]}, or lower --levels.')
    rows, columns = ((e // 2, e - e // 2) for e in extra)
    return rows, columns
