"""Tests zoo.compress and zoo.decompress: files and folders both ways, and users' mistakes."""

import json
import os
import pathlib
import subprocess
import sys
import types

import numpy as np
import pytest
import tiny_integer_flow
import tiny_run
from absl.testing import flagsaver
from PIL import Image

from tfp_glow import coding
from zoo.archives import codecs
from zoo.archives import files as archives
from zoo.cli import errors, parsing, progress
from zoo.runs import preset, preset_folder


@pytest.fixture(scope='module')
def model():
    return tiny_integer_flow.TinyIntegerFlow()


@pytest.fixture(autouse=True)
def a_preset(model, monkeypatch):
    """Makes the preset `tiny`; what programs set in the environment ends with the test."""
    monkeypatch.setenv('ONEDNN_MAX_CPU_ISA', 'ALL')

    find = preset_folder.find
    model.discrete = True
    monkeypatch.setattr(preset_folder, 'find', lambda name, *called: (
        pathlib.Path(name) if name == 'tiny' else find(name, *called)))
    monkeypatch.setattr(preset, 'read', lambda name: types.SimpleNamespace(flow=model))
    monkeypatch.setattr(coding.Codec, 'coder', _shared_coder)


def _shared_coder(self, batch, made={}):  # noqa: B006
    """Traces once for all tests of this module, which have one model."""
    from tfp_glow.coding import chunks
    if batch not in made:
        made[batch] = chunks.ChunkCoder(self.model, batch)
    self.coders[batch] = made[batch]
    return made[batch]


def run(name, *operands, **given):
    given = {'preset': 'tiny'} | given
    with tiny_run.imported(name) as module, flagsaver.flagsaver():
        flags = [f'--{key}={value}' for key, value in given.items()]
        module.main(parsing.parse([name, *flags, *map(str, operands)],
                                        operands=('INPUT', 'OUTPUT')))


@pytest.fixture
def pictures(tmp_path):
    """Returns a folder with pictures of several sizes and kinds, and an array."""
    images, folder = tiny_integer_flow.images(size=(9, 12), count=2), tmp_path / 'pictures'
    (folder / 'sub').mkdir(parents=True)
    Image.fromarray(images['photo'][0]).save(folder / 'a.png')
    Image.fromarray(images['text'][0, :5, :, 0]).save(folder / 'sub' / 'grey.png')
    np.save(folder / 'sub' / 'set.npy', images['gradient'])
    return folder


def contents(folder):
    return {path.relative_to(folder).as_posix(): archives.read(path).tolist()
            for path in sorted(folder.rglob('*')) if path.is_file()}


def test_a_folder_there_and_back(pictures, tmp_path, capsys):
    run('compress', pictures, tmp_path / 'x.tfg', batch=4)
    printed = capsys.readouterr().out
    for word in ('x.tfg: 3 files', 'bits/dim', 'networks', 'M symbols/s', 'verified'):
        assert word in printed
    run('decompress', tmp_path / 'x.tfg', tmp_path / 'back')
    assert contents(tmp_path / 'back') == contents(pictures)
    assert sorted(p.name for p in tmp_path.iterdir()) == ['back', 'pictures', 'x.tfg']
    assert Image.open(tmp_path / 'back' / 'sub' / 'grey.png').mode == 'L'


@pytest.mark.parametrize('name', ['a.png', 'sub/set.npy'])
def test_a_file_there_and_back(pictures, tmp_path, name):
    run('compress', pictures / name, tmp_path / 'x.tfg', batch=4, verify=False)
    out = tmp_path / f'back{pathlib.Path(name).suffix}'
    run('decompress', tmp_path / 'x.tfg', out)
    expected = archives.read(pictures / name)
    np.testing.assert_array_equal(archives.read(out), expected)
    if out.suffix == '.png':  # It also becomes an array and a preview.
        run('decompress', tmp_path / 'x.tfg', tmp_path / 'back.npy')
        np.testing.assert_array_equal(np.load(tmp_path / 'back.npy'), expected)
        run('decompress', tmp_path / 'x.tfg', tmp_path / 'preview.png', preview=True)
        assert np.any(archives.read(tmp_path / 'preview.png') != expected)
    else:
        with pytest.raises(errors.UsageError, match='OUTPUT must end in .npy: there are 2 images'):
            run('decompress', tmp_path / 'x.tfg', tmp_path / 'back.png')


def test_a_list_of_the_library_becomes_a_folder(model, tmp_path):
    arrays = [np.zeros([3, 4], np.uint8), np.ones([2, 5, 5, 3], np.uint8)]
    (tmp_path / 'x.tfg').write_bytes(coding.Codec(model).encode(arrays, batch=4))
    run('decompress', tmp_path / 'x.tfg', tmp_path / 'back')
    assert contents(tmp_path / 'back') == {f'{i}.npy': a.tolist() for i, a in enumerate(arrays)}


