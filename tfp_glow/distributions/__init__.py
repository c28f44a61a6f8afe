"""Bases of flows and their temperature; flows as distributions over integers; their priors."""

from tfp_glow.distributions.dequantized import Dequantized
from tfp_glow.distributions.discretized_logistic import DiscretizedLogistic
from tfp_glow.distributions.discretized_logistic_mixture import DiscretizedLogisticMixture
from tfp_glow.distributions.discretized_normal import DiscretizedNormal
from tfp_glow.distributions.latents import latent, latents, with_temperature
from tfp_glow.distributions.noise import VariationalNoise

__all__ = ['Dequantized', 'DiscretizedLogistic', 'DiscretizedLogisticMixture',
           'DiscretizedNormal', 'VariationalNoise', 'latent', 'latents', 'with_temperature']
