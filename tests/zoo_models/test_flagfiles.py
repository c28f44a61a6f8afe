"""zoo.train reads each flagfile of a paper's recipe, builds its model and takes a step."""

import dataclasses
import pathlib

import numpy as np
import pytest
import tiny_run

import zoo
from zoo.models import recipe, registry
from zoo.models.options import Events
from zoo.runs import run as runs

FILES = sorted((pathlib.Path(zoo.__file__).parent / 'flagfiles').glob('*.flags'))
SHAPES = {'cifar10': (32, 32, 3), 'downsampled_imagenet/32x32': (32, 32, 3),
          'downsampled_imagenet/64x64': (64, 64, 3), 'celeb_a_hq/256': (256, 256, 3),
          'celeb_a_hq/64': (64, 64, 3), 'mnist': (28, 28, 1), 'svhn_cropped': (32, 32, 3),
          'power.npz': (6,), 'gas.npz': (8,), 'hepmass.npz': (21,), 'miniboone.npz': (43,),
          'bsds300.npz': (63,)}
SMALL = {'glow': {'levels': 2, 'width': 8, 'steps_per_level': 1},
         'real_nvp': {'width': 4, 'blocks': 1}, 'nice': {'width': 8}, 'maf': {'hidden': '8'},
         'flow_pp': {'width': 8, 'blocks': 1, 'components': 2, 'heads': 2, 'noise_width': 8,
                     'noise_blocks': 1, 'steps_per_level': 1, 'checkerboards': 1,
                     'first_checkerboards': 1, 'noise_steps': 1},
         'resnet_vae': {'groups': '1', 'width': 8, 'latent_channels': 2, 'flow_width': 8}}


def read(path):
    """Returns the flags of a file, with values as texts."""
    lines = [line for line in path.read_text().splitlines() if not line.startswith('#')]
    return dict(line.removeprefix('--').split('=', 1) for line in lines)


def configured(path, **changes):
    """Returns `(run, event shape)` of a file, with a smaller model where `changes` say so."""

    flags = read(path)
    model, dataset = flags.pop('model'), flags.pop('dataset')
    chosen = registry.recipe(model, flags.pop('recipe'), dataset)
    both = []
    for part in (chosen.config, chosen.training):
        types = recipe.types(part)
        own = {key: types[key](value) for key, value in flags.items() if key in types}
        both.append(dataclasses.replace(part, **own))
        flags = {key: value for key, value in flags.items() if key not in types}
    assert not flags, f'no such flags: {flags}'
    config = dataclasses.replace(both[0], **changes)
    return runs.Run(model, dataset, chosen.name, False, None, config, both[1]), SHAPES[dataset]


def step(path, batch, **changes):
    """Takes one step of training of the file's model, on random data of its data set's shape."""
    run, shape = configured(path, **changes)
    vectors = len(shape) == 1
    bins = 2 if run.training.binarize else 2**run.training.bits
    model = run.assemble(Events(shape, shape, None if vectors else bins, None, 10, 1000))
    model.compile('adam')
    rng = np.random.default_rng(0)
    rows = (rng.standard_normal([batch, *shape]).astype(np.float32) if vectors
            else rng.integers(0, bins, [batch, *shape]).astype(np.uint8))
    labels = rng.integers(0, 10, [batch]).astype(np.int32) if run.conditional else None
    before = [v.numpy() for v in model.trainable_variables]
    history = model.fit(rows, labels, batch_size=batch, epochs=1, verbose=0).history
    assert np.isfinite(history['loss'][0])
    assert any(np.any(v.numpy() != old) for v, old in zip(model.trainable_variables, before))


def by_name(path):
    return path.stem


@pytest.mark.parametrize('path', FILES, ids=by_name)
def test_flags_are_those_of_a_recipe(path):
    run, shape = configured(path)
    assert run.recipe.startswith('paper')
    divisor = run.spec.divisor(run.config)
    assert len(shape) == 1 or all(side % divisor == 0 for side in shape[:2])


@pytest.mark.parametrize('name', [
    pytest.param('glow_cifar10_conditional', marks=pytest.mark.slow), 'maf_gas',
    pytest.param('resnet_vae_cifar10', marks=pytest.mark.slow)])
def test_small_ones_take_a_step(name):
    path = next(p for p in FILES if p.stem == name)
    step(path, 4, **SMALL[read(path)['model']])


@pytest.mark.slow
@pytest.mark.parametrize('path', FILES, ids=by_name)
def test_whole_ones_take_a_step(path):
    step(path, 1 if '256' in path.stem else 2)


def test_zoo_train_reads_them(tmp_path):
    done = tiny_run.finish('train', f'--flagfile={FILES[0]}', '--epochs=0',
                           f'--workdir={tmp_path / "run"}')
    assert done.returncode == 2 and '--epochs must be at least 1; got 0.' in done.stderr