def test_nothing_is_overwritten_unasked(pictures, tmp_path):
    out = tmp_path / 'x.tfg'
    out.write_text('kept')
    with pytest.raises(errors.UsageError, match='OUTPUT must be a new file, or give --ove'):
        run('compress', pictures / 'a.png', out)
    assert out.read_text() == 'kept'
    run('compress', pictures / 'a.png', out, batch=4, overwrite=True)
    before = (pictures / 'a.png').read_bytes()
    for target, path in ((pictures / 'a.png', out), (pictures, _folder_file(pictures, tmp_path))):
        with pytest.raises(errors.UsageError, match=r'OUTPUT must be new, or give --overwrite'):
            run('decompress', path, target)
    assert (pictures / 'a.png').read_bytes() == before
    run('decompress', out, pictures / 'a.png', overwrite=True)
    assert contents(pictures)['a.png'] == archives.read(pictures / 'a.png').tolist()


def _folder_file(pictures, tmp_path):
    run('compress', pictures, tmp_path / 'folder.tfg', batch=4)
    return tmp_path / 'folder.tfg'


def test_what_is_interrupted_leaves_whole_files_only(pictures, tmp_path, monkeypatch):
    path = _folder_file(pictures, tmp_path)

    def interrupted(*_):
        raise KeyboardInterrupt
    with monkeypatch.context() as patch:
        patch.setattr(archives.Target, 'write', interrupted)
        with pytest.raises(KeyboardInterrupt):
            run('decompress', path, tmp_path / 'back')
    assert [p for p in (tmp_path / 'back').rglob('*') if p.is_file()] == []
    monkeypatch.setattr(coding.Encoder, 'finish', interrupted)
    with pytest.raises(KeyboardInterrupt):
        run('compress', pictures, tmp_path / 'y.tfg', batch=4)
    assert not list(tmp_path.glob('*y.tfg*'))


def test_a_file_of_another_model_names_the_flag_and_the_file(model, tmp_path, monkeypatch):
    (tmp_path / 'x.tfg').write_bytes(coding.Codec(model).encode(np.zeros([3, 4], np.uint8), 4))
    other = tiny_integer_flow.TinyIntegerFlow(seed=1)
    other.discrete = True
    monkeypatch.setattr(preset, 'read', lambda name: types.SimpleNamespace(flow=other))
    with pytest.raises(errors.UsageError, match=r'--preset: .*x.tfg: model must be the one that'):
        run('decompress', tmp_path / 'x.tfg', tmp_path / 'back.png')
    assert not (tmp_path / 'back.png').exists()


def test_a_damaged_file_fails_and_leaves_nothing_wrong(pictures, tmp_path):
    path = _folder_file(pictures, tmp_path)
    expected, data = contents(pictures), bytearray(path.read_bytes())
    data[-30] ^= 1
    path.write_bytes(data)
    with pytest.raises(errors.Failure, match=r'folder.tfg: .* damaged or cut short'):
        run('decompress', path, tmp_path / 'back')
    assert contents(tmp_path / 'back').items() <= expected.items()


def _png(mode, size=(3, 4), **options):
    return lambda path: Image.new(mode, size).save(path, **options)


def _deep_rgb(path):
    """Writes a PNG of 16 bits a channel, which Pillow reads as 8 and does not write."""
    import struct
    import zlib

    def part(kind, data):
        return (struct.pack('>I', len(data)) + kind + data
                + struct.pack('>I', zlib.crc32(kind + data)))
    pixels = zlib.compress(bytes(2 * (1 + 2 * 6)))
    path.write_bytes(b'\x89PNG\r\n\x1a\n' + part(b'IHDR', struct.pack('>IIBBBBB', 2, 2, 16, 2, 0,
                     0, 0)) + part(b'IDAT', pixels) + part(b'IEND', b''))


@pytest.mark.parametrize('name, write, words', [
    ('a.png', _png('I;16'), 'it has grey of 16 bits'),
    ('a.png', _deep_rgb, 'it has RGB of 16 bits'),
    ('a.png', _png('P'), 'it has a palette'),
    ('a.png', _png('LA'), 'it has grey with alpha of 8 bits'),
    ('a.png', _png('RGBA'), 'it has RGB with alpha of 8 bits'),
    ('a.png', _png('1'), 'it has grey of 1 bits'),
    ('a.png', _png('RGB', transparency=(0, 0, 0)), 'it has a transparent colour'),
    ('a.png', _png('L', save_all=True, append_images=[Image.new('L', (3, 4), 9)]), 'is animated'),
    ('a.png', lambda path: path.write_text('no'), 'it is no PNG'),
    ('a.png', lambda path: path.write_bytes(b'\x89PNG\r\n\x1a\n' + bytes(16) + b'\x08\x02'),
     'cannot be taken'),
    ('a.npy', lambda path: np.save(path, np.zeros([2, 2], np.uint16)), 'uint8 .* got uint16'),
    ('a.npy', lambda path: np.save(path, np.zeros([2, 2, 2, 4], np.uint8)), 'no alpha'),
    ('a.npy', lambda path: np.save(path, np.zeros([0, 8, 8], np.uint8)), 'not be empty'),
    ('a.npy', lambda path: np.save(path, np.array([{}], object)), 'cannot be taken'),
    ('a.npy', lambda path: path.write_text('no'), 'cannot be taken'),
    ('a.txt', lambda path: path.write_text('no'), "must be a .png, an .npy or .* got 'a.txt'"),
    ('b', lambda path: path.mkdir(), 'a folder with files')])
