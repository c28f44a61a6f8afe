"""Tests `zoo.latents`: each tool on a tiny run, pictures read back, users' mistakes."""

import pathlib
import subprocess
import sys

import numpy as np
import pytest
import tiny_run
from absl import flags
from PIL import Image

from zoo.cli import errors, parsing
from zoo.latent_tools import flows as flow_tools
from zoo.models import registry
from zoo.pictures import grids
from zoo.runs import opening
from zoo.runs.run import Run


@pytest.fixture(scope='module')
def latents():
    """Yields the program; its flags end with it, since programs share names of flags."""
    with tiny_run.imported('latents') as module:
        yield module


@pytest.fixture(scope='module')
def workdir(tmp_path_factory):
    """Returns a run directory as `zoo.train` leaves it, of an untrained model."""
    path = tmp_path_factory.mktemp('runs') / 'run'
    recipe = registry.recipe('glow', 'digits', 'digits')
    config = type(recipe.config)(levels=2, steps_per_level=1, width=4, reversible=False)
    run = Run('glow', 'digits', 'digits', False, None, config, recipe.training)
    return tiny_run.keep(run, run.build(run.load_data(str(path.parent))), path)


@pytest.fixture(scope='module')
def loaded(workdir):
    return opening.load(workdir, str(workdir.parent))


@pytest.fixture
def latents_program(latents, workdir, loaded, monkeypatch, tmp_path):
    """`run(*flags)` runs the program's `main` with these flags; the model is loaded once."""
    def load(asked, data_dir):
        assert asked == str(workdir) and data_dir == str(workdir.parent)
        return loaded
    monkeypatch.setattr(opening, 'load', load)
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        parsing.parse(['latents', f'--workdir={workdir}', f'--data_dir={workdir.parent}',
                             *arguments])
        latents.main([])
    yield run
    for flag in flags.FLAGS.flags_by_module_dict()[latents.__name__]:
        flag.unparse()


def opened(path):
    with Image.open(path) as picture:
        return np.asarray(picture)


ROWS = {  # Maps a tool to (its flags, rows, images in a row).
    'interpolate': (['--steps=3', '--images=0,1,2'], 2, 3),
    'traverse': (['--steps=4', '--index=7', '--strength=2'], 4, 4),
    'resample': (['--images=3,3'], 2, 3),
    'temperature': (['--temperatures=0,1', '--num=3'], 3, 2),
    'attribute': (['--positive=8', '--negative=3', '--class_images=9', '--steps=2'], 4, 2),
    'reconstruct': ([], 4, 4),
    'inpaint': (['--ascent_steps=2', '--steps=2', '--images=5'], 1, 4)}


@pytest.mark.parametrize('tool', ROWS)
def test_each_tool_writes_its_rows(tool, latents_program, capsys):
    arguments, rows, columns = ROWS[tool]
    latents_program(f'--tool={tool}', '--out=x.png', *arguments)
    assert opened('x.png').shape == (66 * rows - 2, 66 * columns - 2)
    assert f'x.png: {tool}, {rows} rows of {columns} images' in capsys.readouterr().out


def test_a_gif_has_a_frame_per_image_of_a_row(latents_program, loaded, tmp_path):
    data = loaded.data
    latents_program('--tool=interpolate', '--out=x.gif', '--images=0,1', '--steps=5')
    latents_program('--tool=interpolate', '--out=x.png', '--images=0,1', '--steps=5')
    with Image.open('x.gif') as animation:
        assert animation.n_frames == 5 and animation.info['loop'] == 0
        frames = []
        for number in range(5):
            animation.seek(number)
            frames.append(np.asarray(animation.convert('L')))
    row = opened('x.png')
    np.testing.assert_array_equal(np.stack(frames), [row[:, 66 * i:66 * i + 64] for i in range(5)])
    first = grids.grid(data.take('test', 2)[:1], 17)
    np.testing.assert_array_equal(frames[0], first)  # The ends are the images themselves.
    assert np.any(frames[0] != frames[4])


def test_own_images_come_after_those_of_the_data(latents_program, loaded):
    digits = loaded.data.take('test', 6)
    Image.fromarray(np.round(digits[5, ..., 0] * (255 / 16)).astype(np.uint8)).save('own.png')
    latents_program('--tool=reconstruct', '--image_file=own.png', '--out=one.png')
    latents_program('--tool=reconstruct', '--images=4', '--image_file=own.png', '--out=both.png')
    expected = grids.grid(digits[5:], 17)
    np.testing.assert_array_equal(opened('one.png')[:, :64], expected)
    np.testing.assert_array_equal(opened('both.png')[66:, :64], expected)


