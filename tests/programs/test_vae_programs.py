"""Tests the zoo's programs on a VAE, from training to pictures: all but one in this process."""

import csv
import dataclasses
import json
import math
import os
import pathlib
import subprocess
import sys
import types

import alone
import numpy as np
import pytest
import tensorflow as tf
import tiny_run
from PIL import Image

import tfp_glow
import zoo
import zoo.data
from zoo.bundles import reading as bundles
from zoo.cli import errors
from zoo.latent_tools import conversion
from zoo.latent_tools import vaes as vae_tools
from zoo.models import registry
from zoo.runs import opening
from zoo.runs.run import Trained

SMALL = {'model': 'dense_vae', 'dataset': 'digits', 'recipe': 'digits_binary', 'latent_dims': 2,
         'hidden': 16, 'epochs': 1, 'batch_size': 256, 'ema': .5, 'sample_images': 4,
         'posterior': 'iaf', 'iaf_hidden': 8, 'context_size': 4, 'iaf_steps': 1, 'verbose': 0}


@pytest.fixture(scope='module')
def place(tmp_path_factory):
    return tmp_path_factory.mktemp('vae')


@pytest.fixture(scope='module')
def run(place):
    """Returns the directory of a run of `zoo.train`, evaluated by 3 importance samples too."""
    with tiny_run.program('train') as train:
        train(**SMALL, workdir=place / 'run', data_dir=place / 'data', importance_samples=3)
    return place / 'run'


@pytest.fixture(scope='module')
def loaded(run, place):
    return opening.load(run, place / 'data')


@pytest.fixture
def at_hand(loaded, monkeypatch):
    """Programs get `loaded`, whatever run or preset they ask for: loading takes a second."""
    monkeypatch.setattr(opening, 'load', lambda *where: loaded)
    monkeypatch.setattr(opening, 'open_run_or_preset', lambda *where: loaded)


@pytest.fixture(scope='module')
def vae(loaded):
    """Yields the VAE with the averaged weights, as long as the module's tests run."""
    with loaded.averaged_weights() as averaged:
        yield averaged


def picture(path):
    image = np.asarray(Image.open(path))
    assert image.max() > image.min()
    return image


def test_a_run_leaves_what_it_promises(run):
    config = json.loads((run / 'config.json').read_text())
    assert config['training']['binarize'] == 'dynamic' and config['config']['latent_dims'] == 2
    assert config['data_dir'] == str(run.parent / 'data')
    with (run / 'metrics.csv').open(newline='') as file:
        row, = csv.DictReader(file)
    assert {'loss', 'kl', 'nats', 'bits_per_dim', 'val_nats', 'val_kl'} <= set(row)
    assert all(np.isfinite(float(v)) for v in row.values())
    test = json.loads((run / 'test.json').read_text())
    assert test['nats'] == pytest.approx(test['bits_per_dim'] * 64 * math.log(2))
    assert test['images'] == 180 and 0 < test['standard_error'] < test['bits_per_dim'] / 10
    bound = test['importance']
    assert bound['samples'] == 3 and 0 < bound['nats_standard_error'] < bound['nats'] / 10
    assert bound['nats'] < test['nats']  # It is tighter.
    for name in ('samples.png', 'reconstructions.png'):
        picture(run / name)


def test_figures_are_those_of_the_averaged_weights(run, loaded, vae):
    """Both bounds of the test images are right, with the draws that the zoo takes."""
    images = loaded.data.take('test', 180)
    test = json.loads((run / 'test.json').read_text())
    nats = -tfp_glow.vaes.elbo(vae, images, [0, 7919]).numpy()
    assert test['nats'] == pytest.approx(nats.mean(), rel=1e-4)
    assert test['nats_standard_error'] == pytest.approx(nats.std(ddof=1) / 180**.5, rel=1e-3)
    nats = -np.concatenate([
        tfp_glow.vaes.importance_bound(vae, images[part], [i, 7918], 3)
        for i, part in enumerate((slice(100), slice(100, 180)))])
    importance = test['importance']
    assert importance['nats'] == pytest.approx(nats.mean(), rel=1e-4)
    assert importance['bits_per_dim'] == pytest.approx(nats.mean() / 64 / math.log(2), rel=1e-4)
    assert importance['nats_standard_error'] == pytest.approx(nats.std(ddof=1) / 180**.5, rel=1e-3)


def test_evaluate_says_both_bounds(run, at_hand, capsys):
    with tiny_run.program('evaluate') as evaluate:
        evaluate(workdir=run, importance_samples=2, draws=2, limit=100)
    report = json.loads((run / 'evaluation.json').read_text())
    assert report['images'] == 100 and report['draws'] == 2 and report['round_trip'] == {}
    line = capsys.readouterr().out.splitlines()[1]
    assert line.startswith(f'test ELBO {report["nats"]:.2f} +- ')
    assert f'of 2 samples {report["importance"]["nats"]:.2f} +- ' in line


