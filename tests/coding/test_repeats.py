"""Tests tiles that repeat, whole or in quarters: they are coded once, and all come back."""

import io
import zlib

import numpy as np
import pytest
import test_coding_faults
import tiny_integer_flow

from tfp_glow import coding
from tfp_glow.coding import container, reader, repeats, tiling

RNG = np.random.default_rng(41)


@pytest.fixture(scope='module')
def codec():
    return coding.Codec(tiny_integer_flow.TinyIntegerFlow())


def patches(stride, count=3):
    """Returns all 8x8 patches of a photograph that begin every `stride` pixels, shuffled."""
    whole = tiny_integer_flow.images(size=(8 * count, 8 * count), count=1)['photo'][0]
    starts = range(0, 8 * count - 7, stride)
    crops = np.stack([whole[i:i + 8, j:j + 8] for i in starts for j in starts])
    return crops[RNG.permutation(len(crops))]


def coded_tiles(data):
    return sum(chunk.tiles for chunk in reader.Reader(io.BytesIO(data)).chunks())


def test_overlapping_patches_take_what_they_cover(codec):
    """25 patches that overlap by half cover the area of 9, and few more are coded."""
    for _ in range(5):
        images = patches(stride=4)
        data = codec.encode(images, batch=4)
        np.testing.assert_array_equal(codec.decode(data), images)
        assert 9 <= coded_tiles(data) <= 18 < len(images)
    images = patches(stride=8)
    assert coded_tiles(codec.encode(images)) == len(images)


def test_a_plain_image_is_one_tile(codec):
    image = np.full([50, 70, 3], 7, np.uint8)
    data = codec.encode(image, batch=4)
    np.testing.assert_array_equal(codec.decode(data), image)
    assert coded_tiles(data) == 1
    copies = reader.Reader(io.BytesIO(data))._first.items[0].copies
    assert copies.shape == (7 * 9 - 1, 5) and len(data) < 2 * 62 + 250


@pytest.mark.parametrize('shape, tile', [
    ((6, 10, 14), (5, 7, 1)), ((23, 31, 3), (5, 7, 1)), ((4, 8, 8, 3), (8, 8, 3)),
    ((17, 30), (4, 4, 3)), ((2, 9, 9, 3), (2, 2, 1)), ((40, 1), (1, 1, 1))])