@pytest.mark.parametrize('arguments, words', [
    (['--tool=interpolate', '--images=1'], ['--images', 'two', 'one']),
    (['--tool=reconstruct', '--images=180'], ['--images', '0 .. 179', '180']),
    (['--tool=reconstruct', '--images=one'], ['--images', 'numbers', "'one'"]),
    (['--tool=reconstruct', '--images='], ['--images', '--image_file']),
    (['--tool=traverse', '--level=2'], ['--level', '0 .. 1', 'level=2']),
    (['--tool=traverse', '--index=99'], ['--index', 'below 32', '99']),
    (['--tool=traverse', '--steps=1'], ['--steps', 'at least 2', '1']),
    (['--tool=attribute', '--positive=1'], ['--negative', 'given']),
    (['--tool=attribute', '--positive=1', '--negative=10'], ['--negative', '0 .. 9', '10']),
    (['--tool=temperature', '--temperatures=1,-1'], ['--temperature', 'at least 0', '-1']),
    (['--tool=temperature', '--temperatures=1,hot'], ['--temperatures', 'a number', "'1,hot'"]),
    (['--tool=inpaint', '--step_size=0'], ['--step_size', 'above 0', '0']),
    (['--tool=reconstruct', '--out=x.jpg'], ['--out', '.png or .gif', 'x.jpg']),
    (['--tool=reconstruct', '--out=nowhere/x.png'], ['--out', 'folder', 'nowhere']),
    (['--tool=reconstruct', '--image_file=none.png'], ['--image_file', 'none.png', 'No such']),
    (['--out=x.png'], ['--tool', 'given']),
])
def test_mistakes_name_the_flag(arguments, words, latents_program, tmp_path):
    with pytest.raises(errors.UsageError) as caught:
        latents_program('--out=x.png', *arguments)
    assert all(word in str(caught.value) for word in words), caught.value
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize('image, words', [
    (Image.new('L', (8, 9)), ['8x8', '9x8 of mode L']),
    (Image.new('RGB', (8, 8)), ['8-bit grey', 'RGB']),
    (Image.new('I;16', (8, 8)), ['8-bit grey', 'I;16']),
    (b'no picture', ['8x8', 'cannot be read'])],
    ids=['size', 'colours', 'depth', 'text'])
def test_own_images_of_the_wrong_size_or_type(image, words, latents_program, tmp_path):
    file = tmp_path / 'own.png'
    if isinstance(image, bytes):
        file.write_bytes(image)
    else:
        image.save(file)
    with pytest.raises(errors.UsageError) as caught:
        latents_program('--tool=inpaint', '--image_file=own.png', '--out=x.png')
    assert all(word in str(caught.value) for word in ['--image_file', 'own.png', *words])
    assert '\n' not in str(caught.value) and not (tmp_path / 'x.png').exists()


def test_a_mistake_is_one_line_of_a_process(tmp_path):
    done = subprocess.run(
        [sys.executable, '-m', 'zoo.latents', '--tool=inpaint', f'--workdir={tmp_path}',
         '--out=x.txt'], cwd=pathlib.Path(__file__).parents[2], capture_output=True,
        text=True, timeout=300, check=False)
    assert done.returncode == 2 and not done.stdout
    assert done.stderr == "error: --out must end in .png or .gif; got 'x.txt'.\n"


def test_pictures_are_replaced_only_when_asked(latents_program, tmp_path):
    (tmp_path / 'x.png').write_bytes(b'precious')
    with pytest.raises(errors.UsageError, match="--out .*--overwrite; 'x.png' is there"):
        latents_program('--tool=reconstruct', '--out=x.png')
    assert (tmp_path / 'x.png').read_bytes() == b'precious'
    latents_program('--tool=reconstruct', '--out=x.png', '--overwrite')
    assert opened('x.png').ndim == 2


class Padded:
    original_shape, image_shape = (5, 4, 1), (8, 8, 1)


@pytest.mark.parametrize('part, rows, columns', [
    ('top', range(2), range(4)), ('bottom', range(2, 5), range(4)),
    ('left', range(5), range(2)), ('right', range(5), range(2, 4)),
    ('middle', range(1, 4), range(1, 3))])
def test_masks_and_their_padding(part, rows, columns):
    mask = flow_tools.hidden(part, Padded)
    inner = mask[1:6, 2:6, 0]
    expected = np.zeros([5, 4], bool)
    expected[np.ix_(rows, columns)] = True
    np.testing.assert_array_equal(inner, expected)
    np.testing.assert_array_equal(mask[..., 0], np.pad(inner, [(1, 2), (2, 2)], mode='edge'))


def test_animation_of_equal_frames_and_bad_arguments(tmp_path):
    frames = np.zeros([3, 2, 8, 8, 3], np.uint8)
    frames[2, 1] = 200
    grids.save_animation(frames, tmp_path / 'x.gif', columns=1, milliseconds=50)
    with Image.open(tmp_path / 'x.gif') as animation:
        assert animation.size == (64, 130) and animation.n_frames == 2
        assert animation.info['duration'] == 100  # Two equal frames are one.
        animation.seek(1)
        assert animation.info['duration'] == 250
    for arguments, message in (((frames[0],), 'frames must be'), ((frames[:0],), 'frames must be')):
        with pytest.raises(ValueError, match=message):
            grids.save_animation(*arguments, tmp_path / 'y.gif')
    with pytest.raises(ValueError, match='milliseconds must be at least 20; got milliseconds=1'):
        grids.save_animation(frames, tmp_path / 'y.gif', milliseconds=1)
    with pytest.raises(ValueError, match='columns must be at least 1; got columns=0'):
        grids.save_grid(frames[0], tmp_path / 'y.png', columns=0)
    assert not (tmp_path / 'y.gif').exists()