def test_data_are_looked_for_where_training_found_them(run, monkeypatch):
    asked, load = [], zoo.data.load
    monkeypatch.setattr(zoo.data, 'load', lambda name, data_dir=None, **options: (
        asked.append((name, data_dir)) or load(name, data_dir, **options)))
    with tiny_run.program('evaluate') as evaluate:
        evaluate(workdir=run, limit=4)
    assert asked == [('digits', str(run.parent / 'data'))]


def test_the_bundle_answers_as_the_vae(run, loaded, vae, place):
    bundle = bundles.open_bundle(run / 'saved_model')
    assert bundle.family == 'vae' and bundle.bins == 2
    images, served = loaded.data.take('test', 6), bundle.load()
    latents, = vae.encode(images)
    expected = {'encode': latents, 'elbo': tfp_glow.vaes.elbo(vae, images, [5, 0]),
                'decode': vae.decode([latents]).mean(), 'reconstruct': vae.reconstruct(images),
                'sample': vae.sample(6, [5, 0], .8)}
    answers = {'encode': served.encode(images)[0], 'elbo': served.elbo(images, 5),
               'decode': served.decode([latents]), 'reconstruct': served.reconstruct(images),
               'sample': served.sample(6, .8, 5)}
    for name, value in expected.items():
        np.testing.assert_allclose(answers[name], value, rtol=1e-4, atol=1e-5, err_msg=name)
    for question, arguments, words in (
            ('elbo', (images + np.uint8(1),), 'elbo: images must have grey levels below 2; got'),
            ('decode', ([latents * np.nan],), 'decode: level_0 must be finite'),
            ('sample', (0, 1., 0), r'sample: n must be at least 1; got\] \[0\]')):
        with pytest.raises(tf.errors.InvalidArgumentError, match=words):
            getattr(served, question)(*arguments)


ALONE = alone.without({'tfp_glow', 'tensorflow_probability', 'tf_keras', 'keras'}, '''
    from zoo import sample
    from zoo.bundles import reading, verification
    bundle = reading.open_bundle(sys.argv[1])
    print(*verification.verify(bundle), sep='\\n')
    drawn = sample.draw(bundle, bundle.load(), 9, 1., 0)
    print(drawn.shape, sorted(set(drawn.ravel().tolist())))
''')


