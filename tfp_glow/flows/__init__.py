"""Builders: hyper-parameters -> a plain `tfd.TransformedDistribution` with its variables."""

from tfp_glow.flows.building import transformed
from tfp_glow.flows.glow import glow

__all__ = ['glow', 'transformed']