def test_any_shape(shape, tile):
    """Few different values make much repeat: every tile is coded or a copy, and comes back."""
    grid, repeated = tiling.Grid(shape, tile), 0
    for _ in range(20):
        array = np.repeat(RNG.integers(0, 2, shape), 1, 0).astype(np.uint8) * 9
        array[..., :shape[-1] // 2] = 3
        coded, copies = repeats.find(grid, array)
        assert sorted([*coded, *copies[:, 0]]) == list(range(len(grid)))
        pasted = np.full(shape, 77, np.uint8)
        grid.paste(pasted, coded, grid.cut(array, coded))
        repeats.paste(grid, pasted, coded, copies)
        np.testing.assert_array_equal(pasted, array)
        repeated += len(copies)
    assert repeated or len(grid) < 5


def test_quarters_of_several_tiles(codec):
    """The quarters of one tile are in four other tiles, in different places."""
    images = RNG.integers(0, 256, [5, 8, 8, 3]).astype(np.uint8)
    parts = [(images[0], 3), (images[2], 1), (images[3], 0), (images[4], 0)]
    for target, (image, quarter) in zip(repeats.quarters(images[1]), parts):
        target[...] = repeats.quarters(image)[quarter]
    coded, copies = repeats.find(tiling.Grid(images.shape, (8, 8, 3)), images)
    assert list(coded) == [0, 2, 3, 4] and copies.tolist() == [[1, 3, 5, 8, 12]]
    data = codec.encode(images, batch=4)
    np.testing.assert_array_equal(codec.decode(data), images)


def test_a_preview_has_the_copies_too(codec):
    images = patches(stride=4)
    data = codec.encode(images, batch=4)
    preview = codec.decode(data, levels=1)
    alone = codec.decode(codec.encode(images[:1], batch=4), levels=1)
    assert preview.shape == images.shape and np.any(preview != images) and len(alone) == 1
    _, copies = repeats.find(tiling.Grid(images.shape, (8, 8, 3)), images)
    number, *sources = copies[0].tolist()
    coded = np.delete(range(len(images)), copies[:, 0])
    for quarter, source in zip(repeats.quarters(preview[number]), sources):
        np.testing.assert_array_equal(
            quarter, repeats.quarters(preview[coded[source // 4]])[source % 4])


def test_nothing_is_taken_on_trust(codec, monkeypatch):
    """All quarters get the same name although they differ: all are coded."""
    monkeypatch.setattr(repeats, '_name', lambda quarter: 'same')
    images = patches(stride=8)
    data = codec.encode(images, batch=4)
    np.testing.assert_array_equal(codec.decode(data), images)
    assert coded_tiles(data) == len(images)


@pytest.mark.parametrize('layout', [container.LIST, container.FILES])
def test_several_arrays(codec, layout):
    """Each has its own copies, over several chunks; `check` sees them as `arrays` does."""
    arrays = [patches(4), np.full([20, 30], 9, np.uint8), patches(8), patches(4)[:3]]
    file = io.BytesIO()
    encoder = coding.Encoder(codec, file, layout, 4)
    for number, array in enumerate(arrays):
        encoder.add(array, f'{number}.npy' if layout == container.FILES else '')
    encoder.finish()
    file.seek(0)
    coding.Decoder(codec, file).check()
    decoded = codec.decode(file.getvalue())
    for array, again in zip(arrays, decoded.values() if layout == container.FILES else decoded,
                            strict=True):
        np.testing.assert_array_equal(array, again)


@pytest.mark.parametrize('tile, shape, accepted', [
    ((7, 7, 3), (2, 7, 7, 3), []), ((5, 8, 3), (2, 5, 8, 3), [1]), ((8, 5, 3), (2, 8, 5, 3), [2]),
    ((8, 8, 3), (2, 8, 8, 3), [1, 2, 3])])
def test_quarters_of_another_shape_are_refused(tile, shape, accepted):
    """If a side is odd, quarters differ in shape and do not fit in each other's place."""
    grid, array = tiling.Grid(shape, tile), np.zeros(shape, np.uint8)
    for change in (1, 2, 3):
        copies = np.array([[1, *(quarter ^ change for quarter in range(4))]], np.uint32)
        if change in accepted:
            repeats.check(copies, tile, 2, 1)
            repeats.paste(grid, array, [0], copies)
        else:
            with pytest.raises(coding.DecodingError, match='quarters of another shape'):
                repeats.check(copies, tile, 2, 1)
    repeats.check(container.NO_COPIES, tile, 2, 1)


def test_not_of_very_many(codec, monkeypatch):
    """The search for repeats is bounded, so that its memory is."""
    monkeypatch.setattr(repeats, 'MOST', 3)
    images = np.zeros([4, 8, 8, 3], np.uint8)
    assert [coded_tiles(codec.encode(images[:n])) for n in (1, 2, 3, 4)] == [1, 1, 1, 4]


@pytest.mark.parametrize('count', [200, pytest.param(10000, marks=pytest.mark.slow)])
def test_mutated_files(codec, count):
    images = patches(stride=4)
    samples = [(images, codec.encode(images, batch=4)), (images[:9], codec.encode(images[:9]))]
    test_coding_faults.check_mutations(codec, samples, count, seed=5, least=.6)


def test_the_format_is_as_documented_and_crafted_copies_are_refused(codec):
    pixels = bytes(range(192))
    header = container.Header(
        container.ARRAY, (8, 8, 3), 4, coding.fingerprint(codec.model), 'test')

    def file(copies, count=4, tiles=1):
        item = bytes([4 + 8, count, 8, 8, 3]) + copies
        return test_coding_faults.signed(header, test_coding_faults.chunk(
            [item], tiles * pixels, tiles, crcs=[zlib.crc32(tiles * pixels)]))
    # The second of four tiles is the first; the fourth has its quarters in another order.
    decoded = codec.decode(file(b'\2' b'\1\4' b'\1\3\2\1\0', tiles=2))
    tile = np.frombuffer(pixels, np.uint8).reshape([8, 8, 3])
    np.testing.assert_array_equal(decoded[:3], [tile] * 3)
    np.testing.assert_array_equal(decoded[3, :4, :4], tile[4:, 4:])
    np.testing.assert_array_equal(decoded[3, :4, 4:], tile[4:, :4])
    np.testing.assert_array_equal(decoded[3, 4:, :4], tile[:4, 4:])
    for words, data in [
            ('0 copies in an array', file(b'\0')),
            ('copies of tiles that it has not', file(b'\1\4\4')),
            ('copies of tiles that it has not', file(b'\3' b'\1\4' b'\0\4' b'\0\x09')),
            ('copies of tiles that it has not', file(b'\4' b'\0\4' b'\0\4' b'\0\4' b'\0\4')),
            ('a quarter that is a whole tile', file(b'\3' b'\1\4' b'\0\4' b'\0\0\1\2\4')),
            ('a copy of number', file(b'\2' b'\xff\xff\xff\xff\x0f\4' b'\0\4')),
            ('tiles of the last array are missing', file(b'\1' b'\1\4')),
            ('16384 copies in an array', file(b'\x80\x80\1'))]:
        with pytest.raises(coding.DecodingError, match=words):
            codec.decode(data)
