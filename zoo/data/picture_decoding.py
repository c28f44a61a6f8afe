"""Decodes a picture file of any kind as 8-bit grey or RGB pixels, by Pillow."""

import collections
import os
import pathlib
import threading
import warnings
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps

MOST_PIXELS = 178_956_970  # Pillow takes a picture of more for an attack on memory.
_TRANSPARENT = ('LA', 'PA', 'RGBA', 'La', 'RGBa')
_GREY = ('1', 'L', 'LA', 'La', 'I;16', 'I;16B', 'I;16L', 'I')
_SIDEWAYS = (5, 6, 7, 8)  # The orientations of EXIF that swap width and height.
_ORIENTATION = 0x0112
_BITS = 258  # The tag BitsPerSample of TIFF.
# Larger pictures are refused below.
warnings.filterwarnings('ignore', category=Image.DecompressionBombWarning)


class Unreadable(ValueError):
    """A file that is no whole picture of a kind that is taken; the message is the reason."""


class Header(NamedTuple):
    """What the first bytes of a picture say.

    Attributes:
        height: Its height as it is seen, once it is turned.
        width: Its width, likewise.
        is_grey: Whether its pixels have no colour.
    """

    height: int
    width: int
    is_grey: bool


class Notes:
    """Counts what was done to pictures, so that it can be said once."""

    def __init__(self) -> None:
        self._counts: collections.Counter[str] = collections.Counter()
        self._lock = threading.Lock()

    def add(self, what: str) -> None:
        """Counts one more picture."""
        with self._lock:
            self._counts[what] += 1

    def lines(self) -> list[str]:
        """Returns a line for each kind, such as '3 pictures: turned as their EXIF data say'."""
        return [f'{count:,} picture{"s" * (count > 1)}: {what}'
                for what, count in sorted(self._counts.items())]


def header(path: str | os.PathLike) -> Header:
    """Returns the size and kind of a picture without decoding its pixels.

    Raises:
        Unreadable: If the file is no picture.
    """
    with _Opened(path) as image:
        height, width = image.height, image.width
        if image.getexif().get(_ORIENTATION) in _SIDEWAYS:
            height, width = width, height
        return Header(height, width, image.mode in _GREY)


def decode(path: str | os.PathLike, channels: int, shorter_side: int | None = None,
           notes: Notes | None = None) -> np.ndarray:
    """Returns the pixels of a picture, uint8 `[height, width, channels]`.

    It is turned as its EXIF data say. Transparent pixels are laid over white. Of 16 bits the
    highest 8 are kept, of several frames the first. Colour becomes grey by ITU-R 601-2.

    Args:
        path: The file.
        channels: 1 for grey, 3 for RGB.
        shorter_side: The size that the shorter side is shrunk to (Lanczos); None for no change.
        notes: Counts what was done.

    Raises:
        Unreadable: If the file is no whole picture, or is smaller than `shorter_side`.
    """
    notes = notes or Notes()
    with _Opened(path) as image:
        if getattr(image, 'n_frames', 1) > 1:
            notes.add('of several frames, of which the first is taken')
        if shorter_side is not None:
            # A JPEG is decoded at a half, a quarter or an eighth if that is still large enough.
            image.draft(None, (2 * shorter_side, 2 * shorter_side))
        image.load()
        if image.mode.startswith('I'):
            image.info['bits'] = _bits(image)
        turned = ImageOps.exif_transpose(image)
        if image.getexif().get(_ORIENTATION, 1) != 1:
            notes.add('turned as their EXIF data say')
        pixels = _flat(turned, 'L' if channels == 1 else 'RGB', notes)
        if shorter_side is not None:
            pixels = _shrunk(pixels, shorter_side)
        return np.asarray(pixels, np.uint8).reshape(pixels.height, pixels.width, channels)


def _shrunk(image: Image.Image, shorter_side: int) -> Image.Image:
    least = min(image.size)
    if least < shorter_side:
        raise Unreadable(f'is smaller than {shorter_side} pixels: {image.height}x{image.width}')
    size = [max(shorter_side, round(side * shorter_side / least)) for side in image.size]
    return image.resize((size[0], size[1]), Image.Resampling.LANCZOS)


