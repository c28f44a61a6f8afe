"""The zoo's resnet VAE: its configuration makes the ladder that it says."""

import dataclasses
import inspect

import pytest

import tfp_glow
from zoo import errors
from zoo.models import resnet_vae

TINY = dataclasses.replace(resnet_vae.RECIPES['digits'][0], layers='2,1', width=4,
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
    """The defaults of program and builder are one, and the reference's: depth 1, 20 blocks."""
    config, training = resnet_vae.RECIPES['paper']
    builder = inspect.signature(tfp_glow.vaes.ladder_vae).parameters
    assert (config.width, config.latent_channels, config.posterior) == tuple(
        builder[key].default for key in ('width', 'latent_channels', 'posterior')) == (
        160, 32, 'iaf')
    assert config.flow_width == config.width
    assert (int(config.layers), builder['levels'].default) == (builder['layers'].default, 1)
    assert (config.free_bits, training.learning_rate, training.optimizer) == (.1, .002, 'adamax')
    assert resnet_vae.divisor(config) == 2


@pytest.mark.parametrize('layers', ['', '2,0', 'two'])
def test_layers(layers):
    with pytest.raises(errors.UsageError, match='--layers must be positive integers'):
        resnet_vae.divisor(dataclasses.replace(TINY, layers=layers))
