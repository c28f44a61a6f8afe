"""The zoo's programs on a VAE: from training to pictures, each in this process."""

import csv
import json
import math

import numpy as np
import pytest
import tensorflow as tf
import tiny_run
from PIL import Image

import tfp_glow
import zoo
from zoo import bundle, collapse, errors, registry, runs, vae_results, verification

SMALL = {'model': 'dense_vae', 'dataset': 'digits', 'recipe': 'digits_binary', 'latent_dims': 2,
         'hidden': 16, 'epochs': 1, 'batch_size': 256, 'ema': .5, 'sample_images': 4,
         'posterior': 'iaf', 'iaf_hidden': 8, 'context_size': 4, 'iaf_steps': 1, 'verbose': 0}


@pytest.fixture(scope='module')
def place(tmp_path_factory):
    return tmp_path_factory.mktemp('vae')


@pytest.fixture(scope='module')
def run(place):
    """The directory of a run that `zoo.train` made, evaluated by 3 importance samples too."""
    with tiny_run.program('train') as train:
        train(**SMALL, workdir=place / 'run', data_dir=place / 'data', importance_samples=3)
    return place / 'run'


@pytest.fixture(scope='module')
def loaded(run, place):
    return runs.load(run, place / 'data')


@pytest.fixture(scope='module')
def preset(run, place):
    with tiny_run.program('publish') as publish:
        publish(workdir=run, data_dir=place / 'data', out=place / 'tiny_vae', samples=4,
                importance_samples=2)
    return zoo.from_preset(place / 'tiny_vae')


def picture(path):
    image = np.asarray(Image.open(path))
    assert image.max() > image.min()
    return image


def test_a_run_leaves_what_it_promises(run):
    config = json.loads((run / 'config.json').read_text())
    assert config['training']['binarize'] == 'dynamic' and config['config']['latent_dims'] == 2
    with (run / 'metrics.csv').open(newline='') as file:
        row, = csv.DictReader(file)
    assert {'loss', 'kl', 'nats', 'bits_per_dim', 'val_nats', 'val_kl'} <= set(row)
    assert all(np.isfinite(float(v)) for v in row.values())
    test = json.loads((run / 'test.json').read_text())
    assert test['nats'] == pytest.approx(test['bits_per_dim'] * 64 * math.log(2))
    assert test['images'] == 180 and 0 < test['standard_error'] < test['bits_per_dim'] / 10
    bound = test['importance']
    assert bound['samples'] == 3 and 0 < bound['nats_standard_error'] < bound['nats'] / 10
    assert bound['nats'] < test['nats']  # Tighter.
    for name in ('samples.png', 'reconstructions.png'):
        picture(run / name)


def test_figures_are_those_of_the_averaged_weights(run, loaded):
    """The ELBO of the test images, with the draws that `measures` takes."""
    _, data, model = loaded
    images = data.take('test', 180)
    with model.averaged_weights():
        nats = -tfp_glow.vaes.elbo(model.vae, images, [0, 7919]).numpy()
    test = json.loads((run / 'test.json').read_text())
    assert test['nats'] == pytest.approx(nats.mean(), rel=1e-4)
    assert test['nats_standard_error'] == pytest.approx(nats.std(ddof=1) / 180**.5, rel=1e-3)


def test_the_importance_bound_is_the_mean_of_weights(loaded):
    _, data, model = loaded
    images = data.take('test', 5)
    with model.averaged_weights():
        found = vae_results.figures(*loaded, 'test', limit=5, samples=4)['importance']
        bound = tfp_glow.vaes.importance_bound(model.vae, images, [0, 7918], 4)
    assert found['nats'] == pytest.approx(-np.mean(bound), rel=1e-5)
    assert found['bits_per_dim'] == pytest.approx(-np.mean(bound) / 64 / math.log(2), rel=1e-5)


def test_evaluate_agrees_with_training(run, place, capsys):
    with tiny_run.program('evaluate') as evaluate:
        evaluate(workdir=run, data_dir=place / 'data', importance_samples=3, draws=2)
    found = json.loads((run / 'evaluation.json').read_text())
    test = json.loads((run / 'test.json').read_text())
    assert found['importance']['nats'] == pytest.approx(test['importance']['nats'], rel=1e-5)
    assert found['nats'] != test['nats'] and found['draws'] == 2 and found['round_trip'] == {}
    line = capsys.readouterr().out.splitlines()[1]
    assert line.startswith(f'test ELBO {found["nats"]:.2f} +- ') and 'of 3 samples' in line


def test_a_resumed_run_goes_on(run, place):
    """One epoch is done: nothing is left to do, and the results are the same."""
    before = json.loads((run / 'test.json').read_text())
    with tiny_run.program('train') as train:
        train(**SMALL, workdir=run, data_dir=place / 'data', importance_samples=3, resume=True)
    after = json.loads((run / 'test.json').read_text())
    assert after == pytest.approx(before)


def test_the_bundle_answers_as_the_vae(run, loaded, place):
    found = bundle.open_bundle(run / 'saved_model')
    assert found.family == 'vae' and found.bins == 2
    lines = list(verification.verify(found))
    names = ['sample', 'elbo', 'encode', 'decode', 'reconstruct']
    assert [line.split(':')[0] for line in lines] == [*names, 'decode(encode(images))']
    _, data, model = loaded
    images, served = data.take('test', 6), found.load()
    with model.averaged_weights() as vae:
        latents, = vae.encode(images)
        expected = {
            'encode': latents, 'elbo': tfp_glow.vaes.elbo(vae, images, [5, 0]),
            'decode': vae.decode([latents]).mean(), 'reconstruct': vae.reconstruct(images),
            'sample': vae.sample(6, [5, 0], .8)}
    answers = {'encode': served.encode(images)[0], 'elbo': served.elbo(images, 5),
               'decode': served.decode([latents]), 'reconstruct': served.reconstruct(images),
               'sample': served.sample(6, .8, 5)}
    # The ELBO's draws: `elbo` folds the number of the draw into its seed, a bundle has one draw.
    direct = vae_infer = expected.pop('elbo'), answers.pop('elbo')
    assert direct is vae_infer
    for name, value in expected.items():
        np.testing.assert_allclose(answers[name], value, rtol=1e-4, atol=1e-5, err_msg=name)
    with tiny_run.program('sample') as sample:
        sample(saved_model=run / 'saved_model', num=9, out=place / 'drawn.npy')
    drawn = np.load(place / 'drawn.npy')
    assert drawn.shape == (9, 8, 8, 1) and set(np.unique(drawn)) == {0, 1}
