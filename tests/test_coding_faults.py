"""Damaged files: refused by a clear error, or decoded to exactly the original; never worse."""

import dataclasses
import io
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
import tiny_integer_flow

from tfp_glow import coding
from tfp_glow.coding import container

BATCH = 4


@pytest.fixture(scope='module')
def codec():
    return coding.Codec(tiny_integer_flow.TinyIntegerFlow())


@pytest.fixture(scope='module')
def samples(codec):
    """`[(arrays, bytes)]` of each layout, coded and stored."""
    images = tiny_integer_flow.images(size=(9, 12), count=3)
    found = []
    for arrays in (images['photo'], [images['noise'][0], images['photo'][1], images['text'][2]]):
        found.append((arrays, codec.encode(arrays, batch=BATCH)))
    file, named = io.BytesIO(), {f'{n}.png': image for n, image in enumerate(images['gradient'])}
    encoder = coding.Encoder(codec, file, container.FILES, BATCH)
    for name, array in named.items():
        encoder.add(array, name)
    encoder.finish()
    return [*found, (named, file.getvalue())]


def mutated(data, other, generator):
    """One of: bits flipped, bytes replaced, cut, extended, doubled, removed, mixed with another."""
    data, kind = bytearray(data), generator.integers(8)
    at, length = generator.integers(len(data)), int(generator.integers(1, 60))
    if kind == 0:
        for place in generator.integers(len(data), size=generator.integers(1, 5)):
            data[place] ^= 1 << generator.integers(8)
    elif kind == 1:
        data[at:at + length] = generator.bytes(min(length, len(data) - at))
    elif kind == 2:
        del data[at:]
    elif kind == 3:
        data += generator.bytes(length)
    elif kind == 4:
        data[at:at] = data[at:at + length]
    elif kind == 5:
        del data[at:at + length]
    elif kind == 6:
        head = len(data) - len(data) % 120 and 120  # About a header.
        data[:head] = other[:head]
    else:
        data[at:] = other[at:]
    return bytes(data)


def equal(found, expected):
    if isinstance(expected, dict):
        return list(found) == list(expected) and all(map(np.array_equal, found.values(),
                                                         expected.values()))
    return type(found) is type(expected) and len(found) == len(expected) and all(
        map(np.array_equal, found, expected))


def check_mutations(codec, samples, count, seed):
    generator, refused = np.random.default_rng(seed), 0
    for number in range(count):
        data = samples[number % len(samples)][1]
        other = samples[generator.integers(len(samples))][1]
        try:
            found = codec.decode(mutated(data, other, generator))
        except coding.DecodingError as error:
            assert '\n' not in str(error)
            refused += 1
        else:
            assert any(equal(found, arrays) for arrays, _ in samples)
    assert count > refused > .8 * count


def test_mutated_files(codec, samples):
    check_mutations(codec, samples, 200, seed=0)


@pytest.mark.slow
def test_ten_thousand_mutated_files(codec, samples):
    check_mutations(codec, samples, 10000, seed=1)


def signed(header, *parts):
    """A file whose checksums are right, whatever it says."""
    data = header.to_bytes()
    crc, = struct.unpack('<I', data[-4:])
    for part in parts:
        crc = zlib.crc32(part, crc)
        data += part + struct.pack('<I', crc)
    return data


def chunk(items, payload, tiles=1, mode=1, crc=None):
    crc = zlib.crc32(payload) if crc is None else crc
    items = b''.join(item if isinstance(item, bytes) else item.to_bytes() for item in items)
    return struct.pack('<BHBIII', 1, tiles, mode, crc, len(items), len(payload)) + items + payload


def end(items=1, tiles=1):
    return struct.pack('<BII', 0, items, tiles)


PIXELS = bytes(range(192))
CRC = zlib.crc32(PIXELS)
ITEM = container.Item('', (8, 8, 3), CRC)


@pytest.fixture
def header(codec):
    return container.Header(
        container.ARRAY, (8, 8, 3), BATCH, coding.fingerprint(codec.model), 'test')


def test_the_format_is_as_documented(codec, header):
    data = signed(header, chunk([ITEM], PIXELS), end())
    assert data.startswith(b'\x89TFG\r\n\x1a\n\x02\x00\x00\x08\x00\x08\x00\x03\x00\x04\x00')
    assert codec.decode(data).tobytes() == PIXELS
    photo = tiny_integer_flow.images(count=1)['noise'][0]
    written = codec.encode(photo, batch=BATCH)
    settings = container.read_header(io.BytesIO(written)).settings
    assert written == signed(
        dataclasses.replace(header, settings=settings),
        chunk([container.Item('', (8, 8, 3), zlib.crc32(photo))], photo.tobytes()), end())