def test_other_pictures_are_refused(tmp_path, name, write, words):
    write(tmp_path / name)
    for source in (tmp_path / name, tmp_path):
        with pytest.raises(errors.UsageError, match=words) as caught:
            run('compress', source, tmp_path.parent / 'refused.tfg', batch=4)
        assert str(caught.value).startswith('INPUT')
    assert not list(tmp_path.parent.glob('*refused.tfg*'))


@pytest.mark.parametrize('program, operands, given, words', [
    ('compress', ('a.png', 'x.tfg'), {'preset': ''}, '--preset must be given'),
    ('compress', ('a.png', 'x.tfg'), {'preset': 'tin'}, "--preset must be .* folder; got 'tin'"),
    ('compress', ('a.png', 'x.tfg'), {'batch': 0}, '--batch must be at least 1; got 0'),
    ('compress', ('a.png', 'x.tfg'), {'batch': 1025}, r'--batch must be in 1 .. 1024; got 1025'),
    ('compress', ('none.png', 'x.tfg'), {}, "INPUT must be a file that is there, .*none.png"),
    ('compress', ('a.png', 'x.png'), {}, 'OUTPUT must end in .tfg; got .*x.png'),
    ('compress', ('a.png', 'no/x.tfg'), {}, 'OUTPUT must be in a folder that is there and can'),
    ('decompress', ('none.tfg', 'y.png'), {}, "INPUT must be a .tfg file; got .*none.tfg"),
    ('decompress', ('a.png', 'y.png'), {'seed': -1}, '--seed must be at least 0; got -1')])
def test_mistakes_name_the_flag(pictures, tmp_path, program, operands, given, words):
    with pytest.raises(errors.UsageError, match=words):
        run(program, pictures / operands[0], tmp_path / operands[1], **given)


def test_mistakes_about_a_file(pictures, tmp_path):
    run('compress', pictures / 'a.png', tmp_path / 'x.tfg', batch=4)
    for out, given, words in [
            ('back', {}, 'OUTPUT must be a file .png or .npy, as there is one array'),
            ('no/y.png', {}, 'OUTPUT must be in a folder that is there'),
            ('y.png', {'preview': True, 'levels': 3}, r'--levels must be in 1 .. 2')]:
        with pytest.raises(errors.UsageError, match=words):
            run('decompress', tmp_path / 'x.tfg', tmp_path / out, **given)
    with pytest.raises(errors.UsageError, match='OUTPUT must be a folder, as there are several'):
        run('decompress', _folder_file(pictures, tmp_path), tmp_path / 'y.png')


def test_a_flow_of_densities_is_refused(model, pictures, tmp_path):
    model.discrete = False
    with pytest.raises(errors.UsageError, match="--preset must be of a flow of integers, such as"):
        run('compress', pictures / 'a.png', tmp_path / 'x.tfg')


def test_instructions_are_those_of_the_file(monkeypatch):
    monkeypatch.delenv('ONEDNN_MAX_CPU_ISA')
    codecs.limit_instructions()
    assert os.environ['ONEDNN_MAX_CPU_ISA'] == 'AVX2'
    for text, setting in (('2.21.0 AVX512_CORE', 'AVX512_CORE'), ('2.21.0', 'ALL'),
                          ('2.21.0 AVX2 without oneDNN', 'AVX2'), ('2.21.0 without oneDNN', 'ALL')):
        codecs.limit_instructions(text)
        assert os.environ['ONEDNN_MAX_CPU_ISA'] == setting


def test_progress_is_shown_now_and_then(capsys):
    times = iter([0, 1, 3, 4, 9])
    show = progress.Progress('encoding', clock=lambda: next(times))
    for number in range(4):
        show(f'{number} tiles')
    assert capsys.readouterr().err == 'encoding: 1 tiles, 3 s\nencoding: 3 tiles, 9 s\n'


def test_operands_as_a_process():
    def failed(*arguments):
        done = subprocess.run([sys.executable, '-m', 'zoo.compress', *arguments], check=False,
                              capture_output=True, text=True, timeout=300,
                              cwd=pathlib.Path(__file__).parents[2])
        assert done.returncode == 2 and len(done.stderr.splitlines()) == 1
        return done.stderr
    assert "INPUT and OUTPUT must be given, all else being flags" in failed('--preset=x', 'a.png')
    assert json.dumps('a.tfg').strip('"') in failed('a.png', 'a.tfg', 'b')
