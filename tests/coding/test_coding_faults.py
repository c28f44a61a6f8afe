"""Tests damaged files: each is refused by a clear error or decodes to exactly the original."""

import dataclasses
import io
import struct
import tracemalloc
import zlib

import catalogue
import numpy as np
import pytest
import tensorflow as tf
import tiny_integer_flow

import tfp_glow
from tfp_glow import coding
from tfp_glow.coding import container, reader

BATCH = 4


@pytest.fixture(scope='module')
def codec():
    return coding.Codec(tiny_integer_flow.TinyIntegerFlow())


@pytest.fixture(scope='module')
def samples(codec):
    """Returns `[(arrays, bytes)]` of each layout, coded and stored."""
    images = tiny_integer_flow.images(size=(9, 12), count=3)
    pairs = []
    for arrays in (images['photo'], [images['noise'][0], images['photo'][1], images['text'][2]]):
        pairs.append((arrays, codec.encode(arrays, batch=BATCH)))
    file, named = io.BytesIO(), {f'{n}.png': image for n, image in enumerate(images['gradient'])}
    encoder = coding.Encoder(codec, file, container.FILES, BATCH)
    for name, array in named.items():
        encoder.add(array, name)
    encoder.finish()
    return [*pairs, (named, file.getvalue())]


def mutated(data, other, generator):
    """Returns data with bits flipped, or bytes replaced, cut, added, doubled, removed or mixed."""
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
        head = min(len(data), 60)  # This is about a header.
        data[:head] = other[:head]
    else:
        data[at:] = other[at:]
    return bytes(data)


def equal(decoded, expected):
    if isinstance(expected, dict):
        return list(decoded) == list(expected) and all(map(np.array_equal, decoded.values(),
                                                           expected.values()))
    return type(decoded) is type(expected) and len(decoded) == len(expected) and all(
        map(np.array_equal, decoded, expected))


def check_mutations(codec, samples, count, seed, least=.8):
    generator, refused = np.random.default_rng(seed), 0
    for number in range(count):
        data = samples[number % len(samples)][1]
        other = samples[generator.integers(len(samples))][1]
        try:
            decoded = codec.decode(mutated(data, other, generator))
        except coding.DecodingError as error:
            assert '\n' not in str(error)
            refused += 1
        else:
            assert any(equal(decoded, arrays) for arrays, _ in samples)
    assert count > refused > least * count


def test_mutated_files(codec, samples):
    check_mutations(codec, samples, 200, seed=0)


def test_mutated_files_of_mixtures():
    """A flow of the library gives each integer a mixture of its own."""
    codec = coding.Codec(catalogue.perturb(tfp_glow.flows.idf(
        (8, 8, 3), levels=1, steps_per_level=1, width=4, depth=2, factor_outs=3, stay_share=.67,
        exit_components=2, relative=True, contrasts=True, permute=False), scale=.1))
    images = 64 + tiny_integer_flow.images(count=BATCH)['photo'] // 2
    data = codec.encode(images, batch=BATCH)
    np.testing.assert_array_equal(codec.decode(data), images)
    check_mutations(codec, [(images, data)], 100, seed=2, least=.6)  # Parts fit their own file.


@pytest.mark.slow
def test_ten_thousand_mutated_files(codec, samples):
    check_mutations(codec, samples, 10000, seed=1)


def signed(header, *parts):
    """Returns a file whose checksums are right, whatever its contents."""
    data = header.to_bytes()
    crc = zlib.crc32(data)
    for part in parts:
        crc = zlib.crc32(part, crc)
        data += part + struct.pack('<I', crc)
    return data


