"""Lossless codecs on the same images: as single files, and as one tiled image.

Images may be crops that overlap: then a codec that finds repetitions, as WebP and this one do,
gains by the tiled image what is not in any image alone. So there is a second tiled image, of those
that share no quarter with another one in it.
"""

import io
import math
import time

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
_TILED = 'tiled_bits_per_dim', 'distinct_bits_per_dim'


def run(flow, images, progress):
    """Sizes and speeds of all codecs that are installed.

    Args:
        flow: an integer flow.
        images: uint8 `[N, H, W, 1 or 3]`.
        progress: function of a line of text.

    Returns:
        dict with 'rows', the first one being this library's; 'images' and 'distinct', how many are
        in all and without repeats; and figures of the coder.

    Raises:
        errors.Failure: a codec does not give back what it was given.
    """
    some = images[distinct(images)]
    tiled, codec, results = (mosaic(images), mosaic(some)), coding.Codec(flow), []
    progress('tfp_glow: one file for all')
    whole = _measured('tfp_glow, one file for all', [images], tiled,
                      lambda x: codec.encode(x, verify=False), codec.decode)
    progress('tfp_glow: single files')
    results.append(_measured('tfp_glow', images, None,
                             lambda x: codec.encode(x, verify=False), codec.decode))
    results.append(whole)
    results[0].update({name: whole.pop(name) for name in _TILED})
    for name, (encode, decode) in others().items():
        if encode is None:
            results.append({'codec': name, 'failure': decode})
            continue
        progress(name)
        results.append(_measured(name, images, tiled, encode, decode))
    for row in results:
        if 'bits_per_dim' in row:
            row['ratio'] = row['bits_per_dim'] / results[0]['bits_per_dim']
    progress('tfp_glow: the coder apart from the networks')
    return {'rows': results, 'images': len(images), 'distinct': len(some),
            **_speeds(codec, images)}


def others():
    """`{name: (encode, decode)}` of the usual codecs; (None, why) where one is not installed."""
    found = {'PNG, optimised': (_saving('PNG', optimize=True), _opened)}
    found['WebP, lossless'] = ((_saving('WEBP', lossless=True, quality=100, method=6), _opened)
                               if features.check('webp') else (None, 'Pillow lacks WebP'))
    try:
        import imagecodecs
        if not imagecodecs.JPEGXL.available:
            raise ImportError
        found['JPEG-XL, lossless'] = (
            lambda x: imagecodecs.jpegxl_encode(_flat(x), lossless=True, effort=9),
            imagecodecs.jpegxl_decode)
    except ImportError:
        found['JPEG-XL, lossless'] = (None, 'imagecodecs is not installed; pip install '
                                            'tfp-glow[bench]')
    return found


def mosaic(images):
    """One image of all, row after row, as square as may be; what is left over is black."""
    count, height, width, channels = images.shape
    columns = math.ceil(math.sqrt(count))
    lines = math.ceil(count / columns)
    whole = np.zeros([lines * columns, height, width, channels], np.uint8)
    whole[:count] = images
    whole = whole.reshape([lines, columns, height, width, channels])
    return whole.transpose(0, 2, 1, 3, 4).reshape([lines * height, columns * width, channels])


def distinct(images):
    """Indices of images no quarter of which is in another one of them; flat quarters may be."""
    seen, found = set(), []
    height, width = (max(n // 2, 1) for n in images.shape[1:3])
    for index, image in enumerate(images):
        quarters = [image[i:i + height, j:j + width] for i in (0, height) for j in (0, width)]
        quarters = {part.tobytes() for part in quarters if np.ptp(part, axis=(0, 1)).any()}
        if not quarters & seen:
            found.append(index)
            seen |= quarters
    return found


def text(report):
    """The table, and where this library's time goes."""
    return '\n'.join([
        rows.table(report['rows'], _COLUMNS), '',
        f'bits/dim: of {report["images"]} single files, headers counted; one tiled image: all side '
        f'by side; without repeats: {report["distinct"]} images, no quarter of which is in another',
        *(f'tfp_glow {verb}: coder apart from the networks {report[verb]["rate"] / 1e6:.2f} M '
          f'symbols/s; the networks take {report[verb]["network_share"]:.1%} of the time'
          for verb in ('encoding', 'decoding'))])


def _speeds(codec, images):
    """`{'encoding': ..., 'decoding': ...}` of a codec whose tables and functions are made."""
    data, speeds = codec.encode(images, verify=False), {}
    coder, = (c for c in codec.coders.values() if c.batch == codec.batch_for([images.shape]))
    for verb, work in (('encoding', lambda: codec.encode(images, verify=False)),
                       ('decoding', lambda: codec.decode(data))):
        before = coder.symbols, coder.coder_seconds, coder.network_seconds
        work()
        after = coder.symbols, coder.coder_seconds, coder.network_seconds
        symbols, seconds, network = (b - a for a, b in zip(before, after))
        speeds[verb] = {'rate': symbols / max(seconds, 1e-9),
                        'network_share': network / (network + seconds)}
    return speeds


def _measured(name, images, tiled, encode, decode):
    start = time.perf_counter()
    files = [encode(image) for image in images]
    middle = time.perf_counter()
    found = [decode(file) for file in files]
    end = time.perf_counter()
    if not all(_same(a, b) for a, b in zip(found, images)):
        raise errors.Failure(f'{name} does not give back the images that it was given.')
    size = sum(np.size(image) for image in images)
    row = {'codec': name, 'bits_per_dim': 8 * sum(map(len, files)) / size,
           'encoding_rate': size / 1e6 / (middle - start),
           'decoding_rate': size / 1e6 / (end - middle)}
    if tiled is not None:
        for key, image in zip(_TILED, tiled, strict=True):
            row[key] = 8 * len(encode(image)) / image.size
    return row


def _saving(kind, **options):
    def encode(image):
        file = io.BytesIO()
        Image.fromarray(_flat(image)).save(file, format=kind, **options)
        return file.getvalue()
    return encode


def _flat(image):
    return image[..., 0] if image.shape[-1] == 1 else image


def _same(found, image):
    """WebP has no grey: such images come back as red, green and blue that are equal."""
    return np.array_equal(found.reshape([*image.shape[:-1], -1])[..., :image.shape[-1]], image)


def _opened(data):
    with Image.open(io.BytesIO(data)) as picture:
        return np.asarray(picture)
