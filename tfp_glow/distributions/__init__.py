"""Bases of flows and their temperature; flows as distributions over integers."""

from tfp_glow.distributions.dequantized import Dequantized
from tfp_glow.distributions.latents import latent, latents, with_temperature
from tfp_glow.distributions.noise import VariationalNoise

__all__ = ['Dequantized', 'VariationalNoise', 'latent', 'latents',
           'with_temperature']
