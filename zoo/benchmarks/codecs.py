"""Compares lossless codecs on the same images: as single files, and as one tiled image.

Images may be crops that overlap. A codec that finds repetitions, as WebP and this one do, then
gains by the tiled image what is not in any image alone. Therefore there is a second tiled image. It
is made of those images that share no quarter with another one in it.
"""

import io
import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from PIL import Image, features

from tfp_glow import coding
from zoo.benchmarks import rows
from zoo.cli import errors

_COLUMNS = {
    'codec': ('codec', '{}'),
    'bits/dim': ('bits_per_dim', '{:.4f}'),
    'of tfp_glow\'s': ('ratio', '{:.2f}x'),
    'one tiled image': ('tiled_bits_per_dim', '{:.4f}'),
    'tiled, without repeats': ('distinct_bits_per_dim', '{:.4f}'),
    'encoding': ('encoding_rate', '{:.3f} MB/s'),
    'decoding': ('decoding_rate', '{:.3f} MB/s'),
}
# A codec is a function from an image to bytes and one back, or None and why it is missing.
_Codec = tuple[Callable[[np.ndarray], bytes], Callable[[bytes], np.ndarray]] | tuple[None, str]
_TILED = 'tiled_bits_per_dim', 'distinct_bits_per_dim'


def run(flow: Any, images: np.ndarray, progress: Callable[[str], object]) -> dict[str, Any]:
    """Measures sizes and speeds of all codecs that are installed.

    Args:
        flow: An integer flow.
        images: A uint8 array `[N, H, W, 1 or 3]`.
        progress: A function of a line of text.

    Returns:
        A dict with 'rows', the first one being this library's; with 'images' and 'distinct', the
        numbers of images in all and without repeats; and with figures of the coder.

    Raises:
        errors.Failure: If a codec does not return the images that it was given.
    """
    some = images[distinct(images)]
    tiled, codec = (mosaic(images), mosaic(some)), coding.Codec(flow)
    results: list[dict[str, Any]] = []
    progress('tfp_glow: one file for all')
    whole = _measured('tfp_glow, one file for all', [images], tiled,
                      lambda x: codec.encode(x, verify=False), codec.decode)
    progress('tfp_glow: single files')
    results.append(_measured('tfp_glow', images, None,
                             lambda x: codec.encode(x, verify=False), codec.decode))
    results.append(whole)
    results[0].update({name: whole.pop(name) for name in _TILED})
    for name, other in others().items():
        if other[0] is None:
            results.append({'codec': name, 'failure': other[1]})
            continue
        progress(name)
        results.append(_measured(name, images, tiled, *other))
    for row in results:
        if 'bits_per_dim' in row:
            row['ratio'] = row['bits_per_dim'] / results[0]['bits_per_dim']
    progress('tfp_glow: the coder apart from the networks')
    return {'rows': results, 'images': len(images), 'distinct': len(some),
            **_speeds(codec, images)}


def others() -> dict[str, _Codec]:
    """Returns `{name: (encode, decode)}` of the usual codecs.

    In place of a codec that is not installed there is `(None, why)`.
    """
    codecs: dict[str, _Codec] = {
        'PNG, optimised': (_saving('PNG', optimize=True), _opened)}
    codecs['WebP, lossless'] = ((_saving('WEBP', lossless=True, quality=100, method=6), _opened)
                                if features.check('webp') else (None, 'Pillow lacks WebP'))
    try:
        import imagecodecs
        if not imagecodecs.JPEGXL.available:
            raise ImportError
        codecs['JPEG-XL, lossless'] = (
            lambda x: imagecodecs.jpegxl_encode(_flat(x), lossless=True, effort=9),
            imagecodecs.jpegxl_decode)
    except ImportError:
        codecs['JPEG-XL, lossless'] = (None, 'imagecodecs is not installed; pip install '
                                             'tfp-glow[bench]')
    return codecs


def mosaic(images: np.ndarray) -> np.ndarray:
    """Returns one image of all images, row after row, as square as possible.

    Places that are left over are black.
    """
    count, height, width, channels = images.shape
    columns = math.ceil(math.sqrt(count))
    lines = math.ceil(count / columns)
    whole = np.zeros([lines * columns, height, width, channels], np.uint8)
    whole[:count] = images
    whole = whole.reshape([lines, columns, height, width, channels])
    return whole.transpose(0, 2, 1, 3, 4).reshape([lines * height, columns * width, channels])