def test_a_second_process_verifies_the_bundle(run):
    """Only TensorFlow is installed there."""
    done = subprocess.run(
        [sys.executable, '-c', ALONE, str(run / 'saved_model')], check=False,
        cwd=pathlib.Path(__file__).parents[2], env=dict(os.environ), capture_output=True,
        text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    *lines, drawn = done.stdout.splitlines()
    names = ['sample', 'elbo', 'encode', 'decode', 'reconstruct', 'decode(encode(images))']
    assert [line.split(':')[0] for line in lines] == names
    assert drawn == '(9, 8, 8, 1) [0, 1]'


def test_a_preset_is_the_vae(run, loaded, vae, at_hand, place):
    with tiny_run.program('publish') as publish:
        publish(workdir=run, out=place / 'tiny_vae', samples=4, importance_samples=2)
    preset = zoo.from_preset(place / 'tiny_vae')
    images = loaded.data.take('test', 20)
    assert isinstance(preset.distribution, tfp_glow.vaes.LatentModel)
    np.testing.assert_allclose(tfp_glow.vaes.elbo(preset.distribution, images, [1, 2]),
                               tfp_glow.vaes.elbo(vae, images, [1, 2]), rtol=1e-6)
    assert preset.run == loaded.run and preset.run.data_dir is None
    assert str(place) not in (place / 'tiny_vae' / 'config.json').read_text()
    assert preset.card['estimate'] == 'maximum of the ELBO'
    assert preset.card['importance']['samples'] == 2 and preset.card['round_trip'] == {}
    words = preset.card['command'].split()
    assert {'--latent_dims=2', '--posterior=iaf', '--recipe=digits_binary'} <= set(words)
    text = (place / 'tiny_vae' / 'card.md').read_text()
    assert 'importance bound of 2 samples' in text and 'Round trip' not in text
    assert '4 at temperature 1' in text
    picture(place / 'tiny_vae' / 'samples.png')
    with pytest.raises(errors.UsageError, match="preset must be that of a flow; 'tiny_vae' is a"):
        _ = preset.flow


def test_diagnose_reports_collapse(run, at_hand, capsys):
    with tiny_run.program('diagnose') as diagnose:
        diagnose(workdir=run, images=30, draws=4)
    diagnosis = json.loads((run / 'diagnosis.json').read_text())
    group, = diagnosis['groups']
    assert group['shape'] == [2] and group['units'] == 2 and diagnosis['images'] == 30
    assert sum(group['kl_by_channel']) == pytest.approx(diagnosis['kl'])
    lines = capsys.readouterr().out.splitlines()
    assert ['group', '0', '2', '2', str(group['active']), f'{group["kl"]:.3f}'] in [
        line.split() for line in lines]
    assert group['active'] == 2 or any(line.startswith('warning: group 0: ') for line in lines)


@pytest.mark.parametrize('flags, rows, columns', [
    ({'tool': 'manifold', 'steps': 5}, 5, 5),
    ({'tool': 'interpolate', 'images': '3,1,2', 'steps': 4}, 2, 6),
    ({'tool': 'temperature', 'num': 3, 'temperatures': '0,1'}, 3, 2)])
def test_pictures_of_latents(flags, rows, columns, at_hand, place):
    out = place / f'{flags["tool"]}.png'
    with tiny_run.program('latents') as latents:
        latents(workdir='any', out=out, **flags)
    assert picture(out).shape == (rows * 66 - 2, columns * 66 - 2)


class Options:
    steps, spherical, level, index, strength = 3, False, None, 1, 2.


def test_what_pictures_show(loaded, vae):
    """They show what the VAE gives: means at quantiles, ends of an interpolation, one entry."""
    source = conversion.VaeImages(loaded, seed=0)
    images = source.read([0, 1], [])
    assert set(np.unique(images)) == {0, 1}
    grid = vae_tools.manifold(source, None, Options)
    third = 0.967421566  # It is a Normal's quantile of 5/6.
    np.testing.assert_allclose(grid[0, 2], vae.decode([[[third, third]]]).mean()[0], atol=1e-5)
    np.testing.assert_allclose(grid[2, 1], vae.decode([[[0., -third]]]).mean()[0], atol=1e-5)
    centres, = vae.encode(images)
    way = vae_tools.interpolate(source, images, Options)
    np.testing.assert_array_equal(tf.gather(way[0], [0, 4]), images)
    middle = vae.decode([(centres[:1] + centres[1:]) / 2]).mean()
    np.testing.assert_allclose(way[0, 2], middle[0], atol=1e-5)
    moved = vae_tools.traverse(source, images, Options)
    there = vae.decode([tf.stack([centres[:, 0], [2., 2.]], 1)]).mean()
    np.testing.assert_allclose(moved[:, 2], there, atol=1e-5)
    both = vae_tools.reconstruct(source, images, Options)
    np.testing.assert_allclose(both[:, 1], vae.decode([centres]).mean(), atol=1e-5)
    drawn = source.pictures(both)
    assert drawn.dtype == np.uint8 and set(np.unique(drawn[:, 0])) == {0, 255}


def refused(program, words, **flags):
    with tiny_run.program(program) as run, pytest.raises(errors.UsageError) as caught:
        run(**flags)
    message = str(caught.value)
    assert '\n' not in message and message == words


@pytest.mark.parametrize('flags, words', [
    ({'tool': 'inpaint'}, '--tool=inpaint is for flows; got dense_vae.'),
    ({'tool': 'interpolate', 'images': '0'},
     '--images must hold at least two to interpolate between; got one.'),
    ({'tool': 'interpolate', 'spherical': True},
     '--spherical must be left out for a VAE, whose latents of images are no draws of the prior; '
     'got it.'),
    ({'tool': 'traverse', 'index': 2}, '--index must be in 0 .. 1; got 2.'),
    ({'tool': 'traverse', 'level': 1}, '--level must be in 0 .. 0; got 1.')])
def test_mistakes_of_latents(flags, words, at_hand, place):
    refused('latents', words, workdir='any', out=place / 'no.png', **flags)


def test_a_manifold_is_of_two_latents(loaded):
    model = tfp_glow.vaes.VAEModel(tfp_glow.vaes.dense_vae((8, 8, 1), latent_dims=3, hidden=[4]))
    with pytest.raises(errors.UsageError, match=r'needs a model with --latent_dims=2; .* \[\(3,\)'):
        vae_tools.manifold(conversion.VaeImages(dataclasses.replace(loaded, model=model), seed=0),
                           None, Options)


def test_a_flow_has_no_manifold(place, monkeypatch):
    run = types.SimpleNamespace(spec=registry.spec('glow'), conditional=False, model='glow')
    data = types.SimpleNamespace(event_shape=(8, 8, 1))
    monkeypatch.setattr(opening, 'open_run_or_preset', lambda *where: Trained(run, data, None))
    refused('latents', '--tool=manifold is for VAEs; got glow.', workdir='any', tool='manifold',
            out=place / 'no.png')


@pytest.mark.parametrize('program', ['train', 'evaluate', 'publish'])
@pytest.mark.parametrize('samples', [0, -3])
def test_importance_samples_out_of_range(program, samples, place):
    given = {'workdir': place / 'no', 'importance_samples': samples}
    given |= {'train': {'dataset': 'digits'}, 'publish': {'out': place / 'none'}}.get(program, {})
    refused(program, f'--importance_samples must be at least 1; got {samples}.', **given)


def test_mistakes_of_programs(run, at_hand, place):
    refused('train', '--importance_samples must be left out for --model=glow, whose likelihood is '
            'exact; got 5.', dataset='digits', importance_samples=5, workdir=place / 'no')
    refused('diagnose', '--draws must be even and at least 2; got 3.', workdir=run, draws=3)
    refused('diagnose', '--images must be at least 2 and at most the 180 of --split=validation; '
            'got 1.', workdir=run, images=1)
    refused('ood', '--workdir must be of a flow; dense_vae is a VAE.', workdir=run,
            out=place / 'no', against='noise')