def shrink(pixels: np.ndarray, factor: int) -> np.ndarray:
    """Returns pixels `[H, W, C]` shrunk by an integer factor, by means of factor x factor pixels.

    What is left over at the right and at the bottom is cut off.
    """
    if factor == 1:
        return pixels
    height, width = (side // factor for side in pixels.shape[:2])
    parts = pixels[:height * factor, :width * factor].reshape(
        height, factor, width, factor, pixels.shape[2])
    return np.round(parts.mean((1, 3))).astype(np.uint8)


def _flat(image: Image.Image, mode: str, notes: Notes) -> Image.Image:
    """Returns an image of mode 'L' or 'RGB'."""
    if image.mode in ('F', 'I') and image.format != 'PNG':
        raise Unreadable(f'has pixels of a kind that is not taken, {image.mode}')
    if image.mode.startswith('I'):
        notes.add('of 16 bits, of which the highest 8 are kept')
        image = _of_8_bits(image)
    if image.mode == 'P':
        notes.add('with a palette, whose colours are taken')
        image = image.convert('RGBA' if 'transparency' in image.info else 'RGB')
    elif 'transparency' in image.info:
        image = image.convert('RGBA')
    if image.mode in _TRANSPARENT:
        notes.add('transparent, which are laid over white')
        image = image.convert('RGBA')
        white = Image.new('RGBA', image.size, (255, 255, 255, 255))
        image = Image.alpha_composite(white, image).convert('RGB')
    elif image.mode == 'CMYK':
        notes.add('in CMYK, which become RGB')
    if image.mode != mode and image.mode in ('L', 'RGB') and not (
            mode == 'L' and _has_no_colour(image)):
        notes.add('grey, which become RGB' if mode == 'RGB' else 'coloured, which become grey')
    return image if image.mode == mode else image.convert(mode)


def _of_8_bits(image: Image.Image) -> Image.Image:
    """Returns the highest 8 of the 9 to 16 bits of a grey image; what is transparent is white."""
    values = np.asarray(image).astype(np.int64)
    levels = (values >> max(0, image.info.get('bits', 16) - 8)).clip(0, 255)
    transparent = image.info.get('transparency')
    if transparent is not None:
        levels[values == transparent] = 255
    return Image.fromarray(levels.astype(np.uint8))


def _bits(image: Image.Image) -> int:
    """Returns the bits of each pixel that a TIFF file says; 16 of any other."""
    bits = getattr(image, 'tag_v2', {}).get(_BITS, 16)
    return int(bits if isinstance(bits, int) else bits[0])


def _has_no_colour(image: Image.Image) -> bool:
    red, green, blue = (np.asarray(part) for part in image.split())
    return np.array_equal(red, green) and np.array_equal(green, blue)


class _Opened:
    """A context with an opened image, in which each failure of Pillow is `Unreadable`."""

    def __init__(self, path: str | os.PathLike) -> None:
        self._path = pathlib.Path(path)

    def __enter__(self) -> Image.Image:
        try:
            self._file = self._path.open('rb')
        except OSError as error:
            raise Unreadable(f'cannot be opened: {error.strerror}') from error
        try:
            image = Image.open(self._file)
        except Exception as error:  # Its type depends on what is wrong with the file.
            self._file.close()
            raise Unreadable(_reason(error)) from error
        if image.width * image.height > MOST_PIXELS:
            self._file.close()
            raise Unreadable(f'has {image.height}x{image.width} pixels, more than {MOST_PIXELS:,}')
        return image

    def __exit__(self, kind: type | None, error: BaseException | None, trace: object) -> None:
        self._file.close()
        if isinstance(error, Exception) and not isinstance(error, Unreadable):
            raise Unreadable(_reason(error)) from error


def _reason(error: Exception) -> str:
    """Returns in a few words why Pillow does not read a file."""
    if isinstance(error, Image.DecompressionBombError):
        return f'has more than {MOST_PIXELS:,} pixels'
    if isinstance(error, Image.UnidentifiedImageError):
        return 'is no picture'
    words = ' '.join(str(error).split())[:80] or type(error).__name__
    return f'is damaged: {words}'
