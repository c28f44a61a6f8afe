"""Bases of flows: the latents of a multi-scale flow, and their temperature."""

from tfp_glow.distributions.latents import latents, with_temperature

__all__ = ['latents', 'with_temperature']
