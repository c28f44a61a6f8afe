"""Folders of the user's own pictures: what is found, decoded, cut and split."""

import struct

import numpy as np
import pytest
from picture_files_made import PIXELS, load, numbered, write
from PIL import Image

from zoo import data
from zoo.data import picture_decoding, picture_files, reading


def every(images, split):
    return images.take(split, images.sizes[split])


def test_all_kinds_of_files_become_pixels(tmp_path):
    smooth = np.linspace(0, 255, 64 * 64 * 3).reshape(64, 64, 3).astype(np.uint8)
    for suffix, format_ in (('.png', 'PNG'), ('.PNG', 'PNG'), ('.JpG', 'JPEG'), ('.jpeg', 'JPEG'),
                            ('.webp', 'WEBP'), ('.bmp', 'BMP'), ('.tif', 'TIFF'),
                            ('.TIFF', 'TIFF')):
        path = write(tmp_path / f'x{suffix}', smooth, format=format_, **(
            {'lossless': True} if format_ == 'WEBP' else {}))
        pixels = picture_decoding.decode(path, 3)
        assert pixels.shape == (64, 64, 3) and pixels.dtype == np.uint8
        off = np.abs(pixels.astype(int) - smooth).max()
        assert off == 0 or (format_ == 'JPEG' and off < 40), suffix
    assert len(picture_files.find(tmp_path).paths[None]) == 8


@pytest.mark.parametrize('orientation', range(1, 9))
def test_pictures_are_turned_as_exif_says(tmp_path, orientation):
    image, exif = Image.fromarray(PIXELS), Image.Exif()
    exif[0x0112] = orientation
    path = write(tmp_path / 'x.png', image, exif=exif)
    # The eight cases of the EXIF standard: rows and columns of what is stored.
    seen = {1: PIXELS, 2: PIXELS[:, ::-1], 3: PIXELS[::-1, ::-1], 4: PIXELS[::-1],
            5: PIXELS.swapaxes(0, 1), 6: np.rot90(PIXELS, -1), 7: PIXELS[::-1, ::-1].swapaxes(0, 1),
            8: np.rot90(PIXELS)}[orientation]
    notes = picture_decoding.Notes()
    np.testing.assert_array_equal(picture_decoding.decode(path, 3, notes=notes), seen)
    assert picture_decoding.header(path)[:2] == seen.shape[:2]
    assert len(notes.lines()) == (orientation != 1)


def test_other_kinds_of_pixels(tmp_path):
    """Transparent ones lie over white; 16 bits become 8; palettes and CMYK become colours."""
    alpha = np.dstack([PIXELS, np.full(PIXELS.shape[:2], 51, np.uint8)])
    deep = (np.arange(24 * 36).reshape(24, 36) * 70).astype(np.uint16)
    cases = {
        'alpha.png': (Image.fromarray(alpha), np.round(.2 * PIXELS + .8 * 255)),
        'grey_alpha.png': (Image.fromarray(alpha[..., 0]).convert('LA'), None),
        'deep.png': (Image.fromarray(deep), np.repeat(deep[..., None] >> 8, 3, 2)),
        'palette.png': (Image.fromarray(PIXELS[:8, :8]).quantize(64), PIXELS[:8, :8]),
        'bits.png': (Image.fromarray(PIXELS[..., 0] > 99), np.repeat(
            255 * (PIXELS[..., :1] > 99), 3, 2)),
        'cmyk.jpg': (Image.new('CMYK', (8, 8), (0, 255, 255, 0)), None)}
    notes = picture_decoding.Notes()
    for name, (image, expected) in cases.items():
        pixels = picture_decoding.decode(write(tmp_path / name, image), 3, notes=notes)
        if expected is not None:
            assert np.abs(pixels.astype(float) - expected).max() <= 1, name
    assert pixels[0, 0, 0] > 200 and pixels[0, 0, 1] < 60  # Of cmyk.jpg: red.
    assert {line.split(': ')[1].split(',')[0] for line in notes.lines()} == {
        'transparent', 'of 16 bits', 'with a palette', 'in CMYK', 'grey'}