def test_crafted_files_are_refused(codec, header):
    """What no accident makes: every checksum is right."""
    files = dataclasses.replace(header, layout=container.FILES)

    def named(name):
        return dataclasses.replace(ITEM, name=name)
    for words, data in [
            ('last array are missing', signed(header, chunk(
                [container.Item('', (2, 8, 8, 3), CRC)], PIXELS), end())),
            ('last array are missing', signed(header, end(0, 0))),
            ('more tiles than arrays', signed(header, chunk([], PIXELS), end(0))),
            ('more tiles than arrays', signed(header, chunk([ITEM], 2 * PIXELS, 2), end(1, 2))),
            ('more arrays than tiles', signed(header, chunk([ITEM, ITEM], PIXELS), end(2))),
            ('must be one array', signed(header, chunk([ITEM, ITEM], 2 * PIXELS, 2), end(2, 2))),
            ('is not what was encoded', signed(header, chunk(
                [container.Item('', (8, 8, 3), CRC ^ 1)], PIXELS), end())),
            ('CRC-32 of the pixels', signed(header, chunk([ITEM], PIXELS, crc=CRC ^ 1), end())),
            ('must not be empty', signed(header, chunk(
                [container.Item('', (8, 0, 3), CRC)], PIXELS), end())),
            ('no alpha', signed(header, chunk(
                [container.Item('', (1, 8, 8, 4), CRC)], PIXELS), end())),
            ('impossible length', signed(header, chunk([ITEM], PIXELS, tiles=5), end())),
            ('impossible length', signed(header, chunk([ITEM], PIXELS, tiles=0), end())),
            ('impossible length', signed(header, chunk([ITEM], PIXELS[1:]), end())),
            ('impossible length', signed(header, chunk([ITEM], PIXELS, mode=0), end())),
            ('impossible length', signed(header, chunk([ITEM], PIXELS[:5], mode=0), end())),
            ('impossible length', signed(header, chunk([ITEM], PIXELS, mode=2), end())),
            ('begin with 0 or 1; got 7', signed(header, b'\x07' + bytes(30))),
            ('counts at its end', signed(header, chunk([ITEM], PIXELS), end(1, 2))),
            ('9 bytes follow the end', signed(header, chunk([ITEM], PIXELS), end()) + bytes(9)),
            ('item cannot be read', signed(header, chunk([b'\0\0\5'], PIXELS), end())),
            ('item cannot be read', signed(header, chunk([b'\0\0\2\0\0'], PIXELS), end())),
            ('item cannot be read', signed(header, chunk([b'\2\0\xff\xff\2'], PIXELS), end())),
            ('item cannot be read', signed(header, chunk([named('name')], PIXELS), end())),
            *[('different relative paths', signed(files, chunk([named(name)], PIXELS), end()))
              for name in ('', '/a.png', '../a.png', 'a/../../b.png', 'a//b.png', './a.png',
                           'C:a.png', 'a\\b.png', 'a\0.png')],
            ('different relative paths', signed(
                files, chunk([named('a.png'), named('a.png')], 2 * PIXELS, 2), end(2, 2))),
            *[('is impossible', signed(dataclasses.replace(header, **change), end()))
              for change in (
                {'layout': 3}, {'batch': 0}, {'batch': 1025}, {'tile': (8, 8, 2)},
                {'tile': (0, 8, 3)}, {'tile': (8, 5000, 3)})],
            ('must be the one that', signed(dataclasses.replace(header, tile=(8, 16, 3)), end())),
            ('must be the one that', signed(dataclasses.replace(header, model=bytes(32)), end())),
            ('version of the format must be 2; got 1', _version(header, 1)),
            ('must begin as a .tfg file', b'no'), ('must begin as a .tfg file', bytes(500)),
            ('must begin as a .tfg file', b'')]:
        with pytest.raises(coding.DecodingError, match=words):
            codec.decode(data)


def test_nothing_is_allocated_for_what_cannot_be_there(codec, header):
    shapes = [(2**31, 2**31, 3), (2**20, 8, 8, 3), (9999, 9999)]
    files = [signed(header, chunk([container.Item('', shape, CRC)], PIXELS), end())
             for shape in shapes]
    tracemalloc.start()
    try:
        for data in files:
            with pytest.raises(coding.DecodingError, match='too short for an array'):
                codec.decode(data)
        assert tracemalloc.get_traced_memory()[1] < 1e5
    finally:
        tracemalloc.stop()


def _version(header, number):
    data = bytearray(header.to_bytes()[:-4])
    data[8:10] = struct.pack('<H', number)
    return bytes(data) + struct.pack('<I', zlib.crc32(data))


def test_any_payload_is_refused(codec, header):
    """Words that are no code, with right checksums but for the pixels'."""
    generator = np.random.default_rng(2)
    for _ in range(30):
        payload = generator.bytes(4 * int(generator.integers(0, 47)))
        data = signed(header, chunk([ITEM], payload, mode=0), end())
        with pytest.raises(coding.DecodingError, match=r'no code|CRC-32 of the pixels|not finite'):
            codec.decode(data)
