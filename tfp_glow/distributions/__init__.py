"""Bases of flows and their temperature, and distributions over integers and integer images."""

from tfp_glow.distributions.autoregressive_image import AutoregressiveImage
from tfp_glow.distributions.dequantized import Dequantized
from tfp_glow.distributions.discretized_logistic import DiscretizedLogistic
from tfp_glow.distributions.discretized_logistic_mixture import DiscretizedLogisticMixture
from tfp_glow.distributions.discretized_normal import DiscretizedNormal
from tfp_glow.distributions.latents import latent, latents, with_temperature
from tfp_glow.distributions.noise import VariationalNoise
from tfp_glow.distributions.pixels import BernoulliPixel, LogisticMixturePixel

__all__ = ['AutoregressiveImage', 'BernoulliPixel', 'Dequantized', 'DiscretizedLogistic',
           'DiscretizedLogisticMixture', 'DiscretizedNormal', 'LogisticMixturePixel',
           'VariationalNoise', 'latent', 'latents', 'with_temperature']
