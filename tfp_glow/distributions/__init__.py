"""Bases of flows: the latents of a multi-scale flow, and their temperature."""

from tfp_glow.distributions.latents import latents
from tfp_glow.distributions.latents import with_temperature

__all__ = ['latents', 'with_temperature']
