"""Tests `zoo.posteriors`: pairs of runs, their bounds on the same images and the gain."""

import json
import subprocess
import sys

import numpy as np
import pytest
import tiny_run


def posteriors(*flags):
    return subprocess.run([sys.executable, '-m', 'zoo.posteriors', *flags], capture_output=True,
                          text=True, check=False)


def test_gain_is_of_the_same_images_and_its_errors_are_of_differences(tmp_path):
    """With --resume, runs that are finished and bounds that are known are not computed again."""
    nats, rng = {}, np.random.default_rng(3)
    for seed, gain in enumerate((1., 1.5, 2.)):
        hard = rng.normal(230., 80., 400)  # Images differ far more than posteriors.
        for posterior in ('gaussian', 'iaf'):
            folder = tmp_path / f'{posterior}_{seed}'
            folder.mkdir()
            (folder / 'test.json').write_text('{}')
            nats[posterior, seed] = hard + rng.normal(0., .5, 400) - gain * (posterior == 'iaf')
            np.save(folder / 'nats_50_400.npy', nats[posterior, seed])
    done = tiny_run.finish('posteriors', '--dataset=digits', f'--workdir={tmp_path}', '--resume',
                           '--importance_samples=50', '--limit=400')
    assert done.returncode == 0, done.stderr
    table = json.loads((tmp_path / 'posteriors.json').read_text())
    gains = [np.mean(nats['gaussian', seed] - nats['iaf', seed]) for seed in range(3)]
    for pair, gain in zip(table['pairs'], gains, strict=True):
        assert pair['gain'] == pytest.approx(gain)
        assert pair['gain_standard_error'] == pytest.approx(np.sqrt(.5 / 400), rel=.15)
    assert table['gain'] == pytest.approx(np.mean(gains))
    assert table['gain_standard_error'] == pytest.approx(np.std(gains, ddof=1) / np.sqrt(3))
    assert f'{np.mean(gains):.3f} +- ' in done.stdout


@pytest.mark.parametrize('flags, words', [
    (['--workdir=new'], '--dataset must be given'),
    (['--dataset=digits', '--workdir=new', '--seeds=0'], '--seeds must be at least 1; got 0'),
    (['--dataset=digits', '--workdir=new', '--importance_samples=0'],
     '--importance_samples must be at least 1; got 0')])
def test_mistakes_get_one_line(flags, words):
    done = posteriors(*flags)
    assert done.returncode == 2 and 'Traceback' not in done.stderr
    assert f'error: {words}' in done.stderr


@pytest.mark.slow
def test_trains_what_it_reports(tmp_path):
    done = posteriors('--dataset=digits', '--recipe=digits_binary',
                      f'--workdir={tmp_path / "runs"}', '--epochs=1', '--seeds=1',
                      '--importance_samples=3', '--limit=20')
    assert done.returncode == 0, done.stderr
    for posterior in ('gaussian', 'iaf'):
        config = json.loads((tmp_path / 'runs' / f'{posterior}_0' / 'config.json').read_text())
        assert config['config']['posterior'] == posterior
    table = json.loads((tmp_path / 'runs' / 'posteriors.json').read_text())
    assert table['pairs'][0]['images'] == 20 and table['gain_standard_error'] is None
    assert abs(table['gain']) < 20