def chunk(items, payload, tiles=1, mode=1, crcs=None, flags=2, words=None):
    """Returns a chunk: by default a file's last, with arrays' CRCs as if each had one tile."""
    if crcs is None:
        crcs = [zlib.crc32(payload[192 * i:192 * (i + 1)]) for i in range(len(items))]
    items = [item if isinstance(item, bytes) else item.to_bytes(container.ARRAY) for item in items]
    head = container.numbers(8 * tiles + flags + mode, len(items))
    words = b'' if mode else container.numbers(len(payload) // 4 if words is None else words)
    return head + b''.join(items) + struct.pack(f'<{len(crcs)}I', *crcs) + words + payload


PIXELS = bytes(range(192))
CRC = zlib.crc32(PIXELS)
ITEM = container.Item('', (8, 8, 3))


@pytest.fixture
def header(codec):
    return container.Header(
        container.ARRAY, (8, 8, 3), BATCH, coding.fingerprint(codec.model), 'test')


def test_the_format_is_as_documented(codec, header):
    sha = coding.fingerprint(codec.model)
    data = (b'\x89TFG\x04\x00\x08\x08\x03\x04' + sha + b'\x04test'
            + b'\x0b\x01\x03\x08\x08\x03' + struct.pack('<I', CRC) + PIXELS)
    data += struct.pack('<I', zlib.crc32(data))
    assert data == signed(header, chunk([ITEM], PIXELS))
    assert codec.decode(data).tobytes() == PIXELS
    photo = tiny_integer_flow.images(count=1)['noise'][0]
    written = codec.encode(photo, batch=BATCH)
    settings = reader.read_header(io.BytesIO(written)).settings
    assert settings.startswith(tf.__version__)
    assert written == signed(
        dataclasses.replace(header, settings=settings),
        chunk([container.Item('', (8, 8, 3))], photo.tobytes()))


def test_one_small_image_has_few_bytes_beside_its_code(codec):
    written = codec.encode(tiny_integer_flow.images(count=1)['photo'][0])
    parts = reader.Reader(io.BytesIO(written))
    chunk, = parts.chunks()
    assert len(written) - len(chunk.payload) <= 70 and chunk.mode == container.CODED


@pytest.mark.parametrize('number, data', [
    (0, b'\0'), (127, b'\x7f'), (128, b'\x80\x01'), (300, b'\xac\x02'),
    (2**32 - 1, b'\xff\xff\xff\xff\x0f')])
def test_numbers(number, data):
    assert container.numbers(number) == data


def test_crafted_files_are_refused(codec, header):
    """No accident makes such files: every checksum is right."""
    files = dataclasses.replace(header, layout=container.FILES)

    def named(*names):
        items = [dataclasses.replace(ITEM, name=name).to_bytes(container.FILES) for name in names]
        return signed(files, chunk(items, len(names) * PIXELS, len(names)))

    def shaped(*shape):
        return signed(header, chunk([container.Item('', shape)], PIXELS))
    missing, more, again = chunk([ITEM], PIXELS, flags=0), 2 * PIXELS, chunk([], PIXELS, crcs=[CRC])
    for words, data in [
            ('last array are missing', shaped(2, 8, 8, 3)),
            ('tiles of an array are missing', signed(
                dataclasses.replace(header, batch=1),
                chunk([container.Item('', (2, 8, 8, 3))], PIXELS, flags=0), chunk([ITEM], PIXELS))),
            ('tiles of an array are missing', signed(
                header, chunk([], PIXELS, crcs=[CRC], flags=6))),
            ('of 0 arrays', signed(header, again)),
            ('more tiles than arrays', signed(header, chunk([ITEM], more, 2))),
            ('more arrays than tiles', signed(dataclasses.replace(header, layout=1), chunk(
                [container.Item('', (2, 8, 8, 3)), ITEM], more, 2, crcs=[zlib.crc32(more), 0]))),
            ('1 tiles of 2 arrays', signed(header, chunk([ITEM, ITEM], PIXELS))),
            ('must be one array', signed(header, chunk([ITEM, ITEM], more, 2))),
            ('CRC-32 of the pixels', signed(header, chunk([ITEM], PIXELS, crcs=[CRC ^ 1]))),
            ('must not be empty', shaped(8, 0, 3)), ('no alpha', shaped(1, 8, 8, 4)),
            ('a chunk of 5 tiles', signed(header, chunk([ITEM], PIXELS, tiles=5))),
            ('a chunk of 0 tiles', signed(header, chunk([ITEM], PIXELS, tiles=0))),
            ('bytes must follow', signed(header, chunk([ITEM], PIXELS[1:]))[:-4]),
            ('checksum', signed(header, chunk([ITEM], PIXELS + b'1'))),
            ('48 words for 1 tiles', signed(header, chunk([ITEM], PIXELS, mode=0))),
            ('bytes must follow', signed(header, chunk([ITEM], b'', mode=0, words=40))),
            ('bytes must follow', signed(dataclasses.replace(header, batch=1), missing)),
            ('9 bytes follow the end', signed(header, chunk([ITEM], PIXELS)) + bytes(9)),
            ('array of 5 dimensions', signed(header, chunk([b'\5'], PIXELS))),
            ('array of 1 dimensions', signed(header, chunk([b'\1\7'], PIXELS))),
            ('a number is too long', signed(header, chunk([b'\2\x80\0\1'], PIXELS))),
            ('a number is too long', signed(header, chunk(
                [b'\2\xff\xff\xff\xff\x10\1'], PIXELS))),
            ('a number is too long', signed(header, chunk(
                [b'\2\xff\xff\xff\xff\xff\1'], PIXELS))),
            ('a text cannot be read', signed(files, chunk([b'\2\xff\xff\2\1\1'], PIXELS))),
            *[('different relative paths', named(name))
              for name in ('', '/a.png', '../a.png', 'a/../../b.png', 'a//b.png', './a.png',
                           'C:a.png', 'a\\b.png', 'a\0.png')],
            *[('different relative paths', named(*names))
              for names in (('a', 'a'), ('a', 'a/b'), ('a/b', 'a'), ('a/b/c', 'a/b'))],
            ('a chunk of 1 tiles', signed(
                header, missing, chunk([], PIXELS, crcs=[CRC], flags=6))),
            ('TensorFlow .te.n0t.; this', signed(
                dataclasses.replace(header, settings='te\n0t'), chunk([ITEM], PIXELS, crcs=[0]))),
            *[('is impossible', signed(dataclasses.replace(header, **change), missing))
              for change in (
                {'layout': 3}, {'batch': 0}, {'batch': 1025}, {'tile': (8, 8, 2)},
                {'tile': (0, 8, 3)}, {'tile': (8, 5000, 3)})],
            *[('must be the one that', signed(
                dataclasses.replace(header, **change), chunk([ITEM], size * PIXELS)))
              for size, change in ((2, {'tile': (8, 16, 3)}), (1, {'model': bytes(32)}))],
            ('a checksum does not fit', header.to_bytes() + signed(
                dataclasses.replace(header, model=bytes(32)), chunk([ITEM], PIXELS))[47:]),
            ('version of the format must be 4; got 5', b'\x89TFG\x05' + bytes(90)),
            ('an older version', b'\x89TFG\r\n\x1a\n' + bytes(90)),
            ('an older version', b'\x89TFG\x03' + bytes(90)),
            ('must begin as a .tfg file', b'no'), ('must begin as a .tfg file', bytes(500)),
            ('must begin as a .tfg file', b'')]:
        with pytest.raises(coding.DecodingError, match=words):
            codec.decode(data)


def test_nothing_is_allocated_for_what_cannot_be_there(codec, header):
    shapes = [(2**31, 2**31, 3), (2**20, 8, 8, 3), (9999, 9999), 3 * (2**32 - 1,) + (3,)]
    files = [signed(header, chunk([container.Item('', shape)], PIXELS)) for shape in shapes]
    tracemalloc.start()
    try:
        for data in files:
            with pytest.raises(coding.DecodingError, match='too short for an array'):
                codec.decode(data)
        assert tracemalloc.get_traced_memory()[1] < 1e5
    finally:
        tracemalloc.stop()


def test_what_memory_cannot_hold_is_refused(codec, header, monkeypatch):
    """It does not matter how the file got the length that makes such an array plausible."""
    data = signed(header, chunk([container.Item('', (2**20, 8, 8, 3))], PIXELS))
    monkeypatch.setattr(reader.Reader, 'plausible_tiles', lambda self: 2**30)

    def make(name, shape):
        raise MemoryError('Unable to allocate')
    arrays = coding.Decoder(codec, io.BytesIO(data)).arrays(make)
    with pytest.raises(coding.DecodingError, match='does not fit in memory: Unable to allocate'):
        next(arrays)


def test_any_payload_is_refused(codec, header):
    """The words are no code; all checksums except those of the pixels are right."""
    generator = np.random.default_rng(2)
    for _ in range(30):
        payload = generator.bytes(4 * int(generator.integers(0, 47)))
        data = signed(header, chunk([ITEM], payload, mode=0))
        with pytest.raises(coding.DecodingError, match=r'no code|CRC-32 of the pixels|not finite'):
            codec.decode(data)