def distinct(images: np.ndarray) -> list[int]:
    """Returns the indices of images that share no quarter with another one of them.

    They may share flat quarters.
    """
    seen: set[bytes] = set()
    indices = []
    height, width = (max(n // 2, 1) for n in images.shape[1:3])
    for index, image in enumerate(images):
        parts = [image[i:i + height, j:j + width] for i in (0, height) for j in (0, width)]
        quarters = {part.tobytes() for part in parts if np.ptp(part, axis=(0, 1)).any()}
        if not quarters & seen:
            indices.append(index)
            seen |= quarters
    return indices


def text(report: dict[str, Any]) -> str:
    """Returns the table, and the lines that say where this library's time goes."""
    return '\n'.join([
        rows.table(report['rows'], _COLUMNS), '',
        f'bits/dim: of {report["images"]} single files, headers counted; one tiled image: all side '
        f'by side; without repeats: {report["distinct"]} images, no quarter of which is in another',
        *(f'tfp_glow {verb}: coder apart from the networks {report[verb]["rate"] / 1e6:.2f} M '
          f'symbols/s; the networks take {report[verb]["network_share"]:.1%} of the time'
          for verb in ('encoding', 'decoding'))])


def _speeds(codec: coding.Codec, images: np.ndarray) -> dict[str, dict[str, float]]:
    """Returns `{'encoding': ..., 'decoding': ...}` of a codec that has its tables and functions."""
    data, speeds = codec.encode(images, verify=False), {}
    coder, = (c for c in codec.coders.values() if c.batch == codec.batch_for([images.shape]))
    work: Callable[[], object]
    for verb, work in (('encoding', lambda: codec.encode(images, verify=False)),
                       ('decoding', lambda: codec.decode(data))):
        before = coder.symbols, coder.coder_seconds, coder.network_seconds
        work()
        after = coder.symbols, coder.coder_seconds, coder.network_seconds
        symbols, seconds, network = (b - a for a, b in zip(before, after))
        speeds[verb] = {'rate': symbols / max(seconds, 1e-9),
                        'network_share': network / (network + seconds)}
    return speeds


def _measured(name: str, images: Sequence[np.ndarray] | np.ndarray,
              tiled: Sequence[np.ndarray] | None, encode: Callable[[np.ndarray], bytes],
              decode: Callable[[bytes], Any]) -> dict[str, Any]:
    start = time.perf_counter()
    files = [encode(image) for image in images]
    middle = time.perf_counter()
    decoded = [decode(file) for file in files]
    end = time.perf_counter()
    if not all(_same(a, b) for a, b in zip(decoded, images)):
        raise errors.Failure(f'{name} does not give back the images that it was given.')
    size = sum(np.size(image) for image in images)
    row: dict[str, Any] = {
        'codec': name, 'bits_per_dim': 8 * sum(map(len, files)) / size,
        'encoding_rate': size / 1e6 / (middle - start),
        'decoding_rate': size / 1e6 / (end - middle)}
    if tiled is not None:
        for key, image in zip(_TILED, tiled, strict=True):
            row[key] = 8 * len(encode(image)) / image.size
    return row


def _saving(kind: str, **options: Any) -> Callable[[np.ndarray], bytes]:
    def encode(image: np.ndarray) -> bytes:
        file = io.BytesIO()
        Image.fromarray(_flat(image)).save(file, format=kind, **options)
        return file.getvalue()
    return encode


def _flat(image: np.ndarray) -> np.ndarray:
    return image[..., 0] if image.shape[-1] == 1 else image


def _same(decoded: np.ndarray, image: np.ndarray) -> bool:
    """Returns whether an image came back unchanged.

    WebP has no grey: it returns grey images as equal red, green and blue.
    """
    return np.array_equal(decoded.reshape([*image.shape[:-1], -1])[..., :image.shape[-1]], image)


def _opened(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as picture:
        return np.asarray(picture)
