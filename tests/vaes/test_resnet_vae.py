"""Tests the zoo's resnet VAE: its configuration makes the ladder that it describes."""

import dataclasses
import inspect
import json

import numpy as np
import pytest
import tiny_run

import tfp_glow
from zoo.bundles import reading as bundles
from zoo.bundles import verification
from zoo.cli import errors
from zoo.models import resnet_vae
from zoo.runs import opening

TINY = dataclasses.replace(resnet_vae.RECIPES['digits'].config, groups='2,1', width=4,
                           latent_channels=2, flow_width=4)


def test_build():
    vae = resnet_vae.build(TINY, (8, 8, 1), bins=17, seed=1)
    assert vae.latent_shapes == [[2, 2, 2], [4, 4, 2], [4, 4, 2]]
    assert all(layer.flow is not None for layer in vae.layers)
    assert isinstance(vae.decode(vae.sample_latents(1, [1, 2])).distribution,
                      tfp_glow.distributions.DiscretizedLogisticMixture)
    assert any('bias_map' in v.name for v in vae.trainable_variables)
    gaussian = resnet_vae.build(
        dataclasses.replace(TINY, posterior='gaussian', position_bias=False, likelihood='logistic',
                            likelihood_scale='learned'), (8, 8, 1), bins=17, seed=1)
    assert not any('bias_map' in v.name or 'flow' in v.name for v in gaussian.trainable_variables)
    assert isinstance(gaussian.decode(gaussian.sample_latents(1, [1, 2])).distribution,
                      tfp_glow.distributions.DiscretizedLogistic)


def test_paper():
    """Program and builder have the same defaults, those of the reference: depth 1, 20 blocks."""
    config, training = resnet_vae.RECIPES['paper'].config, resnet_vae.RECIPES['paper'].training
    builder = inspect.signature(tfp_glow.vaes.ladder_vae).parameters
    assert (config.width, config.latent_channels, config.posterior) == tuple(
        builder[key].default for key in ('width', 'latent_channels', 'posterior')) == (
        160, 32, 'iaf')
    assert config.flow_width == config.width
    assert (int(config.groups), builder['levels'].default) == (builder['layers'].default, 1)
    assert (config.free_bits, training.learning_rate, training.optimizer) == (.1, .002, 'adamax')
    assert resnet_vae.divisor(config) == 2


@pytest.mark.parametrize('groups', ['', '2,0', 'two'])
def test_groups(groups):
    with pytest.raises(errors.UsageError, match='--groups must be positive integers'):
        resnet_vae.divisor(dataclasses.replace(TINY, groups=groups))


@pytest.mark.slow
def test_programs(tmp_path):
    """`zoo.train` makes a bundle that answers as the model, with several groups of latents."""
    with tiny_run.program('train') as train:
        train(model='resnet_vae', dataset='digits', groups='1,1', width=8, latent_channels=2,
              flow_width=4, epochs=1, batch_size=128, ema=.5, sample_images=4, verbose=0,
              network_dtype='mixed_bfloat16', workdir=tmp_path / 'run', data_dir=tmp_path / 'data')
    test = json.loads((tmp_path / 'run' / 'test.json').read_text())
    assert 0 < test['bits_per_dim'] < 8
    trained = opening.load(tmp_path / 'run', tmp_path / 'data')
    images = trained.data.take('test', 4)
    bundle = bundles.open_bundle(tmp_path / 'run' / 'saved_model')
    assert list(verification.verify(bundle))
    served = bundle.load()
    with trained.averaged_weights() as vae:
        np.testing.assert_allclose(served.elbo(images, 5),
                                   tfp_glow.vaes.elbo(vae, images, [5, 0]), rtol=1e-4)
        for answer, latents in zip(served.encode(images), vae.encode(images)):
            np.testing.assert_allclose(answer, latents, rtol=1e-3, atol=1e-4)