def test_grey_or_colour_by_the_majority(tmp_path):
    numbered(tmp_path, 4)
    numbered(tmp_path, 5, (16, 16), first=4)
    images, said = load(tmp_path)
    assert images.image_shape == (16, 16, 1)
    colour, _ = load(tmp_path, channels='3')
    assert colour.image_shape == (16, 16, 3)
    assert not any('coloured' in line for line in said)  # They have three equal channels.


def test_shrinks_the_shorter_side_and_crops_the_centre(tmp_path):
    ramp = np.repeat(np.arange(120, dtype=np.uint8)[None, :, None], 60, 0).repeat(3, 2)
    for i in range(5):
        write(tmp_path / f'{i}.png', ramp)
    images, _ = load(tmp_path, size=20)
    (first, *_) = every(images, 'train')
    # Columns 10 .. 29 of 40: each is the mean of three of the 120, away from Lanczos' rounding.
    np.testing.assert_allclose(first[0, :, 0], 3 * np.arange(10, 30) + 1, atol=1)


def test_random_crops_differ_from_epoch_to_epoch_and_are_reproduced(tmp_path):
    ramp = np.repeat(np.arange(120, dtype=np.uint8)[None, :, None], 20, 0).repeat(3, 2)
    for i in range(12):
        write(tmp_path / f'{i}.png', ramp)
    images, _ = load(tmp_path, size=20, crop='random')
    epochs = [np.concatenate(list(images.train(5, seed=3, epoch=e).as_numpy_iterator()))
              for e in (0, 1, 0)]
    np.testing.assert_array_equal(epochs[0], epochs[2])
    assert not np.array_equal(epochs[0], epochs[1])
    starts = epochs[0][:, 0, 0, 0]
    assert len(set(starts)) > 4 and starts.max() <= 100
    later = next(images.train(5, seed=3, skip=1).as_numpy_iterator())
    np.testing.assert_array_equal(later, epochs[0][5:10])
    assert set(every(images, 'test')[:, 0, 0, 0]) == {50}


def test_tiles_are_all_whole_squares_of_every_scale(tmp_path):
    for i in range(3):
        write(tmp_path / 'train' / f'{i}.png', PIXELS)
    for split in ('validation', 'test'):
        write(tmp_path / split / 'x.png', PIXELS)
    images, _ = load(tmp_path, size=8, tiles=True, shrink=(1, 3))
    assert images.sizes == {'train': 3 * 13, 'validation': 13, 'test': 13}
    tiles = every(images, 'test')
    np.testing.assert_array_equal(
        tiles[:12].reshape(3, 4, 8, 8, 3).swapaxes(1, 2).reshape(24, 32, 3), PIXELS[:, 2:34])
    means = PIXELS.reshape(8, 3, 12, 3, 3).mean((1, 3))
    np.testing.assert_array_equal(tiles[12], np.round(means[:, 2:10]).astype(np.uint8))


def test_streamed_images_are_those_in_memory(tmp_path, monkeypatch):
    numbered(tmp_path, 20, (16, 32, 3))
    for options in ({'size': 8}, {'size': 16, 'tiles': True}, {'size': 16, 'crop': 'random'}):
        kept, _ = load(tmp_path, **options)
        with monkeypatch.context() as patch:
            patch.setattr(reading, 'MEMORY_LIMIT', 0)
            streamed, _ = load(tmp_path, **options)
        for split in ('train', 'test'):
            np.testing.assert_array_equal(every(kept, split), every(streamed, split))
        first, second = (list(images.train(4, seed=1).as_numpy_iterator())
                         for images in (kept, streamed))
        assert len(first) == len(second) == streamed.steps_per_epoch(4)
        assert not np.array_equal(np.concatenate(second)[:, 0, 0, 0], np.sort(
            np.concatenate(second)[:, 0, 0, 0]))
        if not options.get('tiles'):
            np.testing.assert_array_equal(first, second)
        later = next(streamed.train(4, seed=1, skip=2).as_numpy_iterator())
        np.testing.assert_array_equal(later, second[2])


