"""All programs run on a folder of the user's own pictures."""

import json

import numpy as np
import pytest
import tiny_run
from picture_files_made import numbered, write

from zoo.cli import errors

pytestmark = pytest.mark.slow

SMALL = {'levels': 1, 'steps_per_level': 1, 'width': 4, 'epochs': 1, 'batch_size': 4, 'verbose': 0,
         'sample_images': 4}


@pytest.fixture(scope='module')
def pictures(tmp_path_factory):
    """Two classes of pictures of several sizes, and other files."""
    folder = tmp_path_factory.mktemp('pictures')
    rng = np.random.default_rng(0)
    for number, name in enumerate(('cat', 'dog')):
        for i in range(60):
            side = 16 + i % 5
            noise = rng.integers(100 * number, 100 * number + 100, [side, side + 3, 3])
            write(folder / name / f'{i}.jpg', noise.astype(np.uint8))
    (folder / 'README.md').write_text('my pictures')
    return folder


@pytest.fixture(scope='module')
def run(pictures, tmp_path_factory):
    directory = tmp_path_factory.mktemp('runs') / 'run'
    with tiny_run.program('train') as train:
        train(dataset=pictures, size=8, crop='random', conditional=True, workdir=directory,
              stop_after=1, **{**SMALL, 'epochs': 2})
    with tiny_run.program('train') as train:
        train(workdir=directory, resume=True, verbose=0)
    return directory


def test_train_resume_evaluate_and_serve(run, pictures, tmp_path, capsys):
    config = json.loads((run / 'config.json').read_text())
    assert config['training']['size'] == 8 and config['training']['crop'] == 'random'
    with tiny_run.program('evaluate') as evaluate:
        evaluate(workdir=run, round_trip_images=4)
    said = capsys.readouterr().out
    assert 'bits/dim' in said and 'left out, as no pictures by their names: README.md' in said
    with tiny_run.program('diagnose') as diagnose:
        diagnose(workdir=run, images=8)
    with tiny_run.program('export') as export:
        export(verify=run / 'saved_model')
    with tiny_run.program('sample') as sample:
        sample(workdir=run, num=2, label=1, out=tmp_path / 'drawn.npy')
    assert np.load(tmp_path / 'drawn.npy').shape == (2, 8, 8, 3)


def test_outliers_of_another_folder(run, tmp_path, capsys):
    numbered(tmp_path / 'grey', 120, (20, 30), first=0)
    with tiny_run.program('ood') as ood:
        ood(workdir=run, against=tmp_path / 'grey', out=tmp_path / 'report', images=10)
    assert list((tmp_path / 'report').iterdir())


def test_tiles_and_their_flags(pictures, tmp_path):
    with tiny_run.program('train') as train:
        train(dataset=pictures, size=8, tiles=True, shrink='1,2', workdir=tmp_path / 'run', **SMALL)
    assert json.loads((tmp_path / 'run' / 'test.json').read_text())['images'] == 12 * 5
    for flags, message in (
            ({'size': 8, 'shrink': '2'}, '--shrink must be left out with --tiles=False'),
            ({'size': 8, 'tiles': True, 'crop': 'random'}, '--crop must be left out with --tiles'),
            ({'size': 8, 'tiles': True, 'shrink': '0'}, '--shrink must be different integers'),
            ({'tiles': True}, '--size=N shrinks'),
            ({'size': 8, 'binarize': 'static'}, '--binarize must be left out for a folder'),
            ({'size': 8, 'header': 'no'}, '--header must be left out for images')):
        with tiny_run.program('train') as train, pytest.raises(errors.UsageError, match=message):
            train(dataset=pictures, workdir=tmp_path / 'other', **SMALL, **flags)
    for name in ('digits', 'moons'):
        with tiny_run.program('train') as train, pytest.raises(
                errors.UsageError, match='--(tiles|size) must be left out for'):
            train(dataset=name, tiles=True, size=8, model='maf' if name == 'moons' else 'glow',
                  workdir=tmp_path / 'other', epochs=1)
