"""Every flow goes through the same programs, from training to a bundle's samples."""

import json
import math

import numpy as np
import pytest
import tiny_run
from PIL import Image

pytestmark = pytest.mark.slow

SMALL = {
    'nice': {'width': 8, 'depths': 1, 'mixture': 'data', 'weight_prior': 1.},
    'real_nvp': {'width': 4},
    'made': {'hidden': 8},
    'maf': {'hidden': 8},
    'iaf': {'hidden': 8},
    'flow_pp': {'width': 8, 'noise_width': 8, 'first_checkerboards': 1, 'steps_per_level': 1,
                'checkerboards': 1, 'noise_steps': 1, 'heads': 2}}


@pytest.mark.parametrize('model', SMALL)
def test_train_evaluate_diagnose_export_sample(model, tmp_path, capsys):
    run, data_dir = tmp_path / 'run', tmp_path / 'data'
    with tiny_run.program('train') as train:
        train(model=model, dataset='digits', workdir=run, data_dir=data_dir, epochs=1,
              batch_size=256, verbose=0, sample_images=4, **SMALL[model])
    config = json.loads((run / 'config.json').read_text())
    assert config['model'] == model
    assert config['training']['weight_prior'] == SMALL[model].get('weight_prior', 0)
    with tiny_run.program('evaluate') as evaluate:
        evaluate(workdir=run, data_dir=data_dir, limit=20, round_trip_images=4)
    assert 'bits/dim' in capsys.readouterr().out
    with tiny_run.program('diagnose') as diagnose:
        diagnose(workdir=run, data_dir=data_dir, images=8)
    assert json.loads((run / 'diagnosis.json').read_text())['round_trip_error'] < 1e-3
    with tiny_run.program('export') as export:
        export(verify=run / 'saved_model')
    with tiny_run.program('sample') as sample:
        sample(saved_model=run / 'saved_model', num=2, out=tmp_path / 'drawn.npy')
    assert np.load(tmp_path / 'drawn.npy').shape == (2, 8, 8, 1)


def test_a_table_of_the_users_own(tmp_path):
    """Its likelihood is in its own units; the picture shows samples and density."""
    rows = np.random.default_rng(0).normal([3., -2.], [5., .1], [400, 2])
    np.savetxt(tmp_path / 'rows.csv', rows, delimiter=',', header='a,b', comments='')
    with tiny_run.program('train') as train:
        train(model='maf', dataset=tmp_path / 'rows.csv', workdir=tmp_path / 'run', epochs=3,
              batch_size=32, hidden=8, layers=1, verbose=0)
    test = json.loads((tmp_path / 'run' / 'test.json').read_text())
    entropy = math.log(2 * math.pi * math.e * 5 * .1)
    assert test['log_likelihood'] == pytest.approx(-entropy, abs=1.)
    assert test['dims'] == 2 and test['rows'] == 40
    with Image.open(tmp_path / 'run' / 'samples.png') as picture:
        assert np.ptp(np.asarray(picture.convert('L'))) > 0
    with tiny_run.program('sample') as sample:
        sample(saved_model=tmp_path / 'run' / 'saved_model', num=5, out=tmp_path / 'drawn.csv')
    assert (tmp_path / 'drawn.csv').read_text().splitlines()[0] == 'a,b'
