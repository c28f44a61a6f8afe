"""What is wrong with a folder of pictures is named, and left out if that is asked for."""

import os

import numpy as np
import pytest
from picture_files_made import PIXELS, RNG, load, numbered, write
from PIL import Image

from zoo import data
from zoo.cli import errors
from zoo.data import reading


def cut_short(path):
    path.write_bytes(path.read_bytes()[:-len(path.read_bytes()) // 3])


def broken(tmp_path, name):
    """Makes a folder with one thing that is wrong, and returns options of `load` for it."""
    folder, options = tmp_path / 'pictures', {}
    numbered(folder, 12)
    if name == 'truncated':
        cut_short(write(folder / 'x.jpg', RNG.integers(0, 256, [64, 64, 3]).astype(np.uint8)))
        options['size'] = 16
    elif name == 'empty file':
        (folder / 'x.jpg').touch()
    elif name == 'text':
        (folder / 'x.jpg').write_text('this is no picture')
    elif name == 'pipe':
        os.mkfifo(folder / 'x.png')
    elif name == 'link out':
        write(tmp_path / 'outside.png')
        (folder / 'x.png').symlink_to(tmp_path / 'outside.png')
    elif name == 'linked folder':
        numbered(tmp_path / 'outside', 2)
        (folder / 'more').symlink_to(tmp_path / 'outside')
    elif name == 'huge':
        Image.new('1', (40_000, 40_000)).save(folder / 'x.png')
        options['size'] = 16
    elif name == 'bad profile':
        Image.fromarray(PIXELS).save(folder / 'x.png', icc_profile=b'')
        data_ = (folder / 'x.png').read_bytes()
        (folder / 'x.png').write_bytes(data_[:33] + b'\x00\x00\x00\x00iCCP\x00\x00\x00\x00'
                                       + data_[33:])
        options['size'] = 16
    elif name == 'sizes':
        write(folder / 'x.png', PIXELS)
    elif name == 'small':
        options['size'] = 20
    elif name == 'small after shrinking':
        options |= {'size': 16, 'tiles': True, 'shrink': (2,)}
    elif name == 'tiles without size':
        options['tiles'] = True
    elif name == 'two cases':
        for class_ in ('Cat', 'cat'):
            numbered(folder / class_, 3)
        for path in folder.glob('*.png'):
            path.unlink()
    elif name == 'no train':
        folder.rename(tmp_path / 'test')
        folder.mkdir()
        (tmp_path / 'test').rename(folder / 'test')
    elif name == 'beside splits':
        numbered(folder / 'train', 3)
    elif name == 'two names of a split':
        for split in ('train', 'val', 'valid'):
            numbered(folder / split, 3)
        for path in folder.glob('*.png'):
            path.unlink()
    elif name == 'other classes':
        for path in folder.glob('*.png'):
            path.unlink()
        for class_ in ('train/a', 'train/b', 'test/a', 'test/c'):
            numbered(folder / class_, 3)
    elif name == 'one picture':
        for path in list(folder.glob('*.png'))[1:]:
            path.unlink()
    elif name in ('empty', 'others only'):
        for path in folder.glob('*.png'):
            path.unlink()
        if name == 'others only':
            (folder / 'a.gif').write_text('x')
    return folder, options


@pytest.mark.parametrize(('name', 'message'), [
    ('truncated', 'all of its pictures must be readable; 1 is not: x.jpg is damaged'),
    ('empty file', '1 is not: x.jpg is empty. --skip_unreadable leaves them out'),
    ('text', '1 is not: x.jpg is no picture'),
    ('pipe', '1 is not: x.png is no regular file'),
    ('link out', '1 is not: x.png is a link'),
    ('linked folder', '1 is not: more is a link'),
    ('huge', '1 is not: x.png has more than 178,956,970 pixels'),
    ('bad profile', '1 is not: x.png is'),
    ('sizes', 'its pictures have 2 sizes, such as 16x16 (000.png) and 24x36 (x.png): --size=N'),
    ('small', 'no picture may be smaller than --size=20; 12 of 12 are: 000.png, 001.png, 002.png '
     'and 9 more. --skip_small'),
    ('small after shrinking', 'no picture may be smaller than --size=16 after --shrink; 12 of 12'),
    ('tiles without size', '--tiles must come with --size'),
    ('two cases', "no two classes may have one name; got 'Cat' and 'cat'"),
    ('no train', 'it must have a folder train beside test'),
    ('beside splits', 'all pictures must lie in its splits, train; 000.png, 001.png, 002.png and'),
    ('two names of a split', 'each split must have one folder; it has train, val, valid'),
    ('other classes', 'each split must have the classes of train, a, b; test has a, c'),
    ('one picture', 'it must have 3 pictures or more that can be used'),
    ('empty', 'it must hold pictures (.png'),
    ('others only', 'it has none, but a.gif'),
])
def test_what_is_wrong_is_named(tmp_path, name, message):
    folder, options = broken(tmp_path, name)
    with pytest.raises(errors.UsageError) as caught:
        load(folder, **options)
    assert message in str(caught.value)
    assert '\n' not in str(caught.value)


@pytest.mark.parametrize('name', ['truncated', 'pipe', 'link out', 'huge', 'text'])
def test_what_is_unreadable_is_skipped_when_asked(tmp_path, name, monkeypatch):
    folder, options = broken(tmp_path, name)
    images, said = load(folder, skip_unreadable=True, **options)
    assert sum(images.sizes.values()) == 12 and any('left out' in line for line in said)
    monkeypatch.setattr(reading, 'MEMORY_LIMIT', 0)
    streamed, _ = load(folder, skip_unreadable=True, **options)
    assert len(list(streamed.train(1, 0))) == streamed.sizes['train']


@pytest.mark.parametrize(('options', 'message'), [
    ({'size': 0}, '--size must be a positive integer; got 0'),
    ({'size': -4}, '--size must be a positive integer; got -4'),
    ({'size': '8'}, "--size must be a positive integer; got '8'"),
    ({'size': True}, '--size must be a positive integer; got True'),
    ({'size': 8, 'crop': 'centre'}, "--crop must be center or random; got 'centre'"),
    ({'crop': 'random'}, '--crop=random must come with --size and without --tiles'),
    ({'size': 8, 'tiles': True, 'crop': 'random'}, '--crop=random must come with --size and'),
    ({'size': 8, 'shrink': (2,)}, '--shrink must come with --tiles'),
    ({'size': 8, 'tiles': True, 'shrink': (2, 2)}, '--shrink must be different positive integers'),
    ({'size': 8, 'tiles': True, 'shrink': (0,)}, '--shrink must be different positive integers'),
    ({'size': 8, 'tiles': True, 'shrink': 2}, '--shrink must be different positive integers'),
    ({'channels': '2'}, "--channels must be auto, 1 or 3; got '2'"),
])
def test_options_that_are_none(options, message):
    with pytest.raises(errors.UsageError) as caught:
        data.PictureOptions(**options)
    assert message in str(caught.value)


@pytest.mark.parametrize(('arguments', 'message'), [
    ({'bits': 9}, '--bits must be in [1, 8]; got 9'), ({'bits': 0}, '--bits must be in [1, 8]'),
    ({'shifts': 2.}, '--shifts must be in [0, 1); got 2.0'), ({'shifts': -1.}, '--shifts must be')])
def test_arguments_of_load_that_are_out_of_range(tmp_path, arguments, message):
    numbered(tmp_path, 12)
    with pytest.raises(errors.UsageError) as caught:
        data.load(tmp_path, **arguments)
    assert message in str(caught.value)