def test_classes_are_folders_and_keep_their_names(tmp_path):
    for number, name in enumerate(('猫', 'Hund', 'été')):
        numbered(tmp_path / name, 8, first=10 * number)
    images, _ = load(tmp_path)
    assert images.class_names == ('Hund', 'été', '猫') and images.num_classes == 3
    for pixels, label in images.evaluation('train', 99, labels=True).unbatch().as_numpy_iterator():
        assert {'猫': 0, 'Hund': 1, 'été': 2}[images.class_names[label]] == pixels[0, 0, 0] // 10
    assert '3 classes, Hund, été, 猫' in images.describe()


def test_splits_by_folder_or_by_file(tmp_path):
    numbered(tmp_path / 'a', 40)
    by_file, _ = load(tmp_path / 'a')
    held = {split: set(every(by_file, split)[:, 0, 0, 0]) for split in by_file.sizes}
    assert by_file.sizes == {'train': 32, 'validation': 4, 'test': 4}
    assert len(set.union(*held.values())) == 40
    (tmp_path / 'a' / '039.png').rename(tmp_path / 'a' / 'x.png')
    again, _ = load(tmp_path / 'a')  # A new name moves few of the others.
    assert len(held['train'] & set(every(again, 'train')[:, 0, 0, 0])) >= 30
    for split, first, count in (('Train', 0, 20), ('val', 20, 3), ('test', 30, 2)):
        numbered(tmp_path / 'b' / split, count, first=first)
    by_folder, _ = load(tmp_path / 'b')
    assert by_folder.sizes == {'train': 20, 'validation': 3, 'test': 2}
    assert set(every(by_folder, 'validation')[:, 0, 0, 0]) == {20, 21, 22}
    for split, first, count in (('train', 0, 20), ('validation', 20, 3)):
        numbered(tmp_path / 'c' / split, count, first=first)
    tested, _ = load(tmp_path / 'c')
    assert tested.sizes == {'train': 18, 'validation': 2, 'test': 3}


def test_what_is_left_out_is_said(tmp_path):
    numbered(tmp_path, 12)
    (tmp_path / 'notes.txt').write_text('no picture')
    (tmp_path / '.DS_Store').write_bytes(b'x')
    (tmp_path / 'empty.jpg').touch()
    write(tmp_path / 'small.png', PIXELS[:4])
    images, said = load(tmp_path, size=16, skip_unreadable=True, skip_small=True)
    assert sum(images.sizes.values()) == 12
    assert [line.split(': ', 1)[1] for line in said] == [
        'left out, as no pictures by their names: notes.txt.',
        'left out, as they cannot be read: empty.jpg is empty.',
        '1 picture smaller than an image are left out: small.png.']


def test_names_of_folders(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ('mine', 'digits', 'mnist'):
        (tmp_path / name).mkdir()
    assert all(map(data.is_folder, ['mine', './digits', '../b', '~/x', str(tmp_path)]))
    assert not any(map(data.is_folder, ['digits', 'moons', 'mnist', 'x.csv', './x.npz', 'other', '',
                                   'imagenette/320px']))


def test_grey_of_twelve_and_sixteen_bits(tmp_path):
    # A TIFF of 8x8 pixels of 12 bits, 4000 = 0xfa0 each: its header, its tags, its pixels.
    tags = [(256, 8), (257, 8), (258, 12), (259, 1), (262, 1), (273, 200), (277, 1), (278, 8),
            (279, 96)]
    head = struct.pack('<2sHIH', b'II', 42, 8, len(tags)) + b''.join(
        struct.pack('<HHII', tag, 4, 1, value) for tag, value in tags) + bytes(4)
    (tmp_path / 'x.tif').write_bytes(head.ljust(200, b'\0') + bytes.fromhex('fa0fa0' * 32))
    assert np.all(picture_decoding.decode(tmp_path / 'x.tif', 1) == 4000 >> 4)
    sixteen = Image.fromarray(np.full((8, 8), 60000, np.uint16))
    write(tmp_path / 'x.png', sixteen, transparency=60000)
    assert np.all(picture_decoding.decode(tmp_path / 'x.png', 1) == 255)
    write(tmp_path / 'y.png', sixteen)
    assert np.all(picture_decoding.decode(tmp_path / 'y.png', 1) == 60000 >> 8)
